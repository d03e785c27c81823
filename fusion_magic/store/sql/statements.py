"""
What runs within a transaction: SQLAlchemy's statements, and those of every job, which are compiled once.

A cell writes its job three times, and a worker a thousand jobs at once. SQLAlchemy takes several times longer to hand over
such a statement than the database to run it, so that here it compiles each one once, for the driver's own cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

Values = Mapping[str, object]


class Transaction:
    """
    What can be done within a transaction.

    ``change``, ``change_all`` and ``rows`` take statements that their callers keep and that name all of their parameters;
    ``execute`` takes any.
    """

    def __init__(
        self,
        engine: sa.Engine,
        pooled: sa.PoolProxiedConnection,
        cursor: Any,
        compiled: Callable[[Any], Compiled],
    ) -> None:
        self._engine = engine
        self._pooled = pooled
        self._cursor = cursor
        self._compiled = compiled

    @cached_property
    def connection(self) -> Connection:
        """
        SQLAlchemy's, in this transaction.
        """
        return Connection(self._engine, self._pooled)

    def execute(
        self, statement: Any, values: Values | Sequence[Values] | None = None
    ) -> sa.CursorResult[Any]:
        """
        Run the statement; its result as SQLAlchemy gives it.
        """
        return self.connection.execute(statement, values)

    def change(self, statement: Any, values: Values) -> int:
        """
        Run the statement; how many rows it changed.
        """
        compiled = self._compiled(statement)
        self._cursor.execute(compiled.text, compiled.given(values))
        return int(self._cursor.rowcount)

    def change_all(self, statement: Any, rows: Sequence[Values]) -> int:
        """
        Run the statement once for each of *rows*; how many rows they changed together.
        """
        if len(rows) < 2:
            return self.change(statement, rows[0]) if rows else 0
        compiled = self._compiled(statement)
        self._cursor.executemany(compiled.text, [compiled.given(values) for values in rows])
        return int(self._cursor.rowcount)

    def rows(self, statement: Any, values: Values) -> list[tuple[Any, ...]]:
        """
        The statement's rows, their values as the driver gives them.
        """
        compiled = self._compiled(statement)
        self._cursor.execute(compiled.text, compiled.given(values))
        return list(self._cursor.fetchall())


class Compiled:
    """
    A statement as one database's driver takes it.

    Attributes:
        text: With the driver's marks for parameters.
    """

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup
        self._converters = {
            name: convert
            for name, parameter in compiled.binds.items()
            if (convert := parameter.type.dialect_impl(dialect).bind_processor(dialect))
        }
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._fixed = self._converted(fixed)

    def given(self, values: Values) -> Any:
        """
        *values* in the driver's form and order.
        """
        known = {**self._fixed, **self._converted(values)}
        return known if self._order is None else [known[name] for name in self._order]

    def _converted(self, values: Values) -> dict[str, object]:
        converters = self._converters
        return {
            name: converters[name](value) if name in converters else value
            for name, value in values.items()
        }
