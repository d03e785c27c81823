"""
Questions about jobs, as people ask them.
"""

from __future__ import annotations

from collections.abc import Sequence

from fusion_magic.errors import InvalidArgument, NotAllowed
from fusion_magic.store import Job, JobFilter, JobStatus, Store

MOST_OPEN = 10_000


def job_filter(
    status: str | Sequence[str] | None, owner: str | None, text: str | None
) -> JobFilter:
    """
    The filter for a list of jobs; statuses in any case.

    Raises:
        InvalidArgument: A status that does not exist.
    """
    wanted = [status] if isinstance(status, str) else list(status or ())
    try:
        statuses = frozenset(JobStatus(word.upper()) for word in wanted)
    except ValueError:
        raise InvalidArgument(
            f"{', '.join(wanted)} is no status of a job.",
            hint=f"The statuses are {', '.join(JobStatus)}.",
        ) from None
    return JobFilter(statuses=statuses, owner=owner, text=text)


def open_jobs(store: Store, owner: str) -> list[Job]:
    """
    The jobs of *owner* that have not ended, oldest first.
    """
    statuses = frozenset(status for status in JobStatus if not status.is_final)
    found = store.list(JobFilter(statuses=statuses, owner=owner), limit=MOST_OPEN)
    return list(reversed(found))


def require_own(job: Job, owner: str) -> None:
    """
    Raises:
        NotAllowed: The job is somebody else's.
    """
    if job.owner and job.owner != owner:
        raise NotAllowed(
            f"Job {str(job.id)[:8]} is {job.owner}'s, not {owner}'s.",
            hint="Its owner can cancel it; so can everybody where jobs.cancel_others is yes.",
        )
