"""
A stored result to look through: its columns and their nulls, and its rows by number, sorted and filtered.

A request names a column by its position, so that no column's name and no value ever becomes a part of SQL. Rows in the
stored order are read from the file as they are asked for. Sorted or filtered ones are laid out once by DuckDB, in
bounded memory and beyond it on disk, and each page is then a range of that table.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fusion_magic.errors import InvalidArgument, QueryFailed, ResultsUnavailable
from fusion_magic.results import type_texts
from fusion_magic.results.stored import StoredResult

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY_LIMIT = "512MB"  # of DuckDB for one result; what is more goes to disk
THREADS = 2  # each needs memory of its own, and the kernel has other work
CONTAINS = "contains"
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
NULL_TESTS = {"is null": "IS NULL", "is not null": "IS NOT NULL"}


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column as its heading shows it: its type in Trino's words, and how many of its values are NULL.
    """

    name: str
    type: str
    nulls: int


@dataclass(frozen=True, slots=True)
class Order:
    """
    What to sort by: a column's position, counted from 0. NULL comes last, and equal values stay in the stored order.
    """

    column: int
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """
    Which rows to keep.

    Attributes:
        column: Its position, counted from 0; None for any column, which ``contains`` alone can do.
        operator: ``contains`` (in the value's text, case ignored), one of ``COMPARISONS`` or of ``NULL_TESTS``.
        value: Compared as a value of the column's type.
    """

    column: int | None
    operator: str
    value: str = ""


class Browser:
    """
    One stored result, opened. Safe to use from several threads, one at a time.
    """

    def __init__(self, result: StoredResult) -> None:
        self._result = result
        self._lock = threading.RLock()
        self._laid_out: tuple[Order | None, Filter | None] = (None, None)
        self._count = 0

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """
        The columns, in order.

        Raises:
            ResultsUnavailable: The file is gone or cannot be read.
        """
        schema = self._result.schema
        nulls = self._null_counts(schema)
        return tuple(
            Column(name, kind, number)
            for name, kind, number in zip(schema.names, type_texts(schema), nulls, strict=True)
        )

    def count(self, order: Order | None = None, where: Filter | None = None) -> int:
        """
        How many rows there are.

        Raises:
            InvalidArgument: There is no such column or operator, or the value is none of the column's type.
            ResultsUnavailable: The file is gone or cannot be read.
        """
        if order is None and where is None:
            return self._result.row_count
        with self._lock:
            self._lay_out(order, where)
            return self._count

    def rows(
        self, first: int, count: int, *, order: Order | None = None, where: Filter | None = None
    ) -> pa.Table:
        """
        Up to *count* rows from number *first*, counted from 0.

        Raises: as ``count``.
        """
        until = first + count
        with self._lock, self._translated():
            if order is None and where is None:
                # The file knows its rows' numbers, so that only the parts that hold these are read.
                sql = f"SELECT {self._list} FROM {self._source} WHERE n >= $first AND n < $until ORDER BY n"
            else:
                self._lay_out(order, where)
                sql = "SELECT * FROM shown WHERE rowid >= $first AND rowid < $until ORDER BY rowid"
            table = self._rows(sql, first=first, until=until)
        return table.rename_columns(self._result.schema.names)

    def close(self) -> None:
        """
        Let go of memory and of files on disk.
        """
        with self._lock:
            connection = self.__dict__.pop("_connection", None)
            if connection is not None:
                connection.close()
            self._laid_out = (None, None)

    @cached_property
    def _connection(self) -> Any:
        import duckdb

        # DuckDB makes this folder when it needs it, and takes it away when the connection ends.
        spill = Path(tempfile.gettempdir()) / f"fusion-{uuid4()}"
        connection = duckdb.connect(
            config={
                "memory_limit": MEMORY_LIMIT,
                "threads": THREADS,
                "temp_directory": str(spill),
            }
        )
        connection.execute("SET TimeZone = 'UTC'")
        self._file = self._result.open_for(connection)
        return connection

    def _run(self, sql: str, **values: Any) -> Any:
        return self._connection.execute(sql, self._bound(sql, values))

    def _rows(self, sql: str, **values: Any) -> pa.Table:
        # Of a relation: DuckDB 2 copies the rows of an executed statement once more.
        return self._connection.sql(sql, params=self._bound(sql, values)).to_arrow_table()

    def _bound(self, sql: str, values: dict[str, Any]) -> dict[str, Any]:
        _ = self._connection  # with which the file's name comes
        return {**values, "file": self._file} if "$file" in sql else values

    @cached_property
    def _size(self) -> int:
        return len(self._result.schema)

    @cached_property
    def _list(self) -> str:
        return ", ".join(f"c{i}" for i in range(self._size))

    @cached_property
    def _source(self) -> str:
        return f"read_parquet($file, file_row_number = true) AS t({self._list}, n)"

    def _null_counts(self, schema: pa.Schema) -> list[int]:
        """
        From the file's footer where it tells them; else they are counted.
        """
        import pyarrow as pa

        rows = self._result.row_count
        found = [
            rows if pa.types.is_null(field.type) else number
            for field, number in zip(schema, self._result.null_counts(), strict=True)
        ]
        unknown = [i for i, number in enumerate(found) if number is None]
        if unknown:
            counts = ", ".join(f"count(*) - count(c{i})" for i in unknown)
            with self._lock, self._translated():
                [row] = self._run(f"SELECT {counts} FROM {self._source}").fetchall()
            for i, number in zip(unknown, row, strict=True):
                found[i] = number
        return [number or 0 for number in found]

    def _lay_out(self, order: Order | None, where: Filter | None) -> None:
        """
        Make the table of the rows that are wanted, in their order.
        """
        if self._laid_out == (order, where):
            return
        condition, values = self._condition(where)
        by = "n"
        if order is not None:
            direction = "DESC" if order.is_descending else "ASC"
            by = f"{self._name(order.column)} {direction} NULLS LAST, n"
        with self._translated():
            self._laid_out = (None, None)
            self._run(
                f"CREATE OR REPLACE TEMP TABLE shown AS SELECT {self._list} FROM {self._source} "
                f"WHERE {condition} ORDER BY {by}",
                **values,
            )
            [(self._count,)] = self._run("SELECT count(*) FROM shown").fetchall()
            self._laid_out = (order, where)

    def _condition(self, where: Filter | None) -> tuple[str, dict[str, str]]:
        """
        A condition in SQL and the values to bind.
        """
        if where is None:
            return "true", {}
        if where.operator == CONTAINS:
            columns = range(self._size) if where.column is None else [where.column]
            texts = [f"contains(lower({self._text(column)}), lower($value))" for column in columns]
            return f"({' OR '.join(texts)})", {"value": where.value}
        if where.column is None:
            raise InvalidArgument(f"{where.operator} needs a column.")
        name = self._name(where.column)
        if where.operator in NULL_TESTS:
            return f"{name} {NULL_TESTS[where.operator]}", {}
        if where.operator not in COMPARISONS:
            raise InvalidArgument(f"There is no comparison {where.operator!r}.")
        # The value takes the column's type here, so that what is none of it is an error and not simply unequal.
        return f"{name} {where.operator} cast_to_type($value, {name})", {"value": where.value}

    def _name(self, column: int) -> str:
        if not 0 <= column < self._size:
            raise InvalidArgument(f"There is no column {column}.")
        return f"c{column}"

    def _text(self, column: int) -> str:
        import pyarrow as pa

        name = self._name(column)
        if pa.types.is_binary(self._result.schema.field(column).type):
            return f"'0x' || hex({name})"
        return f"CAST({name} AS VARCHAR)"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except (duckdb.ConversionException, duckdb.InvalidInputException) as exc:
            raise InvalidArgument(str(exc).partition("\n")[0]) from exc
        except duckdb.IOException as exc:
            self._result.check_there()
            raise ResultsUnavailable(str(exc).partition("\n")[0]) from exc
        except duckdb.Error as exc:
            raise QueryFailed(
                f"The stored result cannot be read so: {str(exc).partition(chr(10))[0]}"
            ) from exc
