"""
Types of Arrow in Trino's words: what the columns of stored results are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fusion_magic.metadata import Column
from fusion_magic.sql.edits import quote

if TYPE_CHECKING:
    import pyarrow as pa

_PLAIN = {
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float": "real",
    "double": "double",
    "date32[day]": "date",
    "string": "varchar",
    "binary": "varbinary",
    "timestamp[us]": "timestamp",
    "timestamp[ns]": "timestamp",
}


def columns_of(schema: pa.Schema) -> tuple[Column, ...]:
    """
    The columns of a stored result; each has the type that its engine called it, else the one that Arrow's is in Trino.
    """
    return tuple(Column(field.name, _own_type(field) or type_text(field.type)) for field in schema)


def _own_type(field: pa.Field) -> str:
    return str((field.metadata or {}).get(b"trino_type", b"").decode())


def type_text(kind: pa.DataType) -> str | None:
    """
    The type in Trino's words, or None for one that is none of Hive's.
    """
    import pyarrow as pa

    if pa.types.is_decimal128(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_list(kind):
        return _composed("array", [type_text(kind.value_type)])
    if pa.types.is_map(kind):
        return _composed("map", [type_text(kind.key_type), type_text(kind.item_type)])
    if pa.types.is_struct(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        texts = [(field.name, type_text(field.type)) for field in fields]
        return _composed("row", [text and f"{quote(name)} {text}" for name, text in texts])
    return _PLAIN.get(str(kind))


def _composed(word: str, parts: Sequence[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return f"{word}({', '.join(known)})" if len(known) == len(parts) else None
