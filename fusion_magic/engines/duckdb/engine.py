"""
The embedded engine: DuckDB, given Trino's SQL.

Each catalog of a Trino name is an attached database of its own, in memory, and each entity a view in it over
what the catalog file calls its source. So every form in which SQL may name a table or its columns works
as it stands, and CREATE TABLE beside an entity makes a table that lives as long as the engine.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import duckdb

from fusion_magic.engines import EngineCapabilities, EngineQuery, Plan, Progress
from fusion_magic.engines.base import BaseEngine, BaseExecution
from fusion_magic.engines.duckdb.rewrite import ELSEWHERE, PREPARATION, to_duckdb
from fusion_magic.engines.duckdb.type_inference import ValueType, kind_of_type
from fusion_magic.errors import (
    EngineUnavailable,
    InvalidSettings,
    QueryCanceled,
    QueryFailed,
    Span,
    UnsupportedSql,
)
from fusion_magic.metadata import Entity
from fusion_magic.sql.edits import quote
from fusion_magic.sql.lexer import tokenize

if TYPE_CHECKING:
    import pyarrow as pa

    from fusion_magic.config import Settings

RESULTS_SCHEMA = ("fusion", "results")
BATCH_ROWS = 100_000
LOCK_PATIENCE_S = 5.0  # with another process that has the file
LOCK_POLL_S = 0.05
_INTERNAL = frozenset({"system", "temp"})
_READERS = {
    ".parquet": "read_parquet",
    ".pq": "read_parquet",
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}
_UPDATES = ("INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE")
_FIRST_WORD = re.compile(r"(?:[\s\ufeff]|--[^\r\n]*|/\*.*?\*/)*+([A-Za-z]+)", re.DOTALL)
_NOT_THESE_TYPES = re.compile(
    r"No function matches the given name and argument types '(\w+)\(|(UNNEST) requires a single list"
)
_NO_COLUMN = re.compile(r'(?:Referenced column|Table "\w+" does not have a column named) "([^"]+)"')
_NOT_THIS_PATTERN = re.compile(r"invalid perl operator: \S+|invalid escape sequence: \S+")
_TRINO_TYPES = {
    "HUGEINT": "bigint",
    "FLOAT": "real",
    "TIMESTAMP": "timestamp(6)",
    "TIMESTAMP_S": "timestamp(0)",
    "TIMESTAMP_MS": "timestamp(3)",
    "TIMESTAMP_NS": "timestamp(9)",
    "TIMESTAMP WITH TIME ZONE": "timestamp(6) with time zone",
    "TIME": "time(6)",
    "BLOB": "varbinary",
}


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
            query = "SELECT database_name FROM duckdb_databases()"
            rows = self._connect().execute(query).fetchall()
        return frozenset(row[0].lower() for row in rows) - _INTERNAL

    def execute(self, query: EngineQuery) -> DuckDBExecution:
        """See ``Engine.execute``."""
        shown = _show(query.sql)
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
            rows = _run(cursor, f"EXPLAIN {self._translated(query)}").fetchall()
        return Plan("\n".join(row[1] for row in rows))

    def describe(self, query_entities: Sequence[Entity]) -> Mapping[str, Mapping[str, str]]:
        """See ``Engine.describe``."""
        found = {}
        for entity in query_entities:
            try:
                with self._lock:
                    cursor = self._connect()
                    self._make_view(cursor, entity.trino_parts, entity)
                    rows = _run(cursor, f"DESCRIBE {_name(entity.trino_parts)}").fetchall()
            except (QueryFailed, EngineUnavailable, UnsupportedSql):
                continue
            found[entity.fqn] = {row[0]: trino_type(row[1]) for row in rows}
        return found

    def let_go(self) -> None:
        """
        See ``Engine.let_go``: close the file while nothing runs; the next statement opens it again.

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
            return self._connection

    def _open(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                return duckdb.connect(self._path)
            except duckdb.Error as exc:
                if "lock" not in str(exc).lower() or time.monotonic() > deadline:
                    raise EngineUnavailable(
                        f"The DuckDB file {self._path} cannot be opened: {_message(exc)}",
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
        wanted = (entity.source, entity.columns, _copied_version(entity.source))
        if entity.source is None or self._views.get(parts) == wanted:
            return
        self._make_schema(cursor, parts)
        relation = self._relation(cursor, entity)
        _run(cursor, f"CREATE OR REPLACE VIEW {_name(parts)} AS SELECT * FROM {relation}")
        self._views[parts] = wanted
        rows = _run(cursor, f"DESCRIBE {_name(parts)}").fetchall()
        self._columns[parts] = {row[0].lower(): kind_of_type(row[1]) for row in rows}

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
            _run(cursor, f"ATTACH ':memory:' AS {quote(parts[0])}")
        _run(cursor, f"CREATE SCHEMA IF NOT EXISTS {_name(parts[:2])}")

    def _relation(self, cursor: duckdb.DuckDBPyConnection, entity: Entity) -> str:
        """
        What the entity's rows are read from, as it stands behind FROM.
        """
        source = entity.source or ""
        scheme, _, rest = source.partition(":")
        if scheme in {"duckdb", "sqlite"} and "://" not in source:
            path, _, table = rest.partition("#")
            if scheme == "sqlite":
                return self._copy_sqlite(cursor, entity, path, table)
            return self._attach(cursor, path, table)
        return _file_relation(entity, source)

    def _attach(self, cursor: duckdb.DuckDBPyConnection, path: str, table: str) -> str:
        alias = f"file {path}"
        if alias.lower() not in self.catalogs():
            _run(cursor, f"ATTACH {_literal(path)} AS {quote(alias)} (READ_ONLY)")
        schema, _, name = table.rpartition(".")
        return _name((alias, schema or "main", name))

    def _copy_sqlite(
        self, cursor: duckdb.DuckDBPyConnection, entity: Entity, path: str, table: str
    ) -> str:
        import sqlite3
        from contextlib import closing

        import pyarrow as pa

        name = (entity.trino_parts[0], entity.trino_parts[1], f"rows of {entity.trino_parts[2]}")
        try:
            uri = f"{Path(path).absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as source:
                rows = source.execute(f"SELECT * FROM {quote(table)}")
                names = [column[0] for column in rows.description]
                columns = list(zip(*rows.fetchall(), strict=True)) or [()] * len(names)
        except sqlite3.Error as exc:
            raise QueryFailed(f"The table {table} of {path} cannot be read: {exc}.") from exc
        arrays = [pa.array(column) for column in columns]
        cursor.register("fusion_sqlite_rows", pa.Table.from_arrays(arrays, names=names))
        _run(cursor, f"CREATE OR REPLACE TABLE {_name(name)} AS FROM fusion_sqlite_rows")
        cursor.unregister("fusion_sqlite_rows")
        return _name(name)


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
        assert self._schema is not None  # noqa: S101 - _run sets it
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
                self._count_changes(_run(self._cursor, self._sql, self._trino_sql))
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

        with _told(self._trino_sql):
            relation = self._cursor.sql(self._sql)
        if relation is None:
            # SET and the like.
            self._schema = pa.schema([])
            return
        with _told(self._trino_sql), closing(relation.to_arrow_reader(BATCH_ROWS)) as reader:
            # DuckDB 2 begins no other statement on the cursor while its reader is open.
            types = [str(kind) for kind in relation.types]
            self._schema = _trino_schema(reader.schema, types)
            for batch in reader:
                yield _as_trino(batch, self._schema)

    def _count_changes(self, cursor: duckdb.DuckDBPyConnection) -> None:
        rows = cursor.fetchall() if cursor.description else []
        if rows and isinstance(rows[0][0], int):
            self.rows_changed = rows[0][0]


def _prepared(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for statement in PREPARATION:
        connection.execute(statement)
    return connection


def _tables(query: EngineQuery) -> frozenset[tuple[str, ...]]:
    return frozenset(
        tuple(part.lower() for part in parts)
        for parts, entity in query.entities.items()
        if entity.source is not None
    )


def _run(
    cursor: duckdb.DuckDBPyConnection, sql: str, trino_sql: str = ""
) -> duckdb.DuckDBPyConnection:
    with _told(trino_sql):
        return cursor.execute(sql)


@contextmanager
def _told(trino_sql: str) -> Iterator[None]:
    """
    DuckDB's errors become ours, with their place in the user's SQL.
    """
    try:
        yield
    except duckdb.Error as exc:
        raise _translate(exc, trino_sql) from exc


def _translate(
    exc: duckdb.Error, trino_sql: str = ""
) -> QueryFailed | QueryCanceled | UnsupportedSql:
    if isinstance(exc, duckdb.InterruptException):
        return QueryCanceled("The query was canceled.")
    text = str(exc)
    if match := _NOT_THESE_TYPES.search(text):
        return UnsupportedSql(
            f"DuckDB has no {match[1] or match[2]} for values of these types.", hint=ELSEWHERE
        )
    if match := _NO_COLUMN.search(text):
        name = match[1].rpartition(".")[2]
        return QueryFailed(
            f"There is no column {name}.",
            span=_place(name, trino_sql),
            error_name="COLUMN_NOT_FOUND",
        )
    if match := _NOT_THIS_PATTERN.search(text):
        return UnsupportedSql(f"DuckDB has no such regular expression: {match[0]}.", hint=ELSEWHERE)
    return QueryFailed(_message(exc), error_name=type(exc).__name__)


def _place(name: str, sql: str) -> Span | None:
    """
    Where the name stands in the user's SQL, strings and comments left aside.
    """
    tokens = tokenize(sql)
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        if sql[start:end].strip('"').lower() == name.lower():
            return Span(start, end)
    return None


def _copied_version(source: str | None) -> tuple[int, ...]:
    """
    What changes when a source that is copied does; the others are read anew by each query.
    """
    if source is None or not source.startswith("sqlite:"):
        return ()
    path = source.removeprefix("sqlite:").partition("#")[0]
    found = [p.stat() for p in (Path(path), Path(f"{path}-wal")) if p.exists()]
    return tuple(number for stat in found for number in (stat.st_mtime_ns, stat.st_size))


def _message(exc: BaseException) -> str:
    """
    DuckDB's message without its own copy of the SQL, which is not the user's.
    """
    text = str(exc).partition("\nLINE ")[0].partition("\n\nLINE ")[0].strip()
    return re.sub(r"^(?:[A-Z]\w+ )+Error: ", "", text)


def _name(parts: Sequence[str]) -> str:
    return ".".join(quote(part) for part in parts)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _file_relation(entity: Entity, source: str) -> str:
    path, suffix = source, Path(source).suffix.lower()
    if "://" not in source and Path(source).is_dir():
        files = sorted(p for p in Path(source).rglob("*") if p.suffix.lower() in _READERS)
        if not files:
            raise QueryFailed(
                f"{entity.fqn}: the folder {source} has no Parquet, CSV or JSON file."
            )
        suffix = files[0].suffix.lower()
        path = f"{source}/**/*{files[0].suffix}"
    reader = _READERS.get(suffix)
    if reader is None:
        raise QueryFailed(
            f"{entity.fqn}: {source} is no Parquet, CSV or JSON file.",
            hint=f"Known endings are {', '.join(_READERS)}.",
        )
    if reader == "read_csv":
        return f"read_csv({_literal(path)}{_csv_types(entity)})"
    return f"{reader}({_literal(path)})"


def _csv_types(entity: Entity) -> str:
    """
    The catalog's types go before what DuckDB would guess: a zip code is no number.
    """
    typed = [(c.name, _duckdb_type(c.type)) for c in entity.columns if c.type]
    if not typed:
        return ""
    pairs = ", ".join(f"{_literal(name)}: {_literal(kind)}" for name, kind in typed)
    return f", types = {{{pairs}}}"


def _duckdb_type(trino: str) -> str:
    from sqlglot import exp

    return exp.DataType.build(trino, dialect="trino").sql(dialect="duckdb")


def trino_type(duckdb_type: str) -> str:
    """
    DuckDB's type in Trino's words, as far as it has a word of its own.

    >>> trino_type("DECIMAL(15,2)"), trino_type("BIGINT[]"), trino_type("STRUCT(x INTEGER, field1 VARCHAR)")
    ('decimal(15,2)', 'array(bigint)', 'row(x integer, varchar)')
    """
    if duckdb_type.endswith("[]"):
        return f"array({trino_type(duckdb_type[:-2])})"
    outer, bracket, inner = duckdb_type.partition("(")
    if bracket and outer in {"MAP", "STRUCT"}:
        parts = _split_types(inner.removesuffix(")"))
        if outer == "MAP":
            return f"map({', '.join(trino_type(part) for part in parts)})"
        return f"row({', '.join(_trino_field(place, part) for place, part in enumerate(parts))})"
    return _TRINO_TYPES.get(duckdb_type, duckdb_type.lower())


def _split_types(text: str) -> list[str]:
    """
    The parts of *text* between the commas that stand in no bracket and no quotes.
    """
    parts, depth, is_quoted, start = [], 0, False, 0
    for place, character in enumerate(text):
        if character == '"':
            is_quoted = not is_quoted
        elif not is_quoted and character in "()":
            depth += 1 if character == "(" else -1
        elif not is_quoted and character == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def _trino_field(place: int, text: str) -> str:
    name, _, kind = text.rpartition('" ') if text.startswith('"') else text.partition(" ")
    name = name.strip('"')
    return trino_type(kind) if name == f"field{place}" else f"{name} {trino_type(kind)}"


def _trino_schema(schema: pa.Schema, types: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    arrows = {"HUGEINT": pa.int64(), "INTERVAL": pa.string()}
    fields = []
    for field, kind in zip(schema, types, strict=True):
        arrow = arrows.get(kind, field.type)
        if pa.types.is_timestamp(arrow) and arrow.tz is not None:
            arrow = pa.timestamp(arrow.unit, "UTC")
        fields.append(pa.field(field.name, arrow, metadata={"trino_type": trino_type(kind)}))
    return pa.schema(fields)


def _as_trino(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    try:
        arrays = [
            a if a.type == f.type else _converted(a, f.type)
            for a, f in zip(batch.columns, schema, strict=True)
        ]
    except pa.ArrowInvalid as exc:
        raise QueryFailed(
            "A sum does not fit a bigint.", error_name="NUMERIC_VALUE_OUT_OF_RANGE"
        ) from exc
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _converted(array: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_interval(array.type):
        return pa.array([_interval_text(value) for value in array.to_pylist()], kind)
    return array.cast(kind)


def _interval_text(value: tuple[int, int, int] | None) -> str | None:
    """
    An interval (months, days, nanoseconds) as Trino prints it: ``1-2``, ``3 04:05:06.789``.
    """
    if value is None:
        return None
    months, days, nanoseconds = value
    if months:
        years, months = divmod(abs(months), 12)
        return f"{'-' if value[0] < 0 else ''}{years}-{months}"
    total_ms = days * 86_400_000 + nanoseconds // 1_000_000
    seconds, milliseconds = divmod(abs(total_ms), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    sign = "-" if total_ms < 0 else ""
    return f"{sign}{days} {hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"


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
            f"FROM (DESCRIBE {_name(reference.parts)})"
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
                f"lower(table_catalog) = {_literal(parts[0])} AND lower(table_schema) = {_literal(parts[1])} ORDER BY 1"
            )
    raise UnsupportedSql(f"DuckDB cannot run {statement.kind} as Trino does.")
