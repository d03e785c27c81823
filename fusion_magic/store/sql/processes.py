"""
Who is alive, in the SQL store: workers, schedulers and runners.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fusion_magic.store.model import ForegroundJob, JobStatus, ProcessRow
from fusion_magic.store.sql.base import SqlPart
from fusion_magic.store.sql.tables import job, job_detail, process

REMEMBERED = timedelta(days=1)  # who died without an open job is nobody's concern
_NAMES = tuple(process.columns.keys())


class SqlProcesses(SqlPart):
    """
    The port ``Processes``.
    """

    def heartbeat(self, row: ProcessRow) -> None:
        """See ``Processes.heartbeat``."""
        renewed = sa.update(process).where(process.c.id == row.id)
        with self._database.writing() as transaction:
            done = transaction.execute(renewed.values(alive_until=row.alive_until))
            if done.rowcount == 0:
                old = process.c.alive_until < self._database.now() - REMEMBERED
                transaction.execute(sa.delete(process).where(old))
                values = {name: getattr(row, name) for name in _NAMES}
                transaction.execute(sa.insert(process), values)

    def deregister(self, process_id: str) -> None:
        """See ``Processes.deregister``."""
        with self._database.writing() as transaction:
            transaction.execute(sa.delete(process).where(process.c.id == process_id))

    def alive(self) -> Sequence[ProcessRow]:
        """See ``Processes.alive``."""
        is_alive = process.c.alive_until >= self._database.now()
        query = sa.select(process).where(is_alive, process.c.role != "runner")
        rows = self._database.read(query.order_by(process.c.alive_until.desc()))
        return [_process(row) for row in rows]

    def foreground_jobs(self) -> Sequence[ForegroundJob]:
        """See ``Processes.foreground_jobs``."""
        details = (job.c.id.label("job_id"), job.c.status, job.c.updated, job_detail.c.query_id)
        query = (
            sa.select(*details, *process.columns)
            .select_from(job_detail)
            .join(job, job.c.id == job_detail.c.job_id)
            .join(process, process.c.id == job_detail.c.runner, isouter=True)
            .where(job_detail.c.runner.is_not(None), job_detail.c.finished.is_(None))
        )
        return [
            ForegroundJob(
                id=row.job_id,
                status=JobStatus(row.status),
                updated=row.updated,
                query_id=row.query_id,
                runner=None if row.id is None else _process(row),
            )
            for row in self._database.read(query)
        ]


def _process(row: Any) -> ProcessRow:
    return ProcessRow(**{name: row._mapping[name] for name in _NAMES})
