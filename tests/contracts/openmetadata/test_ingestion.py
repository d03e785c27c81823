"""
Ingestion pipelines, as far as they go without a run.
"""

from __future__ import annotations

import uuid

from tests.contracts.openmetadata.client import Json, Place
from tests.contracts.openmetadata.marks import versions

RUN: Json = {
    "pipelineState": "running",
    "startDate": 1_700_000_000_000,
    "timestamp": 1_700_000_000_000,
}


def pipeline(place: Place, name: str = "metadata") -> Json:
    service = place.read(f"services/databaseServices/name/{place.name}")
    body = {
        "name": name,
        "pipelineType": "metadata",
        "service": {"id": service["id"], "type": "databaseService"},
        "sourceConfig": {
            "config": {"type": "DatabaseMetadata", "schemaFilterPattern": {"includes": ["^s$"]}}
        },
        "airflowConfig": {},
    }
    reply = place.call("POST", "services/ingestionPipelines", body)
    assert reply.status == 201, reply.text
    place.forget_later("services/ingestionPipelines", reply.body["id"])
    made: Json = reply.body
    return made


def test_a_pipeline_hangs_below_its_service(place: Place) -> None:
    made = pipeline(place)

    assert made["fullyQualifiedName"] == f"{place.name}.metadata"
    assert made["service"]["name"] == place.name
    assert made["deployed"] is False
    assert made["enabled"] is True
    assert made["sourceConfig"]["config"]["schemaFilterPattern"]["includes"] == ["^s$"]


def test_pipelines_of_a_service_and_a_type(place: Place) -> None:
    made = pipeline(place)
    found = place.read(
        "services/ingestionPipelines",
        service=place.name,
        pipelineType="metadata",
        fields="pipelineStatuses",
    )

    assert [one["id"] for one in found["data"]] == [made["id"]]
    assert (
        place.read("services/ingestionPipelines", service=place.name, pipelineType="usage")["data"]
        == []
    )


def test_what_is_not_deployed_is_not_triggered(place: Place) -> None:
    made = pipeline(place)
    reply = place.call("POST", f"services/ingestionPipelines/trigger/{made['id']}")

    assert reply.status == 400
    assert reply.message.startswith("Failed to")


def test_an_unknown_pipeline_is_404(place: Place) -> None:
    assert place.call("POST", f"services/ingestionPipelines/trigger/{uuid.uuid4()}").status == 404


def test_runs_between_two_times(place: Place) -> None:
    made = pipeline(place)
    run = {**RUN, "runId": str(uuid.uuid4())}
    path = f"services/ingestionPipelines/{made['fullyQualifiedName']}/pipelineStatus"

    assert place.put(path, run).status in {200, 201}
    found = place.read(path, startTs=RUN["timestamp"] - 1, endTs=RUN["timestamp"] + 1)["data"]
    assert [one["runId"] for one in found] == [run["runId"]]
    assert run.items() <= place.read(f"{path}/{run['runId']}").items()
    assert place.read(path, startTs=0, endTs=1)["data"] == []


@versions(until="2.0")
def test_the_last_run_is_an_object_before_2(place: Place) -> None:
    made = pipeline(place)
    run = {**RUN, "runId": str(uuid.uuid4())}
    place.put(f"services/ingestionPipelines/{made['fullyQualifiedName']}/pipelineStatus", run)
    found = place.read(f"services/ingestionPipelines/{made['id']}", fields="pipelineStatuses")

    assert found["pipelineStatuses"]["runId"] == run["runId"]


@versions(since="2.0")
def test_the_last_runs_are_a_list_since_2(place: Place) -> None:
    made = pipeline(place)
    run = {**RUN, "runId": str(uuid.uuid4())}
    place.put(f"services/ingestionPipelines/{made['fullyQualifiedName']}/pipelineStatus", run)
    found = place.read(f"services/ingestionPipelines/{made['id']}", fields="pipelineStatuses")

    assert [one["runId"] for one in found["pipelineStatuses"]] == [run["runId"]]


def test_whether_there_is_a_runner(place: Place) -> None:
    told = place.read("services/ingestionPipelines/status")

    assert {"code", "platform"} <= told.keys()
