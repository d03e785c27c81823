"""
A store that is waited for when it is away, for a worker, which has time and must not lose a job to a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from fusion_magic.errors import StoreUnavailable
from fusion_magic.store import Jobs, Store, StoredResults, Tasks

_Args = ParamSpec("_Args")
_Answer = TypeVar("_Answer")

STORE_PATIENCE_S = 600.0  # a store that is away for longer loses the job to its next attempt
FIRST_DELAY_S = 0.2  # doubled each time
LONGEST_DELAY_S = 5.0


class RetryingStore:
    """
    The port ``Store``, its jobs, tasks and results waiting for a store that is away.
    """

    def __init__(self, store: Store) -> None:
        self.jobs: Jobs = RetryingJobs(store.jobs)
        self.tasks: Tasks = RetryingTasks(store.tasks)
        self.results: StoredResults = RetryingResults(store.results)
        self.models = store.models
        self.processes = store.processes
        self.outbox = store.outbox
        self.lineage = store.lineage
        self.catalogs = store.catalogs
        self.changes = store.changes
        self.check = store.check
        self.migrate = store.migrate
        self.close = store.close


class RetryingJobs:
    """
    The port ``Jobs``, each method retried.
    """

    def __init__(self, jobs: Jobs) -> None:
        self.create = _retried(jobs.create)
        self.queue = _retried(jobs.queue)
        self.start = _retried(jobs.start)
        self.record_query_id = _retried(jobs.record_query_id)
        self.finish = _retried(jobs.finish)
        self.finish_all = _retried(jobs.finish_all)
        self.fail = _retried(jobs.fail)
        self.cancel = _retried(jobs.cancel)
        self.want_cancel = _retried(jobs.want_cancel)
        self.is_cancel_wanted = _retried(jobs.is_cancel_wanted)
        self.find = _retried(jobs.find)
        self.find_by_prefix = _retried(jobs.find_by_prefix)
        self.list = _retried(jobs.list)


class RetryingTasks:
    """
    The port ``Tasks``, each method retried.
    """

    def __init__(self, tasks: Tasks) -> None:
        self.claim = _retried(tasks.claim)
        self.renew = _retried(tasks.renew)
        self.checkpoint = _retried(tasks.checkpoint)
        self.checkpoint_all = _retried(tasks.checkpoint_all)
        self.release = _retried(tasks.release)
        self.cancels_wanted = _retried(tasks.cancels_wanted)
        self.is_any_open = _retried(tasks.is_any_open)


class RetryingResults:
    """
    The port ``StoredResults``, each method retried.
    """

    def __init__(self, results: StoredResults) -> None:
        self.count = _retried(results.count)
        self.version = _retried(results.version)
        self.newest = _retried(results.newest)
        self.find = _retried(results.find)
        self.is_written_since = _retried(results.is_written_since)
        self.expired = _retried(results.expired)
        self.is_shared = _retried(results.is_shared)
        self.forget = _retried(results.forget)


def _retried(call: Callable[_Args, _Answer]) -> Callable[_Args, _Answer]:
    def retry(*args: _Args.args, **kwargs: _Args.kwargs) -> _Answer:
        deadline = time.monotonic() + STORE_PATIENCE_S
        delay_s = FIRST_DELAY_S
        while True:
            try:
                return call(*args, **kwargs)
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(delay_s)
                delay_s = min(delay_s * 2, LONGEST_DELAY_S)

    return retry
