"""
Files that OpenMetadata calls a container, as tables of a Hive catalog: created before a query that names them, dropped after it.

    delimited text                       a table of its lines, and a view that takes them apart
    JSON, Parquet, Avro, a folder        a table
    JSON, Parquet, Avro, one file        a table of the folder, and a view of what has its ``"$path"``

Each use has tables of its own, named like those of stored results.

Hive says nothing of files that it does not find, nor of folders below a folder that it leaves out. So a place without rows is
an error, and whether folders below are read is tried out once on a table of our own.

Source: Trino, "Hive connector", https://trino.io/docs/476/connector/hive.html
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fusion_magic.engines.trino.hive_tables import SWEEP_AGE_S
from fusion_magic.errors import EngineError, FusionError, QueryFailed, UnsupportedSql
from fusion_magic.sql.delimited import (
    LINE,
    SEPARATORS,
    is_readable,
    names_columns,
    select_of_lines,
)
from fusion_magic.sql.edits import format_trino_name, quote
from fusion_magic.sql.parameters import format_literal

if TYPE_CHECKING:
    from fusion_magic.metadata import Entity

_OURS = re.compile(r"_fusionfiles_([0-9a-f]{8})[0-9a-f]{8}(?:_raw|_try)?$")
_FORMATS = {
    "csv": "TEXTFILE",
    "tsv": "TEXTFILE",
    "json": "JSON",
    "parquet": "PARQUET",
    "avro": "AVRO",
}
_ENDING = re.compile(
    r"\.(csv|tsv|json|jsonl|ndjson|parquet|avro)(?:\.(?:gz|gzip|zst|bz2|lz4|snappy))?$",
    re.IGNORECASE,
)
_HIVE_TYPE = re.compile(
    r"(?:boolean|tinyint|smallint|integer|bigint|real|double|varchar|varbinary|date|timestamp\(\d+\)|decimal\(\d+,\s*\d+\)"
    r"|(?:array|row|map)\(.*\))"
)
_S3 = re.compile(r"^s3[an]://")
LONGEST_WORD = 40  # of a name; a metastore takes 128 characters in all
_RECURSIVE = "hive.recursive-directories=true"


@dataclass(frozen=True, slots=True)
class _Files:
    """
    What is read of a container.

    Attributes:
        raw: The table over its *folder*; *only* is the one file of it that is meant.
    """

    entity: Entity
    raw: str
    folder: str
    form: str
    only: str | None

    @property
    def where(self) -> str:
        return f'"$path" = {format_literal(self.only)}' if self.only is not None else "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTables:
    """
    The schema in which the tables are made.

    Attributes:
        schema: Its catalog and name.
        places: Beginnings of places as OpenMetadata has them, and as Trino's catalog has them.
        run: Runs a statement on Trino with session properties, and gives its rows.
    """

    schema: tuple[str, str]
    places: Mapping[str, str]
    run: Callable[[str, Mapping[str, str]], list[list[Any]]]
    _tried: list[bool] = field(default_factory=list)

    def new_name(self, entity: Entity) -> tuple[str, str, str]:
        """
        A table that nobody else uses, for one use of a container.

        Raises:
            UnsupportedSql: Its files cannot be read; says why.
        """
        _form(entity)
        _columns(entity)
        self._place(entity)
        mark = f"{int(time.time()):08x}{secrets.token_hex(4)}"
        word = re.sub(r"\W+", "_", entity.trino_parts[-1].lower())[:LONGEST_WORD]
        return (*self.schema, f"{word}_fusionfiles_{mark}")

    def owns(self, parts: tuple[str, ...], entity: Entity) -> bool:
        """See ``TableKind.owns``."""
        return (
            parts[:-1] == self.schema and entity.files is not None and bool(_OURS.search(parts[-1]))
        )

    def make(self, tables: Mapping[tuple[str, ...], Entity]) -> dict[str, str]:
        """See ``TableKind.make``."""
        if not tables:
            return {}
        with suppress(EngineError):
            self._sweep()
        for parts, entity in tables.items():
            try:
                self._make(parts, entity)
            except QueryFailed as error:
                raise self._unreadable(entity, error) from error
        return self._properties

    def drop(self, tables: Mapping[tuple[str, ...], Entity]) -> None:
        """See ``TableKind.drop``; what cannot be dropped now is swept later."""
        for parts in tables:
            self._drop(parts, is_view=True)
            self._drop(parts)
            self._drop(_raw(parts))

    @property
    def _properties(self) -> dict[str, str]:
        return {f"{self.schema[0]}.timestamp_precision": "MICROSECONDS"}

    def _make(self, parts: tuple[str, ...], entity: Entity) -> None:
        files = self._found(parts, entity)
        if files.only is None and not self._reads_below():
            raise UnsupportedSql(
                f"{entity.fqn} is a folder, and the catalog {self.schema[0]} leaves out the folders below one.",
                hint=f"Whoever runs Trino sets {_RECURSIVE} in that catalog.",
            )
        if files.form != "TEXTFILE" and files.only is None:
            self._create(parts, files.folder, files.form, entity)
            return
        select = self._lines(files) if files.form == "TEXTFILE" else self._typed(files)
        self._run(f"CREATE VIEW {format_trino_name(parts)} SECURITY INVOKER AS {select}")

    def _typed(self, files: _Files) -> str:
        """
        The query for one file of a folder.

        Raises:
            UnsupportedSql: Its times would be cut off: Trino reads below a view as the catalog says, whatever the session says.
        """
        columns = _columns(files.entity)
        if any("timestamp" in kind for _, kind in columns):
            name = format_literal(f"{self.schema[0]}.timestamp_precision")
            [[_, _, precision, *_]] = self._run(f"SHOW SESSION LIKE {name}")
            if precision == "MILLISECONDS":
                raise UnsupportedSql(
                    f"{files.entity.fqn} is one file of a folder, and its times would lose their microseconds.",
                    hint=f"Whoever runs Trino sets hive.timestamp-precision=MICROSECONDS in the catalog {self.schema[0]}.",
                )
        selected = ", ".join(quote(name) for name, _ in columns)
        return f"SELECT {selected} FROM {files.raw} WHERE {files.where}"

    def _found(self, parts: tuple[str, ...], entity: Entity) -> _Files:
        """
        The table over the container's files, made.
        """
        place, form, raw = self._place(entity), _form(entity), _raw(parts)
        for folder, only in _candidates(place):
            self._create(raw, folder, form, entity)
            files = _Files(entity, format_trino_name(raw), folder, form, only)
            if self._first_path(files) is not None:
                return files
            self._drop(raw)
        raise UnsupportedSql(
            f"Trino finds no rows of {entity.fqn} at {place}.",
            hint=f"Is that the place, and does the file system of the catalog {self.schema[0]} lead there? files.trino_places "
            "says how Trino calls a place.",
        )

    def _create(self, raw: tuple[str, ...], folder: str, form: str, entity: Entity) -> None:
        columns = [(LINE, "varchar")] if form == "TEXTFILE" else _columns(entity)
        defined = ", ".join(f"{quote(name)} {kind}" for name, kind in columns)
        self._run(
            f"CREATE TABLE IF NOT EXISTS {format_trino_name(raw)} ({defined}) "
            f"WITH (external_location = {format_literal(folder)}, format = '{form}')"
        )

    def _first_path(self, files: _Files) -> str | None:
        rows = self._run(f'SELECT "$path" FROM {files.raw} WHERE {files.where} LIMIT 1')
        return str(rows[0][0]) if rows else None

    def _lines(self, files: _Files) -> str:
        """
        The query for the rows of delimited text, whose separator the line of names gives away.
        """
        columns = _columns(files.entity)
        names = [name for name, _ in columns]
        formats = files.entity.files.formats if files.entity.files is not None else ()
        path = format_literal(self._first_path(files))
        for separator in ("\t",) if "tsv" in formats else SEPARATORS:
            asked = f'"$path" = {path} AND {names_columns(separator, names)}'
            if self._run(f"SELECT 1 FROM {files.raw} WHERE {asked} LIMIT 1"):
                complaint = f"A line of {files.entity.fqn} does not have its {len(names)} fields, or its quotes go on in the next one."
                return select_of_lines(
                    files.raw, columns, separator=separator, where=files.where, complaint=complaint
                )
        raise UnsupportedSql(
            f"{files.entity.fqn} has no line that names its columns {', '.join(names)} in that order.",
            hint="OpenMetadata lists other columns than the file has, or it is separated by something else than , ; | or a tab.",
        )

    def _reads_below(self) -> bool:
        """
        Whether the catalog reads folders below a folder: tried out once, on a table of our own.
        """
        if not self._tried:
            mark = f"{int(time.time()):08x}{secrets.token_hex(4)}"
            made = (*self.schema, f"folders_fusionfiles_{mark}_try")
            above = (*self.schema, f"folders_fusionfiles_{mark}_raw")
            try:
                self._tried.append(self._counts_below(made, above))
            except QueryFailed as error:
                raise UnsupportedSql(
                    f"Whether the catalog {self.schema[0]} reads folders below a folder could not be tried out: {error.message}",
                    hint=f"Trino needs a place for a table of one row in {'.'.join(self.schema)}; a schema that was made without a "
                    "location has one.",
                ) from error
            finally:
                self._drop(above)
                self._drop(made)
        return self._tried[0]

    def _counts_below(self, made: tuple[str, ...], above: tuple[str, ...]) -> bool:
        name = format_trino_name(made)
        self._run(
            f"CREATE TABLE {name} WITH (format = 'PARQUET', partitioned_by = ARRAY['k']) AS SELECT 1 AS v, 1 AS k"
        )
        [[path]] = self._run(f'SELECT "$path" FROM {name}')
        folder = format_literal(str(path).rpartition("/k=1/")[0])
        self._run(
            f"CREATE TABLE {format_trino_name(above)} (v integer) WITH (external_location = {folder}, format = 'PARQUET')"
        )
        return self._run(f"SELECT count(*) FROM {format_trino_name(above)}") == [[1]]

    def _place(self, entity: Entity) -> str:
        place = entity.files.place.rstrip("/") if entity.files is not None else ""
        for ours, theirs in self.places.items():
            start = ours.rstrip("/")
            if place == start or place.startswith(f"{start}/"):
                return theirs.rstrip("/") + place.removeprefix(start)
        if "://" not in place:
            raise UnsupportedSql(
                f"{entity.fqn} is at {place or 'a place that OpenMetadata does not tell'}, which names no file system of Trino's.",
                hint=f'[tool.fusion.files.trino_places] "{place or "…"}" = "…" says how Trino calls it: local:///…, s3://…',
            )
        return _S3.sub("s3://", place)

    def _unreadable(self, entity: Entity, error: QueryFailed) -> QueryFailed:
        place = self._place(entity)
        return QueryFailed(
            f"Trino cannot read {entity.fqn} at {place} as a table of {'.'.join(self.schema)}: {error.message}",
            hint=f"The catalog {self.schema[0]} needs that file system (fs.native-s3.enabled and others), keys for it, and leave to "
            "create tables; files.trino_places says how Trino calls a place.",
            error_name=error.error_name,
        )

    def _drop(self, parts: tuple[str, ...], *, is_view: bool = False) -> None:
        with suppress(FusionError):
            self._run(f"DROP {'VIEW' if is_view else 'TABLE'} IF EXISTS {format_trino_name(parts)}")

    def _sweep(self) -> None:
        """
        Drop what a killed process has left behind, a day later.
        """
        catalog, schema = self.schema
        names = self._run(
            f"SELECT table_name, table_type FROM {quote(catalog)}.information_schema.tables "
            f"WHERE table_schema = {format_literal(schema)} AND table_name LIKE '%\\_fusionfiles\\_%' ESCAPE '\\'"
        )
        for name, kind in names:
            found = _OURS.search(str(name))
            if found and time.time() - int(found[1], 16) > SWEEP_AGE_S:
                self._drop((*self.schema, str(name)), is_view=kind == "VIEW")

    def _run(self, sql: str) -> list[list[Any]]:
        return self.run(sql, self._properties)


def _raw(parts: tuple[str, ...]) -> tuple[str, ...]:
    return (*parts[:-1], f"{parts[-1]}_raw")


def _candidates(place: str) -> Iterator[tuple[str, str | None]]:
    """
    Folders in which the files of *place* may be, each with the one file of it that is meant.

    A name such as ``a.parquet`` is a file's as a rule, and a folder's where Spark has written it.
    """
    folder, _, last = place.rpartition("/")
    if _ENDING.search(last) and not folder.endswith("/"):
        is_root = re.fullmatch(r"[a-z0-9]+://[^/]*", folder)
        yield (f"{folder}/" if is_root else folder), place
    yield place, None


def _form(entity: Entity) -> str:
    """
    Hive's word for how the files are written.

    Raises:
        UnsupportedSql: It has none, or they are written in several ways.
    """
    files = entity.files
    formats = {name.lower() for name in files.formats} if files is not None else set()
    ending = _ENDING.search(files.place) if files is not None else None
    if not formats & _FORMATS.keys() and ending:
        formats |= {re.sub("jsonl|ndjson", "json", ending[1].lower())}
    found = {_FORMATS[name] for name in formats & _FORMATS.keys()}
    if len(found) != 1 or "zip" in formats or (files is not None and files.is_partitioned):
        what = (
            "partitioned"
            if files is not None and files.is_partitioned
            else ", ".join(sorted(formats))
        )
        raise UnsupportedSql(
            f"{entity.fqn} is {what or 'of a format that OpenMetadata does not tell'}, which Trino is not made to read by its name.",
            hint="Read are CSV, TSV, JSON (a line an object), Parquet and Avro, each alone and without partitions; others by a table of "
            "Trino's, whose catalog the settings name.",
        )
    return found.pop()


def _columns(entity: Entity) -> Sequence[tuple[str, str]]:
    """
    Names and types.

    Raises:
        UnsupportedSql: There are none, or the files cannot hold one.
    """
    if not entity.columns:
        raise UnsupportedSql(
            f"OpenMetadata lists no columns of {entity.fqn}.",
            hint="A container is read by the columns of its data model there.",
        )
    is_text = _form(entity) == "TEXTFILE"
    for column in entity.columns:
        kind = column.type or ""
        if not (is_readable(kind) if is_text else _HIVE_TYPE.fullmatch(kind)):
            raise UnsupportedSql(
                f"The column {column.name} of {entity.fqn} is {kind or 'of a type that is not known'}, which such files are not read as."
            )
    return [(column.name, column.type or "") for column in entity.columns]
