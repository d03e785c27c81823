"""
Jobs whose kernel died while it ran them itself: they become FAILED, once their query is stopped on the engine.

Who runs a job itself, the runner, sends heartbeats: before its first job, and again while a job takes long. Whoever looks
at jobs ends those that dead runners left (``recover``). Background jobs are not concerned: workers hold them under a lease.

A job of which the query cannot be stopped from here (another engine, an engine that is away, somebody else's query) waits
for somebody who can, until Trino itself has given the query up, whose client no longer asks for it.
Source: Trino, ``query.client.timeout``, 5 minutes by default;
https://trino.io/docs/476/admin/properties-query-management.html
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fusion_magic.engines import Engine, RemoteQueries
from fusion_magic.errors import EngineError, FusionError, IllegalTransition
from fusion_magic.processes.presence import is_alive
from fusion_magic.store import ForegroundJob, JobStatus, Store

logger = logging.getLogger(__name__)

GIVEN_UP_AFTER = timedelta(minutes=10)
RECOVER_EVERY_S = 30.0
_ENDED = frozenset({"FINISHED", "FAILED", None})


def recover(store: Store, open_engine: Callable[[], Engine], *, engine_url: str) -> list[UUID]:
    """
    End the jobs that were left by their runners; the ids of those that were ended.

    Args:
        open_engine: Gives the engine on which a query is stopped; called where there is one.

        engine_url: That engine's URL without secrets.

    Raises:
        StoreUnavailable: The store cannot be read or written.
    """
    now = datetime.now(UTC)
    left = [job for job in store.processes.foreground_jobs() if not is_alive(job.runner, now)]
    ended = [job for job in left if _end(job, store, open_engine, engine_url, now)]
    for runner in _runners(ended) - _runners([job for job in left if job not in ended]):
        store.processes.deregister(runner)
    return [job.id for job in ended]


def _runners(jobs: Sequence[ForegroundJob]) -> set[str]:
    return {job.runner.id for job in jobs if job.runner is not None}


@contextmanager
def recovery_loop(look: Callable[[], object]) -> Iterator[None]:
    """
    Look for left jobs now and then while the block runs, in a thread of its own, since an engine may be slow to stop a query.
    """
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(RECOVER_EVERY_S):
            try:
                look()
            except FusionError:
                logger.warning("left jobs not looked for", extra={"action": "recover"})

    threading.Thread(target=run, name="fusion-recovery", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _end(
    job: ForegroundJob,
    store: Store,
    open_engine: Callable[[], Engine],
    engine_url: str,
    now: datetime,
) -> bool:
    state = None
    if job.query_id is not None and not _is_given_up(job, now):
        if job.runner is None or job.runner.engine_url != engine_url:
            return False
        try:
            state = _stop(job.query_id, open_engine().remote_queries)
        except EngineError:
            logger.warning("query not stopped", extra={"action": "recover", "job_id": str(job.id)})
            return False
        if state not in _ENDED:
            return False
    # Somebody else may have looked at the same moment, or the runner was alive after all.
    with suppress(IllegalTransition):
        store.jobs.fail(job.id, error=_reason(job), hint=_hint(job, state))
    return True


def _stop(query_id: str, queries: RemoteQueries | None) -> str | None:
    """
    Stop the query where it still runs; the engine's word for its state.
    """
    if queries is None:
        return None
    state = queries.state_of(query_id)
    if state in _ENDED:
        return state
    queries.cancel_query(query_id)
    return queries.state_of(query_id)


def _is_given_up(job: ForegroundJob, now: datetime) -> bool:
    alive_until = job.runner.alive_until if job.runner is not None else job.updated
    return alive_until + GIVEN_UP_AFTER < now


def _reason(job: ForegroundJob) -> str:
    if job.runner is None:
        return "The kernel or script that ran it left it before it was done."
    return (
        f"The kernel or script that ran it (process {job.runner.pid} on {job.runner.host}) "
        "ended before it was done."
    )


def _hint(job: ForegroundJob, state: str | None) -> str:
    if job.status is not JobStatus.RUNNING:
        return "It was not begun: run it again."
    if state == "FINISHED":
        return "The engine had carried it out; if it writes, its target has the rows."
    return "Run it again; if it writes, look at its target first."
