"""
What the parts of the SQL store share: its connections, its clock, and statements that are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fusion_magic.store.sql.statements import Transaction
from fusion_magic.store.sql.tables import job, job_detail


class SqlPart:
    """
    A part of an ``SqlStore``.

    Args:
        writing: Opens a transaction that writes.

        changing: Likewise, for statements that are made once.

        read: The rows of a query with the values of its parameters, outside of one.

        clock: Gives the time, aware.
    """

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[Connection]],
        changing: Callable[[], AbstractContextManager[Transaction]],
        read: Callable[..., Sequence[Any]],
        clock: Callable[[], datetime],
    ) -> None:
        self._writing = writing
        self._changing = changing
        self._read = read
        self._clock = clock


def new_values(values: Mapping[str, object]) -> dict[str, object]:
    """
    *values* by the names of the parameters that ``parameters`` makes.
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
