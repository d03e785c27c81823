"""
The table of decisions: what each piece of Trino's SQL gives on DuckDB, compared with Trino itself.

A line of ``tests/fixtures/sql/duckdb/decisions.txt`` is an outcome and a statement, in which T is a table of four rows:

    same        the same rows, names and types
    type        the same rows; a type differs in its precision, or is a wider one
    double      decimals that were divided: the same numbers as double
    different   another result; the line above says why that is left
    refused     refused by name on DuckDB before it runs
    error       an error on DuckDB where Trino has a result
    wrong       an error on both
    more        a result on DuckDB where Trino has an error
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from fusion_magic import Fusion
from fusion_magic.errors import FusionError, UnsupportedSql
from tests.both_engines import plain

FILE = Path(__file__).parents[2] / "fixtures" / "sql" / "duckdb" / "decisions.txt"
ROWS = (
    "(VALUES (1, 'a', DECIMAL '1.10', 1.5e0), (2, NULL, DECIMAL '2.25', 2.5e0), "
    "(3, 'a', DECIMAL '3.00', NULL), (4, 'b', NULL, 4e0))"
)
TABLE = (
    "t4 AS (SELECT CAST(v1 AS integer) AS i, v2 AS s, CAST(v3 AS decimal(3, 2)) AS d, CAST(v4 AS double) AS f "
    f"FROM {ROWS} AS v(v1, v2, v3, v4))"
)


def decisions() -> Iterator[tuple[str, str]]:
    """
    Outcome and statement of each line.
    """
    for line in FILE.read_text().splitlines():
        if line and not line.startswith("--"):
            outcome, _, statement = line.partition(" | ")
            yield outcome.strip(), statement


def with_table(statement: str) -> str:
    """
    *statement* with T as a CTE.
    """
    text = re.sub(r"\bT\b", "t4", statement)
    if "t4" not in text:
        return text
    for start in ("WITH RECURSIVE ", "WITH "):
        if text.startswith(start):
            return f"{start}{TABLE}, {text.removeprefix(start)}"
    return f"WITH {TABLE} {text}"


def outcome_of(statement: str, trino: Fusion, duckdb: Fusion) -> str:
    """
    Run *statement* on both and say how they compare.
    """
    sql = with_table(statement)
    there, here = _answer(trino, sql), _answer(duckdb, sql)
    if isinstance(here, UnsupportedSql):
        return "refused"
    if isinstance(there, FusionError):
        return "wrong" if isinstance(here, FusionError) else "more"
    if isinstance(here, FusionError):
        return "error"
    if (there[0], there[2]) != (here[0], here[2]):
        return "double" if _as_doubles(there[0]) == _as_doubles(here[0]) else "different"
    return "same" if there[1] == here[1] else "type"


def _answer(fusion: Fusion, sql: str) -> Any:
    try:
        result = fusion.run(sql)
    except FusionError as error:
        return error
    rows = [plain(row) for row in result.rows()]
    rows = rows if "ORDER BY" in sql else sorted(rows, key=repr)
    return rows, [_type(kind) for kind in result.types], result.columns


def _type(text: str) -> str:
    return re.sub(r"(var)?char\(\d+\)", "varchar", text).replace(" ", "")


def _as_doubles(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return [_as_doubles(inner) for inner in value] if isinstance(value, list) else value
