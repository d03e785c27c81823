"""
A stored result, of which no more is read than is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fusion_magic.results import Result
from fusion_magic.results.places import filesystem_of, is_local, storage_errors

if TYPE_CHECKING:
    import pyarrow as pa


class StoredResult(Result):
    """
    A stored result: its rows are read when they are asked for.

    Attributes:
        path: Its Parquet file.
        name: The name it was stored under; empty for none.
        version: Counted from 1 among the results of that name; 0 without a name.
    """

    def __init__(self, path: str, *, name: str = "", version: int = 0, **facts: Any) -> None:
        self.path = path
        self.name = name
        self.version = version
        self._read: pa.Table | None = None
        self._file: Any = None
        super().__init__(None, **facts)

    @property
    def _table(self) -> pa.Table:
        if self._read is None:
            with storage_errors(self.path):
                self._read = self._parquet().read()
        return self._read

    @_table.setter
    def _table(self, table: pa.Table | None) -> None:
        self._read = table

    @property
    def row_count(self) -> int:
        """See ``Result.row_count``; from the file's footer."""
        with storage_errors(self.path):
            return int(self._parquet().metadata.num_rows)

    @property
    def schema(self) -> pa.Schema:
        """See ``Result.schema``; from the file's footer."""
        with storage_errors(self.path):
            return self._parquet().schema_arrow

    def dataset(self) -> Any:
        """
        The rows as a ``pyarrow.dataset``, of which columns and rows are read as they are needed.
        """
        import pyarrow.dataset as ds

        filesystem, path = filesystem_of(self.path)
        with storage_errors(self.path):
            return ds.dataset(path, filesystem=filesystem, format="parquet")

    def part(
        self,
        *,
        columns: list[str] | None = None,
        where: str | None = None,
        order: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> pa.Table:
        """
        Some columns, and the rows for which a condition holds; only what is needed is read.

        Args:
            where: A condition in DuckDB's SQL (``spent > 100 AND day = DATE '2026-01-31'``).

            order: What to sort by, as it stands behind ORDER BY.

            limit: Most rows, or None.

        Raises:
            QueryFailed: There is no such column, or the condition cannot be read.
        """
        import duckdb

        from fusion_magic.errors import QueryFailed

        if where is None and columns is None and order is None and limit is None:
            return self._table
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns or ()) or "*"
        with duckdb.connect() as connection:
            # Nothing but these rows can be read: no other file, no setting.
            connection.register("stored", self.dataset())
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            sql = f"SELECT {names} FROM stored"
            sql += f" WHERE ({where}\n)" if where else ""
            sql += f" ORDER BY {order}\n" if order else ""
            sql += f" LIMIT {int(limit)}" if limit is not None else ""
            sql += f" OFFSET {int(offset)}" if offset else ""
            try:
                return connection.sql(sql).to_arrow_table()
            except duckdb.Error as exc:
                text = str(exc).partition("\n")[0]
                raise QueryFailed(f"The stored result cannot be read so: {text}") from exc

    def null_counts(self) -> list[int | None]:
        """
        How many values of each column are NULL, where the file's footer tells it.
        """
        with storage_errors(self.path):
            footer = self._parquet().metadata
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        counts: list[int | None] = []
        leaf = 0
        for field in self.schema:
            leaves = _leaves(field.type)
            parts = [group.column(leaf).statistics for group in groups]
            is_told = field.type.num_fields == 0 and all(p and p.has_null_count for p in parts)
            counts.append(sum(p.null_count for p in parts) if is_told else None)
            leaf += leaves
        return counts

    def open_for(self, connection: Any) -> str:
        """
        Let DuckDB's *connection* read the file; the file's name as ``read_parquet`` takes it.
        """
        filesystem, _ = filesystem_of(self.path)
        if not is_local(filesystem):
            connection.register_filesystem(filesystem)
        # Else these would be a pattern of names.
        return re.sub(r"([\[\]*?])", r"[\1]", self.path)

    def check_there(self) -> None:
        """
        Raises:
            ResultsUnavailable: The file is gone.
        """
        filesystem, path = filesystem_of(self.path)
        with storage_errors(self.path):
            filesystem.invalidate_cache()
            filesystem.info(path)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        with storage_errors(self.path):
            for batch in self._parquet().iter_batches():
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def rows(self, limit: int | None = None) -> list[tuple[Any, ...]]:
        """See ``Result.rows``; reads no more than it must."""
        if limit is None or self._read is not None:
            return super().rows(limit)
        found: list[tuple[Any, ...]] = []
        for row in self:
            if len(found) >= limit:
                break
            found.append(row)
        return found

    def _parquet(self) -> Any:
        import pyarrow.parquet as pq

        if self._file is None:
            filesystem, path = filesystem_of(self.path)
            self._file = pq.ParquetFile(filesystem.open(path, "rb"))
        return self._file


def _leaves(kind: pa.DataType) -> int:
    """
    How many of Parquet's columns a column of that type takes.
    """
    return sum(_leaves(kind.field(i).type) for i in range(kind.num_fields)) or 1
