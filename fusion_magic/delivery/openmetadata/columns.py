"""
Columns between Trino and OpenMetadata: types in its words, and which of its columns a name means.

    decimal(15,2)                   DECIMAL, precision 15, scale 2
    varchar(25), varchar            VARCHAR of length 25; STRING, since its VARCHAR wants a length
    array(row(a bigint, b date))    ARRAY of STRUCT with the children a and b

Every type keeps its text in Trino as ``dataTypeDisplay``. One that OpenMetadata lacks is UNKNOWN there. Pure.

Source: OpenMetadata's ``ColumnDataType`` of 1.5 to 2.0; Trino 476, "Data types".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_magic.metadata import Column
from fusion_magic.openmetadata.messages import TableColumn
from fusion_magic.sql.fqn import format_fqn

UNKNOWN = "UNKNOWN"
LONGEST_NAME = 256
_PLAIN = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "integer": "INT",
    "int": "INT",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double": "DOUBLE",
    "decimal": "DECIMAL",
    "number": "NUMBER",
    "varchar": "STRING",
    "char": "CHAR",
    "varbinary": "BYTES",
    "json": "JSON",
    "date": "DATE",
    "time": "TIME",
    "time with time zone": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPZ",
    "interval day to second": "INTERVAL",
    "interval year to month": "INTERVAL",
    "uuid": "UUID",
    "ipaddress": "INET",
    "geometry": "GEOMETRY",
    "sphericalgeography": "GEOGRAPHY",
    "hyperloglog": "HLL",
    "map": "MAP",
}
# What OpenMetadata stores of names that it does not take; its own client reads them back so.
_RESERVED = {
    "::": "__reserved__colon__",
    ">": "__reserved__arrow__",
    '"': "__reserved__quote__",
    "\n": "__reserved__newline__",
    "\r": "__reserved__carriage_return__",
    "\t": "__reserved__tab__",
}
_TYPE = re.compile(r"(?P<word>\w+)\s*(?:\((?P<arguments>.*)\))?(?P<rest>[\w\s]*)", re.DOTALL)
_FIELD = re.compile(r'(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>\w+))\s+(?P<type>.+)', re.DOTALL)


def stored_name(name: str) -> str:
    """
    *name* as OpenMetadata can store it.

    >>> stored_name('5" disks')
    '5__reserved__quote__ disks'
    """
    for text, word in _RESERVED.items():
        name = name.replace(text, word)
    return name


def real_name(stored: str) -> str:
    """
    What ``stored_name`` was given.
    """
    for text, word in _RESERVED.items():
        stored = stored.replace(word, text)
    return stored


def column_messages(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """
    Columns as the message that makes a table has them.
    """
    return [_column(column.name, column.type or "") for column in columns]


def _column(name: str, text: str) -> dict[str, Any]:
    """
    One column, whose type is written as Trino writes it.

    >>> _column("price", "decimal(15,2)")
    {'name': 'price', 'dataType': 'DECIMAL', 'precision': 15, 'scale': 2, 'dataTypeDisplay': 'decimal(15,2)'}
    """
    # What Trino calls nothing, and what is longer than a name may be, is no name there either.
    found = {"name": stored_name(name)[:LONGEST_NAME], **_type(text)}
    return found | {"dataTypeDisplay": text} if text else found


def _type(text: str) -> dict[str, Any]:
    match = _TYPE.fullmatch(text.strip())
    if match is None:
        return {"dataType": UNKNOWN}
    arguments = _split(match["arguments"] or "")
    word = " ".join(f"{match['word']} {match['rest']}".lower().split())
    if word == "row":
        return {"dataType": "STRUCT", "children": _fields(arguments)}
    if word == "array" and arguments:
        return _array(arguments[0])
    return _sized(word, [int(number) for number in arguments if number.isdecimal()])


def _sized(word: str, numbers: Sequence[int]) -> dict[str, Any]:
    if word in {"varchar", "char"} and numbers:
        return {"dataType": word.upper(), "dataLength": numbers[0]}
    if word == "decimal" and len(numbers) == 2:
        return {"dataType": "DECIMAL", "precision": numbers[0], "scale": numbers[1]}
    one = {"dataLength": 1} if word == "char" else {}
    return {"dataType": _PLAIN.get(word, UNKNOWN), **one}


def _array(element: str) -> dict[str, Any]:
    inner = _type(element)
    found = {"dataType": "ARRAY", "arrayDataType": inner["dataType"]}
    return found | {"children": inner["children"]} if "children" in inner else found


def _fields(arguments: Sequence[str]) -> list[dict[str, Any]]:
    return [_column(*_field(text, number)) for number, text in enumerate(arguments)]


def _field(text: str, number: int) -> tuple[str, str]:
    """
    Name and type of a row's field, which may have no name.
    """
    match = _FIELD.fullmatch(text)
    if match is None or _type(text)["dataType"] != UNKNOWN:
        return f"field{number}", text
    name = match["plain"] or match["quoted"].replace('""', '"')
    return name, match["type"]


def _split(arguments: str) -> list[str]:
    """
    A type's arguments, at the commas that stand in no bracket and no quotes.

    >>> _split('a bigint, "b,c" map(varchar, date)')
    ['a bigint', '"b,c" map(varchar, date)']
    """
    parts, depth, is_quoted, start = [], 0, False, 0
    for place, sign in enumerate(arguments):
        if sign == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += {"(": 1, ")": -1}.get(sign, 0)
            if sign == "," and depth == 0:
                parts.append(arguments[start:place].strip())
                start = place + 1
    last = arguments[start:].strip()
    return [*parts, last] if last else parts


@dataclass(frozen=True, slots=True)
class KnownColumns:
    """
    The columns of an asset as OpenMetadata has them.

    Attributes:
        fqns: All of them, fields of structs too.
    """

    fqns: frozenset[str]
    _exact: dict[str, str]
    _folded: dict[str, list[str]]

    def find(self, name: str) -> str | None:
        """
        The FQN of a column that SQL calls *name*, or None: SQL ignores case, OpenMetadata does not.
        """
        if name in self._exact:
            return self._exact[name]
        found = self._folded.get(name.lower(), [])
        return found[0] if len(found) == 1 else None


def known_columns(asset_fqn: str, columns: Sequence[TableColumn]) -> KnownColumns:
    """
    The columns of the asset with that FQN.
    """
    exact: dict[str, str] = {}
    folded: dict[str, list[str]] = {}
    # Those on top come first: one of them may be called like a field, ``a.b``.
    pairs = sorted(_walk(asset_fqn, columns, ()), key=lambda pair: len(pair[0]))
    for path, fqn in pairs:
        name = ".".join(map(real_name, path))
        if name not in exact:
            exact[name] = fqn
            folded.setdefault(name.lower(), []).append(fqn)
    return KnownColumns(frozenset(fqn for _, fqn in pairs), exact, folded)


def _walk(
    parent: str, columns: Sequence[TableColumn], above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for column in columns:
        fqn = column.fully_qualified_name or f"{parent}.{format_fqn([column.name])}"
        path = (*above, column.name)
        yield path, fqn
        yield from _walk(fqn, column.children or (), path)
