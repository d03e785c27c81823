"""
Stored results, by name and version or by job.

A name means the newest finished job that stored its rows under it; versions are counted from 1, oldest first.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fusion_magic.errors import InvalidArgument, ResultsUnavailable, UnknownResult
from fusion_magic.results.stored import StoredResult
from fusion_magic.results.trino_types import columns_of
from fusion_magic.store import Job, Store

if TYPE_CHECKING:
    from fusion_magic.metadata import Column


def newest_path(store: Store, name: str) -> str | None:
    """
    The Parquet file of the newest result of that name, or None.
    """
    found = store.results.newest(name)
    return found.result_path if found else None


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
    count = store.results.count(name)
    if not count:
        return _of_job(store, name)
    number = count if version is None else version
    found = store.results.version(name, number) if number > 0 else None
    if found is None:
        raise UnknownResult(f"{name} has the versions 1 to {count}, not {version}.")
    return open_result(found, version=number)


def stored_by(store: Store, name: str, before: datetime) -> Job | None:
    """
    The job that had stored the newest result of that name at that time, or None.
    """
    for number in range(store.results.count(name), 0, -1):
        job = store.results.version(name, number)
        if job is not None and (job.finished or job.updated) <= before:
            return job
    return None


def columns_of_result(job: Job) -> tuple[Column, ...]:
    """
    The columns of what *job* has stored; none where it is gone.

    Raises:
        ResultsUnavailable: The place cannot be reached.
    """
    if job.result_path is None:
        return ()
    try:
        return columns_of(open_result(job).schema)
    except ResultsUnavailable as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        return ()


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
    found = [job for job in store.jobs.find_by_prefix(text.lower()) if len(text) >= 4]
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
