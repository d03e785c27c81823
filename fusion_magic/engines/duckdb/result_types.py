"""
DuckDB's types and rows as Trino has them: each type by Trino's name, a sum of integers as bigint, intervals as texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fusion_magic.errors import QueryFailed

if TYPE_CHECKING:
    import pyarrow as pa

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


def trino_schema(schema: pa.Schema, types: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    arrows = {"HUGEINT": pa.int64(), "INTERVAL": pa.string()}
    fields = []
    for field, kind in zip(schema, types, strict=True):
        arrow = arrows.get(kind, field.type)
        if pa.types.is_timestamp(arrow) and arrow.tz is not None:
            arrow = pa.timestamp(arrow.unit, "UTC")
        fields.append(pa.field(field.name, arrow, metadata={"trino_type": trino_type(kind)}))
    return pa.schema(fields)


def as_trino(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
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
