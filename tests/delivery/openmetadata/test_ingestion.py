"""
Tables that a service's own metadata pipeline brings: triggered as it stands, watched to its end, and never written besides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from fusion_magic.delivery.openmetadata.ingestion import UNANSWERED_S, admits
from fusion_magic.delivery.openmetadata.receiver import OpenMetadataDelivery
from fusion_magic.errors import DeliveryError, DeliveryPending, PermanentDeliveryError
from fusion_magic.openmetadata.client import segment
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.facts import NOON
from tests.delivery.openmetadata.jobs import (
    ORDERS,
    deliver,
    edge,
    job_facts,
    open_receiver,
    rows,
    writes,
)

NEW = "shop.db.public.new"
PIPELINE = "shop.metadata"
PATIENCE_S = 60.0


@pytest.fixture
def brought(server: OpenMetadataServer) -> list[str]:
    """
    The pipelines that were run; each brings the table.
    """
    ran: list[str] = []

    def run(fqn: str) -> None:
        ran.append(fqn)
        server.add_table(NEW, {"key": "BIGINT"})

    server.on_trigger = run
    return ran


def config(**more: Any) -> dict[str, Any]:
    return {"sourceConfig": {"config": {"type": "DatabaseMetadata", **more}}}


def told(**job: Any) -> Any:
    return job_facts([(ORDERS, NEW)], [("Id", "key")], **job)


def states(receiver: OpenMetadataDelivery) -> list[str]:
    path = f"services/ingestionPipelines/{segment(PIPELINE)}/pipelineStatus"
    found = receiver._client.get(path, dict[str, Any], {"startTs": 0, "endTs": 1 << 52}) or {}
    return [run["pipelineState"] for run in found["data"]]


def wait_for_runs(receiver: OpenMetadataDelivery, number: int = 1) -> None:
    """
    Wait until so many runs have ended.
    """
    deadline = time.monotonic() + PATIENCE_S
    while len([s for s in states(receiver) if s in {"success", "failed"}]) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def triggered(act: Callable[[], object]) -> None:
    with pytest.raises(DeliveryError, match=f"{PIPELINE}, which was triggered") as caught:
        act()
    assert type(caught.value) is DeliveryError


def test_a_table_is_brought_by_its_services_pipeline(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, brought: list[str]
) -> None:
    server.add_ingestion_pipeline("shop", **config(schemaFilterPattern={"includes": ["^public$"]}))
    before = server.get("ingestionPipeline", PIPELINE)

    triggered(lambda: deliver(receiver, told(), makes=True))
    wait_for_runs(receiver)
    deliver(receiver, told(), makes=True)

    assert brought == [PIPELINE]
    assert edge(receiver, server, ORDERS, NEW) is not None
    assert not any("PUT /v1/tables" in line for line in writes(server))
    after = server.get("ingestionPipeline", PIPELINE)
    assert {k: v for k, v in after.items() if k != "pipelineStatuses"} == {
        k: v for k, v in before.items() if k != "pipelineStatuses"
    }


def test_nothing_else_is_done_while_it_is_at_work(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    Whoever looks: the scheduler that triggered it, or another.
    """
    go_on, begun = Event(), []

    def run(fqn: str) -> None:
        begun.append(fqn)
        assert go_on.wait(PATIENCE_S)

    server.on_trigger = run
    server.add_ingestion_pipeline("shop")
    triggered(lambda: deliver(receiver, told(), makes=True))

    for each in (receiver, open_receiver(server), receiver):
        with pytest.raises(DeliveryPending, match=f"waits for the ingestion pipeline {PIPELINE}"):
            deliver(each, told(), makes=True)

    go_on.set()
    wait_for_runs(receiver)
    assert begun == [PIPELINE]


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_run_that_ends_without_the_table_is_final_and_says_so(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, is_broken: bool
) -> None:
    def run(_: str) -> None:
        if is_broken:
            raise ValueError("the source is away")

    server.on_trigger = run
    server.add_ingestion_pipeline("shop")
    triggered(lambda: deliver(receiver, told(), makes=True))
    wait_for_runs(receiver)
    server.clear_requests()

    state = "failed" if is_broken else "success"
    with pytest.raises(PermanentDeliveryError, match=rf"ended \({state}\) without {NEW}"):
        deliver(open_receiver(server), told(), makes=True)
    assert writes(server) == []


def test_a_run_from_before_the_job_tells_nothing_of_its_table(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, brought: list[str]
) -> None:
    server.add_ingestion_pipeline("shop")
    early = round(NOON.timestamp() * 1000) - 5000
    run = {"pipelineState": "success", "startDate": early, "timestamp": early, "runId": "1"}
    path = f"services/ingestionPipelines/{segment(PIPELINE)}/pipelineStatus"
    assert receiver._client.send("PUT", path, run)

    triggered(lambda: deliver(receiver, told(), makes=True))

    wait_for_runs(receiver, 2)
    assert brought == [PIPELINE]


@pytest.mark.parametrize(
    "facts",
    [
        config(schemaFilterPattern={"excludes": ["pub"]}),
        config(tableFilterPattern={"includes": ["old"]}),
        {"pipelineType": "usage", "sourceConfig": {"config": {"type": "DatabaseUsage"}}},
        {"enabled": False},
    ],
)
def test_a_table_that_no_pipeline_takes_is_written(
    server: OpenMetadataServer,
    receiver: OpenMetadataDelivery,
    brought: list[str],
    facts: dict[str, Any],
) -> None:
    server.add_ingestion_pipeline("shop", **facts)

    deliver(receiver, told(), makes=True)

    assert brought == []
    assert server.get("table", NEW)["description"].startswith("Made by job")


def test_without_anything_that_runs_pipelines_the_table_is_written(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    server.add_ingestion_pipeline("shop")

    deliver(receiver, told(), makes=True)

    assert server.get("table", NEW)["description"].startswith("Made by job")


def test_pipelines_alone_write_no_table(server: OpenMetadataServer, brought: list[str]) -> None:
    server.add_ingestion_pipeline("shop", **config(includeTables=False))
    receiver = open_receiver(server, ingestion="pipeline")

    with pytest.raises(PermanentDeliveryError, match="shop has no metadata pipeline"):
        deliver(receiver, told(), makes=True)

    assert brought == []
    assert not any("/v1/tables" in line for line in writes(server))


def test_tables_alone_trigger_no_pipeline(server: OpenMetadataServer, brought: list[str]) -> None:
    server.add_ingestion_pipeline("shop")

    deliver(open_receiver(server, ingestion="create"), told(), makes=True)

    assert brought == []
    assert server.get("table", NEW)["description"].startswith("Made by job")


def test_where_nothing_makes_it_known_its_edges_wait_for_somebody_who_does(
    server: OpenMetadataServer, brought: list[str]
) -> None:
    server.add_ingestion_pipeline("shop")
    receiver, facts = open_receiver(server, ingestion="none"), told()
    made, wanted = rows(facts, makes=True)
    server.clear_requests()

    receiver.deliver(made, facts)
    with pytest.raises(DeliveryError, match=r"delivery\.ingestion is none") as caught:
        receiver.deliver(wanted, facts)

    assert type(caught.value) is DeliveryError
    assert (brought, writes(server)) == ([], [])
    server.add_table(NEW, {"key": "BIGINT"})
    receiver.deliver(wanted, facts)
    assert edge(receiver, server, ORDERS, NEW) is not None


def test_a_trigger_that_is_refused_is_tried_again(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, brought: list[str]
) -> None:
    """
    A run is under way of which nobody has told yet, for one.
    """
    server.add_ingestion_pipeline("shop")
    server.fail(400, path="/trigger/")

    with pytest.raises(DeliveryError, match=f"does not trigger .* {PIPELINE}") as caught:
        deliver(receiver, told(), makes=True)
    assert type(caught.value) is DeliveryError
    assert brought == []

    triggered(lambda: deliver(receiver, told(), makes=True))


def test_a_run_that_nobody_reports_is_triggered_again_after_a_while(
    server: OpenMetadataServer, brought: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add_ingestion_pipeline("shop")
    receiver, now = open_receiver(server), [0.0]
    ingestion = receiver._assets._ingestion
    ingestion._triggered._clock = lambda: now[0]
    monkeypatch.setattr(ingestion, "_runs", lambda *_: [])
    monkeypatch.setattr(receiver._assets, "find", lambda fqn: None)
    facts = told()
    [made, _] = rows(facts, makes=True)

    triggered(lambda: receiver.deliver(made, facts))
    with pytest.raises(DeliveryPending):
        receiver.deliver(made, facts)
    now[0] = UNANSWERED_S
    triggered(lambda: receiver.deliver(made, facts))


@pytest.mark.parametrize(
    ("config", "is_view", "is_admitted"),
    [
        ({}, False, True),
        ({}, True, True),
        ({"includeViews": False}, True, False),
        ({"includeViews": False}, False, True),
        ({"includeTables": False}, False, False),
        ({"databaseFilterPattern": {"includes": ["D"]}}, False, True),
        ({"databaseFilterPattern": {"includes": ["other"]}}, False, False),
        ({"schemaFilterPattern": {"includes": ["x", "sc"]}}, False, True),
        ({"schemaFilterPattern": {"includes": ["s"], "excludes": ["sch"]}}, False, False),
        ({"schemaFilterPattern": None}, False, True),
        ({"tableFilterPattern": {"excludes": [".*ble"]}}, False, False),
        ({"tableFilterPattern": {"excludes": ["able"]}}, False, True),
        ({"tableFilterPattern": {"includes": ["("]}}, False, False),
        ({"useFqnForFiltering": True, "schemaFilterPattern": {"includes": ["sch"]}}, False, False),
        (
            {"useFqnForFiltering": True, "schemaFilterPattern": {"includes": [r"svc\.db\.sch$"]}},
            False,
            True,
        ),
    ],
)
def test_what_a_pipeline_takes(config: Any, is_view: bool, is_admitted: bool) -> None:
    assert admits(config, ["svc", "db", "sch", "table"], is_view=is_view) is is_admitted
