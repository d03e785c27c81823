"""
Stored results, by name and version or by job.

A name means the newest finished job that stored its rows under it; versions are counted from 1, oldest first.
"""

from __future__ import annotations

from fusion_magic.errors import InvalidArgument, UnknownResult
from fusion_magic.results.storage import StoredResult
from fusion_magic.store import Job, JobFilter, JobStatus, Store

MOST_VERSIONS = 100_000
_FINISHED = frozenset({JobStatus.FINISHED})


def versions(store: Store, name: str, *, limit: int = MOST_VERSIONS) -> list[Job]:
    """
    The jobs whose results have that name, newest first.
    """
    return list(store.list(JobFilter(statuses=_FINISHED, result_name=name), limit=limit))


def newest_path(store: Store, name: str) -> str | None:
    """
    The Parquet file of the newest result of that name, or None.
    """
    found = versions(store, name, limit=1)
    return found[0].result_path if found else None


def find_result(store: Store, name: str, version: int | None = None) -> StoredResult:
    """
    A stored result.

    Args:
        name: The name it was stored under, or its job's id or the start of it.

        version: Which of that name, counted from 1; None for the newest.

    Raises:
        UnknownResult: There is no such name, or no such version.
        InvalidArgument: The job has not finished.
    """
    jobs = versions(store, name)
    if not jobs:
        return _of_job(store, name)
    place = 0 if version is None else len(jobs) - version
    if not 0 <= place < len(jobs):
        raise UnknownResult(f"{name} has the versions 1 to {len(jobs)}, not {version}.")
    return open_result(jobs[place], version=len(jobs) - place)


def open_result(job: Job, *, version: int = 0) -> StoredResult:
    """
    The result that *job* has stored.
    """
    return StoredResult(
        job.result_path or "",
        name=job.result_name or "",
        version=version,
        job_id=str(job.id),
        query_id=job.query_id,
        converted_query=job.converted_query or "",
    )


def _of_job(store: Store, text: str) -> StoredResult:
    found = [job for job in store.find_by_prefix(text.lower()) if len(text) >= 4]
    if len(found) != 1:
        raise UnknownResult(
            f"No result is stored under the name {text}.",
            hint="--name NAME stores one; `%fusion jobs` lists the jobs.",
        )
    [job] = found
    if job.result_path is None:
        raise InvalidArgument(
            f"Job {str(job.id)[:8]} is {job.status.value} and has stored no result."
        )
    return open_result(job)
