"""
The ends of jobs that come at the same moment, written in one transaction.

Where a thousand jobs end within seconds, each would wait for a commit of its own. Those that come while one is under way
are written together by the next, so that nobody waits for others to come.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from uuid import UUID

from fusion_magic.errors import StoreError
from fusion_magic.store import Ended, Jobs, Outcome, Store

MOST_AT_ONCE = 50


class GroupCommitStore:
    """
    The port ``Store``, its jobs finished in groups.
    """

    def __init__(self, store: Store) -> None:
        self.jobs: Jobs = GroupCommitJobs(store.jobs)
        self.tasks = store.tasks
        self.results = store.results
        self.models = store.models
        self.processes = store.processes
        self.outbox = store.outbox
        self.lineage = store.lineage
        self.catalogs = store.catalogs
        self.changes = store.changes
        self.check = store.check
        self.migrate = store.migrate
        self.close = store.close


class GroupCommitJobs:
    """
    The port ``Jobs``, whose ``finish`` several threads call at once; all else is that of *jobs*.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: list[tuple[Ended, Future[bool]]] = []
        self.create = jobs.create
        self.queue = jobs.queue
        self.start = jobs.start
        self.record_query_id = jobs.record_query_id
        self.finish_all = jobs.finish_all
        self.fail = jobs.fail
        self.cancel = jobs.cancel
        self.want_cancel = jobs.want_cancel
        self.is_cancel_wanted = jobs.is_cancel_wanted
        self.find = jobs.find
        self.find_by_prefix = jobs.find_by_prefix
        self.list = jobs.list

    def finish(self, job_id: UUID, outcome: Outcome, *, attempt: int | None = None) -> None:
        """See ``Jobs.finish``."""
        if attempt is None or not self._finish_with_others(Ended(job_id, outcome, attempt)):
            # Alone, it learns why it cannot be finished, and what is wrong with another does not touch it.
            self._jobs.finish(job_id, outcome, attempt=attempt)

    def _finish_with_others(self, end: Ended) -> bool:
        done: Future[bool] = Future()
        with self._lock:
            self._waiting.append((end, done))
        with self._writing:
            while not done.done():
                self._write()
        return done.result()

    def _write(self) -> None:
        """
        Write those that wait; each of them learns whether it is FINISHED, or what went wrong.
        """
        with self._lock:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        try:
            finished = self._finish_all([end for end, _ in batch])
        except BaseException as error:  # noqa: BLE001 - it is raised in the threads that wait
            for _, done in batch:
                done.set_exception(error)
        else:
            for end, done in batch:
                done.set_result(end.job_id in finished)

    def _finish_all(self, ends: Sequence[Ended]) -> frozenset[UUID]:
        if len(ends) == 1:
            self._jobs.finish(ends[0].job_id, ends[0].outcome, attempt=ends[0].attempt)
            return frozenset({ends[0].job_id})
        try:
            return self._jobs.finish_all(ends)
        except StoreError:
            return frozenset()
