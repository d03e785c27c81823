"""
What is removed of old jobs, when somebody asks for it: their stored rows, and the jobs themselves.

The newest result of a name stays, and so does a job that lineage mentions, without its rows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fusion_magic.errors import InvalidArgument
from fusion_magic.results.storage import ResultStorage
from fusion_magic.store import Job, Store

_UNITS_S = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_age(text: str) -> float:
    """
    Seconds from a text such as ``90s``, ``15min``, ``1h``, ``30d``, ``2w``.

    >>> parse_age("1.5h")
    5400.0

    Raises:
        InvalidArgument: It is no such text.
    """
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d+)?)\s*([a-z]+)\s*", text.lower())
    if match is None or match[2] not in _UNITS_S:
        raise InvalidArgument(
            f"{text!r} is no age.", hint="Write it like 90s, 15min, 1h, 30d or 2w."
        )
    return float(match[1]) * _UNITS_S[match[2]]


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
        return list(store.stored.expired(before, owner=owner))
    removed: list[Job] = []
    while jobs := store.stored.expired(before, owner=owner):
        for job in jobs:
            # The rows first: a job without them can be cleaned again, rows without a job cannot.
            if not store.stored.is_shared(job):
                storage.remove(job.result_path, job_id=str(job.id))
            store.stored.forget(job.id)
            removed.append(job)
    return removed
