"""
The worker: a process of its own beside an embedded store, as users get it.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import (
    InvalidArgument,
    JobFailed,
    JobTimeout,
    NotAllowed,
    QueryCanceled,
    UnknownResult,
    UnsupportedSql,
)
from fusion_magic.processes import worker as worker_module
from fusion_magic.processes.presence import is_alive
from tests.stores import delivered_edges

LONG = (
    "SELECT count(*) AS n FROM UNNEST(sequence(1, 10000)) AS a(x), UNNEST(sequence(1, 10000)) AS b(y), "
    "UNNEST(sequence(1, 1000)) AS c(z) WHERE x * y * z % 7 = 3"
)
WAIT_S = 60


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    (tmp_path / "t.csv").write_text("id,x\n1,a\n2,b\n3,c\n")
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text("version: 1\nmodels:\n  a.b.c.t: {source: t.csv}\n")
    with connect(
        metadata_url=str(catalog),
        data_dir=str(tmp_path / "data"),
        worker_idle_s=2,
        worker_lease_s=2,
        owner="ana",
    ) as opened:
        yield opened
        stop_workers(opened)


def worker_pids(fusion: Fusion) -> list[int]:
    # The scheduler of an embedded worker is a row of the same process.
    now = datetime.now(UTC)
    return sorted({row.pid for row in fusion.store.processes.alive() if is_alive(row, now)})


def stop_workers(fusion: Fusion) -> None:
    for job in fusion.jobs(status=["QUEUED", "RUNNING"]):
        fusion.store.jobs.want_cancel(job.id)
    for pid in worker_pids(fusion):
        os.kill(pid, signal.SIGKILL)


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_submitted_statement_runs_in_another_process(fusion: Fusion) -> None:
    handle = fusion.submit("SELECT * FROM a.b.c.t ORDER BY id DESC", name="backwards")

    result = handle.result(WAIT_S)

    assert result.rows() == [(3, "c"), (2, "b"), (1, "a")]
    assert handle.status == "FINISHED"
    assert worker_pids(fusion) not in ([], [os.getpid()])
    job = handle.job
    assert (job.row_count, job.result_name, job.attempt) == (3, "backwards", 1)
    assert fusion.lineage("fusion.results.backwards")[0] == ("a.b.c.t",)
    wait_until(lambda: not fusion.job(handle.id).queued())
    assert delivered_edges(fusion.store) == [("a.b.c.t", "fusion.results.backwards")]


def test_a_handle_is_awaited_and_survives_pickling(fusion: Fusion) -> None:
    """
    A notebook keeps handles over a kernel's restart.
    """
    handle = fusion.submit("SELECT count(*) AS n FROM a.b.c.t")

    again = pickle.loads(pickle.dumps(handle))

    async def wait() -> object:
        return (await again).rows()

    assert asyncio.run(wait()) == [(3,)]


def test_a_stored_result_is_a_name_in_later_sql(fusion: Fusion) -> None:
    fusion.submit("SELECT id FROM a.b.c.t WHERE id > 1", name="some").result(WAIT_S)

    result = fusion.run("SELECT sum(id) AS s FROM some")

    assert result.rows() == [(5,)]
    assert fusion.lineage("fusion.results.some")[0] == ("a.b.c.t",)
    [model] = fusion.job(result.job_id).models()
    assert model.fully_qualified_name == "fusion.results.some"


def test_the_newest_version_is_what_a_name_means(fusion: Fusion) -> None:
    fusion.run("SELECT 1 AS v", name="versioned")
    fusion.run("SELECT 2 AS v", name="versioned")

    assert fusion.result("versioned").rows() == [(2,)]
    assert fusion.result("versioned", version=1).rows() == [(1,)]
    assert fusion.run("SELECT v FROM versioned").rows() == [(2,)]
    with pytest.raises(UnknownResult, match="versions 1 to 2"):
        fusion.result("versioned", version=3)
    with pytest.raises(UnknownResult):
        fusion.result("nothing")


@pytest.mark.parametrize("name", ["", "../up", "a b", "1st", "unnamed", "x" * 200])
def test_a_name_that_is_no_name_is_refused(fusion: Fusion, name: str) -> None:
    with pytest.raises(InvalidArgument):
        fusion.run("SELECT 1", name=name)


def test_a_failed_job_tells_whoever_waits(fusion: Fusion) -> None:
    handle = fusion.submit("SELECT nope FROM a.b.c.t")

    with pytest.raises(JobFailed, match="nope") as caught:
        handle.result(WAIT_S)
    assert caught.value.job_id == handle.id


def test_a_running_job_is_cancelled_on_the_engine(fusion: Fusion) -> None:
    handle = fusion.submit(LONG)
    wait_until(lambda: handle.progress is not None)

    handle.cancel()

    with pytest.raises(QueryCanceled):
        handle.result(WAIT_S)
    assert handle.cancel() == "CANCELED"


def test_waiting_has_an_end_and_the_job_runs_on(fusion: Fusion) -> None:
    handle = fusion.submit(LONG)

    with pytest.raises(JobTimeout):
        handle.result(0.1)
    assert handle.status in {"QUEUED", "RUNNING"}


def test_somebody_elses_job_is_left_alone(fusion: Fusion) -> None:
    job_id = fusion.submit(LONG).id
    keywords = {"data_dir": str(fusion.settings.data_dir), "owner": "bo"}

    with connect(**keywords) as other, pytest.raises(NotAllowed, match="ana's"):
        other.job(job_id).cancel()
    with connect(**keywords, jobs_cancel_others="yes") as other:
        assert other.job(job_id).cancel() in {"RUNNING", "CANCELED"}


def test_tables_in_this_process_memory_are_refused_by_name(fusion: Fusion) -> None:
    fusion.run("CREATE TABLE a.b.c.made AS SELECT 1 AS x")

    with pytest.raises(UnsupportedSql, match=r"a\.b\.c\.made"):
        fusion.submit("SELECT * FROM a.b.c.made")
    with pytest.raises(UnsupportedSql, match="memory"):
        fusion.submit("CREATE TABLE a.b.c.other AS SELECT 1 AS x")
    with pytest.raises(UnsupportedSql, match="memory"):
        fusion.submit("SELECT 1 AS x", into="a.b.c.other")
    with pytest.raises(UnsupportedSql, match="USE"):
        fusion.submit("USE a.b.c")


def test_a_kernel_and_its_worker_take_turns_on_one_duckdb_file(tmp_path: Path) -> None:
    """
    DuckDB lets one process at a time open a file.
    """
    url = f"duckdb:///{tmp_path / 'shared.duckdb'}"
    with connect(engine_url=url, data_dir=str(tmp_path / "data"), worker_idle_s=2) as fusion:
        fusion.run("CREATE TABLE shared.main.t AS SELECT 1 AS x")
        for number in (2, 3):
            done = fusion.submit(f"INSERT INTO shared.main.t SELECT {number}").result(WAIT_S)
            assert (done.update_type, done.rows_changed) == ("INSERT", 1)
            assert fusion.run("SELECT count(*) FROM shared.main.t").rows() == [(number,)]
        fusion.submit("SELECT x + 1 AS y FROM shared.main.t", into="shared.main.u").result(WAIT_S)
        assert fusion.run("SELECT sum(y) FROM shared.main.u").rows() == [(9,)]
        stop_workers(fusion)


def test_a_job_outlives_the_worker_that_ran_it(fusion: Fusion) -> None:
    handle = fusion.submit(
        "SELECT count(*) AS n FROM a.b.c.t, UNNEST(sequence(1, 5000000)) AS s(v) WHERE v % 7 = id"
    )
    wait_until(lambda: handle.status != "QUEUED")
    for pid in worker_pids(fusion):
        os.kill(pid, signal.SIGKILL)

    result = handle.result(WAIT_S)

    assert result.row_count == 1


def test_a_worker_that_is_stopped_ends_cleanly_and_deregisters(fusion: Fusion) -> None:
    fusion.submit("SELECT 1").result(WAIT_S)
    [pid] = worker_pids(fusion)

    os.kill(pid, signal.SIGTERM)

    wait_until(lambda: not fusion.store.processes.alive())


def test_an_idle_worker_ends_by_itself(fusion: Fusion) -> None:
    fusion.submit("SELECT 1").result(WAIT_S)

    wait_until(lambda: not worker_pids(fusion))


def test_a_data_directory_has_one_embedded_worker(tmp_path: Path) -> None:
    with connect(data_dir=str(tmp_path), worker_idle_s=600) as fusion:
        fusion.submit("SELECT 1").result(WAIT_S)
        environment = fusion.settings.environment(os.environ)

        done = subprocess.run(
            [sys.executable, "-m", "fusion_magic.cli", "worker", "--embedded"],
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
            timeout=WAIT_S,
            check=False,
        )

        assert done.returncode == 0
        assert len(worker_pids(fusion)) == 1
        stop_workers(fusion)


def test_no_worker_is_started_where_that_is_forbidden(tmp_path: Path) -> None:
    with connect(data_dir=str(tmp_path), worker_start="never") as fusion:
        handle = fusion.submit("SELECT 1 AS x")

        assert handle.status == "QUEUED"
        worker = fusion.wiring.open_worker()
        worker.stop()
        worker.run()
        assert handle.status == "QUEUED"
        assert handle.cancel() == "CANCELED"


@pytest.mark.trino
@pytest.mark.parametrize("slow_s", [0.0, worker_module.SLOW_ANSWER_S])
def test_jobs_that_wait_for_their_engine_share_a_few_threads(
    trino_url: str, tmp_path: Path, slow_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A thousand jobs that wait must not take a thousand threads; nor may one that needs a thread wait for all of them. So too
    where the engine passes for slow.
    """
    monkeypatch.setattr(worker_module, "SLOW_ANSWER_S", slow_s)
    name = f"blackhole.default.slow_{os.getpid()}"
    with connect(
        engine_url=trino_url.replace("://", "://ana@"),
        data_dir=str(tmp_path),
        worker_start="never",
        worker_concurrency=60,
    ) as fusion:
        fusion.run(
            f"CREATE TABLE {name} (x bigint) WITH (split_count = 1, pages_per_split = 1, rows_per_page = 1, "
            "page_processing_delay = '20s')"
        )
        handles = [fusion.submit(f"SELECT x, {n} AS n FROM {name}") for n in range(24)]
        few = replace(fusion.engine.capabilities, threads=3)
        monkeypatch.setattr(fusion.engine, "capabilities", few)
        worker = fusion.wiring.open_worker()
        thread = threading.Thread(target=worker.run)
        before = threading.enumerate()
        thread.start()
        try:
            wait_until(lambda: len(fusion.jobs(status=["RUNNING"])) == len(handles))
            threads = [one.name for one in threading.enumerate() if one not in before]
            quick = fusion.submit("SELECT 1 AS x").result(WAIT_S)
            waiting = fusion.jobs(status=["RUNNING"])
            found = [handle.result(WAIT_S).row_count for handle in handles]
        finally:
            worker.stop()
            thread.join()
            fusion.run(f"DROP TABLE {name}")

    assert len([one for one in threads if re.match(r"fusion-(\d|page)", one)]) <= 3
    assert len([one for one in threads if one.startswith("fusion-turn-")]) <= 3
    assert quick.rows() == [(1,)]
    assert len(waiting) > 3
    assert found == [1] * 24
