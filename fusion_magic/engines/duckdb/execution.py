"""
One statement of the user's on a cursor of its own: its rows as they come, its progress, its end.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from fusion_magic.engines import Progress
from fusion_magic.engines.base import BaseExecution
from fusion_magic.engines.duckdb.result_types import as_trino, trino_schema
from fusion_magic.engines.duckdb.statements import run, translated_errors
from fusion_magic.errors import QueryCanceled, QueryFailed
from fusion_magic.sql.lexer import tokenize

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 100_000
_UPDATES = ("INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE")
_FIRST_WORD = re.compile(r"(?:[\s\ufeff]|--[^\r\n]*|/\*.*?\*/)*+([A-Za-z]+)", re.DOTALL)


class DuckDBExecution(BaseExecution):
    """
    The port ``Execution``: one statement on one cursor.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        sql: str,
        trino_sql: str,
        *,
        release: Callable[[duckdb.DuckDBPyConnection], None],
    ) -> None:
        self._cursor = cursor
        self._release = release
        self._sql = sql
        self._trino_sql = trino_sql
        self.update_type = _update_type(trino_sql)
        self._schema: pa.Schema | None = None
        self._batches: list[pa.RecordBatch] = []
        self._started = time.monotonic()
        self._is_cancelled = False
        self._is_done = False

    def schema(self) -> pa.Schema:
        """See ``Execution.schema``."""
        if self._schema is None:
            self._batches = list(self._run())
        assert self._schema is not None  # noqa: S101 - run sets it
        return self._schema

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """See ``Execution.batches``."""
        if self._schema is not None:
            yield from self._batches
            return
        yield from self._run()

    def progress(self) -> Progress:
        """See ``Execution.progress``."""
        done = self._cursor.query_progress()
        return Progress(
            state="FINISHED" if self._is_done else "RUNNING",
            fraction=done / 100 if done > 0 else None,
            elapsed_s=time.monotonic() - self._started,
        )

    def cancel(self) -> None:
        """See ``Execution.cancel``."""
        if not self._is_done:
            self._is_cancelled = True
            self._cursor.interrupt()

    def _run(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        try:
            if self._is_cancelled:
                raise QueryCanceled("The query was canceled.")
            if self.update_type is not None:
                self._count_changes(run(self._cursor, self._sql, self._trino_sql))
                self._schema = pa.schema([])
                return
            yield from self._rows()
        except QueryFailed as exc:
            if self._is_cancelled:
                raise QueryCanceled("The query was canceled.") from exc
            raise
        finally:
            self._is_done = True
            self._release(self._cursor)

    def _rows(self) -> Iterator[pa.RecordBatch]:
        """
        The rows of a query. A relation's, since DuckDB 2 copies those of an executed statement once more.
        """
        import pyarrow as pa

        with translated_errors(self._trino_sql):
            relation = self._cursor.sql(self._sql)
        if relation is None:
            # SET and the like.
            self._schema = pa.schema([])
            return
        with (
            translated_errors(self._trino_sql),
            closing(relation.to_arrow_reader(BATCH_ROWS)) as reader,
        ):
            # DuckDB 2 begins no other statement on the cursor while its reader is open.
            types = [str(kind) for kind in relation.types]
            self._schema = trino_schema(reader.schema, types)
            for batch in reader:
                yield as_trino(batch, self._schema)

    def _count_changes(self, cursor: duckdb.DuckDBPyConnection) -> None:
        rows = cursor.fetchall() if cursor.description else []
        if rows and isinstance(rows[0][0], int):
            self.rows_changed = rows[0][0]


def _update_type(trino_sql: str) -> str | None:
    """
    Trino's word for a statement that changes something; None for another.
    """
    first = _FIRST_WORD.match(trino_sql)
    if first is None or first[1].upper() not in _UPDATES:
        # To read the whole of a long query takes longer than to begin it.
        return None
    words = [w for w in tokenize(trino_sql).words[:5] if w not in {"OR", "REPLACE"}]
    return " ".join(words[: 2 if words[0] in {"CREATE", "DROP"} else 1])
