"""
What sqlglot cannot read of Trino's SQL, put in other words that have the same column lineage.

    JSON_TABLE(doc, 'lax $' COLUMNS (a int))        LATERAL (SELECT ROW(doc) AS "a")
    GRACE PERIOD INTERVAL '1' DAY                   nothing
    TABLESAMPLE BERNOULLI (10)                      nothing
    WITH FUNCTION …, WITH SESSION …                 nothing
    PATTERN (A B{2,3}?) SUBSET …                    PATTERN (A)
    lake.folder.2024                                lake.folder."2024"
    1_000                                           1

The text is for the parser alone; no engine sees it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fusion_magic.errors import Span
from fusion_magic.sql.edits import Edit, quote
from fusion_magic.sql.lexer import NUMBER, SYMBOL, WORD, unquote
from fusion_magic.sql.references import find_query_behind_with
from fusion_magic.sql.statement import Statement

_PLAIN_NUMBER = re.compile(r"[0-9.]+(?:[eE][+-]?[0-9]+)?")


_is_quiet: ContextVar[bool] = ContextVar("fusion_sqlglot_is_quiet", default=False)


class _WhileQuiet(logging.Filter):
    """
    Keeps back what sqlglot logs while this thread's own calls run.
    """

    def filter(self, _record: logging.LogRecord) -> bool:
        return not _is_quiet.get()


logging.getLogger("sqlglot").addFilter(_WhileQuiet())


@contextmanager
def without_warnings() -> Iterator[None]:
    """
    Let sqlglot log nothing in this thread: its warnings are for its own users, and what matters is raised here.
    """
    token = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(token)


def readable_edits(statement: Statement) -> tuple[Edit, ...]:
    """
    What must change in the statement's text so that sqlglot can read it.
    """
    tokens = statement.tokens
    edits = []
    index = 0
    while index < len(tokens):
        edit, index = _edit_at(statement, index)
        if edit is not None:
            edits.append(edit)
    return tuple(edits)


def _edit_at(statement: Statement, index: int) -> tuple[Edit | None, int]:
    """
    The edit of what starts at the token *index*, or None, and where to go on.
    """
    tokens = statement.tokens
    words, kinds = tokens.words, tokens.kinds
    word = words[index] if kinds[index] == WORD else ""
    following = words[index + 1 : index + 3]
    if word and word[0].isdigit():
        span = tokens.span(index, index)
        return Edit(span, quote(statement.text[span.start : span.end])), index + 1
    if word == "JSON_TABLE" and following[:1] == ["("]:
        last = tokens.closing[index + 1]
        return Edit(tokens.span(index, last), _json_table(statement, index + 1)), last + 1
    if word == "MATCH_RECOGNIZE" and following[:1] == ["("]:
        return _pattern_edit(statement, index + 1), index + 1
    if kinds[index] == NUMBER and not _PLAIN_NUMBER.fullmatch(words[index]):
        return Edit(tokens.span(index, index), "1"), index + 1
    last = index
    if word == "TABLESAMPLE" and following[1:] == ["("]:
        last = tokens.closing[index + 2]
    elif word == "GRACE" and following == ["PERIOD", "INTERVAL"]:
        last = min(index + 4, len(tokens) - 1)
    elif word == "WITH" and following[:1] in (["FUNCTION"], ["SESSION"]):
        last = find_query_behind_with(statement, index) - 1
    else:
        return None, index + 1
    return Edit(tokens.span(index, last), ""), last + 1


def _pattern_edit(statement: Statement, opening: int) -> Edit | None:
    closing = statement.tokens.closing[opening]
    pattern = _find(statement, opening + 1, closing, "PATTERN")
    define = _find(statement, pattern, closing, "DEFINE")
    if define == closing:
        return None
    return Edit(statement.tokens.span(pattern, define - 1), "PATTERN (A)")


def _json_table(statement: Statement, opening: int) -> str:
    """
    A query that computes each column of a JSON_TABLE from the document and what is passed to its path.
    """
    closing = statement.tokens.closing[opening]
    comma = _find(statement, opening + 1, closing, ",")
    values = [_text(statement, opening + 1, comma - 1)]
    columns = _find(statement, comma + 1, closing, "COLUMNS")
    start = _find(statement, comma + 1, columns, "PASSING") + 1
    while start < columns:
        end = min(_find(statement, start, columns, ","), columns)
        values.append(_text(statement, start, _find(statement, start, end, "AS") - 1))
        start = end + 1
    row = f"ROW({', '.join(values)})"
    items = [
        f"{'NULL' if is_ordinality else row} AS {quote(name)}"
        for name, is_ordinality in _json_columns(statement, columns + 1)
    ]
    return f"LATERAL (SELECT {', '.join(items)})"


def _json_columns(statement: Statement, opening: int) -> Iterator[tuple[str, bool]]:
    """
    Name of each column, nested ones in their place, and whether it only counts the rows.
    """
    tokens = statement.tokens
    index = opening + 1
    closing = tokens.closing[opening] if opening < len(tokens) else 0
    while index < closing:
        end = _find(statement, index, closing, ",")
        nested = _find(statement, index, end, "COLUMNS")
        if tokens.words[index] == "NESTED" and nested < end:
            yield from _json_columns(statement, nested + 1)
        else:
            name = statement.text[tokens.starts[index] : tokens.ends[index]]
            is_quoted = name.startswith('"')
            is_ordinality = tokens.words[index + 1 : index + 3] == ["FOR", "ORDINALITY"]
            yield (unquote(name) if is_quoted else name.lower()), is_ordinality
        index = end + 1


def _find(statement: Statement, start: int, end: int, word: str) -> int:
    """
    The first token *word* from *start*, outside of brackets; *end* where there is none.
    """
    tokens = statement.tokens
    index = start
    while index < end:
        if tokens.words[index] == word and tokens.kinds[index] in {WORD, SYMBOL}:
            return index
        index = max(tokens.closing[index], index) + 1
    return end


def _text(statement: Statement, first: int, last: int) -> str:
    if last < first:
        return "NULL"
    span: Span = statement.tokens.span(first, last)
    return statement.text[span.start : span.end]
