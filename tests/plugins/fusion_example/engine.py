"""
An engine: SQLite. ``engine.url = "sqlite:///file.db"``, or ``sqlite://`` for one in memory.

A Trino name is one table here, named by all its parts (``"shop.public.orders"``); an entity's source is
``sqlite:FILE#TABLE``.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

from fusion_magic.config import Settings
from fusion_magic.engines import EngineCapabilities, EngineQuery, Plan, Progress
from fusion_magic.engines.base import BaseEngine, BaseExecution
from fusion_magic.errors import QueryCanceled, QueryFailed, UnsupportedSql
from fusion_magic.metadata import Entity

_TYPES = {
    int: ("bigint", pa.int64()),
    float: ("double", pa.float64()),
    bytes: ("varbinary", pa.binary()),
}
_TEXT = ("varchar", pa.string())
_SMALL = 1 << 31


def open_engine(settings: Settings) -> SqliteEngine:
    """
    What the entry point names: the engine for the program's settings.
    """
    return SqliteEngine(
        settings.engine_url.removeprefix("sqlite://").removeprefix("/") or ":memory:"
    )


class SqliteEngine(BaseEngine):
    """
    The port ``Engine`` over one SQLite database.
    """

    name = "sqlite"
    capabilities = EngineCapabilities(concurrency=1)

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._lock = threading.RLock()

    def about(self) -> str:
        """See ``Engine.about``."""
        return f"SQLite {sqlite3.sqlite_version}"

    def catalogs(self) -> frozenset[str]:
        """See ``Engine.catalogs``."""
        rows = self._rows("SELECT name FROM sqlite_master")
        return frozenset(str(name).partition(".")[0] for (name,) in rows)

    def has_table(self, trino_parts: tuple[str, ...]) -> bool:
        """See ``Engine.has_table``."""
        wanted = ".".join(trino_parts).lower()
        return bool(self._rows("SELECT 1 FROM sqlite_master WHERE lower(name) = ?", wanted))

    def execute(self, query: EngineQuery) -> SqliteExecution:
        """See ``Engine.execute``."""
        tree = _translated(query.sql)
        self._copy_sources(query.entities)
        return SqliteExecution(self._connection, self._lock, tree)

    def explain(self, query: EngineQuery) -> Plan:
        """See ``Engine.explain``."""
        self._copy_sources(query.entities)
        sql = _translated(query.sql).sql("sqlite")
        return Plan("\n".join(str(row[-1]) for row in self._rows(f"EXPLAIN QUERY PLAN {sql}")))

    def describe(self, query_entities: Sequence[Entity]) -> Mapping[str, Mapping[str, str]]:
        """See ``Engine.describe``."""
        self._copy_sources({entity.trino_parts: entity for entity in query_entities})
        return {
            entity.fqn: {row[1]: str(row[2]).lower() or "varchar" for row in rows}
            for entity in query_entities
            if (rows := self._rows(f"PRAGMA table_info({_table(entity.trino_parts)})"))
        }

    def close(self) -> None:
        """See ``Engine.close``."""
        self._connection.interrupt()
        self._connection.close()

    def _copy_sources(self, entities: Mapping[tuple[str, ...], Entity]) -> None:
        for parts, entity in entities.items():
            scheme, _, rest = (entity.source or "").partition(":")
            if scheme != "sqlite" or self.has_table(parts):
                continue
            path, _, table = rest.partition("#")
            self._rows("ATTACH ? AS source", path)
            self._rows(f"CREATE TABLE {_table(parts)} AS SELECT * FROM source.{_quoted(table)}")
            self._rows("DETACH source")

    def _rows(self, sql: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as exc:
            raise QueryFailed(f"{exc}.") from exc


class SqliteExecution(BaseExecution):
    """
    The port ``Execution``: one statement, whose rows are read at once.
    """

    def __init__(
        self, connection: sqlite3.Connection, lock: threading.RLock, tree: exp.Expr
    ) -> None:
        self._connection, self._lock, self._tree = connection, lock, tree
        self.update_type = None if isinstance(tree, exp.Query) else tree.key.upper()
        self._batch: pa.RecordBatch | None = None
        self._is_cancelled = False

    def schema(self) -> pa.Schema:
        """See ``Execution.schema``."""
        self._batch = self._batch or self._read()
        return self._batch.schema

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """See ``Execution.batches``."""
        self._batch = self._batch or self._read()
        if self.update_type is None:
            yield self._batch

    def progress(self) -> Progress:
        """See ``Execution.progress``."""
        return Progress("FINISHED" if self._batch is not None else "RUNNING")

    def cancel(self) -> None:
        """See ``Execution.cancel``."""
        if self._batch is None:
            self._is_cancelled = True
            self._connection.interrupt()

    def _read(self) -> pa.RecordBatch:
        try:
            with self._lock:
                done = self._connection.execute(self._tree.sql("sqlite"))
                names = [column[0] for column in done.description or ()]
                rows = done.fetchall()
        except sqlite3.Error as exc:
            kind = QueryCanceled if self._is_cancelled else QueryFailed
            raise kind(f"{exc}.") from exc
        self.rows_changed = done.rowcount if done.rowcount >= 0 else None
        return _batch(names, list(zip(*rows, strict=True)) or [()] * len(names))


def _translated(sql: str) -> exp.Expr:
    try:
        tree = sqlglot.parse_one(sql, read="trino")
    except sqlglot.ParseError as exc:
        raise UnsupportedSql(f"SQLite cannot run this: {exc}") from exc
    for table in tree.find_all(exp.Table):
        names = [part.name for part in table.parts]
        if len(names) > 1:
            table.replace(exp.to_table(_quoted(".".join(names)), alias=table.alias or None))
    if isinstance(tree, exp.Select):
        # Trino names a column without a name by its place.
        for place, column in enumerate(tree.expressions):
            if (not column.alias_or_name and not column.is_star) or isinstance(column, exp.Literal):
                column.replace(exp.alias_(column.copy(), f"_col{place}"))
    return tree


def _batch(names: Sequence[str], columns: Sequence[Sequence[object]]) -> pa.RecordBatch:
    kinds = [_kind(column) for column in columns]
    fields = [
        pa.field(name, arrow, metadata={"trino_type": trino})
        for name, (trino, arrow) in zip(names, kinds, strict=True)
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _kind(values: Sequence[Any]) -> tuple[str, pa.DataType]:
    found = {type(value) for value in values if value is not None}
    if found == {int} and all(value is None or abs(value) < _SMALL for value in values):
        return ("integer", pa.int32())
    return _TYPES.get(found.pop(), _TEXT) if len(found) == 1 else _TEXT


def _table(parts: Sequence[str]) -> str:
    return _quoted(".".join(parts))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
