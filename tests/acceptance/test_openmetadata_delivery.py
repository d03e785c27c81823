"""
From cells on real Trino to OpenMetadata's graph: what the jobs say is what it holds, edge by edge, and what people wrote stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import connect
from fusion_magic.fusion import Fusion
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.openmetadata_graph import Edges, Graph

ORDERS, CUSTOMER = "prod.tpch.tiny.orders", "prod.tpch.tiny.customer"
SCHEMA = "prod.memory.default"
SPEND, RICH, KNOWN = f"{SCHEMA}.spend", f"{SCHEMA}.rich", f"{SCHEMA}.known"
NOTEBOOK = 'fusion.notebooks."spend.ipynb"'


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        columns = {"orderkey": "BIGINT", "custkey": "BIGINT", "totalprice": "DOUBLE"}
        started.add_table(ORDERS, columns, service_type="Trino")
        started.add_table(CUSTOMER, {"custkey": "BIGINT", "name": "STRING"}, service_type="Trino")
        started.add_table(KNOWN, {"k": "BIGINT", "note": "STRING"}, service_type="Trino")
        yield started


@pytest.fixture
def graph(server: OpenMetadataServer) -> Iterator[Graph]:
    opened = Graph(server, ("table", ORDERS), ("table", CUSTOMER))
    yield opened
    opened.close()


@pytest.fixture
def fusion(server: OpenMetadataServer, trino_url: str, tmp_path: Path) -> Iterator[Fusion]:
    """
    Names and lineage by one server, whose token is set once.
    """
    with connect(
        engine_url=trino_url.replace("http", "trino", 1),
        metadata_url=server.url,
        metadata_token=server.token,
        delivery_url=f"openmetadata+{server.url}",
        data_dir=str(tmp_path),
        worker_start="never",
        owner="ana",
    ) as opened:
        yield opened
        for table in ("TABLE IF EXISTS memory.default.spend", "VIEW IF EXISTS memory.default.rich"):
            opened.run(f"DROP {table}")


def deliver(fusion: Fusion) -> None:
    """
    All that waits, as a scheduler does.
    """
    scheduler = fusion.wiring.open_scheduler()
    while scheduler.deliver_due():
        pass
    for delivery in scheduler._deliveries:
        delivery.close()
    assert [letter.error for letter in fusion.store.outbox.dead()] == []
    assert fusion.store.outbox.pending() == []


def told_by_jobs(fusion: Fusion) -> Edges:
    """
    What the jobs in the store have found, by OpenMetadata's names.
    """
    names = {NOTEBOOK: 'fusion."spend.ipynb"', "fusion.results.daily": "fusion.results.ana.daily"}
    found: Edges = {}
    for job in fusion.jobs(limit=10_000):
        for source, target in fusion.store.lineage.of_job(job.id):
            found.setdefault((names.get(source, source), names.get(target, target)), set())
        for edge in fusion.store.lineage.columns_of_job(job.id):
            pair = (
                names.get(edge.source_fqn, edge.source_fqn),
                names.get(edge.target_fqn, edge.target_fqn),
            )
            if edge.target_fqn != NOTEBOOK:
                found[pair].add((edge.source_column, edge.target_column))
    return found


MAKE = (
    f"CREATE TABLE {SPEND} AS SELECT c.name, sum(o.totalprice) AS spent FROM {ORDERS} o "
    f"JOIN {CUSTOMER} c ON c.custkey = o.custkey WHERE o.orderkey < 100 AND c.name <> 'Nobody' GROUP BY 1"
)


def run(fusion: Fusion, sql: str, **options: Any) -> None:
    fusion.run(sql, origin="spend.ipynb", **options)


@pytest.mark.trino
def test_the_graph_is_the_one_that_the_jobs_give(
    fusion: Fusion, server: OpenMetadataServer, graph: Graph
) -> None:
    by_hand = {"fromColumns": [f"{ORDERS}.custkey"], "toColumn": f"{KNOWN}.note", "function": "str"}
    graph.put(ORDERS, KNOWN, {"description": "By hand.", "columnsLineage": [by_hand]})
    fusion.run("CREATE TABLE IF NOT EXISTS memory.default.known (k bigint, note varchar)")

    run(fusion, MAKE)
    run(
        fusion,
        f"INSERT INTO {SPEND} (name, spent) SELECT c.name, c.custkey FROM {CUSTOMER} c LIMIT 1",
    )
    run(fusion, f"INSERT INTO {KNOWN} (k) SELECT o.orderkey FROM {ORDERS} o LIMIT 1")
    deliver(fusion)
    run(fusion, f"CREATE VIEW {RICH} AS SELECT s.name AS who FROM {SPEND} s WHERE s.spent > 10")
    run(fusion, f"SELECT s.name, s.spent FROM {SPEND} s", name="daily")
    run(fusion, f"SELECT count(*) FROM {ORDERS} o WHERE o.orderkey > 7")
    deliver(fusion)

    told = told_by_jobs(fusion)
    assert len(told) == 6
    told[ORDERS, KNOWN].add(("custkey", "note"))
    assert graph.edges() == told
    assert told[ORDERS, SPEND] == {("totalprice", "spent")}
    assert told[CUSTOMER, SPEND] == {("name", "name"), ("custkey", "spent")}
    kept = graph.details(ORDERS, KNOWN)
    assert (kept["description"], kept["source"]) == ("By hand.", "Manual")
    assert by_hand in kept["columnsLineage"]
    assert_assets_are_told(fusion, server, graph)


def assert_assets_are_told(fusion: Fusion, server: OpenMetadataServer, graph: Graph) -> None:
    details = graph.details(ORDERS, SPEND)
    assert "'Nobody'" not in details["sqlQuery"]
    assert "<> ?" in details["sqlQuery"]
    assert details["pipeline"]["fullyQualifiedName"] == 'fusion."spend.ipynb"'
    made = [(c["name"], c["dataTypeDisplay"]) for c in server.get("table", SPEND)["columns"]]
    assert made == [("name", "varchar(25)"), ("spent", "double")]
    view = server.get("table", RICH)
    assert (view["tableType"], view["columns"][0]["dataType"]) == ("View", "VARCHAR")
    assert view["schemaDefinition"].endswith("> ?")
    result = server.get("container", "fusion.results.ana.daily")
    assert [c["dataTypeDisplay"] for c in result["dataModel"]["columns"]] == [
        "varchar(25)",
        "double",
    ]
    tasks = server.get("pipeline", 'fusion."spend.ipynb"')["tasks"]
    assert len(tasks) == 6


@pytest.mark.trino
def test_ten_runs_leave_what_a_person_wrote(
    fusion: Fusion, server: OpenMetadataServer, graph: Graph
) -> None:
    run(fusion, MAKE)
    deliver(fusion)
    id_ = server.get("table", SPEND)["id"]
    patch = [{"op": "replace", "path": "/description", "value": "What people spend."}]
    assert graph.client.send("PATCH", f"tables/{id_}", patch)
    before = server.get("table", SPEND)

    for _ in range(10):
        run(fusion, f"INSERT INTO {SPEND} SELECT c.name, 1 FROM {CUSTOMER} c LIMIT 1")
        deliver(fusion)

    assert server.get("table", SPEND) == before
    assert graph.edges() == told_by_jobs(fusion)
