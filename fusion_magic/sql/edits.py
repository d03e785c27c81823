"""
The user's text with its names replaced, and nothing else.

Edits are places in the text with what stands there afterwards; everything between them is kept byte
for byte: comments, hints, white space, and any syntax that a parser would print differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fusion_magic.errors import Span
from fusion_magic.sql.keywords import RESERVED
from fusion_magic.sql.references import Reference

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Edit:
    """
    One replacement: *text* in the place of *span*; an empty span inserts.
    """

    span: Span
    text: str


def format_trino_name(parts: Sequence[str]) -> str:
    """
    A Trino name, its parts quoted exactly where Trino's grammar needs it.

    >>> format_trino_name(["lake", "raw events", "order"])
    'lake."raw events"."order"'
    """
    return ".".join(_quoted_where_needed(part) for part in parts)


def _quoted_where_needed(part: str) -> str:
    if _PLAIN.fullmatch(part) and part.upper() not in RESERVED:
        return part
    return quote(part)


def quote(part: str) -> str:
    """
    *part* as a quoted identifier.
    """
    return '"' + part.replace('"', '""') + '"'


def name_edits(
    references: Sequence[Reference], names: Sequence[tuple[str, ...] | None]
) -> tuple[Edit, ...]:
    """
    What must change so that each reference stands for its Trino name.

    Args:
        references: The references of one statement.

        names: For each, the unquoted parts of its Trino name; None leaves it as written.

    Returns:
        Edits in no particular order: the names themselves; an alias behind a name whose last part
        changes, where the user gave none; and the table's part of columns qualified by the name.
    """
    edits: list[Edit] = []
    for reference, name in zip(references, names, strict=True):
        if name is None:
            continue
        text = format_trino_name(name)
        edits.append(Edit(reference.span, text))
        written = reference.parts[-1]
        if reference.alias is not None:
            text = reference.alias
        elif reference.alias_at is not None and name[-1].lower() != written.lower():
            edits.append(
                Edit(Span(reference.alias_at, reference.alias_at), f" AS {quote(written)}")
            )
            text = quote(written)
        edits.extend(Edit(span, text) for span in reference.column_spans)
    return tuple(edits)


def mark_edits(text: str) -> tuple[Edit, ...]:
    """
    A byte order mark before the statement is taken out: some editors write one, and Trino reads none.
    """
    return (Edit(Span(0, 1), ""),) if text.startswith("\ufeff") else ()


def without_overlaps(edits: Iterable[Edit], others: Sequence[Edit]) -> tuple[Edit, ...]:
    """
    Those of *edits* that none of *others* covers.
    """
    return tuple(
        edit
        for edit in edits
        if not any(o.span.start <= edit.span.start and edit.span.end <= o.span.end for o in others)
    )


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """
    *text* with every edit made; edits do not overlap.
    """
    pieces = []
    position = 0
    for edit in sorted(edits, key=lambda e: e.span):
        pieces += [text[position : edit.span.start], edit.text]
        position = edit.span.end
    pieces.append(text[position:])
    return "".join(pieces)


def shift_span(edits: Iterable[Edit], span: Span) -> Span:
    """
    Where *span* of the edited text stands in the text before the edits.

    A place inside a replacement is the whole of what was replaced.
    """
    shift = 0
    for edit in sorted(edits, key=lambda e: e.span):
        start = edit.span.start + shift
        end = start + len(edit.text)
        if span.start < start:
            break
        if span.start < end:
            return edit.span
        shift += len(edit.text) - (edit.span.end - edit.span.start)
    return span.shifted(-shift)
