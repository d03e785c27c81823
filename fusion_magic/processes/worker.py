"""
The worker: one process that claims background jobs and runs them in turns: a job that waits for its engine holds no thread.

    claim        while there is room, the next jobs under a lease
    advance      the jobs that are due, once the places where their answers go on are written down
    heartbeat    every second: the lease of all of them, how far they are, and which are to be canceled
    stop         SIGTERM: claim no more, let short jobs end, hand the others over where they stand

Where the store is SQLite, a worker is started when a job needs it, and ends when it has had nothing to do for a while.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from fusion_magic.errors import StoreError
from fusion_magic.jobs.thread_pool import DaemonThreadPool
from fusion_magic.processes.attempt import TaskAttempt
from fusion_magic.processes.group_commit import GroupCommitStore
from fusion_magic.processes.presence import Presence, find_alive

if TYPE_CHECKING:
    from fusion_magic.jobs.run import JobServices
    from fusion_magic.store import Task

logger = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
ALIVE_FOR_S = 10.0
IDLE_POLL_S = 0.1  # between two looks at an empty queue, and after a while
LONG_IDLE_POLL_S = 0.5
MOST_CLAIMED = 10  # at once: a claim is a transaction, and other workers want some too
TURN_S = 0.05  # between two rounds of many turns
ANSWER_WEIGHT = 0.02  # of one look in the average of their times
LOOK_EACH_S = 1.2  # between two looks at a query when there are more jobs than threads
STOP_PATIENCE_S = 20.0  # for jobs that could not be handed over
TURN_THREADS = 16  # where there are more: what is looked at in turns is done sooner by few
SLOW_ANSWER_S = 0.03  # an engine that takes so long to say that there is no news is asked by all threads at once
NOTHING = nullcontext()


class Worker:
    """
    One worker.

    Args:
        services: The store, the engine and the place of results.

        engine_url: Of the jobs that it takes.

        concurrency: How many jobs it runs at once; 0 for the engine's usual number.

        lease_s: Seconds for which it claims a job, renewed while it runs.

        max_attempts: How often a job is begun at most, by whatever worker.

        idle_s: Seconds without a job after which it ends; None for never.

        is_only: End at once where another worker of the same engine is alive.

        background: Entered while it runs, for what else must go on.
    """

    def __init__(
        self,
        services: JobServices,
        *,
        engine_url: str,
        concurrency: int = 0,
        lease_s: float = 30.0,
        max_attempts: int = 3,
        idle_s: float | None = None,
        is_only: bool = False,
        background: AbstractContextManager[object] = NOTHING,
    ) -> None:
        store, usual = services.store, services.engine.capabilities
        self._services = replace(services, store=GroupCommitStore(store))
        self._tasks = store.tasks
        self._processes = store.processes
        self._presence = Presence(
            store.processes, "worker", engine_url=engine_url, for_s=ALIVE_FOR_S
        )
        self.id = self._presence.id
        self._engine_url = engine_url
        self._lease_s = lease_s
        self._max_attempts = max_attempts
        self._idle_s = idle_s
        self._is_only = is_only
        self._background = background
        self._scheduled: dict[UUID, ScheduledAttempt] = {}
        self._told: dict[UUID, str] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._is_stopping = threading.Event()
        self._ended = threading.Event()
        self._concurrency = concurrency or usual.concurrency or os.cpu_count() or 1
        self._threads = min(usual.threads or self._concurrency, self._concurrency)
        self._pool = DaemonThreadPool(self._threads)
        self._turn_pool = DaemonThreadPool(min(TURN_THREADS, self._threads), name="fusion-turn")
        self._answer_s = 0.0  # that a look takes, on average
        self._claims_at = 0.0
        self._idle_pause_s = IDLE_POLL_S

    @property
    def has_left_jobs(self) -> bool:
        """
        Whether jobs could neither be ended nor handed over.
        """
        return bool(self._scheduled)

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
        if self._is_only and find_alive(self._processes, "worker", self._engine_url):
            return
        heartbeat = threading.Thread(target=self._heartbeats, name="fusion-heartbeat", daemon=True)
        self._presence.heartbeat()
        heartbeat.start()
        try:
            with self._background:
                self._serve()
            self._hand_over()
        finally:
            self._ended.set()
            heartbeat.join()
            with suppress(StoreError):
                self._presence.deregister()

    def _serve(self) -> None:
        busy_at = time.monotonic()
        while not self._is_stopping.is_set():
            # Jobs that run go before new ones: what is late is not to become later.
            room = 0 if self._is_behind else self._concurrency - len(self._scheduled)
            tasks = self._claim(room)
            for task in tasks:
                self._begin(task)
            self._advance()
            if self._scheduled:
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
        return len(self._scheduled) > self._threads

    @property
    def _is_behind(self) -> bool:
        """
        Whether this process is at its limit; where it waits for a slow engine, it can wait for more.
        """
        is_waiting = self._pool.is_behind or self._turn_pool.is_behind
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
        attempt = TaskAttempt(task, self._services, self._max_attempts)
        scheduled = ScheduledAttempt(attempt)
        with self._lock:
            self._scheduled[task.job_id] = scheduled
        self._give(scheduled)

    def _advance(self) -> None:
        """
        Let the runs that are due go on, once their places are written down: all of them in one transaction.
        """
        now = time.monotonic()
        with self._lock:
            due = [
                scheduled
                for scheduled in self._scheduled.values()
                if not scheduled.is_busy and scheduled.due_at <= now
            ]
        places = [place for scheduled in due if (place := scheduled.attempt.place) is not None]
        lost: frozenset[UUID] = frozenset()
        if places:
            try:
                lost = self._tasks.checkpoint_all(self.id, places)
            except StoreError:
                self._note_outage("checkpoint")
                time.sleep(HEARTBEAT_S)
                return
        written = {place.job_id: place for place in places}
        for scheduled in due:
            place = written.get(scheduled.attempt.task.job_id)
            if place is not None:
                scheduled.attempt.keep(place, is_lost=place.job_id in lost)
            scheduled.is_busy = True
            self._give(scheduled)

    def _give(self, scheduled: ScheduledAttempt) -> None:
        is_crowded = self._is_crowded
        pool = self._turn_pool if is_crowded and not self._is_engine_slow else self._pool
        pool.submit(lambda: self._work(scheduled, is_crowded=is_crowded))

    def _work(self, scheduled: ScheduledAttempt, *, is_crowded: bool) -> None:
        started = time.monotonic()
        # While there is a thread for each job, Trino holds its answer back until it has news.
        scheduled.attempt.advance(wait_s=0.0 if is_crowded else None)
        if scheduled.attempt.has_ended:
            with self._lock:
                self._scheduled.pop(scheduled.attempt.task.job_id, None)
                self._told.pop(scheduled.attempt.task.job_id, None)
            self._services.engine.release_if_idle()
        elif is_crowded:
            self._answer_s += (time.monotonic() - started - self._answer_s) * ANSWER_WEIGHT
            scheduled.rest(LOOK_EACH_S)
        else:
            scheduled.rest(0.0)
        self._news.set()

    def _runs(self) -> dict[UUID, TaskAttempt]:
        with self._lock:
            return {job_id: scheduled.attempt for job_id, scheduled in self._scheduled.items()}

    def _heartbeats(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            try:
                self._heartbeat()
            except StoreError:
                self._note_outage("heartbeat")

    def _heartbeat(self) -> None:
        runs = self._runs()
        self._presence.heartbeat()
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
        scheduled = self._scheduled.get(job_id)
        if scheduled is None:
            return
        try:
            scheduled.attempt.cancel()
        except Exception:
            logger.exception("cancel failed", extra={"action": "cancel"})
        scheduled.due_at = 0.0
        self._news.set()

    def _hand_over(self) -> None:
        deadline = time.monotonic() + STOP_PATIENCE_S
        for run in self._runs().values():
            run.hand_over()
        while self._scheduled and time.monotonic() < deadline:
            with self._lock:
                for scheduled in self._scheduled.values():
                    scheduled.due_at = 0.0
            self._advance()
            time.sleep(TURN_S)


@dataclass(slots=True)
class ScheduledAttempt:
    """
    An attempt, and when it goes on (``time.monotonic``).
    """

    attempt: TaskAttempt
    due_at: float = 0.0
    is_busy: bool = True

    def rest(self, pause_s: float) -> None:
        """
        Wait as long as the attempt says, and *pause_s* where it waits for the engine.
        """
        wanted_s = self.attempt.pause_s
        self.due_at = time.monotonic() + (pause_s if wanted_s is None else wanted_s)
        self.is_busy = False
