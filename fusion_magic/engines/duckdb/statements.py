"""
One statement of ours on a connection: names and texts as DuckDB quotes them, its errors as ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb

from fusion_magic.engines.duckdb.functions import ELSEWHERE
from fusion_magic.errors import QueryCanceled, QueryFailed, Span, UnsupportedSql
from fusion_magic.sql.edits import quote
from fusion_magic.sql.lexer import tokenize

_NOT_THESE_TYPES = re.compile(
    r"No function matches the given name and argument types '(\w+)\(|(UNNEST) requires a single list"
)
_NO_COLUMN = re.compile(
    r'(?:Referenced column|(?:Table|Values list) "[^"]+" does not have a column named) "([^"]+)"'
)
_NO_TABLE = re.compile(r"Table with name ([^!]+?) does not exist")
_NOT_THIS_PATTERN = re.compile(r"invalid perl operator: \S+|invalid escape sequence: \S+")


def run(
    cursor: duckdb.DuckDBPyConnection, sql: str, trino_sql: str = ""
) -> duckdb.DuckDBPyConnection:
    with translated_errors(trino_sql):
        return cursor.execute(sql)


@contextmanager
def translated_errors(trino_sql: str) -> Iterator[None]:
    """
    DuckDB's errors become ours, with their place in the user's SQL.
    """
    try:
        yield
    except duckdb.Error as exc:
        raise translate_error(exc, trino_sql) from exc


def translate_error(
    exc: duckdb.Error, trino_sql: str = ""
) -> QueryFailed | QueryCanceled | UnsupportedSql:
    if isinstance(exc, duckdb.InterruptException):
        return QueryCanceled("The query was canceled.")
    text = str(exc)
    if match := _NOT_THESE_TYPES.search(text):
        return UnsupportedSql(
            f"DuckDB has no {match[1] or match[2]} for values of these types.", hint=ELSEWHERE
        )
    if match := _NO_COLUMN.search(text):
        name = match[1].rpartition(".")[2]
        return QueryFailed(
            f"There is no column {name}.",
            span=_place(name, trino_sql),
            error_name="COLUMN_NOT_FOUND",
        )
    if match := _NO_TABLE.search(text):
        place = _place(match[1].rpartition(".")[2].strip('"'), trino_sql)
        place = place and _whole_name(place, trino_sql)
        name = trino_sql[place.start : place.end] if place else match[1]
        return QueryFailed(
            f"There is no table {name}.",
            hint="DuckDB has the tables that a cell has made, and those to which a catalog file gives a source; others are "
            "on Trino (engine.url).",
            span=place,
            error_name="TABLE_NOT_FOUND",
        )
    if match := _NOT_THIS_PATTERN.search(text):
        return UnsupportedSql(f"DuckDB has no such regular expression: {match[0]}.", hint=ELSEWHERE)
    return QueryFailed(message_of(exc), error_name=type(exc).__name__)


def _place(name: str, sql: str) -> Span | None:
    """
    Where the name stands in the user's SQL, strings and comments left aside.
    """
    tokens = tokenize(sql)
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        if sql[start:end].strip('"').lower() == name.lower():
            return Span(start, end)
    return None


def _whole_name(last: Span, sql: str) -> Span:
    """
    The dotted name whose last part stands at *last*: DuckDB tells no more than that part.
    """
    tokens = tokenize(sql)
    index = tokens.starts.index(last.start)
    while index > 1 and sql[tokens.starts[index - 1] : tokens.ends[index - 1]] == ".":
        index -= 2
    return Span(tokens.starts[index], last.end)


def message_of(exc: BaseException) -> str:
    """
    DuckDB's message without its own copy of the SQL, which is not the user's.
    """
    text = str(exc).partition("\nLINE ")[0].partition("\n\nLINE ")[0].strip()
    return re.sub(r"^(?:[A-Z]\w+ )+Error: ", "", text)


def name_of(parts: Sequence[str]) -> str:
    return ".".join(quote(part) for part in parts)


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def databases(cursor: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """
    The attached databases, in lower case: the catalogs of Trino names.
    """
    rows = cursor.execute("SELECT database_name FROM duckdb_databases()").fetchall()
    return frozenset(row[0].lower() for row in rows)
