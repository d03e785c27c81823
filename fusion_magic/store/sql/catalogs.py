"""
The catalogs that were made for names, in the SQL store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fusion_magic.store.model import JobStatus, MadeCatalog
from fusion_magic.store.sql.base import SqlPart
from fusion_magic.store.sql.tables import fusion_model, job, made_catalog

_OPEN = [status.value for status in JobStatus if not status.is_final]
_KNOWN = [column for column in made_catalog.columns if column.name != "claimed_until"]


class SqlMadeCatalogs(SqlPart):
    """
    The port ``MadeCatalogs``.
    """

    def of(self, engine: str) -> Sequence[MadeCatalog]:
        """See ``MadeCatalogs.of``."""
        query = sa.select(*_KNOWN).where(made_catalog.c.engine == engine)
        rows = self._database.read(query.order_by(made_catalog.c.name))
        return [MadeCatalog(**row._mapping) for row in rows]

    def record(self, made: MadeCatalog) -> None:
        """See ``MadeCatalogs.record``."""
        with self._database.writing() as transaction:
            transaction.execute(sa.delete(made_catalog).where(_is_named_so(made)))
            transaction.execute(sa.insert(made_catalog), asdict(made))

    def forget(self, made: MadeCatalog) -> None:
        """See ``MadeCatalogs.forget``."""
        with self._database.writing() as transaction:
            transaction.execute(sa.delete(made_catalog).where(_is_it(made)))

    def claim(self, made: MadeCatalog, *, seconds: float) -> bool:
        """See ``MadeCatalogs.claim``."""
        now, until = self._database.now(), made_catalog.c.claimed_until
        is_free = sa.or_(until.is_(None), until < now)
        claiming = sa.update(made_catalog).where(_is_it(made), is_free)
        with self._database.writing() as transaction:
            done = transaction.execute(
                claiming.values(claimed_until=now + timedelta(seconds=seconds))
            )
            return done.rowcount == 1

    def is_named(self, prefix: str) -> bool:
        """See ``MadeCatalogs.is_named``."""
        query = (
            sa.select(fusion_model.c.id)
            .join(job, job.c.id == fusion_model.c.job_id)
            .where(job.c.status.in_(_OPEN))
            .where(fusion_model.c.trino_model_name.startswith(prefix, autoescape=True))
        )
        return bool(self._database.read(query.limit(1)))


def _is_named_so(made: MadeCatalog) -> Any:
    return sa.and_(made_catalog.c.engine == made.engine, made_catalog.c.name == made.name)


def _is_it(made: MadeCatalog) -> Any:
    return sa.and_(_is_named_so(made), made_catalog.c.digest == made.digest)
