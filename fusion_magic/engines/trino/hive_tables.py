"""
Stored results as tables of a Hive catalog: created before a query that names them, dropped after it.

A result is a folder with one Parquet file, which a Hive connector reads as an external table. Each use creates a table of its
own, so that two jobs never drop each other's. The table's name ends in its creation time and a random number, by which a later
query finds those that a killed process has left behind.

A column whose type Hive lacks is refused by name: Hive would read it as something else.

Source: Trino, "Hive connector", https://trino.io/docs/476/connector/hive.html
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import EngineError, QueryFailed, UnsupportedSql
from fusion_magic.results.trino_types import type_text
from fusion_magic.sql.edits import format_trino_name, quote
from fusion_magic.sql.parameters import format_literal

if TYPE_CHECKING:
    import pyarrow as pa

    from fusion_magic.metadata import Entity

SWEEP_AGE_S = 24 * 3600.0
_OURS = re.compile(r"_fusion_([0-9a-f]{8})[0-9a-f]{8}")
_ENDED = "'FINISHED', 'FAILED'"
_PRECISIONS = {"us": "MICROSECONDS", "ns": "NANOSECONDS"}
_INTO = "Let the engine write it to a table with --into TABLE instead, which later SQL can name."


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTables:
    """
    The schema in which the tables are made.

    Attributes:
        schema: Its catalog and name.
        root: Where results are stored, as paths of results begin.
        trino_root: The same place as Trino's catalog names it.
        run: Runs a statement on Trino and gives its rows.
    """

    schema: tuple[str, str]
    root: str
    trino_root: str
    run: Callable[[str], list[list[Any]]]

    def new_name(self, result: str) -> tuple[str, str, str]:
        """
        A table that nobody else uses, for one use of *result*.
        """
        mark = f"{int(time.time()):08x}{secrets.token_hex(4)}"
        return (*self.schema, f"{result.lower()}_fusion_{mark}")

    def owns(self, parts: tuple[str, ...], entity: Entity) -> bool:
        """See ``TableKind.owns``."""
        return parts[:-1] == self.schema and bool(entity.source and _OURS.search(parts[-1]))

    def make(self, tables: Mapping[tuple[str, ...], Entity]) -> dict[str, str]:
        """
        Make *tables*, which may be there from an earlier attempt at the same job.

        Returns:
            Session properties without which their values would be rounded.

        Raises:
            UnsupportedSql: Hive has no type for a column.
            QueryFailed: Trino cannot make one.
            ResultsUnavailable: The result is gone.
        """
        if tables:
            with suppress(EngineError):
                self.sweep()
        properties: dict[str, str] = {}
        try:
            for parts, entity in tables.items():
                schema = _schema_of(entity)
                self._create(parts, entity, schema)
                properties |= self._precision(schema)
        except BaseException:
            self.drop(tables)
            raise
        return properties

    def drop(self, tables: Sequence[tuple[str, ...]] | Mapping[tuple[str, ...], Entity]) -> None:
        """
        Drop *tables*; the results stay. What cannot be dropped now is swept later.
        """
        for parts in tables:
            with suppress(EngineError):
                self.run(f"DROP TABLE IF EXISTS {format_trino_name(parts)}")

    def sweep(self) -> None:
        """
        Drop tables that a killed process has left behind: old ones that no running query names.
        """
        catalog, schema = self.schema
        names = self.run(
            f"SELECT table_name FROM {quote(catalog)}.information_schema.tables "
            f"WHERE table_schema = {format_literal(schema)} AND table_name LIKE '%\\_fusion\\_%' ESCAPE '\\'"
        )
        old = [str(row[0]) for row in names if _age_s(str(row[0])) > SWEEP_AGE_S]
        for name in old:
            if not self._is_in_use(name):
                self.drop([(*self.schema, name)])

    def _is_in_use(self, name: str) -> bool:
        # Its own query names it too, and is no use of it.
        return bool(
            self.run(
                f"SELECT 1 FROM system.runtime.queries WHERE state NOT IN ({_ENDED}) "
                f"AND strpos(query, {format_literal(name)}) > 0 "
                "AND strpos(query, 'system.runtime.queries') = 0"
            )
        )

    def _create(self, parts: tuple[str, ...], entity: Entity, schema: pa.Schema) -> None:
        columns = ", ".join(f"{quote(f.name)} {_hive_type(f, entity.fqn)}" for f in schema)
        place = format_literal(self._location(entity))
        try:
            self.run(
                f"CREATE TABLE IF NOT EXISTS {format_trino_name(parts)} ({columns}) "
                f"WITH (external_location = {place}, format = 'PARQUET')"
            )
        except QueryFailed as error:
            raise QueryFailed(
                f"Trino cannot read {entity.fqn} as a table of {'.'.join(self.schema)}: {error.message}",
                hint=_INTO,
                error_name=error.error_name,
            ) from error

    def _location(self, entity: Entity) -> str:
        folder = str(entity.source).rpartition("/")[0]
        if not folder.startswith(f"{self.root}/"):
            raise UnsupportedSql(
                f"{entity.fqn} is stored outside of results.url, where Trino cannot read it.",
                hint=_INTO,
            )
        return self.trino_root + folder.removeprefix(self.root)

    def _precision(self, schema: pa.Schema) -> dict[str, str]:
        import pyarrow as pa

        units = {f.type.unit for f in _leaves(schema) if pa.types.is_timestamp(f.type)}
        finest = next((unit for unit in ("ns", "us") if unit in units), None)
        catalog = self.schema[0]
        return {f"{catalog}.timestamp_precision": _PRECISIONS[finest]} if finest else {}


def _age_s(name: str) -> float:
    found = re.search(_OURS.pattern + "$", name)
    return time.time() - int(found[1], 16) if found else 0.0


def _schema_of(entity: Entity) -> pa.Schema:
    from fusion_magic.results.stored import StoredResult

    return StoredResult(str(entity.source)).schema


def _leaves(schema: pa.Schema) -> list[pa.Field]:
    import pyarrow as pa

    found, waiting = [], list(schema)
    while waiting:
        field = waiting.pop()
        inner = [field.type.field(place) for place in range(field.type.num_fields)]
        if pa.types.is_nested(field.type):
            waiting.extend(inner)
        else:
            found.append(field)
    return found


def _hive_type(field: pa.Field, fqn: str) -> str:
    """
    The column's type, which means what the result's own type means.

    Raises:
        UnsupportedSql: Hive has none.
    """
    kind = type_text(field.type)
    own = (field.metadata or {}).get(b"trino_type", b"").decode()
    if kind is None or (own and _plain(own) != _plain(kind)):
        raise UnsupportedSql(
            f"The column {field.name} of {fqn} is {own or field.type}, which Trino's Hive connector cannot read.",
            hint="Store it as another type, for example with CAST(… AS varchar); or "
            + _INTO[0].lower()
            + _INTO[1:],
        )
    length = re.fullmatch(r"char\((\d+)\)", own)
    return own if length and int(length[1]) <= 255 else kind


def _plain(text: str) -> str:
    """
    A type without what is the same in Arrow: lengths of texts and the precision of times, and blanks.
    """
    text = re.sub(r"\b(?:var)?char\(\d+\)|\bchar\b", "varchar", text)
    text = re.sub(r"\btimestamp\(\d+\)", "timestamp", text)
    return re.sub(r"[ \"]", "", text).lower()
