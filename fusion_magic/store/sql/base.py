"""
What the parts of the SQL store share: statements that are made once, and how a job is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fusion_magic.store.model import Job, JobStatus
from fusion_magic.store.sql.database import Database
from fusion_magic.store.sql.statements import Transaction
from fusion_magic.store.sql.tables import DETAILS, job, job_detail, job_task


class SqlPart:
    """
    A port of the store over one database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def _jobs(self, query: Any) -> Sequence[Job]:
        """
        The jobs of a query that ``select_jobs`` began.
        """
        return [_job(row._mapping) for row in self._database.read(query)]


def select_jobs(*conditions: Any) -> Any:
    """
    A query for jobs, with what is known of them beside their rows.
    """
    return (
        sa.select(job, *DETAILS)
        .join(job_detail, job_detail.c.job_id == job.c.id, isouter=True)
        .join(job_task, job_task.c.job_id == job.c.id, isouter=True)
        .where(*conditions)
    )


def _job(row: Mapping[str, Any]) -> Job:
    values = dict(row)
    values["status"] = JobStatus(values["status"])
    for name in ("owner", "origin", "engine", "profile"):
        values[name] = values[name] or ""
    values["attempt"] = values["attempt"] or 0
    values["is_cancel_wanted"] = bool(values["is_cancel_wanted"])
    return Job(**values)


def new_values(values: Mapping[str, object]) -> dict[str, object]:
    """
    *values* under the names of the parameters that ``parameters`` makes.
    """
    return {f"new_{name}": value for name, value in values.items()}


def parameters(names: Iterable[str]) -> dict[str, Any]:
    """
    A parameter for the new value of each column, for a statement that is made once.
    """
    return {name: sa.bindparam(f"new_{name}") for name in names}


def insert(transaction: Transaction, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """
    Insert the *rows*, which name the same columns.
    """
    if rows:
        statement = _inserting(table, tuple(rows[0]))
        transaction.change_all(statement, [new_values(row) for row in rows])


@cache
def _inserting(table: sa.Table, names: tuple[str, ...]) -> Any:
    return sa.insert(table).inline().values(**parameters(names))


def detail(transaction: Transaction, job_id: UUID, values: Mapping[str, object]) -> None:
    """
    Change what is known of a job beside its row.
    """
    transaction.change(detailing(tuple(values)), of_job(job_id, values))


@cache
def detailing(names: tuple[str, ...]) -> Any:
    """
    The change of a job's details, with the parameters that ``of_job`` gives.
    """
    is_it = job_detail.c.job_id == sa.bindparam("of_job")
    return sa.update(job_detail).where(is_it).values(**parameters(names))


def of_job(job_id: UUID, values: Mapping[str, object]) -> dict[str, object]:
    """
    The parameters of a statement that gives a job new *values*.
    """
    return {"of_job": job_id, **new_values(values)}


def not_before(now: datetime | sa.BindParameter[datetime]) -> Any:
    """
    What a job's ``updated`` becomes: *now*, unless a program whose clock is ahead has changed the job before.
    """
    return sa.case((job.c.updated > now, job.c.updated), else_=now)
