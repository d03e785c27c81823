"""
The changes of a job, on the driver's own connection.

A cell writes its job three times, and a worker a thousand jobs at once. SQLAlchemy takes several times longer to hand over
such a statement than the database to run it, so that here it compiles each one once, and its pool lends the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

Values = Mapping[str, object]


class Transactions:
    """
    Transactions that write, on the connections of *engine*.

    Errors are the driver's: ``errors`` is the class of all of them, ``data_errors`` of those that a value is to blame for.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._compiled: dict[Any, Compiled] = {}
        driver = engine.dialect.loaded_dbapi
        self.errors: Any = driver.Error
        self.data_errors: Any = driver.DataError

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """
        One transaction, committed where the block ends without an error.
        """
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            if self._engine.dialect.name == "sqlite":
                # The lock is taken at once: a transaction that only reads at first could fail half-way.
                cursor.execute("BEGIN IMMEDIATE")
            yield Transaction(cursor, self._compile)
            connection.commit()
        except self.errors as error:
            if self._engine.dialect.is_disconnect(error, connection.driver_connection, None):
                # Else the pool would roll back on it, and log that it cannot.
                connection.invalidate(error)
            raise
        finally:
            # What was not committed is rolled back by the pool.
            connection.close()

    def _compile(self, statement: Any) -> Compiled:
        found = self._compiled.get(statement)
        if found is None:
            found = self._compiled[statement] = Compiled(statement, self._engine.dialect)
        return found


class Transaction:
    """
    What can be done within a transaction. Statements are kept by those who made them, and name all of their parameters.
    """

    def __init__(self, cursor: Any, compiled: Callable[[Any], Compiled]) -> None:
        self._cursor = cursor
        self._compiled = compiled

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
