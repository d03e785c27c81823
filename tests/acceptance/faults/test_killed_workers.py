"""
Workers killed (-9) at random moments: no job lost, none left RUNNING, no row doubled, no result cut short.

Twenty kills by default; ``make faults`` sets FUSION_TEST_KILLS=200. The seed is printed, and FUSION_TEST_SEED repeats it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fusion_magic import Fusion, connect
from tests.acceptance.faults.workers import Workers, wait_for_all, wait_until

KILLS = int(os.environ.get("FUSION_TEST_KILLS", "20"))
SEED = int(os.environ.get("FUSION_TEST_SEED", "0")) or random.randrange(1, 10**6)
LEASE_S = 2
END_PATIENCE_S = 240
ROWS = 386  # of lineitem at scale 1 with the condition below
READ = (
    "SELECT {n} AS n, l.orderkey, l.comment FROM tpch.sf1.lineitem l WHERE l.orderkey % 60000 = 1"
)


@pytest.fixture
def schema(trino_url: str) -> Iterator[str]:
    name = f"memory.k{uuid4().hex[:8]}"
    with connect(engine_url=trino_url.replace("://", "://ana@")) as fusion:
        fusion.run(f"CREATE SCHEMA {name}")
        yield name
        for (table,) in fusion.run(f"SHOW TABLES FROM {name}").rows():
            fusion.run(f"DROP TABLE {name}.{table}")
        fusion.run(f"DROP SCHEMA {name}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fusion(request: pytest.FixtureRequest, trino_url: str, tmp_path: Path) -> Iterator[Fusion]:
    settings: dict[str, Any] = {
        "engine_url": trino_url.replace("://", "://ana@"),
        "data_dir": str(tmp_path),
        "worker_start": "never",
        "worker_lease_s": LEASE_S,
        "worker_attempts": 1000,
        "worker_concurrency": 4,
    }
    if request.param == "postgres":
        settings["store_url"] = request.getfixturevalue("postgres_url")
    with connect(**settings) as opened:
        yield opened


def submit(fusion: Fusion, schema: str, number: int) -> tuple[str, str]:
    """
    One of the three kinds of statement; its job and its kind.
    """
    read = READ.format(n=number)
    kind = ("INSERT", "CREATE TABLE", "SELECT")[number % 3]
    if kind == "INSERT":
        sql = f"INSERT INTO {schema}.target {read}"
    elif kind == "CREATE TABLE":
        sql = f"CREATE TABLE {schema}.made_{number} AS {read}"
    else:
        sql = read
    return fusion.submit(sql, name="kept" if kind == "SELECT" else None).id, kind


@pytest.mark.trino
@pytest.mark.timeout(60 + END_PATIENCE_S + 10 * KILLS)
def test_nothing_is_lost_or_doubled_when_workers_are_killed(
    fusion: Fusion, schema: str, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED}, {KILLS} kills")
    fusion.run(
        f"CREATE TABLE {schema}.target AS SELECT 1 AS n, orderkey, comment FROM tpch.tiny.lineitem WHERE 1 = 0"
    )
    workers = Workers(fusion, tmp_path / "worker.log")
    submitted = []
    workers.start()
    for number in range(KILLS):
        submitted.append(submit(fusion, schema, number))
        wait_until(workers.is_registered(fusion), patience_s=60)
        time.sleep(chance.uniform(0.0, 2.5))
        workers.kill()
        workers.start()
    jobs = wait_for_all(fusion, [job_id for job_id, _ in submitted], patience_s=END_PATIENCE_S)
    assert workers.stop() == 0

    log = (tmp_path / "worker.log").read_text()
    counted = dict(fusion.run(f"SELECT n, count(*) FROM {schema}.target GROUP BY 1").rows())
    attempts = [job.attempt for job in jobs]
    print(f"attempts: {attempts}")
    for number, (job, (_, kind)) in enumerate(zip(jobs, submitted, strict=True)):
        assert job.status == "FINISHED", (kind, job.attempt, job.error, log[-2000:])
        if kind == "INSERT":
            assert counted[number] == ROWS
        elif kind == "CREATE TABLE":
            rows = fusion.run(f"SELECT count(*) FROM {schema}.made_{number}").rows()
            assert rows == [(ROWS,)]
        else:
            assert job.row_count == ROWS
            assert len(fusion.result(str(job.id)).rows()) == ROWS
    kept = {str(path) for path in tmp_path.rglob("rows.parquet")}
    assert kept == {job.result_path for job in jobs if job.result_path}
    assert max(attempts) > 1
    assert "Traceback" not in log
