"""
``--cache AGE``: the rows that the same query of the same owner has stored, if they are young enough and still true.

Never for a query that may give other rows the next time, nor where a table that it reads has changed since: as the
metadata knows, or by a job that wrote to it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fusion_magic.errors import InvalidArgument, ResultsUnavailable
from fusion_magic.jobs.resolve import result_name
from fusion_magic.jobs.stored_results import open_result
from fusion_magic.jobs.translate import Translation
from fusion_magic.sql.fqn import parse_fqn
from fusion_magic.sql.volatility import find_changing
from fusion_magic.store import Job, Store

if TYPE_CHECKING:
    from fusion_magic.metadata import Metadata

NOTICE = "Rows of an earlier run of this query (--cache)."


def fingerprint_of(translation: Translation, engine_url: str) -> str | None:
    """
    What two jobs have in common that ask the same of the same engine; None where rows are not to be found again.
    """
    if _reason_against(translation) is not None:
        return None
    entities = [[name, asdict(entity)] for name, entity in sorted(translation.entities.items())]
    asked = json.dumps([engine_url, translation.converted_query, entities], ensure_ascii=False)
    for parts, entity in translation.entities.items():
        if result_name(parse_fqn(entity.fqn).parts) is not None:
            # Trino knows a stored result by another name in each job.
            asked = asked.replace(parts[-1], entity.fqn)
    return hashlib.sha256(asked.encode()).hexdigest()


def require_reusable(translation: Translation) -> None:
    """
    Raises:
        InvalidArgument: The statement's rows are never found again, so that ``--cache`` would do nothing.
    """
    reason = _reason_against(translation)
    if reason is not None:
        raise InvalidArgument(
            f"The rows of this statement cannot be kept for later: {reason}.",
            hint="Leave --cache out.",
        )


def find_reusable(
    translation: Translation,
    store: Store,
    metadata: Metadata,
    *,
    engine_url: str,
    owner: str,
    age_s: float,
) -> Job | None:
    """
    The job whose stored rows answer *translation*, or None.
    """
    fingerprint = fingerprint_of(translation, engine_url)
    if fingerprint is None:
        return None
    since = datetime.now(UTC) - timedelta(seconds=age_s)
    job = store.results.find(fingerprint, owner=owner, since=since)
    if job is None or job.started is None:
        return None
    names = [model.trino_model_name for model in translation.models]
    if store.results.is_written_since(names, job.started):
        return None
    changes = (metadata.changed(entity) for entity in translation.entities.values())
    if any(change is not None and change >= job.started for change in changes):
        return None
    return job if _is_there(job) else None


def _reason_against(translation: Translation) -> str | None:
    if translation.kind != "SELECT":
        return f"{translation.kind} is no query"
    changing = find_changing(
        translation.statement, [resolved.trino_parts for resolved in translation.resolved]
    )
    return f"{changing} may give others the next time" if changing is not None else None


def _is_there(job: Job) -> bool:
    try:
        return open_result(job).row_count == job.row_count
    except ResultsUnavailable:
        return False
