"""
A limit from outside. What a query's own clauses set is in the translation's fixtures.
"""

from __future__ import annotations

import pytest

from fusion_magic.errors import InvalidArgument
from fusion_magic.sql.edits import apply_edits
from fusion_magic.sql.limit_offset import find_paging, limit_to
from fusion_magic.sql.statement import parse_statement


@pytest.mark.parametrize(
    ("sql", "rows", "expected"),
    [
        ("TABLE t", 5, "TABLE t\nLIMIT 5"),
        ("TABLE t -- all", 5, "TABLE t\nLIMIT 5 -- all"),
        ("TABLE t LIMIT 3", 5, "TABLE t LIMIT 3"),
        ("TABLE t LIMIT 9", 5, "TABLE t LIMIT 5"),
        ("TABLE t LIMIT 1_000", 5, "TABLE t LIMIT 5"),
        ("TABLE t LIMIT ALL", 5, "TABLE t LIMIT 5"),
        ("TABLE t OFFSET 2", 5, "TABLE t OFFSET 2\nLIMIT 5"),
        ("TABLE t OFFSET ?", 5, "TABLE t OFFSET ?\nLIMIT 5"),
        ("TABLE t OFFSET 2 FETCH FIRST 9 ROWS ONLY", 5, "TABLE t OFFSET 2 LIMIT 5"),
        ("TABLE t LIMIT 2, 9", 5, "TABLE t OFFSET 2 LIMIT 5"),
        ("TABLE t LIMIT 9 OFFSET 2", 5, "TABLE t OFFSET 2 LIMIT 5"),
        ("(TABLE t LIMIT 9)", 5, "(TABLE t LIMIT 9)\nLIMIT 5"),
        ("TABLE t", 0, "TABLE t\nLIMIT 0"),
    ],
)
def test_a_limit_from_outside(sql: str, rows: int, expected: str) -> None:
    statement = parse_statement(sql)
    paging = limit_to(statement, find_paging(statement), rows)

    assert apply_edits(sql, paging.edits) == expected
    assert paging.limit == (3 if "LIMIT 3" in sql else rows)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("TABLE t LIMIT ?", 5),
        ("TABLE t ORDER BY 1 FETCH FIRST 9 ROWS WITH TIES", 5),
        ("INSERT INTO t TABLE u", 5),
        ("SHOW TABLES", 5),
        ("TABLE t", -1),
    ],
)
def test_a_limit_that_cannot_be_given_is_refused(sql: str, rows: int) -> None:
    statement = parse_statement(sql)

    with pytest.raises(InvalidArgument):
        limit_to(statement, find_paging(statement), rows)
