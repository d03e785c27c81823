"""
A job's lineage taken back: what it alone has given, and nothing of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import DeliveryError, InvalidArgument, NotAllowed
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.openmetadata_graph import Graph
from tests.stores import delivered_edges

ORDERS, PEOPLE, SPEND = (f"shop.db.public.{name}" for name in ("orders", "people", "spend"))
NOTEBOOK = 'fusion."spend.ipynb"'
COUNT = f"SELECT count(*) FROM {ORDERS}"


@pytest.fixture(params=["1.5.0", "1.6.0", "2.0.0"])
def server(request: pytest.FixtureRequest) -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version=request.param) as started:
        started.add_table(ORDERS, {"id": "BIGINT"})
        started.add_table(PEOPLE, {"id": "BIGINT"})
        started.add_table(SPEND, {"id": "BIGINT", "n": "BIGINT"})
        yield started


@pytest.fixture
def fusion(server: OpenMetadataServer, tmp_path: Path) -> Iterator[Fusion]:
    rows = tmp_path / "rows.csv"
    rows.write_text("id\n1\n2\n")
    lines = [f"  {fqn}:\n    source: rows.csv\n" for fqn in (ORDERS, PEOPLE)]
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels:\n" + "".join(lines))
    with connect(
        metadata_url=str(tmp_path / "catalog.yaml"),
        delivery_url=f"openmetadata+{server.url}",
        delivery_token=server.token,
        data_dir=str(tmp_path / "data"),
        worker_start="never",
        owner="ana",
    ) as opened:
        yield opened


@pytest.fixture
def graph(server: OpenMetadataServer) -> Iterator[Graph]:
    opened = Graph(server, ("table", ORDERS), ("table", PEOPLE))
    yield opened
    opened.close()


def run(fusion: Fusion, sql: str, **options: Any) -> str:
    """
    A job that is delivered; its id.
    """
    done = str(fusion.run(sql, origin="spend.ipynb", **options).job_id)
    deliver(fusion)
    return done


def deliver(fusion: Fusion) -> None:
    scheduler = fusion.wiring.open_scheduler()
    while scheduler.deliver_due():
        pass
    assert fusion.store.outbox.dead() == []


def outcome(fusion: Fusion, job: str) -> dict[str, str | None]:
    return {edge.source: edge.stays for edge in fusion.job(job).forget_lineage()}


def test_what_a_job_alone_has_given_goes(fusion: Fusion, graph: Graph) -> None:
    job = run(fusion, f"SELECT * FROM {ORDERS} JOIN {PEOPLE} USING (id)")
    assert set(graph.edges()) == {(ORDERS, NOTEBOOK), (PEOPLE, NOTEBOOK)}

    assert outcome(fusion, job) == {ORDERS: None, PEOPLE: None}

    assert graph.edges() == {}
    assert delivered_edges(fusion.store) == []
    assert fusion.lineage(ORDERS).downstream == ()
    with pytest.raises(InvalidArgument, match="has no lineage"):
        fusion.job(job).forget_lineage()


def test_what_other_jobs_have_given_too_stays(fusion: Fusion, graph: Graph) -> None:
    job = run(fusion, f"SELECT * FROM {ORDERS} JOIN {PEOPLE} USING (id)")
    other = run(fusion, COUNT)

    assert outcome(fusion, job) == {ORDERS: "other jobs give it, too", PEOPLE: None}
    assert set(graph.edges()) == {(ORDERS, NOTEBOOK)}
    assert [source for source, _ in delivered_edges(fusion.store)] == [ORDERS]

    assert outcome(fusion, other) == {ORDERS: None}
    assert graph.edges() == {}


def test_what_a_person_has_written_to_stays(
    fusion: Fusion, server: OpenMetadataServer, graph: Graph
) -> None:
    job = run(fusion, COUNT)
    ends = [server.get("table", ORDERS)["id"], server.get("pipeline", NOTEBOOK)["id"]]
    told = dict(server.edge(*ends) or {}, description="By hand.")
    body = {"edge": {"fromEntity": {"id": ends[0], "type": "table"}, "lineageDetails": told}}
    body["edge"]["toEntity"] = {"id": ends[1], "type": "pipeline"}
    assert graph.client.send("PUT", "lineage", body)

    assert outcome(fusion, job) == {ORDERS: "somebody else has written to it, too"}
    assert server.edge(*ends) is not None


def test_the_edge_of_a_stored_result_goes_and_the_result_stays(
    fusion: Fusion, server: OpenMetadataServer, graph: Graph
) -> None:
    job = run(fusion, f"SELECT id FROM {ORDERS}", name="daily")
    result = "fusion.results.ana.daily"
    assert set(graph.edges()) == {(ORDERS, result)}

    assert outcome(fusion, job) == {ORDERS: None}

    assert graph.edges() == {}
    assert server.get("container", result)["deleted"] is False
    assert fusion.result("daily").arrow().num_rows == 2


def test_what_was_not_delivered_yet_never_is(fusion: Fusion, graph: Graph) -> None:
    job = str(fusion.run(COUNT, origin="spend.ipynb").job_id)

    assert outcome(fusion, job) == {ORDERS: None}
    deliver(fusion)

    assert graph.edges() == {}
    assert fusion.store.outbox.pending() == []


def test_what_is_being_delivered_is_not_forgotten_beside_it(fusion: Fusion) -> None:
    job = str(fusion.run(COUNT, origin="spend.ipynb").job_id)
    fusion.store.outbox.claim("s", lease_s=60, limit=9)

    with pytest.raises(InvalidArgument, match="at this moment"):
        fusion.job(job).forget_lineage()
    assert len(fusion.store.outbox.pending()) == 2


def test_a_server_that_is_away_is_asked_again(
    fusion: Fusion, server: OpenMetadataServer, graph: Graph
) -> None:
    job = run(fusion, COUNT)
    server.stop()
    with pytest.raises(DeliveryError, match="cannot be asked"):
        fusion.job(job).forget_lineage()
    server.start()
    assert set(graph.edges()) == {(ORDERS, NOTEBOOK)}

    assert outcome(fusion, job) == {ORDERS: None}
    assert graph.edges() == {}


def test_a_table_that_is_gone_has_no_edge_any_more(
    fusion: Fusion, server: OpenMetadataServer
) -> None:
    job = run(fusion, COUNT)
    server.hard_delete(ORDERS)

    assert outcome(fusion, job) == {ORDERS: None}


def test_a_receiver_that_takes_nothing_back_is_said_before_anything_is_done(
    fusion: Fusion, graph: Graph, tmp_path: Path
) -> None:
    job = run(fusion, COUNT)
    url = f"{fusion.settings.delivery_url} openlineage+file://{tmp_path}/events.jsonl"
    given = fusion.settings.shareable() | {"delivery_url": url, "owner": "ana"}
    token = fusion.settings.delivery_token

    with (
        connect(**given, delivery_token=token) as other,
        pytest.raises(InvalidArgument, match="openlineage, cannot take back"),
    ):
        other.job(job).forget_lineage()
    assert set(graph.edges()) == {(ORDERS, NOTEBOOK)}


def test_somebody_elses_job_is_not_forgotten(fusion: Fusion) -> None:
    job = run(fusion, COUNT)
    given = fusion.settings.shareable() | {"owner": "bo"}
    token = fusion.settings.delivery_token

    with (
        connect(**given, delivery_token=token) as other,
        pytest.raises(NotAllowed, match="ana's"),
    ):
        other.job(job).forget_lineage()
    with connect(**{**given, "jobs_cancel_others": "yes"}, delivery_token=token) as other:
        assert len(other.job(job).forget_lineage()) == 1
