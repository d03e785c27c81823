"""
The rows of a finished job, as Arrow.

A ``Result`` is what a cell's ``-o NAME`` and ``Fusion.run`` give. It holds an Arrow table, so that pandas,
polars, DuckDB and whatever else speaks Arrow's PyCapsule interface take it without a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import InvalidArgument, MissingExtra

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa


class Result:
    """
    The rows of one job, in memory.

    Attributes:
        job_id: The job's UUID as text.
        query_id: The engine's id of the query, or None.
        elapsed_s: Seconds from the request to the last row.
        update_type: ``INSERT``, ``CREATE TABLE`` … for a statement that is no query, else None.
        rows_changed: Rows that the statement wrote or removed, else None.
        warnings: What the user should know: deprecated tables, personal data, the engine's own words.
        converted_query: The SQL that the engine ran.
    """

    def __init__(
        self,
        table: pa.Table,
        *,
        job_id: str = "",
        query_id: str | None = None,
        elapsed_s: float = 0.0,
        update_type: str | None = None,
        rows_changed: int | None = None,
        warnings: tuple[str, ...] = (),
        converted_query: str = "",
    ) -> None:
        self._table = table
        self.job_id = job_id
        self.query_id = query_id
        self.elapsed_s = elapsed_s
        self.update_type = update_type
        self.rows_changed = rows_changed
        self.warnings = warnings
        self.converted_query = converted_query

    @staticmethod
    def without_rows(**facts: Any) -> Result:
        """
        The result of a statement that gives none.
        """
        import pyarrow as pa

        return Result(pa.table({}), **facts)

    @property
    def row_count(self) -> int:
        """
        How many rows there are.
        """
        return int(self._table.num_rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """
        The columns' names, in order; SQL allows the same name twice.
        """
        return tuple(self.schema.names)

    @property
    def types(self) -> tuple[str, ...]:
        """
        The columns' types in Trino's words where the engine gave them, else in Arrow's.
        """
        return type_texts(self.schema)

    @property
    def schema(self) -> pa.Schema:
        """
        The columns as Arrow has them.
        """
        return self._table.schema

    def arrow(self) -> pa.Table:
        """
        The rows as ``pyarrow.Table``; no copy.
        """
        return self._table

    def df(self) -> pd.DataFrame:
        """
        The rows as a pandas data frame with Arrow-backed columns: decimals, dates and nulls stay exact.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as exc:
            raise MissingExtra("A pandas data frame", extra="pandas") from exc
        frame: pd.DataFrame = self._table.to_pandas(types_mapper=pd.ArrowDtype)
        return frame

    def polars(self) -> pl.DataFrame:
        """
        The rows as a polars data frame.

        Raises:
            MissingExtra: polars is not installed.
            InvalidArgument: Two columns have the same name, which polars does not allow.
        """
        try:
            import polars as pl
        except ImportError as exc:
            raise MissingExtra("A polars data frame", extra="polars") from exc
        self._require_unique_names("A polars data frame")
        return pl.DataFrame(self._table)

    def to_parquet(self, path: str | Path) -> Path:
        """
        Write the rows to a Parquet file (zstd), whole or not at all.
        """
        return write_aside(Path(path), lambda aside: write_parquet(self._table, aside))

    def to_csv(self, path: str | Path) -> Path:
        """
        Write the rows to a CSV file with a header, whole or not at all.
        """
        return write_aside(Path(path), lambda aside: write_csv(self._table, aside))

    def rows(self, limit: int | None = None) -> list[tuple[Any, ...]]:
        """
        The first *limit* rows (all by default) as tuples of Python values.
        """
        part = self._table if limit is None else self._table.slice(0, limit)
        columns = [column.to_pylist() for column in part.columns]
        return list(zip(*columns, strict=True)) if columns else [()] * part.num_rows

    def __len__(self) -> int:
        return self.row_count

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for batch in self._table.to_batches():
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __repr__(self) -> str:
        columns = ", ".join(f"{n} {t}" for n, t in zip(self.columns[:8], self.types, strict=False))
        more = ", …" if len(self.columns) > 8 else ""
        return f"<Result: {self.row_count:,} rows; {columns}{more}>"

    def _require_unique_names(self, what: str) -> None:
        seen: set[str] = set()
        for name in self.columns:
            if name in seen:
                raise InvalidArgument(
                    f"{what} cannot hold two columns named {name!r}.",
                    hint="Give one of them another name with AS in the query.",
                )
            seen.add(name)


def type_texts(schema: pa.Schema) -> tuple[str, ...]:
    """
    The columns' types in Trino's words where the engine gave them, else in Arrow's.
    """
    return tuple(_type_text(field) for field in schema)


def _type_text(field: pa.Field) -> str:
    metadata = field.metadata or {}
    return str(metadata.get(b"trino_type", str(field.type).encode()).decode())


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """
    The values of a column for Python; as texts where Python has none for some of them (nanoseconds, the year 10000).
    """
    import pyarrow as pa

    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError, pa.ArrowInvalid):
        return list(column.cast(pa.string()).to_pylist())


def write_parquet(table: pa.Table, path: Path) -> None:
    """
    *table* as a Parquet file, zstd.
    """
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def write_csv(table: pa.Table, path: Path) -> None:
    """
    *table* as a CSV file with a header.
    """
    from pyarrow import csv

    csv.write_csv(table, path)


def write_aside(path: Path, write: Callable[[Path], None]) -> Path:
    """
    Let *write* make a file beside *path*, which becomes *path* when it is whole.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        write(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path
