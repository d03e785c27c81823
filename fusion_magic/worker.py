"""
The worker: one process that claims background jobs and runs them, each in a thread of its own.

    claim      while there is room, the next job under a lease
    beat       every second: the lease of all of them, how far they are, and who is to be cancelled
    stop       SIGTERM: claim no more, let short jobs end, hand the others over where they stand

Beside an SQLite store a worker is started by itself and ends itself when it has had nothing to do for a while.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from fusion_magic.errors import StoreError
from fusion_magic.jobs.background import BackgroundRun

if TYPE_CHECKING:
    from fusion_magic.config import Settings
    from fusion_magic.jobs.run import Outside
    from fusion_magic.scheduler import Scheduler
    from fusion_magic.store import Task, Tasks, WorkerRow

logger = logging.getLogger(__name__)

BEAT_S = 1.0
IDLE_POLL_S = 0.1  # between two looks at an empty queue, and after a while
LONG_IDLE_POLL_S = 0.5
STOP_PATIENCE_S = 20.0  # for jobs that could not be handed over
SIGN_FOR_S = 10.0
TRINO_CONCURRENCY = 32
LOG_FILE = "worker.log"
START_PATIENCE_S = 5.0  # until a worker that was started has signed
NOTHING = nullcontext()
_started_at: dict[str, float] = {}
_children: list[subprocess.Popen[bytes]] = []  # that this process started; they outlive it


class Worker:
    """
    One worker.

    Args:
        outside: The store, the engine and the results' place.

        engine_url: Which jobs it takes.

        idle_s: Seconds without a job after which it ends; None for never.

        is_only: End at once where another worker for the same engine is at work beside this store.

        beside: Entered while it runs: what else is looked after.
    """

    def __init__(
        self,
        outside: Outside,
        *,
        engine_url: str,
        concurrency: int = 0,
        lease_s: float = 30.0,
        attempts: int = 3,
        idle_s: float | None = None,
        is_only: bool = False,
        beside: AbstractContextManager[object] = NOTHING,
    ) -> None:
        self._beside = beside
        self.id = f"{socket.gethostname()[:30]}-{os.getpid()}-{uuid4().hex[:8]}"
        self._outside = outside
        self._tasks = outside.store.tasks
        self._engine_url = engine_url
        self._concurrency = concurrency or _usual_concurrency(outside.engine.name)
        self._lease_s = lease_s
        self._attempts = attempts
        self._idle_s = idle_s
        self._is_only = is_only
        self._running: dict[UUID, tuple[BackgroundRun, threading.Thread]] = {}
        self._lock = threading.Lock()
        self._is_stopping = threading.Event()
        self._ended = threading.Event()

    def stop(self) -> None:
        """
        Let the worker end: no new jobs, and those that run are brought to an end or handed over.
        """
        self._is_stopping.set()

    def run(self) -> None:
        """
        Work until stopped, or idle for long.
        """
        if self._is_only and workers_of(self._tasks, self._engine_url):
            return
        beat = threading.Thread(target=self._beat, name="fusion-beat", daemon=True)
        self._sign()
        beat.start()
        try:
            with self._beside:
                self._serve()
            self._hand_over()
        finally:
            self._ended.set()
            beat.join()
            with suppress(StoreError):
                self._tasks.sign_off(self.id)

    def _serve(self) -> None:
        busy_at = time.monotonic()
        pause_s = IDLE_POLL_S
        while not self._is_stopping.is_set():
            task = self._claim() if len(self._running) < self._concurrency else None
            if task is not None:
                self._begin(task)
                pause_s = IDLE_POLL_S
                continue
            if self._running:
                busy_at = time.monotonic()
            elif self._idle_s is not None and time.monotonic() - busy_at > self._idle_s:
                return
            self._is_stopping.wait(pause_s)
            pause_s = min(pause_s * 1.02, LONG_IDLE_POLL_S)

    def _claim(self) -> Task | None:
        try:
            return self._tasks.claim(self.id, engine_url=self._engine_url, lease_s=self._lease_s)
        except StoreError:
            logger.warning("the job store is away", extra={"action": "claim"})
            self._is_stopping.wait(BEAT_S)
            return None

    def _begin(self, task: Task) -> None:
        run = BackgroundRun(task, self._outside, self._attempts)
        thread = threading.Thread(
            target=self._work, args=(run,), name=f"fusion-{str(task.job_id)[:8]}", daemon=True
        )
        with self._lock:
            self._running[task.job_id] = (run, thread)
        thread.start()

    def _work(self, run: BackgroundRun) -> None:
        try:
            run.work()
        finally:
            with self._lock:
                self._running.pop(run.task.job_id, None)
            self._outside.engine.let_go()

    def _runs(self) -> dict[UUID, BackgroundRun]:
        with self._lock:
            return {job_id: run for job_id, (run, _) in self._running.items()}

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                self._beat_once()
            except StoreError:
                logger.warning("the job store is away", extra={"action": "beat"})

    def _beat_once(self) -> None:
        runs = self._runs()
        self._sign()
        if not runs:
            return
        how_far = {job_id: text for job_id, run in runs.items() if (text := run.progress())}
        self._tasks.renew(self.id, lease_s=self._lease_s, progress=how_far)
        for job_id in self._tasks.cancels_wanted(self.id):
            if job_id in runs:
                # An engine that is slow to answer must not hold up the other leases.
                threading.Thread(target=_cancel, args=(runs[job_id],), daemon=True).start()

    def _hand_over(self) -> None:
        for run in self._runs().values():
            run.hand_over()
        deadline = time.monotonic() + STOP_PATIENCE_S
        while self._runs() and time.monotonic() < deadline:
            time.sleep(IDLE_POLL_S)

    def _sign(self) -> None:
        self._tasks.sign(_row(self.id, self._engine_url))


def stop_on_signals(stop: Callable[[], None]) -> None:
    """
    Let SIGTERM and SIGINT call *stop*.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())


def serve(worker: Worker, scheduler: Scheduler | None = None) -> None:
    """
    Run *worker* as this process's work: SIGTERM and SIGINT stop it.

    Args:
        scheduler: Runs beside it, in a thread: an embedded store has no process for it.
    """
    stop_on_signals(worker.stop)
    if scheduler is None:
        worker.run()
        return
    thread = threading.Thread(target=scheduler.run, name="fusion-scheduler", daemon=True)
    thread.start()
    worker.run()
    scheduler.stop()
    thread.join(STOP_PATIENCE_S)


def start_beside(settings: Settings, tasks: Tasks, engine_url: str) -> None:
    """
    Start a worker for this data directory where none is alive. It outlives this process.
    """
    if workers_of(tasks, engine_url):
        return
    key = f"{settings.store_url} {engine_url}"
    if time.monotonic() - _started_at.get(key, float("-inf")) < START_PATIENCE_S:
        return
    _started_at[key] = time.monotonic()
    _spawn(settings)


def workers_of(tasks: Tasks, engine_url: str) -> list[WorkerRow]:
    """
    The workers of that engine whose processes are there.
    """
    return [row for row in tasks.workers() if row.engine_url == engine_url and is_alive(row)]


def is_alive(row: WorkerRow) -> bool:
    """
    Whether the process that signed is there; on another machine its word is taken.
    """
    if row.host != socket.gethostname():
        return True
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A child that was killed stays in the table of processes until it is asked for.
    return not any(child.pid == row.pid and child.poll() is not None for child in _children)


def _spawn(settings: Settings) -> None:
    folder = Path(settings.data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG_FILE).open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "fusion_magic.cli", "worker", "--embedded"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=settings.environment(os.environ),
            start_new_session=True,
        )
    if not _children:
        atexit.register(_let_go)
    _children.append(child)


def _let_go() -> None:
    """
    Workers outlive this process: that they still run is no mistake of which Python should warn.
    """
    for child in _children:
        child.returncode = child.returncode or 0


def _cancel(run: BackgroundRun) -> None:
    try:
        run.cancel()
    except Exception:
        logger.exception("cancel failed", extra={"action": "cancel"})


def _row(worker: str, engine_url: str) -> WorkerRow:
    from fusion_magic.store import WorkerRow

    return WorkerRow(
        id=worker,
        engine_url=engine_url,
        host=socket.gethostname(),
        pid=os.getpid(),
        role="worker",
        alive_until=datetime.now(UTC) + timedelta(seconds=SIGN_FOR_S),
    )


def _usual_concurrency(engine: str) -> int:
    return TRINO_CONCURRENCY if engine == "trino" else (os.cpu_count() or 1)
