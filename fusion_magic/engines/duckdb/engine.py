"""
The embedded engine: DuckDB, given Trino's SQL.

Each catalog of a Trino name is an attached database of its own, in memory, and each entity a view in it over
what the catalog file calls its source. So every form in which SQL may name a table or its columns works
as it stands, and CREATE TABLE beside an entity makes a table that lives as long as the engine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import duckdb

from fusion_magic.engines import EngineCapabilities, EngineQuery, Plan
from fusion_magic.engines.base import BaseEngine
from fusion_magic.engines.duckdb.execution import DuckDBExecution
from fusion_magic.engines.duckdb.functions import preparation
from fusion_magic.engines.duckdb.result_types import trino_type
from fusion_magic.engines.duckdb.rewrite import to_duckdb
from fusion_magic.engines.duckdb.sources import copied_version, relation_of
from fusion_magic.engines.duckdb.statements import databases, literal, message_of, name_of, run
from fusion_magic.engines.duckdb.type_inference import ValueType, value_type_of
from fusion_magic.errors import (
    EngineUnavailable,
    InvalidSettings,
    QueryFailed,
    UnsupportedSql,
)
from fusion_magic.metadata import Entity
from fusion_magic.sql.edits import quote

if TYPE_CHECKING:
    from fusion_magic.config import Settings

RESULTS_SCHEMA = ("fusion", "results")
LOCK_PATIENCE_S = 5.0  # with another process that has the file
LOCK_POLL_S = 0.05
_INTERNAL = frozenset({"system", "temp"})
_WRITERS = frozenset(
    {"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP", "ALTER", "COMMENT"}
)


def open_engine(settings: Settings) -> DuckDBEngine:
    """
    The engine for the program's settings.

    Raises:
        InvalidSettings: The URL is wrong.
    """
    return DuckDBEngine(settings.engine_url)


class DuckDBEngine(BaseEngine):
    """
    The port ``Engine`` over one DuckDB database.

    Args:
        url: ``duckdb://`` for one in memory, ``duckdb:///path`` for a file.
    """

    name = "duckdb"
    capabilities = EngineCapabilities(
        sharing_hint="Keep it in a DuckDB file (engine.url = duckdb:///analysis.duckdb, table analysis.main.name)"
    )

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.netloc:
            raise InvalidSettings(
                f"engine.url {url} names a host.",
                hint="A file has three slashes: duckdb:///file.duckdb",
            )
        self._path = unquote(parts.path.removeprefix("/")) or ":memory:"
        self._is_in_memory = self._path == ":memory:"
        if self._path.startswith("/") is False and parts.path.startswith("//"):
            self._path = "/" + self._path
        self._lock = threading.RLock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._free: list[duckdb.DuckDBPyConnection] = []
        self._running = 0
        self._has_made_in_memory = False
        self._views: dict[tuple[str, ...], object] = {}
        self._columns: dict[tuple[str, ...], Mapping[str, ValueType | None]] = {}

    @property
    def default_schema(self) -> tuple[str, ...]:
        """See ``Engine.default_schema``."""
        return ("memory" if self._is_in_memory else Path(self._path).stem, "main")

    def result_parts(self, name: str) -> tuple[str, ...]:
        """See ``Engine.result_parts``."""
        return (*RESULTS_SCHEMA, name)

    def has_table(self, trino_parts: tuple[str, ...]) -> bool:
        """See ``Engine.has_table``."""
        query = (
            "SELECT 1 FROM information_schema.tables WHERE lower(table_catalog) = ? "
            "AND lower(table_schema) = ? AND lower(table_name) = ?"
        )
        with self._lock:
            found = self._connect().execute(query, [part.lower() for part in trino_parts])
            return bool(found.fetchall())

    def is_shared(self, trino_parts: tuple[str, ...]) -> bool:
        """See ``Engine.is_shared``: what is in the file."""
        return not self._is_in_memory and trino_parts[0] == self.default_schema[0]

    def about(self) -> str:
        """See ``Engine.about``."""
        with self._lock:
            [(version,)] = self._connect().execute("SELECT version()").fetchall()
        return f"DuckDB {version.removeprefix('v')}"

    def catalogs(self) -> frozenset[str]:
        """See ``Engine.catalogs``."""
        with self._lock:
            return databases(self._connect()) - _INTERNAL

    def execute(self, query: EngineQuery) -> DuckDBExecution:
        """See ``Engine.execute``."""
        shown = _show(query.sql)
        _refuse_writing_to_source(query)
        with self._lock:
            cursor = self._connect()
            self._make_views(cursor, query)
            sql = shown or self._translated(query)
            self._make_schemas(cursor, query)
            own = self._free.pop() if self._free else _prepared(cursor.cursor())
            self._running += 1
        return DuckDBExecution(own, sql, query.sql, release=self._release)

    def explain(self, query: EngineQuery) -> Plan:
        """See ``Engine.explain``."""
        with self._lock:
            cursor = self._connect()
            self._make_views(cursor, query)
            rows = run(cursor, f"EXPLAIN {self._translated(query)}").fetchall()
        return Plan("\n".join(row[1] for row in rows))

    def describe(self, query_entities: Sequence[Entity]) -> Mapping[str, Mapping[str, str]]:
        """See ``Engine.describe``."""
        found = {}
        for entity in query_entities:
            try:
                with self._lock:
                    cursor = self._connect()
                    self._make_view(cursor, entity.trino_parts, entity)
                    rows = run(cursor, f"DESCRIBE {name_of(entity.trino_parts)}").fetchall()
            except (QueryFailed, EngineUnavailable, UnsupportedSql):
                continue
            found[entity.fqn] = {row[0]: trino_type(row[1]) for row in rows}
        return found

    def release_if_idle(self) -> None:
        """
        See ``Engine.release_if_idle``: close the file while nothing runs; the next statement opens it again.

        Stays open where tables were made in memory beside it, since they would be lost.
        """
        with self._lock:
            if not (self._is_in_memory or self._running or self._has_made_in_memory):
                self.close()

    def close(self) -> None:
        """See ``Engine.close``."""
        with self._lock:
            if self._connection is not None:
                for cursor in self._free:
                    cursor.interrupt()
                self._connection.close()
                self._connection = None
                self._free.clear()
                self._views.clear()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """
        The first connection, on which views and questions about the catalog run.
        """
        with self._lock:
            if self._connection is None:
                self._connection = _prepared(self._open())
                _cast_after_reading(self._connection)
            return self._connection

    def _open(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                return duckdb.connect(self._path)
            except duckdb.Error as exc:
                if "lock" not in str(exc).lower() or time.monotonic() > deadline:
                    raise EngineUnavailable(
                        f"The DuckDB file {self._path} cannot be opened: {message_of(exc)}",
                        hint="Another program, or a background job, may have it open: DuckDB has one writer a file.",
                    ) from exc
            time.sleep(LOCK_POLL_S)

    def _release(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """
        Keep a statement's cursor for the next one: preparing one takes longer than a small query.
        """
        with self._lock:
            self._running -= 1
            if self._connection is not None:
                self._free.append(cursor)

    def _make_views(self, cursor: duckdb.DuckDBPyConnection, query: EngineQuery) -> None:
        for parts, entity in query.entities.items():
            self._make_view(cursor, parts, entity)

    def _translated(self, query: EngineQuery) -> str:
        return to_duckdb(query.sql, self._kinds(query), _tables(query))

    def _make_view(
        self, cursor: duckdb.DuckDBPyConnection, parts: tuple[str, ...], entity: Entity
    ) -> None:
        wanted = (entity.source, entity.columns, copied_version(entity.source))
        if entity.source is None or self._views.get(parts) == wanted:
            return
        self._make_schema(cursor, parts)
        with _about(entity):
            relation = relation_of(cursor, entity)
            run(cursor, f"CREATE OR REPLACE VIEW {name_of(parts)} AS SELECT * FROM {relation}")
        self._views[parts] = wanted
        rows = run(cursor, f"DESCRIBE {name_of(parts)}").fetchall()
        self._columns[parts] = {row[0].lower(): value_type_of(row[1]) for row in rows}

    def _kinds(self, query: EngineQuery) -> frozenset[tuple[str, ValueType]]:
        """
        The columns of the query's entities that have one kind in each entity that has them.
        """
        found: dict[str, set[ValueType | None]] = {}
        for parts in query.entities:
            for name, kind in self._columns.get(parts, {}).items():
                found.setdefault(name, set()).add(kind)
        single = {name: next(iter(kinds)) for name, kinds in found.items() if len(kinds) == 1}
        return frozenset((name, kind) for name, kind in single.items() if kind is not None)

    def _make_schemas(self, cursor: duckdb.DuckDBPyConnection, query: EngineQuery) -> None:
        """
        The catalog and schema of what the statement makes; DuckDB asks for both beforehand.
        """
        for parts in query.targets:
            if parts not in query.entities or query.entities[parts].source is None:
                self._make_schema(cursor, parts)
                self._has_made_in_memory |= parts[0] != self.default_schema[0]

    def _make_schema(self, cursor: duckdb.DuckDBPyConnection, parts: tuple[str, ...]) -> None:
        if parts[0].lower() in _INTERNAL:
            raise UnsupportedSql(f"DuckDB keeps the catalog {parts[0]} for itself.")
        if parts[0].lower() not in self.catalogs():
            run(cursor, f"ATTACH ':memory:' AS {quote(parts[0])}")
        run(cursor, f"CREATE SCHEMA IF NOT EXISTS {name_of(parts[:2])}")


def _prepared(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for statement in preparation(duckdb.__version__):
        connection.execute(statement)
    return connection


def _cast_after_reading(connection: duckdb.DuckDBPyConnection) -> None:
    """
    Leave casts to the query: DuckDB 2 moves them into its CSV reader, where a TRY_CAST that finds no number is an error.
    """
    with suppress(duckdb.ParserException):  # DuckDB 1 has no such optimizer
        connection.execute("SET disabled_optimizers = 'type_pushdown'")


@contextmanager
def _about(entity: Entity) -> Iterator[None]:
    """
    Let what goes wrong with an entity's source name the entity.
    """
    try:
        yield
    except QueryFailed as error:
        if not error.message.startswith(entity.fqn):
            error.message = f"{entity.fqn} cannot be read: {error.message}"
        error.hint = error.hint or f"Its source is {entity.source}: the catalog file says so."
        raise


def _refuse_writing_to_source(query: EngineQuery) -> None:
    """
    What is read from a file is a view here, and one that is replaced would hide the file from later cells.
    """
    from fusion_magic.sql.statement import parse_statement

    entity = query.entities.get(query.targets[0]) if query.targets else None
    if entity is None or entity.source is None:
        return
    kind = parse_statement(query.sql).kind
    if kind.split()[0] in _WRITERS:
        raise UnsupportedSql(
            f"{kind} cannot change {entity.fqn}, which is read from {entity.source}.",
            hint="Write to another name, or change the file.",
        )


def _tables(query: EngineQuery) -> frozenset[tuple[str, ...]]:
    return frozenset(
        tuple(part.lower() for part in parts)
        for parts, entity in query.entities.items()
        if entity.source is not None
    )


def _show(sql: str) -> str | None:
    """
    SHOW and DESCRIBE, which sqlglot does not read, by DuckDB's information schema; None for the rest.
    """
    from fusion_magic.sql.references import find_references
    from fusion_magic.sql.statement import parse_statement

    words = sql.split(None, 1)
    if not words or words[0].upper() not in {"SHOW", "DESCRIBE", "DESC"}:
        return None
    statement = parse_statement(sql)
    if statement.kind in {"DESCRIBE", "SHOW COLUMNS"}:
        reference = find_references(statement)[0]
        return (
            'SELECT column_name AS "Column", lower(column_type) AS "Type" '
            f"FROM (DESCRIBE {name_of(reference.parts)})"
        )
    if statement.kind == "SHOW CATALOGS":
        return (
            'SELECT database_name AS "Catalog" FROM duckdb_databases() '
            "WHERE NOT internal AND NOT starts_with(database_name, 'file ') ORDER BY 1"
        )
    if statement.kind == "SHOW TABLES" and len(statement.tokens) > 3:
        parts = [word.strip('"').lower() for word in statement.tokens.words[3::2]]
        if len(parts) == 2:
            return (
                'SELECT table_name AS "Table" FROM information_schema.tables WHERE '
                f"lower(table_catalog) = {literal(parts[0])} AND lower(table_schema) = {literal(parts[1])} ORDER BY 1"
            )
    raise UnsupportedSql(f"DuckDB cannot run {statement.kind} as Trino does.")
