"""
Stored results in the SQL store: their versions, those that answer a question again, and those to be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fusion_magic.store.model import Job, JobStatus
from fusion_magic.store.sql.base import SqlPart, select_jobs
from fusion_magic.store.sql.tables import (
    column_lineage,
    dead_letter,
    fusion_model,
    graph_edge,
    job,
    job_detail,
    job_task,
    lineage_edge,
    model_queue,
)

_FINISHED = job.c.status == JobStatus.FINISHED.value
_FINAL = job.c.status.in_([status.value for status in JobStatus if status.is_final])
# The newest result of a name is what the name means.
_later = job.alias("later")
_IS_NEWEST = sa.and_(
    job.c.result_name.is_not(None),
    ~sa.exists().where(
        _later.c.result_name == job.c.result_name,
        _later.c.status == JobStatus.FINISHED.value,
        _later.c.created > job.c.created,
    ),
)
_LINEAGE = (model_queue, dead_letter, graph_edge)


class SqlStoredResults(SqlPart):
    """
    The port ``StoredResults``.
    """

    def count(self, name: str) -> int:
        """See ``StoredResults.count``."""
        query = sa.select(sa.func.count()).where(job.c.result_name == name, _FINISHED)
        return int(self._database.read(query)[0][0])

    def version(self, name: str, number: int) -> Job | None:
        """See ``StoredResults.version``."""
        found = self._jobs(
            select_jobs(job.c.result_name == name, _FINISHED)
            .order_by(job.c.created, job.c.id.desc())
            .offset(number - 1)
            .limit(1)
        )
        return found[0] if found else None

    def newest(self, name: str) -> Job | None:
        """See ``StoredResults.newest``."""
        query = select_jobs(job.c.result_name == name, _FINISHED)
        found = self._jobs(query.order_by(job.c.created.desc(), job.c.id).limit(1))
        return found[0] if found else None

    def find(self, fingerprint: str, *, owner: str, since: datetime) -> Job | None:
        """See ``StoredResults.find``."""
        found = self._jobs(
            select_jobs(
                _FINISHED,
                job.c.result_path.is_not(None),
                job_detail.c.fingerprint == fingerprint,
                job_detail.c.owner == owner,
                job_detail.c.started >= since,
            )
            .order_by(job_detail.c.started.desc())
            .limit(1)
        )
        return found[0] if found else None

    def is_written_since(self, trino_names: Sequence[str], since: datetime) -> bool:
        """See ``StoredResults.is_written_since``."""
        query = (
            sa.select(fusion_model.c.id)
            .join(job_detail, job_detail.c.job_id == fusion_model.c.job_id)
            .where(
                fusion_model.c.trino_model_name.in_(trino_names),
                job_detail.c.update_type.is_not(None),
                job_detail.c.finished >= since,
            )
        )
        return bool(self._database.read(query.limit(1)))

    def expired(self, before: datetime, *, owner: str, limit: int = 1000) -> Sequence[Job]:
        """See ``StoredResults.expired``."""
        is_kept = sa.or_(*(_mentions(table) for table in _LINEAGE))
        query = select_jobs(
            _FINAL,
            job_detail.c.owner == owner,
            job_detail.c.finished < before,
            ~_IS_NEWEST,
            sa.or_(job.c.result_path.is_not(None), ~is_kept),
        )
        return self._jobs(query.order_by(job.c.created).limit(limit))

    def is_shared(self, result: Job) -> bool:
        """See ``StoredResults.is_shared``."""
        query = sa.select(job.c.id).where(
            job.c.result_path == result.result_path, job.c.id != result.id
        )
        return bool(self._database.read(query.limit(1)))

    def forget(self, job_id: UUID) -> None:
        """See ``StoredResults.forget``."""
        with self._database.writing() as transaction:
            is_kept = transaction.execute(
                sa.select(sa.or_(*(_mentions(table) for table in _LINEAGE))).where(
                    job.c.id == job_id
                )
            ).scalar()
            if is_kept:
                nothing = {"result_name": None, "result_path": None}
                transaction.execute(sa.update(job).where(job.c.id == job_id).values(**nothing))
                return
            for table in (fusion_model, job_detail, job_task, lineage_edge, column_lineage):
                transaction.execute(sa.delete(table).where(table.c.job_id == job_id))
            transaction.execute(sa.delete(job).where(job.c.id == job_id))


def _mentions(table: sa.Table) -> Any:
    return sa.exists().where(table.c.job_id == job.c.id)
