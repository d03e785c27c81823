"""
Jobs whose kernel was killed while it ran them: found, stopped on the engine, FAILED; never those of one that is alive.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.processes.recovery import recover
from fusion_magic.store import Converted, JobStatus, NewJob, ProcessRow
from fusion_magic.store.sql.store import SqlStore, open_store

PATIENCE_S = 120
LONG = (
    "SELECT count(*) FROM UNNEST(sequence(1, 1000000)) AS a(x) "
    "CROSS JOIN UNNEST(sequence(1, 1000000)) AS b(y) WHERE x * y = -1"
)
SLOW = (  # a query on it waits, and takes nothing of the machine
    "(x bigint) WITH (split_count = 1, pages_per_split = 1000, rows_per_page = 1, "
    "page_processing_delay = '1s')"
)


@pytest.fixture(params=["duckdb", pytest.param("trino", marks=pytest.mark.trino)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """
    DuckDB beside SQLite, and Trino beside PostgreSQL.
    """
    settings: dict[str, Any] = {"data_dir": str(tmp_path), "engine_url": "duckdb://"}
    if request.param == "trino":
        settings["engine_url"] = request.getfixturevalue("trino_url").replace("://", "://ana@")
        settings["store_url"] = request.getfixturevalue("postgres_url")
    return settings


@pytest.fixture
def fusion(settings: dict[str, Any]) -> Iterator[Fusion]:
    with connect(**settings) as opened:
        yield opened


@pytest.fixture
def long_query(fusion: Fusion) -> Iterator[str]:
    """
    A query that ends long after the test.
    """
    if fusion.engine.name == "duckdb":
        yield LONG
        return
    table = f"blackhole.default.slow_{uuid4().hex}"
    fusion.run(f"CREATE TABLE {table} {SLOW}")
    yield f"SELECT count(*) FROM {table}"
    fusion.run(f"DROP TABLE {table}")


def begin(fusion: Fusion, sql: str, origin: str) -> subprocess.Popen[bytes]:
    """
    A script of its own that runs a long query, once the query is known to run.
    """
    code = "import sys; from fusion_magic import connect; connect().run(sys.argv[1], origin=sys.argv[2])"
    environment = {
        **fusion.settings.environment(os.environ),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    process = subprocess.Popen([sys.executable, "-c", code, sql, origin], env=environment)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        job = find(fusion, origin)
        if (
            job
            and job.status == "RUNNING"
            and (job.query_id or not hasattr(fusion.engine, "resume"))
        ):
            return process
        time.sleep(0.1)
    process.kill()
    raise AssertionError("the query did not begin")


def find(fusion: Fusion, origin: str) -> Any:
    return next((job for job in fusion.jobs() if job.origin == origin), None)


def test_a_job_whose_kernel_was_killed_is_ended_and_its_query_stopped(
    fusion: Fusion, long_query: str
) -> None:
    """
    Nothing is RUNNING for ever, and the cluster works for nobody.
    """
    origin = uuid4().hex
    process = begin(fusion, long_query, origin)
    try:
        fusion.wiring.recover()
        assert find(fusion, origin).status is JobStatus.RUNNING
    finally:
        process.kill()

    # Its process stays in the table until it is waited for: a kernel's parent may not notice at once.
    deadline = time.monotonic() + PATIENCE_S
    while (job := find(fusion, origin)).status is JobStatus.RUNNING and time.monotonic() < deadline:
        fusion.wiring.recover()
    process.wait()

    assert job.status is JobStatus.FAILED
    assert job.error == (
        f"The kernel or script that ran it (process {process.pid} on {socket.gethostname()}) "
        "ended before it was done."
    )
    assert "Run it again" in str(job.hint)
    engine: Any = fusion.engine
    if hasattr(engine, "state_of"):
        assert engine.state_of(job.query_id) == "FAILED"
        rows = fusion.run(
            f"SELECT error_code FROM system.runtime.queries WHERE query_id = '{job.query_id}'"
        ).rows()
        assert rows == [("ADMINISTRATIVELY_KILLED",)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield opened
    opened.close()


def row(**facts: Any) -> ProcessRow:
    """
    A runner on another machine whose heartbeat has just come.
    """
    usual = ProcessRow(
        id=str(uuid4()),
        role="runner",
        engine_url="trino://host",
        host="elsewhere",
        boot_id="",
        pid=1,
        started="1",
        alive_until=datetime.now(UTC) + timedelta(seconds=30),
    )
    return replace(usual, **facts)


def foreground(store: SqlStore, runner: ProcessRow | None, *, query_id: str | None = None) -> UUID:
    job_id = uuid4()
    if runner is not None:
        store.processes.heartbeat(runner)
    store.jobs.create(
        NewJob(id=job_id, user_query="SELECT 1", runner=runner.id if runner else "deregistered")
    )
    if query_id is not None:
        store.jobs.start(job_id, Converted("SELECT 1"))
        store.jobs.record_query_id(job_id, query_id)
    return job_id


def no_engine() -> Any:
    raise AssertionError("no engine is needed")


def test_another_machine_is_believed_until_its_heartbeat_runs_out(store: SqlStore) -> None:
    alive = foreground(store, row())
    left = foreground(store, row(alive_until=datetime.now(UTC) - timedelta(seconds=1)))
    deregistered = foreground(store, None)

    ended = recover(store, no_engine, engine_url="trino://host")

    assert set(ended) == {left, deregistered}
    found = store.jobs.find(alive)
    assert found is not None
    assert found.status is JobStatus.INIT
    assert recover(store, no_engine, engine_url="trino://host") == []


def test_a_query_on_another_engine_is_left_to_others_until_that_engine_gave_it_up(
    store: SqlStore,
) -> None:
    minute_ago, hour_ago = (datetime.now(UTC) - timedelta(minutes=m) for m in (1, 60))
    waits = foreground(store, row(alive_until=minute_ago), query_id="q1")
    given_up = foreground(store, row(alive_until=hour_ago), query_id="q2")

    assert recover(store, no_engine, engine_url="duckdb://") == [given_up]
    found = store.jobs.find(waits)
    assert found is not None
    assert found.status is JobStatus.RUNNING


def test_a_background_job_is_not_its_submitters(settings: dict[str, Any]) -> None:
    """
    The kernel that submitted it may go: workers hold it.
    """
    with connect(**settings, worker_start="never") as fusion:
        job_id = fusion.submit("SELECT 1").id
    with connect(**settings) as fusion:
        fusion.wiring.recover()
        assert fusion.job(job_id).job.status is JobStatus.QUEUED
        fusion.job(job_id).cancel()
