"""
Trino's types and JSON values as Arrow. Every field's metadata names its type in Trino's words.

    decimal(p, s)                      decimal128
    timestamp(p), p up to 6, 9, 12     microseconds, nanoseconds, text
    timestamp(p) with time zone        an instant in UTC; p over 6 as text
    time(p), p up to 6, over 6         microseconds, text
    time with time zone, intervals, uuid, ipaddress, json, char, and whatever else Trino prints       text
    varbinary, hyperloglog and other sketches                                                         bytes
    array, map, row                    list, map, struct
    unknown                            null
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fusion_magic.errors import QueryFailed

_INTEGERS = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
}
_BYTES = frozenset({"varbinary", "hyperloglog", "p4hyperloglog", "qdigest", "tdigest", "setdigest"})
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
MICROSECONDS, NANOSECONDS = 6, 9


def schema_of(columns: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """
    The Arrow schema of a result with these columns, as a page lists them.
    """
    return pa.schema(
        [
            pa.field(
                column["name"],
                arrow_type(column["typeSignature"]),
                metadata={"trino_type": column["type"]},
            )
            for column in columns
        ]
    )


def arrow_type(signature: Mapping[str, Any]) -> pa.DataType:
    """
    The Arrow type for one of Trino's type signatures.
    """
    raw = signature["rawType"].lower()
    if raw in _INTEGERS:
        return _INTEGERS[raw]
    if raw == "decimal":
        return pa.decimal128(*_numbers(signature))
    if raw in {"array", "map", "row"}:
        return _nested_type(raw, signature)
    plain = {
        "boolean": pa.bool_(),
        "real": pa.float32(),
        "double": pa.float64(),
        "date": pa.date32(),
        "unknown": pa.null(),
    }
    if raw in plain:
        return plain[raw]
    if raw in _BYTES:
        return pa.binary()
    return _time_type(raw, (_numbers(signature) or [3])[0])


def _time_type(raw: str, precision: int) -> pa.DataType:
    if raw == "timestamp" and precision <= NANOSECONDS:
        return pa.timestamp("us" if precision <= MICROSECONDS else "ns")
    if raw == "timestamp with time zone" and precision <= MICROSECONDS:
        return pa.timestamp("us", tz="UTC")
    if raw == "time" and precision <= MICROSECONDS:
        return pa.time64("us")
    return pa.string()


def _nested_type(raw: str, signature: Mapping[str, Any]) -> pa.DataType:
    arguments = [argument["value"] for argument in signature["arguments"]]
    if raw == "array":
        return pa.list_(arrow_type(arguments[0]))
    if raw == "map":
        return pa.map_(arrow_type(arguments[0]), arrow_type(arguments[1]))
    return pa.struct(
        [
            pa.field(_field_name(argument, place), arrow_type(argument["typeSignature"]))
            for place, argument in enumerate(arguments)
        ]
    )


def _field_name(argument: Mapping[str, Any], place: int) -> str:
    name = argument.get("fieldName")
    return str(name["name"]) if name else f"field{place}"


def _numbers(signature: Mapping[str, Any]) -> list[int]:
    return [a["value"] for a in signature.get("arguments", ()) if a["kind"] == "LONG"]


def decode_rows(
    columns: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[Any]], schema: pa.Schema
) -> pa.RecordBatch:
    """
    One page's rows as a record batch.

    Raises:
        QueryFailed: A value that Arrow's type does not hold, like a date after the year 9999.
    """
    arrays = []
    for column, field, values in zip(columns, schema, zip(*rows, strict=True), strict=True):
        try:
            arrays.append(decode_column(column["typeSignature"], field.type, list(values)))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError) as exc:
            raise QueryFailed(
                f"A value of the column {column['name']} ({column['type']}) does not fit Arrow's {field.type}.",
                hint=f"Give it as text: CAST({column['name']} AS varchar).",
            ) from exc
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def decode_column(signature: Mapping[str, Any], kind: pa.DataType, values: list[Any]) -> pa.Array:
    """
    JSON's values of one column as an array of *kind*.
    """
    if pa.types.is_floating(kind):
        try:
            return pa.array(values, kind)
        except pa.ArrowInvalid:
            return pa.array([_SPECIAL.get(v, v) if isinstance(v, str) else v for v in values], kind)
    if pa.types.is_binary(kind):
        return pa.array([None if v is None else base64.b64decode(v) for v in values], kind)
    if pa.types.is_time(kind):
        return pa.array([None if v is None else dt.time.fromisoformat(v) for v in values], kind)
    if pa.types.is_decimal(kind) or pa.types.is_date(kind):
        return pa.array(values, pa.string()).cast(kind)
    if pa.types.is_timestamp(kind):
        text = pa.array(values, pa.string())
        return text.cast(kind) if kind.tz is None else _instants(text, kind)
    if pa.types.is_nested(kind):
        convert = _converter(signature, kind)
        return pa.array([convert(value) for value in values], kind)
    return pa.array(values, kind)


def _instants(text: pa.Array, kind: pa.TimestampType) -> pa.Array:
    """
    Local times with a zone each as instants; one pass for each zone that occurs.
    """
    split = pc.split_pattern(text, " ", max_splits=1, reverse=True)
    local, zones = pc.list_element(split, 0), pc.list_element(split, 1)
    naive = local.cast(pa.timestamp("us"))
    result = pa.nulls(len(text), kind)
    for zone in pc.unique(zones).drop_null().to_pylist():
        here = pc.equal(zones, zone)
        only = pc.if_else(here, naive, pa.scalar(None, pa.timestamp("us")))
        aware = pc.assume_timezone(only, zone, ambiguous="earliest", nonexistent="earliest")
        result = pc.if_else(here, aware.cast(kind), result)
    return result


def _converter(signature: Mapping[str, Any], kind: pa.DataType) -> Callable[[Any], Any]:
    """
    JSON value to the Python value that Arrow takes for *kind*; None stays None.
    """
    convert = (
        _nested_converter(signature, kind) if pa.types.is_nested(kind) else _leaf(signature, kind)
    )
    return lambda value: None if value is None else convert(value)


def _nested_converter(signature: Mapping[str, Any], kind: pa.DataType) -> Callable[[Any], Any]:
    arguments = [argument["value"] for argument in signature["arguments"]]
    if pa.types.is_list(kind):
        inner = _converter(arguments[0], kind.value_type)
        return lambda value: [inner(item) for item in value]
    if pa.types.is_map(kind):
        key = _converter(arguments[0], kind.key_type)
        item = _converter(arguments[1], kind.item_type)
        return lambda value: [(key(k), item(v)) for k, v in value.items()]
    fields = [
        (kind.field(place).name, _converter(argument["typeSignature"], kind.field(place).type))
        for place, argument in enumerate(arguments)
    ]
    return lambda value: [
        (name, inner(part)) for (name, inner), part in zip(fields, value, strict=True)
    ]


def _leaf(signature: Mapping[str, Any], kind: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_integer(kind):
        return int
    if pa.types.is_boolean(kind):
        return lambda value: value if isinstance(value, bool) else value == "true"
    if pa.types.is_floating(kind):
        return lambda value: float(_SPECIAL.get(value, value))
    if pa.types.is_string(kind) or pa.types.is_null(kind):
        return lambda value: value
    return lambda value: decode_column(signature, kind, [value])[0].as_py()
