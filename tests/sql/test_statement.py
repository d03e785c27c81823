"""
Kinds of statements, and where a cell's statements end.
"""

from __future__ import annotations

import pytest

from fusion_magic.errors import InvalidSql
from fusion_magic.sql.statement import integer_value, parse_statement, split_statements


@pytest.mark.parametrize(
    ("sql", "kind", "is_query"),
    [
        ("SELECT 1", "SELECT", True),
        ("-- x\n( (SELECT 1) )", "SELECT", True),
        ("WITH a AS (SELECT 1) TABLE a", "SELECT", True),
        ("VALUES 1", "SELECT", True),
        ("create or replace table t as select 1", "CREATE TABLE AS", False),
        ("CREATE TABLE t (a int) COMMENT 'AS'", "CREATE TABLE", False),
        ("CREATE TABLE t (LIKE u)", "CREATE TABLE", False),
        ("CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW", False),
        ("INSERT INTO t SELECT 1", "INSERT", False),
        ("DELETE FROM t", "DELETE", False),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "MERGE", False),
        ("ALTER MATERIALIZED VIEW v RENAME TO w", "ALTER MATERIALIZED VIEW", False),
        ("DROP TABLE t", "DROP TABLE", False),
        ("DESC t", "DESCRIBE", True),
        ("SHOW CREATE TABLE t", "SHOW CREATE TABLE", True),
        ("SHOW STATS FOR t", "SHOW STATS", True),
        ("EXPLAIN DELETE FROM t", "EXPLAIN", True),
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN", True),
        ("EXPLAIN ANALYZE VERBOSE DELETE FROM t", "EXPLAIN", False),
        ("SET SESSION a = 1", "SET SESSION", False),
        ("EXECUTE IMMEDIATE 'SELECT 1'", "EXECUTE IMMEDIATE", False),
        ("CALL a.b.c()", "CALL", False),
        ("VACUUM t", "UNKNOWN", False),
    ],
)
def test_a_statement_is_of_a_kind(sql: str, kind: str, is_query: bool) -> None:
    statement = parse_statement(sql)

    assert (statement.kind, statement.is_query) == (kind, is_query)


@pytest.mark.parametrize(
    ("sql", "head"),
    [
        ("EXPLAIN (TYPE IO) MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "MERGE"),
        ("PREPARE p FROM UPDATE t SET a = 1", "UPDATE"),
        ("SELECT 1", "SELECT"),
    ],
)
def test_the_statement_proper_stands_behind_explain_and_prepare(sql: str, head: str) -> None:
    assert parse_statement(sql).head == head


def test_each_statement_knows_where_it_starts() -> None:
    cell = "SELECT 1;\n\n  SELECT 2; -- end"

    assert [(s.text, s.start) for s in split_statements(cell)] == [
        ("SELECT 1", 0),
        ("SELECT 2", 13),
    ]


def test_a_cell_of_comments_has_no_statement() -> None:
    assert split_statements("-- a\n;/* b */;") == ()
    with pytest.raises(InvalidSql):
        parse_statement("")


@pytest.mark.parametrize(
    ("token", "number"),
    [("0", 0), ("007", 7), ("1_0", 10), ("0X1f", 31), ("0o17", 15), ("0b1_1", 3), ("1__0", None), ("1.0", None), ("x", None), ("1e3", None), ("٣", None)],
)  # fmt: skip
def test_an_integer_is_read_as_trino_reads_it(token: str, number: int | None) -> None:
    assert integer_value(token) == number
