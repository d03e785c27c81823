"""
The contract of processes: heartbeats, and the jobs of runners.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from fusion_magic.store import Converted, ForegroundJob, NewJob, NewTask, Outcome, ProcessRow
from fusion_magic.store.sql.processes import REMEMBERED
from fusion_magic.store.sql.store import SqlStore, open_store
from fusion_magic.store.sql.tables import process
from tests.contracts.test_tasks import Clock

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WORKER = ProcessRow(
    id="w1",
    role="worker",
    engine_url="trino://host:8080",
    host="here",
    boot_id="b",
    pid=2**40,  # a number as large as a system may give
    started="1",
    alive_until=NOON + timedelta(seconds=10),
)
RUNNER = replace(WORKER, id="r1", role="runner")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[SqlStore]:
    opened = SqlStore(store_url, clock=clock)
    opened.migrate()
    yield opened
    opened.close()


def test_heartbeats_run_out(store: SqlStore, clock: Clock) -> None:
    store.processes.heartbeat(WORKER)
    store.processes.heartbeat(WORKER)
    assert store.processes.alive() == [WORKER]
    clock.move(11)
    assert store.processes.alive() == []
    later = replace(WORKER, alive_until=clock.now + timedelta(seconds=10))
    store.processes.heartbeat(later)
    assert store.processes.alive() == [later]
    store.processes.deregister("w1")
    assert store.processes.alive() == []


def test_those_come_first_that_are_believed_longest(store: SqlStore) -> None:
    longer = replace(WORKER, id="s1", role="scheduler", alive_until=NOON + timedelta(minutes=1))
    for row in (WORKER, longer, RUNNER):
        store.processes.heartbeat(row)

    assert store.processes.alive() == [longer, WORKER]


def test_the_dead_are_forgotten_after_a_day(store: SqlStore, clock: Clock) -> None:
    store.processes.heartbeat(WORKER)
    clock.move(REMEMBERED.total_seconds() + 11)
    store.processes.heartbeat(RUNNER)

    assert [row.id for row in store.database.read(sa.select(process.c.id))] == ["r1"]


def test_a_runners_jobs_are_its_own_until_they_end_or_a_worker_has_them(store: SqlStore) -> None:
    store.processes.heartbeat(RUNNER)
    ids = [uuid4() for _ in range(3)]
    for job_id in ids:
        store.jobs.create(NewJob(id=job_id, user_query="SELECT 1", runner="r1"))
    for job_id in ids[:2]:
        store.jobs.start(job_id, Converted("SELECT 1"))
        store.jobs.record_query_id(job_id, "q")
    store.jobs.finish(ids[1], Outcome())
    store.jobs.queue(ids[2], Converted("SELECT 1"), NewTask(payload="{}", engine_url="e"))

    [job] = store.processes.foreground_jobs()
    assert job == ForegroundJob(
        id=ids[0], status=job.status, updated=NOON, query_id="q", runner=RUNNER
    )
    assert job.status == "RUNNING"
    store.processes.deregister("r1")
    assert [job.runner for job in store.processes.foreground_jobs()] == [None]


def test_processes_of_an_earlier_version_are_moved(store_url: str) -> None:
    """
    Workers and schedulers had a table, and the kernels that run their own jobs another.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "fusion_magic:store/migrations")
    engine = sa.create_engine(store_url)
    until, job_id = "2026-01-31 12:00:10.000000", str(uuid4())
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        for statement in (
            f"INSERT INTO worker VALUES ('w', 'duckdb://', 'here', 7, 'worker', '{until}')",
            f"INSERT INTO driver VALUES ('d', 'duckdb://', 'here b pid:[1]', 8, '9', '{until}')",
            "INSERT INTO job (id, status, user_query, created, updated) "
            f"VALUES ('{job_id}', 'INIT', 'SELECT 1', '{until}', '{until}')",
            "INSERT INTO job_detail (job_id, owner, origin, engine, profile, driver) "
            f"VALUES ('{job_id}', '', '', 'duckdb', '', 'd')",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()

    opened = open_store(store_url)

    rows = {row.id: row for row in opened.database.read(sa.select(process))}
    assert [(rows["w"].role, rows["w"].host, rows["w"].pid, rows["w"].started)] == [
        ("worker", "here", 7, "")
    ]
    [job] = opened.processes.foreground_jobs()
    runner = job.runner
    assert runner is not None
    assert (runner.id, runner.role, runner.host, runner.boot_id) == (
        "d",
        "runner",
        "here",
        "b pid:[1]",
    )
    assert (runner.pid, runner.started) == (8, "9")
    assert {"worker", "driver"}.isdisjoint(sa.inspect(opened.database.engine).get_table_names())
    opened.close()
