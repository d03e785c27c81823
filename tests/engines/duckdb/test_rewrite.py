"""
Trino's SQL in DuckDB's words, or a refusal that names what DuckDB cannot do. What each function means there is in
``tests/engines``; here is what the text becomes.
"""

from __future__ import annotations

import pytest

from fusion_magic.engines.duckdb.rewrite import to_duckdb
from fusion_magic.errors import InvalidSql, UnsupportedSql


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM c.s.t LIMIT 3", "SELECT a FROM c.s.t LIMIT 3"),
        ("SELECT U&'a\\0000b'", "SELECT ('a' || CHR(0) || 'b')"),
        ("SELECT U&'\\0041'", "SELECT 'A'"),
        ("SELECT 'it''s'", "SELECT 'it''s'"),
    ],
)
def test_a_statement_becomes_duckdbs(sql: str, expected: str) -> None:
    assert expected.lower().split(" as ")[0] in to_duckdb(sql).lower()


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT * FROM t ORDER BY 1 FETCH FIRST 1 ROW WITH TIES", "TIES"),
        ("SELECT no_such_function(1)", "no_such_function"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1 AS x", "materialized views"),
        ("CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 AS x", "materialized views"),
        ("DROP MATERIALIZED VIEW IF EXISTS v", "materialized views"),
    ],
)
def test_what_duckdb_cannot_do_is_refused_by_name(sql: str, names: str) -> None:
    with pytest.raises(UnsupportedSql, match=names):
        to_duckdb(sql)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises((InvalidSql, UnsupportedSql)):
        to_duckdb("SELECT FROM WHERE (")
