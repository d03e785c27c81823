"""
Where a statement names tables, and which scope each place is in.

One pass over the tokens with a stack of frames, one frame a query or a bracket; no recursion, so that
depth costs memory and nothing else. What is no table is left out: CTEs where they are visible, table
functions, UNNEST, LATERAL, JSON_TABLE, and FROM as a part of ``extract``, ``trim`` or IS DISTINCT FROM.

Source: Trino 476, ``SqlBase.g4``: ``statement``, ``query``, ``relation``.
"""

from __future__ import annotations

from fusion_magic.errors import Span
from fusion_magic.sql.references.columns import make_references
from fusion_magic.sql.references.model import Reference, Role
from fusion_magic.sql.references.queries import QueryScan
from fusion_magic.sql.references.tokens import TokenScan
from fusion_magic.sql.statement import VIEW_MAKERS, Statement

__all__ = [
    "Reference",
    "Role",
    "find_long_names",
    "find_query_behind_with",
    "find_references",
    "find_use",
    "find_written_query",
]

TRINO_PARTS = 3
_HOLDING_QUERIES = VIEW_MAKERS | {"CREATE TABLE AS", "INSERT"}


def find_references(statement: Statement) -> tuple[Reference, ...]:
    """
    Every table that *statement* names, in the order of the text.

    Raises:
        UnsupportedSql: EXECUTE IMMEDIATE, whose statement stands in a string.
    """
    scan = QueryScan(statement)
    scan.run()
    return make_references(scan)


def find_use(statement: Statement) -> tuple[str, ...] | None:
    """
    The parts of the name that a USE statement sets; None for another statement.
    """
    if statement.kind != "USE":
        return None
    scan = TokenScan(statement)
    name = scan.name_at(1)
    return scan.texts(name) if name is not None else None


def find_written_query(statement: Statement) -> Span | None:
    """
    Where the query stands whose rows CREATE TABLE AS and INSERT write, or that a view is made of; None in another statement.
    """
    if statement.kind not in _HOLDING_QUERIES:
        return None
    words = statement.tokens.words
    last = len(words) - 1
    for tail in (["WITH", "NO", "DATA"], ["WITH", "DATA"]):
        if words[-len(tail) :] == tail:
            last -= len(tail)
    return statement.tokens.span(QueryScan(statement).query_start()[0], last)


def find_long_names(statement: Statement) -> tuple[Span, ...]:
    """
    Every dotted name of more than three parts, wherever it stands.
    """
    scan = TokenScan(statement)
    found = []
    index = 0
    while index < len(statement.tokens):
        name = scan.name_at(index)
        if name is None:
            index += 1
            continue
        if len(name.parts) > TRINO_PARTS:
            found.append(statement.tokens.span(name.parts[0], name.parts[-1]))
        index = name.after
    return tuple(found)


def find_query_behind_with(statement: Statement, index: int) -> int:
    """
    The token at which the query starts behind the inline functions or session properties of WITH at *index*.
    """
    return TokenScan(statement).behind_functions(index + 1)
