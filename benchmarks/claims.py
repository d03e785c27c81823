"""
How quickly workers claim jobs: with nothing else in the table, with 100,000 finished jobs, and with 10,000 waiting.

On SQLite, and on a PostgreSQL that is started for it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from uuid import UUID, uuid4

import sqlalchemy as sa

from benchmarks.timing import table
from fusion_magic.processes.worker import MOST_CLAIMED
from fusion_magic.store.sql.store import SqlStore
from fusion_magic.store.sql.tables import job, job_detail, job_task
from tests.servers.postgres import PostgresServer

ENGINE = "trino://host:8080"
CLAIMS = 100
OWNERS = 10


def main() -> None:
    """
    Print the claims a second.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        postgres = PostgresServer().start()
        try:
            for kind, url in (
                ("SQLite", f"sqlite:///{folder / 'jobs.db'}"),
                ("PostgreSQL", postgres.url),
            ):
                _measure(kind, url)
        finally:
            postgres.remove()


def _measure(kind: str, url: str) -> None:
    store = SqlStore(url)
    store.migrate()
    rows = []
    for title, state, count in (
        ("nothing else in the table", "WAITING", CLAIMS),
        ("100,000 finished jobs", "DONE", 100_000),
        ("and 10,000 waiting", "WAITING", 10_000),
    ):
        _fill(store, state, count)
        if state == "DONE":
            _fill(store, "WAITING", CLAIMS)
        rows.append((title, _claims_a_second(store), "/s"))
    table(f"Claims on {kind}, one worker", rows, base=rows[0][0])
    store.close()


def _claims_a_second(store: SqlStore) -> float:
    started = time.perf_counter()
    for _ in range(0, CLAIMS, MOST_CLAIMED):
        assert store.tasks.claim("bench", engine_url=ENGINE, lease_s=3600, most=MOST_CLAIMED)
    return CLAIMS / (time.perf_counter() - started)


def _fill(store: SqlStore, state: str, count: int) -> None:
    now = store.database.now()
    status = "QUEUED" if state == "WAITING" else "FINISHED"
    ids: list[UUID] = [uuid4() for _ in range(count)]
    facts = {"origin": "", "engine": "trino", "profile": ""}
    with store.database.writing() as connection:
        connection.execute(
            sa.insert(job),
            [
                {"id": i, "status": status, "user_query": "SELECT 1", "converted_query": "SELECT 1"}
                | {"created": now, "updated": now}
                for i in ids
            ],
        )
        connection.execute(
            sa.insert(job_detail),
            [{"job_id": i, "owner": f"owner {n % OWNERS}", **facts} for n, i in enumerate(ids)],
        )
        connection.execute(
            sa.insert(job_task),
            [
                {"job_id": i, "state": state, "engine_url": ENGINE, "owner": f"owner {n % OWNERS}"}
                | {"rank": 0, "attempt": 0, "payload": "{}"}
                for n, i in enumerate(ids)
            ],
        )
    with store.database.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        connection.exec_driver_sql("ANALYZE")


if __name__ == "__main__":
    main()
