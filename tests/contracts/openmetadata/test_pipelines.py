"""
Pipelines, their tasks and their runs.
"""

from __future__ import annotations

import time

from tests.contracts.openmetadata.client import Json, Place
from tests.contracts.openmetadata.marks import versions


def pipeline(place: Place, **facts: object) -> Json:
    name = f"{place.name}_ps"
    if place.get(f"services/pipelineServices/name/{name}").status == 404:
        place.pipeline_service()
    tasks = [
        {"name": "one", "taskType": "Notebook", "taskSQL": "SELECT 1", "downstreamTasks": ["two"]},
        {"name": "two"},
    ]
    return place.made("pipelines", {"name": "p", "service": name, "tasks": tasks, **facts})


def status(state: str = "Successful", **more: object) -> Json:
    return {
        "timestamp": int(time.time() * 1000),
        "executionStatus": state,
        "taskStatus": [],
        **more,
    }


def test_tasks_have_fqns(place: Place) -> None:
    made = pipeline(place)

    assert [task["fullyQualifiedName"] for task in made["tasks"]] == [
        f"{place.name}_ps.p.one",
        f"{place.name}_ps.p.two",
    ]
    assert made["tasks"][0]["taskSQL"] == "SELECT 1"


def test_tasks_are_there_when_asked_for(place: Place) -> None:
    made = pipeline(place)

    assert "tasks" not in place.read(f"pipelines/{made['id']}")
    assert len(place.read(f"pipelines/{made['id']}", fields="tasks")["tasks"]) == 2


def test_a_put_replaces_tasks(place: Place) -> None:
    made = pipeline(place)
    pipeline(place, tasks=[{"name": "two"}])

    assert [
        task["name"] for task in place.read(f"pipelines/{made['id']}", fields="tasks")["tasks"]
    ] == ["two"]


def test_a_left_out_link_is_cleared(place: Place) -> None:
    pipeline(place, sourceUrl="https://a.example")
    made = pipeline(place)

    assert "sourceUrl" not in place.read(f"pipelines/{made['id']}")


def test_the_last_run(place: Place) -> None:
    made = pipeline(place)
    run = status(taskStatus=[{"name": "one", "executionStatus": "Successful"}])
    reply = place.put(f"pipelines/{made['fullyQualifiedName']}/status", run)

    assert reply.status == 200
    assert reply.body["pipelineStatus"] == run
    assert place.read(f"pipelines/{made['id']}", fields="pipelineStatus")["pipelineStatus"] == run


def test_runs_between_two_times(place: Place) -> None:
    made = pipeline(place)
    first, second = status("Failed", timestamp=1_700_000_000_000), status()
    for one in (first, second):
        place.put(f"pipelines/{made['fullyQualifiedName']}/status", one)
    path = f"pipelines/{made['fullyQualifiedName']}/status"
    found = place.read(path, startTs=0, endTs=second["timestamp"] + 1)["data"]

    assert [one["executionStatus"] for one in found] == ["Successful", "Failed"]
    assert len(place.read(path, startTs=0, endTs=1_700_000_000_001)["data"]) == 1


def test_both_times_are_needed(place: Place) -> None:
    made = pipeline(place)

    assert place.get(f"pipelines/{made['fullyQualifiedName']}/status").status == 400


def test_an_unknown_task_is_400(place: Place) -> None:
    made = pipeline(place)
    run = status(taskStatus=[{"name": "none", "executionStatus": "Successful"}])
    reply = place.put(f"pipelines/{made['fullyQualifiedName']}/status", run)

    assert (reply.status, reply.message) == (400, "Invalid task name none")


@versions(until="1.8")
def test_a_run_without_tasks_looks_like_an_outage(place: Place) -> None:
    made = pipeline(place)
    run = status()
    del run["taskStatus"]

    assert place.put(f"pipelines/{made['fullyQualifiedName']}/status", run).status == 500


@versions(until="1.10")
def test_no_execution_id_before_1_10(place: Place) -> None:
    made = pipeline(place)

    assert (
        place.put(f"pipelines/{made['fullyQualifiedName']}/status", status(executionId="x")).status
        == 400
    )


@versions(since="1.10")
def test_an_execution_id_since_1_10(place: Place) -> None:
    made = pipeline(place)

    assert (
        place.put(f"pipelines/{made['fullyQualifiedName']}/status", status(executionId="x")).status
        == 200
    )
