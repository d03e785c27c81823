"""
Notebooks as pipelines: their cells, their runs, and what others added.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fusion_magic.delivery.openmetadata.notebooks import MOST_TASKS, Notebooks
from fusion_magic.delivery.openmetadata.receiver import OpenMetadataDelivery
from fusion_magic.errors import DeliveryError, PermanentDeliveryError
from fusion_magic.store import Job
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.facts import NOON, facts
from tests.delivery.openmetadata.jobs import PIPELINE, job_facts, runs, writes


def job(sql: str = "SELECT 1", **given: Any) -> Job:
    return job_facts(user_query=sql, **given).job


@pytest.fixture
def notebooks(receiver: OpenMetadataDelivery) -> Notebooks:
    return receiver._notebooks


def tasks(server: OpenMetadataServer, fqn: str = PIPELINE) -> list[str]:
    return [task["taskSQL"] for task in server.get("pipeline", fqn)["tasks"]]


def test_each_statement_is_a_task_once_and_each_job_a_run(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, notebooks: Notebooks
) -> None:
    for minute, sql in enumerate(["SELECT 'a'", "SELECT b", "SELECT 'c'"]):
        notebooks.told(job(sql, started=NOON.replace(minute=minute)))

    assert tasks(server) == ["SELECT ?", "SELECT b"]
    found = runs(receiver)
    assert [run["executionStatus"] for run in found] == ["Successful"] * 3
    [task] = found[-1]["taskStatus"]
    begun = round(NOON.timestamp() * 1000)
    assert (task["startTime"], task["endTime"]) == (begun, begun + 60_000)


def test_what_was_told_once_is_not_looked_up_again(
    server: OpenMetadataServer, notebooks: Notebooks
) -> None:
    one = job()
    end = notebooks.told(one)
    server.clear_requests()

    assert notebooks.told(one) == end
    assert server.requests == []


def test_a_pipeline_is_read_once_for_jobs_that_follow_each_other(
    server: OpenMetadataServer, notebooks: Notebooks
) -> None:
    notebooks.told(job())
    server.clear_requests()

    for minute in range(1, 4):
        notebooks.told(job(started=NOON.replace(minute=minute)))

    assert {r.path.rpartition("/")[2] for r in server.requests} == {"status"}
    assert [r.method for r in server.requests] == ["GET", "PUT"] * 3


def test_a_pipeline_that_went_away_a_moment_ago_is_made_again(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, notebooks: Notebooks
) -> None:
    notebooks.told(job())
    server.hard_delete(PIPELINE, kind="pipeline")

    end = notebooks.told(job(started=NOON.replace(minute=1)))

    assert end.id == server.get("pipeline", PIPELINE)["id"]
    assert len(runs(receiver)) == 1


def test_jobs_that_began_at_the_same_time_are_one_run_of_two_tasks(
    receiver: OpenMetadataDelivery, notebooks: Notebooks
) -> None:
    notebooks.told(job("SELECT a"))
    notebooks.told(job("SELECT b"))

    [run] = runs(receiver)
    assert len(run["taskStatus"]) == 2


def test_what_others_wrote_to_the_pipeline_stays(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, notebooks: Notebooks
) -> None:
    """
    A PUT replaces the tasks and clears what it leaves out.
    """
    notebooks.told(job("SELECT a"))
    own = server.get("pipeline", PIPELINE)["tasks"]
    body = {
        "name": "spend.ipynb",
        "service": "fusion",
        "sourceUrl": "https://jupyter.example/spend.ipynb",
        "description": "Ana's.",
        "tasks": [*own, {"name": "check", "taskType": "Python"}],
    }
    receiver._client.put("pipelines", body, dict[str, Any])

    notebooks.told(job("SELECT b"))

    pipeline = server.get("pipeline", PIPELINE)
    assert pipeline["sourceUrl"] == "https://jupyter.example/spend.ipynb"
    assert pipeline["description"] == "Ana's."
    assert [t.get("taskSQL") for t in pipeline["tasks"]] == ["SELECT a", None, "SELECT b"]


def test_the_newest_tasks_stay(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, notebooks: Notebooks
) -> None:
    notebooks.told(job("SELECT first"))
    many = [{"name": f"t{number}", "taskSQL": str(number)} for number in range(MOST_TASKS)]
    body = {"name": "spend.ipynb", "service": "fusion", "tasks": many}
    receiver._client.put("pipelines", body, dict[str, Any])

    notebooks.told(job("SELECT last"))

    found = tasks(server)
    assert len(found) == MOST_TASKS
    assert (found[0], found[-1]) == ("1", "SELECT last")


def test_a_notebook_whose_name_openmetadata_refuses_keeps_it_for_people(
    server: OpenMetadataServer, notebooks: Notebooks
) -> None:
    end = notebooks.told(job(origin='a::b "c".ipynb'))

    assert server.get("pipeline", end.fqn)["displayName"] == 'a::b "c".ipynb'


def test_jobs_from_nowhere_are_the_consoles(
    server: OpenMetadataServer, notebooks: Notebooks
) -> None:
    assert notebooks.told(job(origin="")).fqn == "fusion.console"


def test_nothing_is_told_of_the_text_where_it_must_not_be(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    Notebooks(receiver._client, sql="none").told(job("SELECT secret"))

    [task] = server.get("pipeline", PIPELINE)["tasks"]
    assert "SELECT" not in str(task)


def test_a_service_of_that_name_that_is_not_ours_is_left_alone(
    server: OpenMetadataServer, notebooks: Notebooks
) -> None:
    server.add("pipelineService", name="fusion", serviceType="Airflow")

    with pytest.raises(PermanentDeliveryError, match="is Airflow, not CustomPipeline"):
        notebooks.told(job())
    assert writes(server) == []


def test_a_service_of_ours_that_somebody_deleted_is_left_so(
    server: OpenMetadataServer, notebooks: Notebooks
) -> None:
    notebooks.told(facts().job)
    server.soft_delete("fusion", kind="pipelineService")

    with pytest.raises(PermanentDeliveryError, match="restore it there"):
        notebooks.told(job(origin="other.ipynb"))


def test_a_task_that_somebody_else_takes_away_is_put_again(
    server: OpenMetadataServer, notebooks: Notebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = notebooks._client
    put, left = client.put, [1, 1]

    def put_and_lose(path: str, body: Any, kind: Any) -> Any:
        made = put(path, body, kind)
        if path == "pipelines" and left and left.pop():
            put(path, {**body, "tasks": []}, kind)
        return made

    monkeypatch.setattr(client, "put", put_and_lose)

    notebooks.told(job("SELECT a"))

    assert tasks(server) == ["SELECT a"]


def test_a_task_that_never_stays_waits_for_another_try(
    notebooks: Notebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks._client, "put", lambda *_: {})

    with pytest.raises(DeliveryError, match="at the same time"):
        notebooks.told(job())


def test_the_time_of_a_job_that_was_never_begun_is_when_it_arrived(
    receiver: OpenMetadataDelivery, notebooks: Notebooks
) -> None:
    notebooks.told(replace(job(), started=None, finished=None))

    [run] = runs(receiver)
    assert run["timestamp"] == round(NOON.timestamp() * 1000)
