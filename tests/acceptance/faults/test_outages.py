"""
The store, or the engine, gone for a while in the middle of jobs: they go on afterwards, nothing lost, nothing doubled.

Gone for 8 seconds by default; ``make faults`` sets FUSION_TEST_OUTAGE_S=60.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.store import Job
from tests.acceptance.faults.workers import Workers, wait_for_all, wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.relay import Relay
from tests.servers.trino import TrinoServer

OUTAGE_S = float(os.environ.get("FUSION_TEST_OUTAGE_S", "8"))
LEASE_S = 6  # shorter than the outage, and long enough for a busy machine
WAIT_S = OUTAGE_S / 2 + 6  # of each statement, on the engine
PATIENCE_S = 300
ROWS = 129  # of lineitem at scale 0.01 with the condition below
READ = "SELECT {n} AS n, orderkey, comment FROM tpch.tiny.lineitem WHERE orderkey % 500 = 1"
SLOW = " AND (SELECT count(*) FROM blackhole.default.slow) = 1"
BUSY = (
    " AND (SELECT count(*) FROM tpch.sf1.lineitem a JOIN tpch.sf1.lineitem b USING (orderkey)) > 0"
)

pytestmark = [pytest.mark.trino, pytest.mark.timeout(3 * PATIENCE_S)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """
    A catalog whose tables outlive a server.
    """
    folder = tmp_path_factory.mktemp("lake")
    return (
        "connector.name=iceberg\niceberg.catalog.type=TESTING_FILE_METASTORE\n"
        f"hive.metastore.catalog.dir=local:///meta\nfs.native-local.enabled=true\nlocal.location={folder}"
    )


@pytest.fixture(scope="module")
def trino(lake: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrinoServer]:
    server = TrinoServer(tmp_path_factory.mktemp("own") / "server", extra_catalogs={"lake": lake})
    server.start()
    yield server
    server.stop()


def connected(trino_url: str, folder: Path, **settings: Any) -> Fusion:
    return connect(
        engine_url=trino_url.replace("://", "://ana@"),
        data_dir=str(folder),
        worker_start="never",
        worker_lease_s=LEASE_S,
        worker_attempts=20,
        **settings,
    )


def make_tables(fusion: Fusion) -> str:
    schema = f"lake.o{uuid4().hex[:8]}"
    fusion.run(f"CREATE SCHEMA {schema}")
    fusion.run(f"CREATE TABLE {schema}.target AS {READ.format(n=0)} AND 1 = 0")
    fusion.run("DROP TABLE IF EXISTS blackhole.default.slow")
    fusion.run(
        "CREATE TABLE blackhole.default.slow (x bigint) WITH (split_count = 1, pages_per_split = 1, "
        f"rows_per_page = 1, page_processing_delay = '{WAIT_S:.0f}s')"
    )
    return schema


def submit_each(fusion: Fusion, schema: str, condition: str) -> list[str]:
    """
    An INSERT, a CREATE TABLE AS and a SELECT, in the middle of their work: the INSERT, which alone must not be
    through when its engine goes, is begun last.
    """
    read = READ + condition
    create = fusion.submit(f"CREATE TABLE {schema}.made AS {read.format(n=2)}").id
    select = fusion.submit(read.format(n=3), name="kept").id
    insert = fusion.submit(f"INSERT INTO {schema}.target {read.format(n=1)}").id
    ids = [insert, create, select]

    def are_running() -> bool:
        return all('"RUNNING"' in (fusion.job(job_id).job.progress or "") for job_id in ids)

    wait_until(are_running, patience_s=PATIENCE_S)
    return ids


def require_all_done_once(fusion: Fusion, schema: str, jobs: Sequence[Job]) -> None:
    assert [job.status for job in jobs] == ["FINISHED"] * 3, [job.error for job in jobs]
    assert fusion.run(f"SELECT count(*) FROM {schema}.target").rows() == [(ROWS,)]
    assert fusion.run(f"SELECT count(*) FROM {schema}.made").rows() == [(ROWS,)]
    assert len(fusion.result("kept").rows()) == ROWS


def statements(trino: TrinoServer, schema: str) -> int:
    """
    How many of the jobs' statements the engine was given.
    """
    [[count]] = trino.query(
        "SELECT count(*) FROM system.runtime.queries WHERE query LIKE '%default.slow) = 1%' "
        f"AND (query LIKE '%{schema}%' OR query LIKE 'SELECT 3%') AND source = 'fusion-magic'"
    )
    return int(str(count))


@pytest.mark.postgres
def test_jobs_go_on_when_the_store_was_away(trino: TrinoServer, tmp_path: Path) -> None:
    """
    Leases run out meanwhile, and a second worker stands by: still nothing is run twice.
    """
    postgres = PostgresServer().start()
    with connected(trino.url, tmp_path, store_url=postgres.url) as fusion:
        schema = make_tables(fusion)
        workers = [Workers(fusion, tmp_path / f"{n}.log") for n in range(2)]
        for worker in workers:
            worker.start()
        ids = submit_each(fusion, schema, SLOW)
        before = statements(trino, schema)

        postgres.stop()
        time.sleep(OUTAGE_S)
        postgres.start()

        jobs = wait_for_all(fusion, ids, patience_s=PATIENCE_S)
        assert [worker.stop() for worker in workers] == [0, 0]
        require_all_done_once(fusion, schema, jobs)
        assert statements(trino, schema) == before
    postgres.remove()


def test_jobs_go_on_when_the_engine_could_not_be_reached(
    trino: TrinoServer, tmp_path: Path
) -> None:
    """
    The statements went on meanwhile: they are read on, not run again; one that was submitted meanwhile is begun.
    """
    relay = Relay(trino.port)
    relay.open()
    with connected(f"http://127.0.0.1:{relay.port}", tmp_path) as fusion:
        schema = make_tables(fusion)
        worker = Workers(fusion, tmp_path / "worker.log")
        worker.start()
        ids = submit_each(fusion, schema, SLOW)
        before = statements(trino, schema)

        relay.close()
        late = fusion.submit("SELECT 1 AS x").id
        time.sleep(OUTAGE_S)
        relay.open()

        jobs = wait_for_all(fusion, [*ids, late], patience_s=PATIENCE_S)
        assert worker.stop() == 0
        # This process's own connections were broken too, and a statement is not sent twice over a broken one.
        with connected(trino.url, tmp_path) as direct:
            require_all_done_once(direct, schema, jobs[:3])
        assert (jobs[3].status, jobs[3].row_count) == ("FINISHED", 1)
        assert statements(trino, schema) == before
    relay.close()


def test_a_restarted_engine_has_lost_its_queries_and_they_are_run_again(
    trino: TrinoServer, tmp_path: Path
) -> None:
    """
    A read and a table that is not there are; an INSERT of which nobody knows whether it was done says so.
    """
    with connected(trino.url, tmp_path) as fusion:
        schema = make_tables(fusion)
        worker = Workers(fusion, tmp_path / "worker.log")
        worker.start()
        ids = submit_each(fusion, schema, BUSY)

        trino.kill()
        time.sleep(OUTAGE_S)
        trino.start_again()

        insert, create, select = wait_for_all(fusion, ids, patience_s=PATIENCE_S)
        assert worker.stop() == 0
        assert (create.status, select.status) == ("FINISHED", "FINISHED"), (
            create.error,
            select.error,
        )
        assert fusion.run(f"SELECT count(*) FROM {schema}.made").rows() == [(ROWS,)]
        assert len(fusion.result("kept").rows()) == ROWS
        assert insert.status == "FAILED"
        assert "not known" in (insert.error or "")
        assert fusion.run(f"SELECT count(*) FROM {schema}.target").rows() == [(0,)]
