"""
1,000 background jobs at once on one worker: queries of 30 s on Trino that mostly wait.

What the worker takes of memory and threads, on a real Trino; and how much later than the engine each job says that it is
done, beside a server that only waits, since a Trino with a thousand queries takes all of a small machine's time. FUSION_BENCH_JOBS and
FUSION_BENCH_WAIT_S change its size.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import requests

from fusion_magic import Fusion, connect
from fusion_magic.store import Job
from tests.servers.postgres import PostgresServer
from tests.servers.trino import TrinoServer, free_port

JOBS = int(os.environ.get("FUSION_BENCH_JOBS", "1000"))
WAIT_S = int(os.environ.get("FUSION_BENCH_WAIT_S", "30"))
PATIENCE_S = 600
# A coordinator that is its own and only worker asks itself for the state of each of 2,000 tasks.
TRINO = (
    "query.max-history=5000\nquery.min-expire-age=1h\n"
    "scheduler.http-client.max-requests-queued-per-destination=65536\n"
    "exchange.http-client.max-requests-queued-per-destination=65536\n"
)


def main() -> None:
    """
    Print the figures.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        postgres = PostgresServer().start()
        port = free_port()
        stand_in = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stand_in", str(port), str(WAIT_S)]
        )
        trino = None
        try:
            _measure("a server that only waits", f"http://127.0.0.1:{port}", postgres.url, folder)
            stand_in.terminate()
            trino = TrinoServer(folder / "trino", extra_config=TRINO, heap="4G").start()
            trino.query(
                "CREATE TABLE blackhole.default.slow (x bigint) WITH (split_count = 1, "
                f"pages_per_split = 1, rows_per_page = 1, page_processing_delay = '{WAIT_S}s')"
            )
            _measure("Trino", trino.url, postgres.url, folder)
        finally:
            stand_in.kill()
            if trino is not None:
                trino.stop()
            postgres.remove()


def _measure(engine: str, trino_url: str, store_url: str, folder: Path) -> None:
    with connect(
        engine_url=trino_url.replace("://", "://bench@"),
        store_url=store_url,
        data_dir=str(folder),
        worker_start="never",
        worker_concurrency=JOBS,
    ) as fusion:
        started = time.perf_counter()
        ids = [
            fusion.submit(f"SELECT x, {n} AS n FROM blackhole.default.slow").id for n in range(JOBS)
        ]
        print(f"\n{JOBS} jobs of {WAIT_S} s at once on one worker, {engine}", flush=True)
        print(f"  submitted in {time.perf_counter() - started:.1f} s", flush=True)
        worker = subprocess.Popen(
            [sys.executable, "-m", "fusion_magic.cli", "worker"],
            env=fusion.settings.environment(os.environ),
        )
        try:
            threads, took_s = _watch(fusion, worker.pid)
            peak = _status(worker.pid, "VmHWM") / 1024
        finally:
            worker.terminate()
            worker.wait()
        jobs = [fusion.job(job_id).job for job_id in ids]
        late = [] if engine == "Trino" else _late(trino_url, jobs)
        _tell(jobs, late, peak=peak, threads=threads, took_s=took_s)


def _watch(fusion: Fusion, pid: int) -> tuple[int, float]:
    """
    Wait for the end of all; the most threads that the worker had, and the seconds that it took.
    """
    started, most = time.monotonic(), 0
    while time.monotonic() - started < PATIENCE_S:
        most = max(most, _status(pid, "Threads"))
        if not fusion.jobs(status=["QUEUED", "RUNNING"], limit=1):
            break
        time.sleep(0.5)
    return most, time.monotonic() - started


def _status(pid: int, name: str) -> int:
    """
    A number of ``/proc/PID/status``: a count, or KiB.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def _late(url: str, jobs: Sequence[Job]) -> list[float]:
    """
    Seconds between the end of the query and the job's FINISHED.
    """
    ended: dict[str, float] = requests.get(f"{url}/ended", timeout=60).json()
    return [
        job.finished.timestamp() - ended[job.query_id]
        for job in jobs
        if job.finished is not None and job.query_id is not None
    ]


def _tell(
    jobs: Sequence[Job], late: Sequence[float], *, peak: float, threads: int, took_s: float
) -> None:
    print(f"  status            {dict(Counter(job.status.value for job in jobs))}")
    for text, count in Counter(job.error for job in jobs if job.error).most_common(3):
        print(f"  {count} ×           {text[:100]}")
    print(f"  all done after    {took_s:.1f} s")
    print(f"  worker's memory   {peak:.0f} MB at most")
    print(f"  worker's threads  {threads} at most")
    if len(late) > 1:
        median, high = statistics.median(late), statistics.quantiles(late, n=100)[98]
        print(
            f"  done later by     {median:.2f} s median, {high:.2f} s 99 %, {max(late):.2f} s max"
        )


if __name__ == "__main__":
    main()
