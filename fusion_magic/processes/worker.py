"""
The worker: one process that claims background jobs and runs them, in turns: a job that waits for its engine holds no thread.

    claim      while there is room, the next jobs under a lease
    go on      the jobs that are due, once the places where their answers go on are written down
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
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import UUID, uuid4

from fusion_magic.errors import StoreError
from fusion_magic.jobs.thread_pool import DaemonThreadPool
from fusion_magic.processes.attempt import TaskAttempt
from fusion_magic.processes.group_commit import GroupCommitStore

if TYPE_CHECKING:
    from fusion_magic.config import Settings
    from fusion_magic.jobs.run import JobServices
    from fusion_magic.processes.scheduler import Scheduler
    from fusion_magic.store import Store, Task, Tasks, WorkerRow

logger = logging.getLogger(__name__)

BEAT_S = 1.0
IDLE_POLL_S = 0.1  # between two looks at an empty queue, and after a while
LONG_IDLE_POLL_S = 0.5
MOST_CLAIMED = 10  # at once: a claim is a transaction, and other workers want some too
TURN_S = 0.05  # between two rounds of many turns
ANSWER_WEIGHT = 0.02  # of one look in the average of their times
LOOK_EACH_S = 1.2  # between two looks at a query when there are more jobs than threads
STOP_PATIENCE_S = 20.0  # for jobs that could not be handed over
SIGN_FOR_S = 10.0
TURN_THREADS = 16  # where there are more: what is looked at in turns is done sooner by few
SLOW_ANSWER_S = 0.03  # an engine that takes so long to say that there is no news is asked by all threads at once
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
        services: JobServices,
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
        self._services = replace(services, store=cast("Store", GroupCommitStore(services.store)))
        self._tasks = services.store.tasks
        self._engine_url = engine_url
        usual = services.engine.capabilities
        self._concurrency = concurrency or usual.concurrency or os.cpu_count() or 1
        self._lease_s = lease_s
        self._attempts = attempts
        self._idle_s = idle_s
        self._is_only = is_only
        self._turns: dict[UUID, ScheduledAttempt] = {}
        self._told: dict[UUID, str] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._is_stopping = threading.Event()
        self._ended = threading.Event()
        self._threads = min(usual.threads or self._concurrency, self._concurrency)
        self._pool = DaemonThreadPool(self._threads)
        self._turn_crew = DaemonThreadPool(min(TURN_THREADS, self._threads), name="fusion-turn")
        self._answer_s = 0.0  # that a look takes, on average
        self._claims_at = 0.0
        self._idle_pause_s = IDLE_POLL_S

    @property
    def has_left_jobs(self) -> bool:
        """
        Whether jobs could neither be ended nor handed over.
        """
        return bool(self._turns)

    def stop(self) -> None:
        """
        Let the worker end: no new jobs, and those that run are brought to an end or handed over.
        """
        self._is_stopping.set()
        self._news.set()

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
        while not self._is_stopping.is_set():
            # Jobs that run go before new ones: what is late is not to become later.
            room = 0 if self._is_behind else self._concurrency - len(self._turns)
            tasks = self._claim(room)
            for task in tasks:
                self._begin(task)
            self._go_on()
            if self._turns:
                busy_at = time.monotonic()
            elif self._idle_s is not None and time.monotonic() - busy_at > self._idle_s:
                return
            if not tasks:
                self._rest()

    @property
    def _is_crowded(self) -> bool:
        """
        Whether there are more jobs than threads for them.
        """
        return len(self._turns) > self._threads

    @property
    def _is_behind(self) -> bool:
        """
        Whether this process is at its limit; where it waits for a slow engine, it can wait for more.
        """
        is_waiting = self._pool.is_behind or self._turn_crew.is_behind
        return is_waiting and not self._is_engine_slow

    @property
    def _is_engine_slow(self) -> bool:
        return self._answer_s >= SLOW_ANSWER_S

    def _rest(self) -> None:
        """
        Wait for the next turn or the next claim.
        """
        if self._is_crowded:
            time.sleep(TURN_S)
        else:
            self._news.wait(max(TURN_S, self._claims_at - time.monotonic()))
            self._news.clear()

    def _claim(self, room: int) -> Sequence[Task]:
        if room < 1 or time.monotonic() < self._claims_at:
            return ()
        try:
            tasks = self._tasks.claim(
                self.id,
                engine_url=self._engine_url,
                lease_s=self._lease_s,
                most=min(room, MOST_CLAIMED),
            )
        except StoreError:
            self._note_outage("claim")
            return ()
        self._idle_pause_s = (
            IDLE_POLL_S if tasks else min(self._idle_pause_s * 1.02, LONG_IDLE_POLL_S)
        )
        self._claims_at = 0.0 if tasks else time.monotonic() + self._idle_pause_s
        return tasks

    def _note_outage(self, action: str) -> None:
        """
        Take no jobs for the time of a lease: those that ran out meanwhile are their workers', who renew them first.
        """
        logger.warning("the job store is away", extra={"action": action})
        self._claims_at = time.monotonic() + self._lease_s

    def _begin(self, task: Task) -> None:
        turn = ScheduledAttempt(TaskAttempt(task, self._services, self._attempts))
        with self._lock:
            self._turns[task.job_id] = turn
        self._give(turn)

    def _go_on(self) -> None:
        """
        Let the runs that are due go on, once their places are written down: all of them in one transaction.
        """
        now = time.monotonic()
        with self._lock:
            due = [turn for turn in self._turns.values() if not turn.is_busy and turn.due_at <= now]
        places = [place for turn in due if (place := turn.run.place) is not None]
        lost: frozenset[UUID] = frozenset()
        if places:
            try:
                lost = self._tasks.checkpoint_all(self.id, places)
            except StoreError:
                self._note_outage("checkpoint")
                time.sleep(BEAT_S)
                return
        written = {place.job_id: place for place in places}
        for turn in due:
            place = written.get(turn.run.task.job_id)
            if place is not None:
                turn.run.keep(place, is_lost=place.job_id in lost)
            turn.is_busy = True
            self._give(turn)

    def _give(self, turn: ScheduledAttempt) -> None:
        is_crowded = self._is_crowded
        pool = self._turn_crew if is_crowded and not self._is_engine_slow else self._pool
        pool.submit(lambda: self._work(turn, is_crowded=is_crowded))

    def _work(self, turn: ScheduledAttempt, *, is_crowded: bool) -> None:
        started = time.monotonic()
        # While there is a thread for each job, Trino holds its answer back until it has news.
        turn.run.go_on(wait_s=0.0 if is_crowded else None)
        if turn.run.has_ended:
            with self._lock:
                self._turns.pop(turn.run.task.job_id, None)
                self._told.pop(turn.run.task.job_id, None)
            self._services.engine.let_go()
        elif is_crowded:
            self._answer_s += (time.monotonic() - started - self._answer_s) * ANSWER_WEIGHT
            turn.rest(LOOK_EACH_S)
        else:
            turn.rest(0.0)
        self._news.set()

    def _runs(self) -> dict[UUID, TaskAttempt]:
        with self._lock:
            return {job_id: turn.run for job_id, turn in self._turns.items()}

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                self._beat_once()
            except StoreError:
                self._note_outage("beat")

    def _beat_once(self) -> None:
        runs = self._runs()
        self._sign()
        if not runs:
            return
        how_far = {job_id: text for job_id, run in runs.items() if (text := run.progress())}
        news = {job_id: text for job_id, text in how_far.items() if self._told.get(job_id) != text}
        self._tasks.renew(self.id, lease_s=self._lease_s, progress=news)
        self._told = how_far
        for job_id in self._tasks.cancels_wanted(self.id):
            if job_id in runs:
                # An engine that is slow to answer must not hold up the other leases.
                threading.Thread(target=self._cancel, args=(job_id,), daemon=True).start()

    def _cancel(self, job_id: UUID) -> None:
        turn = self._turns.get(job_id)
        if turn is None:
            return
        try:
            turn.run.cancel()
        except Exception:
            logger.exception("cancel failed", extra={"action": "cancel"})
        turn.due_at = 0.0
        self._news.set()

    def _hand_over(self) -> None:
        deadline = time.monotonic() + STOP_PATIENCE_S
        for run in self._runs().values():
            run.hand_over()
        while self._turns and time.monotonic() < deadline:
            with self._lock:
                for turn in self._turns.values():
                    turn.due_at = 0.0
            self._go_on()
            time.sleep(TURN_S)

    def _sign(self) -> None:
        self._tasks.sign(signature(self.id, role="worker", engine_url=self._engine_url))


@dataclass(slots=True)
class ScheduledAttempt:
    """
    A run, and when it goes on (``time.monotonic``).
    """

    run: TaskAttempt
    due_at: float = 0.0
    is_busy: bool = True

    def rest(self, pause_s: float) -> None:
        """
        Wait as long as the run says, and *pause_s* where it waits for the engine.
        """
        wanted_s = self.run.pause_s
        self.due_at = time.monotonic() + (pause_s if wanted_s is None else wanted_s)
        self.is_busy = False


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
    _keep_pandas_out()
    thread = None
    if scheduler is not None:
        thread = threading.Thread(target=scheduler.run, name="fusion-scheduler", daemon=True)
        thread.start()
    worker.run()
    if scheduler is not None and thread is not None:
        scheduler.stop()
        thread.join(STOP_PATIENCE_S)
    if worker.has_left_jobs:
        # Their statements go on: what closes their readers on the way out would stop them.
        os._exit(0)


def _keep_pandas_out() -> None:
    """
    Let pyarrow take pandas for not installed: at its first conversion it would import it, which takes 60 MB, and seconds in
    which no thread goes on. A worker shows nobody a DataFrame.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.modules["pandas"] = cast("Any", None)
    try:
        # Its Python and its C++ each look for pandas once; the former stumbles over what it finds.
        for _ in range(2):
            with suppress(ImportError, AttributeError):
                pa.array([1, None])
    finally:
        del sys.modules["pandas"]


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
    return [
        row
        for row in tasks.workers()
        if row.role == "worker" and row.engine_url == engine_url and is_alive(row)
    ]


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


def signature(
    id_: str,
    *,
    role: Literal["worker", "scheduler"],
    engine_url: str = "",
    for_s: float = SIGN_FOR_S,
) -> WorkerRow:
    """
    The row that says this process is alive, for *for_s* seconds.
    """
    from fusion_magic.store import WorkerRow

    return WorkerRow(
        id=id_,
        engine_url=engine_url,
        host=socket.gethostname(),
        pid=os.getpid(),
        role=role,
        alive_until=datetime.now(UTC) + timedelta(seconds=for_s),
    )
