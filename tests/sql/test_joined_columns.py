"""
Which columns of two tables a statement joins.
"""

from __future__ import annotations

import pytest

from fusion_magic.sql import extract_lineage

SCHEMA = {"o": {"id": "bigint", "c": "bigint"}, "p": {"id": "bigint", "name": "varchar"}}
ID = [("o", "id", "p", "id")]


@pytest.mark.parametrize(
    ("sql", "joins"),
    [
        ("SELECT 1 FROM o JOIN p ON p.id = o.id", ID),
        ("SELECT 1 FROM o AS x, p AS y WHERE x.id = y.id AND (x.c = 1 AND y.id = x.c)", [("o", "c", "p", "id"), *ID]),
        ("SELECT 1 FROM o LEFT JOIN p USING (id)", ID),
        ("SELECT 1 FROM o NATURAL JOIN p", ID),
        ("SELECT 1 FROM a.b.o JOIN a.b.p ON a.b.o.id = a.b.p.id", [("a.b.o", "id", "a.b.p", "id")]),
        ("WITH q AS (SELECT id AS k FROM o) SELECT 1 FROM q JOIN p ON k = p.id", ID),
        ("SELECT 1 FROM (SELECT id FROM o) q JOIN (SELECT id FROM p) r ON q.id = r.id", ID),
        ("SELECT 1 FROM o JOIN (p JOIN q ON p.id = q.id) ON o.id = p.id", [*ID, ("p", "id", "q", "id")]),
        ("INSERT INTO t SELECT o.id FROM o JOIN p ON o.id = p.id", ID),
        ("CREATE TABLE t AS SELECT o.id FROM o JOIN p ON o.id = p.id", ID),
        ("MERGE INTO o USING p ON o.id = p.id WHEN MATCHED THEN UPDATE SET c = p.id", ID),
        ("SELECT 1 FROM o JOIN p ON o.id = p.id OR o.c = p.id", []),
        ("SELECT 1 FROM o JOIN p ON o.id > p.id", []),
        ("SELECT 1 FROM o JOIN p ON o.id = p.id + 1", []),
        ("SELECT 1 FROM o JOIN o AS x ON o.id = x.c", []),
        ("SELECT 1 FROM o CROSS JOIN p WHERE o.id = 7", []),
        ("SELECT (SELECT max(id) FROM p) FROM o", []),
        ("SELECT 1 FROM q JOIN r ON strange = stranger", []),
    ],
)  # fmt: skip
def test_columns_that_are_held_equal_are_joined(sql: str, joins: list[tuple[str, ...]]) -> None:
    assert [tuple(one) for one in extract_lineage(sql, schema=SCHEMA).joins] == joins


def test_a_condition_that_is_not_understood_costs_no_lineage() -> None:
    found = extract_lineage("INSERT INTO t SELECT q.a FROM q JOIN r ON strange = stranger")

    assert found.incomplete == ()
    assert len(found.columns) == 1
