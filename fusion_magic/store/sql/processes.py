"""
Who runs jobs itself, in the SQL store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from fusion_magic.store import DrivenJob, DriverRow, JobStatus
from fusion_magic.store.sql.base import SqlPart
from fusion_magic.store.sql.tables import driver as drivers
from fusion_magic.store.sql.tables import job, job_detail

REMEMBERED = timedelta(days=1)  # who died without an open job is nobody's concern


class SqlDrivers(SqlPart):
    """
    The port ``Drivers``, on the connections of an ``SqlStore``.
    """

    def sign(self, row: DriverRow) -> None:
        """See ``Drivers.sign``."""
        values = {name: getattr(row, name) for name in drivers.columns.keys()}
        with self._writing() as connection:
            done = connection.execute(
                sa.update(drivers).where(drivers.c.id == row.id).values(alive_until=row.alive_until)
            )
            if done.rowcount == 0:
                old = drivers.c.alive_until < self._clock() - REMEMBERED
                connection.execute(sa.delete(drivers).where(old))
                connection.execute(sa.insert(drivers), values)

    def sign_off(self, driver_id: str) -> None:
        """See ``Drivers.sign_off``."""
        with self._writing() as connection:
            connection.execute(sa.delete(drivers).where(drivers.c.id == driver_id))

    def driven(self) -> Sequence[DrivenJob]:
        """See ``Drivers.driven``."""
        query = (
            sa.select(
                job.c.id.label("job_id"),
                job.c.status,
                job.c.updated,
                job_detail.c.query_id,
                *drivers.columns,
            )
            .select_from(job_detail)
            .join(job, job.c.id == job_detail.c.job_id)
            .join(drivers, drivers.c.id == job_detail.c.driver, isouter=True)
            .where(job_detail.c.driver.is_not(None), job_detail.c.finished.is_(None))
        )
        return [
            DrivenJob(
                id=row.job_id,
                status=JobStatus(row.status),
                updated=row.updated,
                query_id=row.query_id,
                driver=None
                if row.id is None
                else DriverRow(**{name: row._mapping[name] for name in drivers.columns.keys()}),
            )
            for row in self._read(query)
        ]
