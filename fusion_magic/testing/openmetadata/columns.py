"""
Columns: what they may hold, their FQNs, and what survives when a table is put again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .answers import Json, bad_request, unrecognized
from .names import child_fqn
from .versions import Version, select

WORDS = (
    "name displayName dataType arrayDataType dataLength precision scale dataTypeDisplay description fullyQualifiedName "
    "tags constraint ordinalPosition jsonSchema children profile customMetrics extension>=1.12"
)
TYPES = (
    "NUMBER TINYINT SMALLINT INT BIGINT BYTEINT BYTES FLOAT DOUBLE DECIMAL NUMERIC TIMESTAMP TIMESTAMPZ TIME DATE DATETIME "
    "INTERVAL STRING MEDIUMTEXT TEXT CHAR LONG VARCHAR BOOLEAN BINARY VARBINARY ARRAY BLOB LONGBLOB MEDIUMBLOB MAP STRUCT "
    "UNION SET GEOGRAPHY ENUM JSON UUID VARIANT GEOMETRY BYTEA AGGREGATEFUNCTION ERROR FIXED RECORD NULL SUPER HLLSKETCH "
    "PG_LSN PG_SNAPSHOT TSQUERY TXID_SNAPSHOT XML MACADDR TSVECTOR UNKNOWN CIDR INET CLOB ROWID LOWCARDINALITY YEAR POINT "
    "POLYGON TUPLE SPATIAL TABLE NTEXT IMAGE IPV4 IPV6 DATETIMERANGE HLL LARGEINT QUANTILE_STATE AGG_STATE BITMAP UINT BIT "
    "MONEY MEASURE_HIDDEN>=1.7 MEASURE_VISIBLE>=1.7 MEASURE>=1.7 KPI>=1.7 HIERARCHY>=1.7 HIERARCHYID>=1.8 VECTOR>=1.10"
)
_NEED_LENGTH = frozenset({"CHAR", "VARCHAR", "BINARY", "VARBINARY"})

Merge = Callable[[Json, Json], None]


def check_columns(columns: Any, version: Version) -> list[Json]:
    """
    *columns* as they are stored, without their FQNs.

    Raises:
        Refusal: One is not as OpenMetadata has it (400).
    """
    if not isinstance(columns, list):
        raise bad_request("Cannot deserialize value of type `java.util.ArrayList`")
    found = [_check_column(column, version) for column in columns]
    names = [one["name"].lower() for one in found]
    for name in names:
        if names.count(name) > 1:
            raise bad_request(f"Column name {name} is repeated")
    return found


def _check_column(column: Json, version: Version) -> Json:
    known = select(WORDS, version)
    for name in column:
        if name not in known:
            raise unrecognized(name, "type.Column", known)
    for name in ("name", "dataType"):
        if column.get(name) is None:
            raise bad_request(f"[{name} must not be null]")
    kind = column["dataType"]
    if kind not in select(TYPES, version):
        raise bad_request(
            f"Cannot construct instance of `org.openmetadata.schema.type.ColumnDataType`, problem: {kind}"
        )
    _check_details(column, kind)
    kept = {key: value for key, value in column.items() if value is not None}
    kept.pop("fullyQualifiedName", None)
    if kind in {"STRUCT", "ARRAY", "MAP", "RECORD", "UNION"} and "children" in kept:
        kept["children"] = check_columns(kept["children"], version)
    return kept


def _check_details(column: Json, kind: str) -> None:
    if kind in _NEED_LENGTH and column.get("dataLength") is None:
        raise bad_request(
            "For column data types char, varchar, binary, varbinary dataLength must not be null"
        )
    if kind == "ARRAY" and column.get("arrayDataType") is None:
        raise bad_request("For column data type array, arrayDataType must not be null")
    if kind == "STRUCT" and not column.get("children"):
        raise bad_request("For column data type struct, children must not be null")


def present_columns(columns: Sequence[Json], parent: str, *, with_tags: bool) -> list[Json]:
    """
    Columns below *parent*, with their FQNs.
    """
    return [_present(column, parent, with_tags=with_tags) for column in columns]


def _present(column: Json, parent: str, *, with_tags: bool) -> Json:
    shown = dict(column)
    fqn = shown["fullyQualifiedName"] = child_fqn(parent, column["name"])
    if with_tags:
        shown.setdefault("tags", [])
    else:
        shown.pop("tags", None)
    if "children" in column:
        shown["children"] = present_columns(column["children"], fqn, with_tags=with_tags)
    return shown


def column_fqns(columns: Sequence[Json], parent: str) -> Iterator[str]:
    """
    The FQN of each column and of those inside it.
    """
    for column in columns:
        fqn = child_fqn(parent, column["name"])
        yield fqn
        yield from column_fqns(column.get("children", ()), fqn)


def is_same(one: Json, other: Json) -> bool:
    """
    Whether a column is the one that was there: its name in any case, and its type.
    """
    return bool(
        one["name"].lower() == other["name"].lower()
        and one["dataType"] == other["dataType"]
        and one.get("arrayDataType") == other.get("arrayDataType")
    )


def carry(before: Sequence[Json], after: Sequence[Json], merge: Merge) -> bool:
    """
    Let what people wrote to columns survive in *after*.

    Args:
        before: The columns that were there.

        after: Those that were put; changed in place.

        merge: Brings one old column's facts into the new one.

    Returns:
        Whether one of *before* is gone.
    """
    left = list(before)
    for column in after:
        old = next((one for one in left if is_same(one, column)), None)
        if old is not None:
            left.remove(old)
            merge(old, column)
            carry(old.get("children", ()), column.get("children", ()), merge)
    for gone in left:
        again = next((one for one in after if one["name"] == gone["name"]), None)
        if again is not None and gone.get("description"):
            again.setdefault("description", gone["description"])
    return bool(left)
