"""
Names in table position: their parts, roles, aliases and columns. What becomes of them is in the translation's fixtures.
"""

from __future__ import annotations

import pytest

from fusion_magic.errors import InvalidSql
from fusion_magic.sql.references import (
    find_long_names,
    find_references,
    find_use,
    find_written_query,
)
from fusion_magic.sql.statement import parse_statement


def roles(sql: str) -> list[tuple[str, str]]:
    return [(".".join(r.parts), r.role) for r in find_references(parse_statement(sql))]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO a.b SELECT * FROM c.d", [("a.b", "target"), ("c.d", "source")]),
        ("CREATE TABLE a AS TABLE b", [("a", "target"), ("b", "source")]),
        ("CREATE TABLE a (LIKE b)", [("a", "other"), ("b", "other")]),
        ("CREATE VIEW a AS SELECT 1", [("a", "target")]),
        ("UPDATE a SET b = (SELECT 1 FROM c)", [("a", "target"), ("c", "source")]),
        ("DELETE FROM a WHERE b IN (TABLE c)", [("a", "other"), ("c", "source")]),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE", [("a", "target"), ("b", "source")]),
        ("ALTER TABLE a RENAME TO b", [("a", "other"), ("b", "other")]),
        ("REFRESH MATERIALIZED VIEW a", [("a", "other")]),
        ("EXPLAIN INSERT INTO a SELECT 1", [("a", "target")]),
        ("SELECT * FROM f(a), UNNEST(b), TABLE(g(TABLE(c)))", [("c", "source")]),
        ("SET SESSION a.b = 1", []),
    ],
)  # fmt: skip
def test_a_name_has_a_role(sql: str, expected: list[tuple[str, str]]) -> None:
    assert roles(sql) == expected


def test_parts_are_unquoted_and_remember_their_quotes() -> None:
    [reference] = find_references(parse_statement('SELECT 1 FROM a."B.c"."d""e"'))

    assert reference.parts == ("a", "B.c", 'd"e')
    assert reference.quoted == (False, True, True)
    assert reference.place == (14, 28)


def test_use_and_long_names_are_found() -> None:
    assert find_use(parse_statement('USE a."b.c".d')) == ("a", "b.c", "d")
    assert find_use(parse_statement("SELECT 1")) is None
    assert len(find_long_names(parse_statement("FOO a.b.c.d, a.b.c, 'a.b.c.d', x.y.z.v.w"))) == 2


@pytest.mark.parametrize(
    "name", ["my-service.a.b.c", "a.b.c.t$partitions", "a.b/c.d.e", '"x".my-b.c.d']
)
def test_a_name_that_needs_quotes_says_so(name: str) -> None:
    with pytest.raises(InvalidSql) as caught:
        find_references(parse_statement(f"SELECT * FROM {name} WHERE a = 1"))

    assert name in caught.value.message
    assert caught.value.hint is not None
    roles(caught.value.hint.replace("Write ", "SELECT * FROM "))


@pytest.mark.parametrize("sql", ["SELECT 1 FROM a - b", "SELECT a.b-c FROM d"])
def test_a_minus_elsewhere_is_no_part_of_a_name(sql: str) -> None:
    assert len(roles(sql)) == 1


def test_a_column_among_many_tables_is_found_at_once() -> None:
    """
    Looking at every table for every column would take minutes here.
    """
    count = 4000
    tables = ", ".join(f"s.d.c.t{i}" for i in range(count))
    columns = ", ".join(f"s.d.c.t{i}.a" for i in range(count))
    references = find_references(parse_statement(f"SELECT {columns} FROM {tables}"))

    assert all(len(r.column_spans) == 1 for r in references)


@pytest.mark.parametrize(
    ("sql", "query"),
    [
        ("CREATE TABLE a.b AS SELECT 1", "SELECT 1"),
        ("CREATE OR REPLACE TABLE a (x, y) WITH (f = 'AS') AS (SELECT 1, 2)", "(SELECT 1, 2)"),
        ("CREATE TABLE IF NOT EXISTS a COMMENT 'AS' AS WITH q AS (TABLE t) TABLE q WITH NO DATA", "WITH q AS (TABLE t) TABLE q"),
        ("CREATE TABLE a AS TABLE t WITH DATA", "TABLE t"),
        ("INSERT INTO a.b.c (x, y) SELECT 1, 2", "SELECT 1, 2"),
        ("INSERT INTO a (SELECT 1)", "(SELECT 1)"),
        ("INSERT INTO a VALUES (1), (2)", "VALUES (1), (2)"),
        ("CREATE TABLE a (x bigint)", None),
        ("CREATE OR REPLACE VIEW a COMMENT 'AS' SECURITY INVOKER AS SELECT 1", "SELECT 1"),
        ("SELECT 1", None),
        ("DELETE FROM a", None),
        ("EXPLAIN CREATE TABLE a AS SELECT 1", None),
    ],
)  # fmt: skip
def test_the_query_whose_rows_are_written(sql: str, query: str | None) -> None:
    span = find_written_query(parse_statement(sql))

    assert (sql[span.start : span.end] if span is not None else None) == query
