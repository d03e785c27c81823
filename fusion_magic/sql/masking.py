"""
SQL as it may be told to others: with its literals, or with ``?`` in their places, or not at all.

    SELECT name FROM t WHERE ssn = '078-05-1120'     full
    SELECT name FROM t WHERE ssn = ?                 masked
                                                     none

A literal is a string or a number, whatever it means: a limit and a type's length are numbers, too. Comments and names stay as they
are. Pure.
"""

from __future__ import annotations

from fusion_magic.errors import InvalidSql
from fusion_magic.sql.lexer import NUMBER, STRING, tokenize


def disclosed(sql: str, how: str) -> str | None:
    """
    What may be told of *sql*, or None for nothing.

    Args:
        how: ``full``, ``masked`` or ``none``. A text that our lexer does not read is not told where it had to be masked.
    """
    if how == "full":
        return sql
    if how != "masked":
        return None
    try:
        return mask_literals(sql)
    except InvalidSql:
        return None


def mask_literals(sql: str) -> str:
    """
    *sql* with ``?`` for each literal, all else byte for byte, but for a blank between ``?`` and ``|``, which would be one token.

    >>> mask_literals("SELECT DATE '2026-01-31', a.b || 'x' FROM t -- 1")
    'SELECT DATE ?, a.b || ? FROM t -- 1'

    Raises:
        InvalidSql: A string, a quoted name, a comment or a bracket is not closed.
    """
    tokens = tokenize(sql)
    parts, position = [], 0
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        if is_literal(kind, sql[start]):
            parts += [sql[position:start], "? " if sql.startswith("|", end) else "?"]
            position = end
    return "".join((*parts, sql[position:]))


def is_literal(kind: str, first: str) -> bool:
    """
    Whether a token of that kind and first character is one; no name begins with a digit, so that ``5e3`` behind a dot is none.
    """
    return kind in {STRING, NUMBER} or first.isdigit()
