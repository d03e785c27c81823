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
from uuid import UUID, uuid4

from benchmarks.timing import table
from fusion_magic import connect
from fusion_magic.fusion import Fusion
from fusion_magic.openmetadata.address import parse_address
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.store import ColumnEdge, Converted, ModelRow, NewJob, Outcome, QueueRow
from fusion_magic.testing.openmetadata import OpenMetadataServer

OTHER = "FUSION_BENCH_OPENMETADATA"
SERVICE = "fusion_bench"
SCHEMA = f"{SERVICE}.db.s"
DELAY_S = 0.005
SOURCES, TARGETS, READ, RUNS, NOTEBOOKS = 100, 200, 5, 10, 20
COLUMNS = ("id", "amount")
Edge = tuple[str, str]


def edges_of(target: int) -> list[Edge]:
    """
    The (source, target) of the statement that writes a table.
    """
    sources = (f"{SCHEMA}.s{(target * 7 + number) % SOURCES:03}" for number in range(READ))
    return [(source, f"{SCHEMA}.t{target:03}") for source in sources]


def fill_queue(fusion: Fusion, rows: int) -> None:
    """
    Finish as many jobs as have that many rows, as cells do.
    """
    for number in range(rows // READ):
        target = number % max(rows // READ // RUNS, 1)
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
    The test server in a process of its own, which says how often it was asked when it is told to end.
    """
    with OpenMetadataServer(version="1.6.0") as server:
        server.delay_s = DELAY_S
        pipe.send((server.url, server.token))
        pipe.recv()
        pipe.send(len(server.requests))


@contextmanager
def test_server(asked: list[int]) -> Iterator[tuple[str, str]]:
    """
    Its address and token.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    yield ours.recv()
    ours.send("end")
    asked.append(ours.recv())
    process.join()


def fill_server(url: str, token: str) -> int:
    """
    Make the tables; how many requests that took.
    """
    client = OpenMetadataClient(parse_address(url, setting="", token=token), token=token)
    service = {"name": SERVICE, "serviceType": "CustomDatabase"}
    client.put("services/databaseServices", service, dict[str, Any])
    client.put("databases", {"name": "db", "service": SERVICE}, dict[str, Any])
    client.put("databaseSchemas", {"name": "s", "database": f"{SERVICE}.db"}, dict[str, Any])
    columns = [{"name": name, "dataType": "BIGINT"} for name in COLUMNS]
    names = [f"s{n:03}" for n in range(SOURCES)] + [f"t{n:03}" for n in range(TARGETS)]
    for name in names:
        body = {"name": name, "databaseSchema": SCHEMA, "columns": columns}
        client.put("tables", body, dict[str, Any])
    client.close()
    return len(names) + 3


def clear_server(url: str, token: str) -> None:
    """
    Take away what was made.
    """
    client = OpenMetadataClient(parse_address(url, setting="", token=token), token=token)
    notebooks = [("pipelines", f'fusion."{SERVICE}{n}.ipynb"') for n in range(NOTEBOOKS)]
    for kind, name in [*notebooks, ("services/databaseServices", SERVICE)]:
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


def main(rows: int = 10_000) -> None:
    """
    Print rows a second, and requests and memory beside them.
    """
    rows = int(os.environ.get(f"{OTHER}_ROWS", rows))
    if url := os.environ.get(f"{OTHER}_URL"):
        to_another(url, Path(os.environ[f"{OTHER}_TOKEN_FILE"]).read_text().strip(), rows)
        return
    asked: list[int] = []
    with test_server(asked) as (url, token):
        made = fill_server(url, token)
        taken = deliver(url, token, rows)
    own = [
        ("rows delivered", rows / taken, "/s"),
        ("requests a row", (asked[0] - made) / rows, ""),
        ("memory at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB"),
    ]
    table(
        f"Lineage to OpenMetadata, {rows:,} rows over {rows // RUNS:,} edges", own, base=own[0][0]
    )


def to_another(url: str, token: str, rows: int) -> None:
    """
    Print rows a second on a server that is there.
    """
    fill_server(url, token)
    try:
        taken = deliver(url, token, rows)
    finally:
        clear_server(url, token)
    shown = [("rows delivered", rows / taken, "/s")]
    table(f"Lineage to {url}, {rows:,} rows", shown, base=shown[0][0])


if __name__ == "__main__":
    main()
