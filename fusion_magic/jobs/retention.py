"""
What is removed of old jobs, when somebody asks for it: their stored rows, and the jobs themselves.

The newest result of a name stays, and so does a job that lineage mentions, without its rows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fusion_magic.results.storage import ResultStorage
from fusion_magic.store import Job, Store


def clean(
    store: Store, storage: ResultStorage, *, owner: str, older_s: float, is_dry_run: bool
) -> list[Job]:
    """
    Remove the jobs of *owner* that ended more than *older_s* seconds ago, with their stored rows; those removed.

    Args:
        is_dry_run: Only say which they are.

    Raises:
        ResultsUnavailable: Stored rows cannot be removed; their job and the later ones stay.
    """
    before = datetime.now(UTC) - timedelta(seconds=older_s)
    if is_dry_run:
        return list(store.results.expired(before, owner=owner))
    removed: list[Job] = []
    while jobs := store.results.expired(before, owner=owner):
        for job in jobs:
            # The rows first: a job without them can be cleaned again, rows without a job cannot.
            if not store.results.is_shared(job):
                storage.remove(job.result_path, job_id=str(job.id))
            store.results.forget(job.id)
            removed.append(job)
    return removed
