"""
What the parser cannot read is put in other words, and nothing else is touched.
"""

from __future__ import annotations

import logging
import threading

import pytest

from fusion_magic.sql.edits import apply_edits
from fusion_magic.sql.sqlglot_compat import readable_edits, without_warnings
from fusion_magic.sql.statement import parse_statement


def readable(sql: str) -> str:
    return apply_edits(sql, readable_edits(parse_statement(sql)))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "SELECT * FROM JSON_TABLE(d, 'lax $' COLUMNS (a int, \"B\" FOR ORDINALITY)) j",
            'SELECT * FROM LATERAL (SELECT ROW(d) AS "a", NULL AS "B") j',
        ),
        (
            "SELECT * FROM JSON_TABLE(f(d, 1), '$' PASSING x AS y, z AS w COLUMNS (NESTED '$' COLUMNS (A int)))",
            'SELECT * FROM LATERAL (SELECT ROW(f(d, 1), x, z) AS "a")',
        ),
        ("SELECT 1 FROM t TABLESAMPLE BERNOULLI (1 + 2) x", "SELECT 1 FROM t  x"),
        ("WITH SESSION a.b = 1 SELECT 2", " SELECT 2"),
        ("WITH FUNCTION f() RETURNS int RETURN 1 WITH q AS (SELECT 1) SELECT 2", " WITH q AS (SELECT 1) SELECT 2"),
        ("SELECT * FROM a.2024.b", 'SELECT * FROM a."2024".b'),
        ("SELECT 1_000, 0xFF, 1.5, 1e5, .5", "SELECT 1, 1, 1.5, 1e5, .5"),
        (
            "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A B{2,3}?) SUBSET u = (A, B) DEFINE B AS true)",
            "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE B AS true)",
        ),
        ("SELECT json_table, tablesample, grace FROM t", "SELECT json_table, tablesample, grace FROM t"),
    ],
)  # fmt: skip
def test_other_words_stand_for(sql: str, expected: str) -> None:
    assert readable(sql) == expected


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM JSON_TABLE()", "SELECT * FROM JSON_TABLE(a)", "WITH FUNCTION", "GRACE PERIOD INTERVAL", "MATCH_RECOGNIZE ()"],
)  # fmt: skip
def test_what_is_cut_off_does_not_break(sql: str) -> None:
    readable(sql)


def test_two_threads_that_overlap_leave_the_parsers_log_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    The first begins, the second begins, the first ends, the second ends: a level that each puts back would stay changed.
    """
    logger = logging.getLogger("sqlglot")
    before = logger.level
    first_began, second_began, first_ended = (threading.Event() for _ in range(3))

    def first() -> None:
        with without_warnings():
            first_began.set()
            second_began.wait(10)
            logger.warning("kept back, of the first")
        first_ended.set()

    def second() -> None:
        first_began.wait(10)
        with without_warnings():
            second_began.set()
            first_ended.wait(10)
            logger.warning("kept back, of the second")

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    second_began.wait(10)
    logger.warning("another user's own warning")
    for thread in threads:
        thread.join()

    assert logger.level == before
    assert logger.isEnabledFor(logging.WARNING)
    assert caplog.messages == ["another user's own warning"]
