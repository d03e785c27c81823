"""
Lineage delivered to an OpenMetadata server that answers after 5 ms: rows a second, for 10,000 rows over 1,000 edges.

Each of 200 tables is written by ten runs of one statement that reads five others: 2,000 jobs with five rows each. The jobs are those of 20 notebooks.

``FUSION_BENCH_OPENMETADATA_URL`` and ``…_TOKEN_FILE`` deliver to another server instead, ``…_ROWS`` rows of them, beside the official client's own
way of sending the same edges: an ``add_lineage`` a row. All that is made there lies in the service ``fusion_bench`` and below notebooks
of that name, and is taken away.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

from benchmarks.timing import median_ms, table
from fusion_magic import connect
from fusion_magic.fusion import Fusion
from fusion_magic.openmetadata.address import parse_address
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.store import ColumnEdge, Converted, ModelRow, NewJob, Outcome, QueueRow
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.openmetadata_client import run_official

OTHER = "FUSION_BENCH_OPENMETADATA"
SERVICE, OFFICIAL = "fusion_bench", "fusion_bench_official"
DELAY_S = 0.005
SOURCES, READ, RUNS, NOTEBOOKS = 100, 5, 10, 20
COLUMNS = ("id", "amount")
Edge = tuple[str, str]


def edges_of(target: int, service: str = SERVICE) -> list[Edge]:
    """
    The (source, target) of the statement that writes a table.
    """
    schema = f"{service}.db.s"
    sources = (f"{schema}.s{(target * 7 + number) % SOURCES:03}" for number in range(READ))
    return [(source, f"{schema}.t{target:03}") for source in sources]


def targets(rows: int) -> int:
    """
    How many tables are written by so many rows.
    """
    return max(rows // READ // RUNS, 1)


def fill_queue(fusion: Fusion, rows: int) -> None:
    """
    Finish as many jobs as have that many rows, as cells do.
    """
    for number in range(rows // READ):
        target = number % targets(rows)
        edges = edges_of(target)
        sources = " JOIN ".join(source for source, _ in edges)
        sql = f"INSERT INTO {edges[0][1]} SELECT id, amount FROM {sources} WHERE id = {number}"
        notebook = f"{SERVICE}{target % NOTEBOOKS}.ipynb"
        finish_job(fusion, uuid4(), sql, notebook, edges)


def finish_job(fusion: Fusion, job_id: UUID, sql: str, notebook: str, edges: list[Edge]) -> None:
    """
    One job with these edges, of all columns.
    """
    jobs = fusion.store.jobs
    names = dict.fromkeys(name for edge in edges for name in edge)
    models = [
        ModelRow(model_id_of_om=None, fully_qualified_name=name, trino_model_name=name[:9])
        for name in names
    ]
    rows = [QueueRow(model_name_fqn=to, from_fqn=source, command="LINEAGE") for source, to in edges]
    columns = [
        ColumnEdge(source_fqn=source, source_column=name, target_fqn=to, target_column=name)
        for source, to in edges
        for name in COLUMNS
    ]
    jobs.create(NewJob(id=job_id, user_query=sql, owner="ana", origin=notebook, engine="duckdb"))
    jobs.start(job_id, Converted(sql, models=models))
    jobs.finish(job_id, Outcome(queue=rows, column_edges=columns))


def serve(pipe: Connection) -> None:
    """
    The test server in a process of its own, until it is told to end.
    """
    with OpenMetadataServer(version="1.6.0") as server:
        server.delay_s = DELAY_S
        pipe.send((server.url, server.token))
        pipe.recv()


@contextmanager
def test_server() -> Iterator[tuple[str, str]]:
    """
    Its address and token.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


def open_client(url: str, token: str) -> OpenMetadataClient:
    """
    One that waits long: three hundred tables are not deleted in a moment.
    """
    address = parse_address(url, setting="", token=token)
    return OpenMetadataClient(address, token=token, timeout_s=900)


def fill_server(url: str, token: str, rows: int, service: str = SERVICE) -> None:
    """
    Make the tables.
    """
    client = open_client(url, token)
    body = {"name": service, "serviceType": "CustomDatabase"}
    client.put("services/databaseServices", body, dict[str, Any])
    client.put("databases", {"name": "db", "service": service}, dict[str, Any])
    client.put("databaseSchemas", {"name": "s", "database": f"{service}.db"}, dict[str, Any])
    columns = [{"name": name, "dataType": "BIGINT"} for name in COLUMNS]
    edges = [edge for target in range(targets(rows)) for edge in edges_of(target, service)]
    for name in dict.fromkeys(name for edge in edges for name in edge):
        schema, _, table_name = name.rpartition(".")
        table = {"name": table_name, "databaseSchema": schema, "columns": columns}
        client.put("tables", table, dict[str, Any])
    client.close()


def clear_server(url: str, token: str) -> None:
    """
    Take away what was made.
    """
    client = open_client(url, token)
    notebooks = [("pipelines", f'fusion."{SERVICE}{n}.ipynb"') for n in range(NOTEBOOKS)]
    services = [("services/databaseServices", name) for name in (SERVICE, OFFICIAL)]
    for kind, name in [*notebooks, *services]:
        found = client.get(f"{kind}/name/{segment(name)}", dict[str, Any])
        if found is not None:
            query = {"hardDelete": "true", "recursive": "true"}
            client.send("DELETE", f"{kind}/{found['id']}", query=query)
    client.close()


def deliver(url: str, token: str, rows: int) -> float:
    """
    Deliver that many rows, as a scheduler does; the seconds that it took.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(
            data_dir=folder,
            delivery_url=f"openmetadata+{url}",
            delivery_token=token,
            worker_start="never",
        ) as fusion,
    ):
        fill_queue(fusion, rows)
        scheduler = fusion.wiring.open_scheduler()
        began = time.perf_counter()
        while scheduler.deliver_due():
            pass
        taken = time.perf_counter() - began
        left = len(fusion.store.outbox.pending()) + len(fusion.store.outbox.dead())
        if left:
            sys.exit(f"{left} rows were not delivered")
        return taken


@contextmanager
def timed_requests() -> Iterator[dict[str, list[float]]]:
    """
    Seconds that each request waited for its answer, by what it asks for.
    """
    taken: dict[str, list[float]] = {}
    exchange = OpenMetadataClient._exchange

    def timed(client: Any, method: str, target: str, *more: Any) -> Any:
        began = time.perf_counter()
        answer = exchange(client, method, target, *more)
        kind = f"{method} {target.partition('/v1/')[2].split('/')[0].partition('?')[0]}"
        taken.setdefault(kind, []).append(time.perf_counter() - began)
        return answer

    with patch.object(OpenMetadataClient, "_exchange", timed):
        yield taken


def main(rows: int = 10_000) -> None:
    """
    Print rows a second, and requests and memory beside them.
    """
    rows = int(os.environ.get(f"{OTHER}_ROWS", rows))
    if url := os.environ.get(f"{OTHER}_URL"):
        to_another(url, Path(os.environ[f"{OTHER}_TOKEN_FILE"]).read_text().strip(), rows)
        return
    with test_server() as (url, token), timed_requests() as taken:
        fill_server(url, token, rows)
        taken.clear()
        seconds = deliver(url, token, rows)
    show("a server that answers after 5 ms", rows, seconds, taken)


def to_another(url: str, token: str, rows: int) -> None:
    """
    Print rows a second on a server that is there, and those of the official client, which sends the same edges between other tables.
    """
    try:
        fill_server(url, token, rows)
        with timed_requests() as taken:
            seconds = deliver(url, token, rows)
        show(url, rows, seconds, taken)
        fill_server(url, token, rows, OFFICIAL)
        jobs = range(rows // READ)
        edges = [edge for job in jobs for edge in edges_of(job % targets(rows), OFFICIAL)]
        given = {"url": url, "token": token, "edges": edges, "columns": COLUMNS}
        official = run_official("1.6", {"send_edges": given})["send_edges"]["seconds"]
        print(f"  the official client's rows {rows / official:>28.2f} /s")
    finally:
        clear_server(url, token)


def show(where: str, rows: int, seconds: float, taken: dict[str, list[float]]) -> None:
    """
    Print what was measured.
    """
    waited = sum(map(sum, taken.values()))
    own: list[tuple[str, float, str]] = [
        ("rows delivered", rows / seconds, "/s"),
        ("requests a row", sum(map(len, taken.values())) / rows, ""),
        ("answers waited for at once, on average", waited / seconds, ""),
        ("memory at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB"),
    ]
    kinds = sorted(taken.items(), key=lambda one: -sum(one[1]))
    own += [(f"{kind}, × {len(times)}", median_ms(times), "ms") for kind, times in kinds[:8]]
    edges = rows // RUNS
    table(f"Lineage to {where}, {rows:,} rows over {edges:,} edges", own, base=own[0][0])


if __name__ == "__main__":
    main()
