"""
No room: in Trino's queue, on the disk, in a bucket that goes away while rows are stored.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fsspec.core import url_to_fs

from fusion_magic import Fusion, connect
from fusion_magic.errors import UnknownResult
from fusion_magic.handle import progress_of
from fusion_magic.store import Job
from tests.acceptance.faults.workers import Workers, wait_for_all, wait_until
from tests.servers.lake_trino import BUCKET, Bucket
from tests.servers.relay import Relay
from tests.servers.trino import TrinoServer

PATIENCE_S = 300
MOST_BYTES = 2 << 20  # of one file of the worker that has no room
ROWS = (  # 8 bytes each that no compression makes smaller
    "SELECT random() AS a, random() AS b FROM UNNEST(sequence(1, 2000)) AS t(x), "
    "UNNEST(sequence(1, {times})) AS u(y)"
)

pytestmark = pytest.mark.timeout(2 * PATIENCE_S)


Starting = Callable[..., Workers]


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Starting]:
    """
    Starts a worker for a ``Fusion``, which ends with the test.
    """
    started: list[Workers] = []

    def start(fusion: Fusion, before: Callable[[], None] | None = None) -> Workers:
        workers = Workers(fusion, tmp_path / "worker.log")
        workers.start(before)
        started.append(workers)
        return workers

    yield start
    for workers in started:
        workers.kill()


def embedded(folder: Path, results_url: str | None = None) -> Fusion:
    return connect(data_dir=str(folder), worker_start="never", results_url=results_url)


def run_in_the_background(fusion: Fusion, sql: str) -> Job:
    submitted = fusion.submit(sql, name="kept")
    [job] = wait_for_all(fusion, [submitted.id], patience_s=PATIENCE_S)
    return job


@pytest.mark.trino
def test_a_full_queue_is_waited_for_and_is_no_attempt(starting: Starting, tmp_path: Path) -> None:
    """
    Trino refuses what its queue cannot hold; whoever submitted in the background is told why the job waits.
    """
    limits = "query.max-concurrent-queries=1\nquery.max-queued-queries=1\n"
    server = TrinoServer(tmp_path / "server", extra_config=limits).start()
    server.query(
        "CREATE TABLE blackhole.default.slow (x bigint) WITH (split_count = 1, pages_per_split = 1, "
        "rows_per_page = 1, page_processing_delay = '2s')"
    )
    url = server.url.replace("://", "://ana@")
    with connect(engine_url=url, data_dir=str(tmp_path), worker_start="never") as fusion:
        ids = [
            fusion.submit(f"SELECT {n} AS n, count(*) AS c FROM blackhole.default.slow").id
            for n in range(8)
        ]
        workers = starting(fusion)
        told: set[str] = set()

        def is_all_told() -> bool:
            found = filter(None, map(progress_of, fusion.jobs()))
            told.update(progress.reason.partition(":")[0] for progress in found)
            return told >= {"waits in Trino's queue", "waits"}

        wait_until(is_all_told, patience_s=PATIENCE_S)
        jobs = wait_for_all(fusion, ids, patience_s=PATIENCE_S)
        assert workers.stop() == 0

    [[refused]] = server.query(
        "SELECT count(*) FROM system.runtime.queries WHERE error_code = 'QUERY_QUEUE_FULL'"
    )
    server.stop()
    assert [(job.status, job.attempt) for job in jobs] == [("FINISHED", 1)] * 8, [
        job.error for job in jobs
    ]
    assert int(str(refused)) > 0


def test_a_full_disk_fails_the_job_and_leaves_no_half_result(
    starting: Starting, tmp_path: Path
) -> None:
    def have_little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))

    with embedded(tmp_path) as fusion:
        starting(fusion, have_little_room)
        job = run_in_the_background(fusion, ROWS.format(times=500))
        small = run_in_the_background(fusion, "SELECT 1 AS x")

        assert (job.status, job.result_path) == ("FAILED", None)
        assert "cannot be used" in (job.error or "")
        assert "Is there space" in (job.hint or "")
        assert small.status == "FINISHED"
        assert fusion.result("kept").rows() == [(1,)]
        kept = sorted(p.name for p in (tmp_path / "results").rglob("rows.parquet"))
        assert kept == ["rows.parquet"]


def test_a_bucket_that_goes_away_fails_the_job_and_holds_no_half_result(
    starting: Starting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket().start()
    relay = Relay(bucket.port)
    relay.open()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{relay.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    place = f"s3://{BUCKET}/results"
    with embedded(tmp_path, place) as fusion:
        workers = starting(fusion)
        job_id = fusion.submit(ROWS.format(times=5000), name="kept").id
        wait_until(lambda: relay.carried_bytes > MOST_BYTES, patience_s=PATIENCE_S)

        relay.close()
        [job] = wait_for_all(fusion, [job_id], patience_s=PATIENCE_S)
        relay.open()

        assert (job.status, job.result_path) == ("FAILED", None)
        assert "cannot be used" in (job.error or "")
        with pytest.raises(UnknownResult):
            fusion.result("kept")
        filesystem, root = url_to_fs(place, client_kwargs={"endpoint_url": bucket.url})
        assert filesystem.find(root) == []
        assert run_in_the_background(fusion, "SELECT 1 AS x").status == "FINISHED"
        assert workers.stop() == 0
    relay.close()
    bucket.stop()
