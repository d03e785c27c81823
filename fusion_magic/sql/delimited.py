"""
Lines of delimited text (CSV, TSV) as rows of typed columns, in Trino's SQL.

Trino's own reader of CSV takes a backslash for a sign of its own, and a line that ends within quotes for a whole one. Here each
line is taken apart by a pattern instead, and a line that does not have its columns fails the query, so that no row is ever half of one:

    1,"a, b"      1    a, b
    2,            2    NULL

An empty field is NULL, as in DuckDB. The line that names the columns is no row, in whichever file it stands.

Pure. Source: RFC 4180, without its line ends within quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fusion_magic.sql.edits import quote
from fusion_magic.sql.parameters import format_literal

LINE = "line"  # the one column of a table of lines
SEPARATORS = (",", ";", "\t", "|")
_MARK = "\ufeff"  # with which some programs begin a file in UTF-8
_CAST = re.compile(
    r"boolean|tinyint|smallint|integer|bigint|real|double|date|uuid|decimal\(\d+,\s*\d+\)"
)
_TIME = re.compile(r"timestamp\(\d+\)")


def is_readable(kind: str) -> bool:
    """
    Whether a field of a line can be of that type.
    """
    return kind == "varchar" or bool(_CAST.fullmatch(kind) or _TIME.fullmatch(kind))


def names_columns(separator: str, names: Sequence[str]) -> str:
    """
    The condition that a line gives these names.
    """
    return f"{_fields(separator)} = {_array(names)}"


def select_of_lines(
    table: str,
    columns: Sequence[tuple[str, str]],
    *,
    separator: str,
    where: str,
    complaint: str,
) -> str:
    """
    The query for the rows in a table of lines.

    Args:
        table: Its Trino name, as SQL writes it.

        columns: Names, as the files give them, and types in the order of the fields.

        where: Which of its lines, a condition.

        complaint: What a query fails with where a line has other fields.
    """
    names = [name for name, _ in columns]
    selected = ", ".join(
        f"{_value(number, kind)} AS {quote(name)}"
        for number, (name, kind) in enumerate(columns, start=1)
    )
    complains = f"CAST(fail({format_literal(complaint)}) AS boolean)"
    # Behind UNNEST each line is taken apart once, however often its fields are asked for; and for count(*), too.
    return (
        f"SELECT {selected} FROM {table} CROSS JOIN UNNEST(ARRAY[{_fields(separator)}]) AS taken (fields) "
        f"WHERE {LINE} <> '' AND {where} "
        f"AND IF(cardinality(fields) = {len(columns)}, fields <> {_array(names)}, {complains})"
    )


def _fields(separator: str) -> str:
    """
    The fields of a line, unquoted; NULL where it is none.
    """
    text, mark = _clean(), re.escape(separator)
    whole = f"{format_literal(separator)} || {text}"
    pattern = format_literal(f'{mark}(?:"[^"]*(?:""[^"]*)*"|[^"{mark}]*)')
    parts = f"regexp_extract_all({whole}, {pattern})"
    inner = "replace(substr(f, 3, length(f) - 3), '\"\"', '\"')"
    fields = f"transform({parts}, f -> IF(substr(f, 2, 1) = '\"', {inner}, substr(f, 2)))"
    # What no field takes is left out of the parts: text behind a quote's end, or a quote without one.
    quoted = f"IF(array_join({parts}, '') = {whole}, {fields})"
    return f"IF(strpos({LINE}, '\"') = 0, split({text}, {format_literal(separator)}), {quoted})"


def _clean() -> str:
    mark = format_literal(_MARK)
    return f"IF(starts_with({LINE}, {mark}), substr({LINE}, 2), {LINE})"


def _array(names: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(f'CAST({format_literal(name)} AS varchar)' for name in names)}]"


def _value(number: int, kind: str) -> str:
    text = f"NULLIF(fields[{number}], '')"
    if kind == "varchar":
        return text
    if _TIME.fullmatch(kind):
        return f"CAST(replace({text}, 'T', ' ') AS {kind})"
    return f"CAST({text} AS {kind})"
