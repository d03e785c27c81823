"""
What is told of SQL to others: no literal, and everything else as it was.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_magic.errors import InvalidSql
from fusion_magic.sql.lexer import SYMBOL, tokenize
from fusion_magic.sql.masking import disclosed, is_literal, mask_literals
from tests.corpora import tpcds_queries, tpch_queries

CORPUS = (*tpch_queries().values(), *tpcds_queries().values())
PIECES = st.sampled_from(
    [
        *("SELECT", "a", '"q ""1"" d"', "t.c", "(", ")", ",", "||", "|", "?", "?|", "=", "-", "."),
        *("'it''s'", "U&'\\0041'", "x'0A'", "1", "1.5e3", ".5", "0xFF", "1_000", "-- 'c' 7\n", " "),
    ]
)


def check(sql: str) -> None:
    """
    The same tokens, but for literals, which are all ``?``.
    """
    before, after = tokenize(sql), tokenize(mask_literals(sql))
    wanted = [
        (SYMBOL, "?") if is_literal(kind, word[0]) else (kind, word)
        for kind, word in zip(before.kinds, before.words, strict=True)
    ]
    assert list(zip(after.kinds, after.words, strict=True)) == wanted


@pytest.mark.parametrize("sql", CORPUS)
def test_no_literal_of_a_query_survives_and_all_else_does(sql: str) -> None:
    check(sql)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_literal_of_any_text_survives(sql: str) -> None:
    try:
        tokenize(sql)
    except InvalidSql:
        assert disclosed(sql, "masked") is None
        return
    check(sql)


@pytest.mark.parametrize(
    ("sql", "masked"),
    [
        ("SELECT 'a''b', 1.5e-3, X'ff'", "SELECT ?, ?, ?"),
        ("SELECT\t'x'||'y'\r\n", "SELECT\t? ||?\r\n"),
        ('SELECT t1.c2, "it\'s" FROM t1', 'SELECT t1.c2, "it\'s" FROM t1'),
        ("LIMIT 10 -- of 'ten'", "LIMIT ? -- of 'ten'"),
        ("", ""),
    ],
)
def test_what_stands_in_the_place_of_a_literal(sql: str, masked: str) -> None:
    assert mask_literals(sql) == masked


def test_what_is_told_is_what_the_setting_says() -> None:
    sql = "SELECT 'secret'"

    assert [disclosed(sql, how) for how in ("full", "masked", "none")] == [sql, "SELECT ?", None]


def test_a_text_that_cannot_be_masked_is_not_told() -> None:
    assert disclosed("SELECT 'secret", "masked") is None
    assert disclosed("SELECT 'secret", "full") == "SELECT 'secret"
