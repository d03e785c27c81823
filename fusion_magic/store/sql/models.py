"""
The names that jobs use, in the SQL store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from fusion_magic.store.model import JobStatus, ModelRow
from fusion_magic.store.sql.base import SqlPart
from fusion_magic.store.sql.tables import fusion_model, job


class SqlModels(SqlPart):
    """
    The port ``Models``.
    """

    def of_job(self, job_id: UUID) -> Sequence[ModelRow]:
        """See ``Models.of_job``."""
        query = sa.select(fusion_model).where(fusion_model.c.job_id == job_id)
        return [
            ModelRow(
                model_id_of_om=row.model_id_of_om,
                fully_qualified_name=row.fully_qualified_name,
                trino_model_name=row.trino_model_name,
            )
            for row in self._database.read(query.order_by(fusion_model.c.id))
        ]

    def made_as(self, fqn: str) -> str | None:
        """See ``Models.made_as``."""
        query = (
            sa.select(fusion_model.c.trino_model_name)
            .join(job, job.c.id == fusion_model.c.job_id)
            .where(
                fusion_model.c.fully_qualified_name == fqn,
                fusion_model.c.model_id_of_om.is_(None),
                job.c.status == JobStatus.FINISHED.value,
            )
            .order_by(fusion_model.c.id.desc())
            .limit(1)
        )
        rows = self._database.read(query)
        return str(rows[0][0]) if rows else None

    def fqns(self) -> Sequence[str]:
        """See ``Models.fqns``."""
        query = (
            sa.select(fusion_model.c.fully_qualified_name)
            .distinct()
            .join(job, job.c.id == fusion_model.c.job_id)
            .where(job.c.status == JobStatus.FINISHED.value)
            .where(fusion_model.c.fully_qualified_name.is_not(None))
            .order_by(fusion_model.c.fully_qualified_name)
        )
        return [str(row[0]) for row in self._database.read(query)]

    def lately_used(self, since: datetime, *, limit: int) -> Sequence[str]:
        """See ``Models.lately_used``."""
        fqn = fusion_model.c.fully_qualified_name
        query = (
            sa.select(fqn)
            .join(job, job.c.id == fusion_model.c.job_id)
            .where(job.c.created >= since, fqn.is_not(None))
            .where(fusion_model.c.model_id_of_om.is_not(None))
            .group_by(fqn)
            .order_by(sa.func.max(fusion_model.c.id).desc())
            .limit(limit)
        )
        return [str(row[0]) for row in self._database.read(query)]

    def co_used(self, fqn: str, *, limit: int = 10) -> Sequence[tuple[str, int]]:
        """See ``Models.co_used``."""
        other = fusion_model.alias()
        count = sa.func.count(fusion_model.c.job_id.distinct())
        query = (
            sa.select(other.c.fully_qualified_name, count)
            .join(other, other.c.job_id == fusion_model.c.job_id)
            .join(job, job.c.id == fusion_model.c.job_id)
            .where(job.c.status == JobStatus.FINISHED.value)
            .where(fusion_model.c.fully_qualified_name == fqn, other.c.fully_qualified_name != fqn)
            .group_by(other.c.fully_qualified_name)
            .order_by(count.desc(), other.c.fully_qualified_name)
            .limit(limit)
        )
        return [(row[0], int(row[1])) for row in self._database.read(query)]
