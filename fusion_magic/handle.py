"""
A job as its author holds it: to wait for, to look at, to cancel. It lives in the store; this is only its id.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Generator
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from uuid import UUID

from fusion_magic.config import load_settings
from fusion_magic.engines import Progress
from fusion_magic.errors import JobFailed, JobTimeout, QueryCanceled, UnknownJob
from fusion_magic.jobs.queries import cancel, require_own
from fusion_magic.jobs.stored_results import open_result
from fusion_magic.processes.presence import find_alive
from fusion_magic.results import Result
from fusion_magic.store import Job, JobStatus
from fusion_magic.wiring import Wiring

if TYPE_CHECKING:
    from fusion_magic.processes.forgetting import ForgottenEdge
    from fusion_magic.store import ColumnEdge, ModelRow, QueueRow

FIRST_POLL_S = 0.02
LONGEST_POLL_S = 0.5


class JobHandle:
    """
    One job. ``await handle`` and ``handle.result()`` give its rows; it can be pickled, and made again from its id.

    Attributes:
        id: The job's UUID as text.
    """

    def __init__(self, wiring: Wiring, job_id: UUID) -> None:
        self._wiring = wiring
        self._job_id = job_id
        self.id = str(job_id)

    @property
    def job(self) -> Job:
        """
        The job as it is now.
        """
        found = self._wiring.store.jobs.find(self._job_id)
        if found is None:
            raise UnknownJob(f"There is no job {self.id} any more.")
        if not found.status.is_final and found.is_background:
            # A worker that died leaves its job to the next one, which somebody has to start.
            self._wiring.ensure_worker()
        return found

    @property
    def status(self) -> str:
        """
        INIT, QUEUED, RUNNING, FINISHED, FAILED or CANCELED.
        """
        return self.job.status.value

    @property
    def progress(self) -> Progress | None:
        """
        How far the engine is, at most two seconds old; None before it has begun.
        """
        return progress_of(self.job)

    def models(self) -> list[ModelRow]:
        """
        The registered names of its statement.
        """
        return list(self._wiring.store.models.of_job(self._job_id))

    def queued(self) -> list[QueueRow]:
        """
        What OpenMetadata has not been told of it yet.
        """
        return [row for _, row in self._wiring.store.outbox.pending(self._job_id)]

    def column_edges(self) -> list[ColumnEdge]:
        """
        Its column lineage.
        """
        return list(self._wiring.store.lineage.columns_of_job(self._job_id))

    def waiting_reason(self, job: Job) -> str:
        """
        Why *job*, as it was a moment ago, has not begun; empty where it has.
        """
        if job.status is not JobStatus.QUEUED:
            return "is being prepared" if job.status is JobStatus.INIT else "begins"
        workers = find_alive(self._wiring.store.processes, "worker", self._wiring.engine_key)
        return f"waits for a worker, {len(workers) or 'none is'} at work"

    def result(self, timeout: float | None = None) -> Result:
        """
        Wait for the end and give the rows, which are read when they are asked for.

        Args:
            timeout: Most seconds to wait, or None; the job runs on after it.

        Raises:
            JobFailed: The job failed; the text is what its worker recorded.
            QueryCanceled: It was cancelled.
            JobTimeout: It is still running.
        """
        return self._outcome(self.wait(timeout))

    def wait(self, timeout: float | None = None) -> Job:
        """
        Wait for the end, whatever it is.

        Raises:
            JobTimeout: It is still running.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause_s = FIRST_POLL_S
        while not (job := self.job).status.is_final:
            if deadline is not None and time.monotonic() >= deadline:
                raise JobTimeout(
                    f"Job {self.id[:8]} is still {job.status.value} after {timeout:g} s; it runs on.",
                    hint="Ask for its result later, or cancel it.",
                )
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_POLL_S)
        return job

    def cancel(self) -> str:
        """
        Ask for the end of the job; its status then.

        Raises:
            NotAllowed: It is somebody else's.
        """
        settings = self._wiring.settings
        status = cancel(
            self._wiring.store,
            self.job,
            owner=settings.owner,
            cancels_others=settings.jobs_cancel_others == "yes",
        )
        return status.value

    def forget_lineage(self) -> list[ForgottenEdge]:
        """
        Take back the edges that this job alone has given, from the queue, the receivers and the store's own graph.

        Raises:
            NotAllowed: It is somebody else's.
            InvalidArgument: It has no lineage, a receiver cannot take anything back, or a scheduler is just delivering.
            DeliveryError: A receiver does not do it now.
        """
        from fusion_magic.processes.forgetting import forget_lineage

        settings, job = self._wiring.settings, self.job
        if settings.jobs_cancel_others != "yes":
            require_own(job, settings.owner)
        receivers = self._wiring.open_deliveries()
        try:
            return forget_lineage(self._wiring.store, receivers, job)
        finally:
            for receiver in receivers:
                receiver.close()

    def _outcome(self, job: Job) -> Result:
        if job.status is JobStatus.CANCELED:
            error: Any = QueryCanceled(f"Job {self.id[:8]} was canceled.", query_id=job.query_id)
        elif job.status is JobStatus.FAILED:
            error = JobFailed(job.error or "The job failed.", hint=job.hint, query_id=job.query_id)
        elif job.result_path is not None:
            return open_result(job)
        else:
            return Result.without_rows(
                job_id=self.id,
                query_id=job.query_id,
                update_type=job.update_type,
                rows_changed=job.rows_changed,
                converted_query=job.converted_query or "",
            )
        error.job_id = self.id
        raise error

    def __await__(self) -> Generator[Any, None, Result]:
        return asyncio.to_thread(self.result).__await__()

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (self.id, self._wiring.settings.shareable())

    def __repr__(self) -> str:
        return f"<Job {self.id}>"


def progress_of(job: Job) -> Progress | None:
    """
    How far a background job is, by what its worker wrote last.
    """
    if job.progress is None:
        return None
    data = json.loads(job.progress)
    # A worker of another version may tell more.
    known = {field.name for field in fields(Progress)}
    return Progress(**{name: value for name, value in data.items() if name in known})


def info_url_of(job: Job) -> str | None:
    """
    The engine's page about a background job's query, or None.
    """
    url = json.loads(job.progress).get("info_url") if job.progress else None
    return str(url) if url else None


def _attach(job_id: str, settings: dict[str, Any]) -> JobHandle:
    profile = settings.pop("profile", None)
    return JobHandle(Wiring(load_settings(profile or None, overrides=settings)), UUID(job_id))
