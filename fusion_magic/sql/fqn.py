"""
OpenMetadata fully qualified names: text to parts, and back.

A fully qualified name (FQN) lists the names from the service down to the asset, joined by
dots. A part that itself contains a dot or a quote is quoted, and a quote inside it is doubled:

    trino_prod.sales.public.orders            4 parts: a table
    s3_lake."raw.events".2024                 3 parts: a container
    s3_lake."5"" disks"                       2 parts, the last one: 5" disks

Pure: no I/O, no SQL. ``sql.references`` finds FQNs inside a statement, ``metadata`` looks them up,
``sql.translation`` replaces them.

Source: OpenMetadata's FQN grammar, ``Fqn.g4``, as the parser generated from it in
openmetadata-ingestion 2.0.7 behaves; ``tests/sql/test_fqn.py`` compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fusion_magic.errors import InvalidFqn, Span

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_NEEDS_QUOTES = re.compile(r'[".]')


@dataclass(frozen=True, slots=True)
class Fqn:
    """
    A fully qualified name; ``str`` gives its text, quoted as OpenMetadata quotes it.
    """

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return format_fqn(self.parts)


def parse_fqn(text: str) -> Fqn:
    """
    The parts of an FQN.

    >>> parse_fqn('s3_lake."raw.events".2024').parts
    ('s3_lake', 'raw.events', '2024')

    Raises:
        InvalidFqn: An empty part, an open quote, or text beside a quoted part; the span is in *text*.
    """
    parts = []
    position = 0
    while True:
        match = _PART.match(text, position)
        if match is None:
            raise _invalid(text, position)
        parts.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        position = match.end()
        if position == len(text):
            return Fqn(tuple(parts))
        if text[position] != ".":
            raise _invalid(text, position)
        position += 1


def format_fqn(parts: Iterable[str]) -> str:
    """
    The text of an FQN with these parts.

    >>> format_fqn(["s3_lake", '5" disks'])
    's3_lake."5"" disks"'
    """
    return ".".join(
        '"' + part.replace('"', '""') + '"' if _NEEDS_QUOTES.search(part) else part
        for part in parts
    )


def _invalid(text: str, position: int) -> InvalidFqn:
    if position >= len(text) or text[position] == ".":
        what = "a part is empty"
    elif text.startswith('""', position):
        what = "a quoted part is empty"
    elif text[position] == '"' and position and text[position - 1] != ".":
        what = "a quote stands inside a part"
    elif text[position] == '"':
        what = "a quote is not closed"
    else:
        what = f"{text[position]!r} stands beside a quoted part"
    error = InvalidFqn(
        f"{text!r} is no fully qualified name: {what} at character {position + 1}.",
        hint='Parts are joined by dots; a part with a dot or a quote is quoted: s3."raw.events".clicks',
        span=Span(position, min(position + 1, len(text))),
    )
    error.sql = text or None
    return error
