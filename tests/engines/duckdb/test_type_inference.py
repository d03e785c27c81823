"""
What is known of an expression's kind, by Trino's rules for decimals.
"""

from __future__ import annotations

import pytest
import sqlglot

from fusion_magic.engines.duckdb.type_inference import (
    DATE,
    DECIMAL,
    DOUBLE,
    TEXT,
    WHOLE,
    ValueType,
    ValueTypes,
    value_type_of,
)

COLUMNS = {"n": WHOLE, "d2": ValueType(DECIMAL, 2), "d4": ValueType(DECIMAL, 4), "f": DOUBLE, "day": DATE, "t": TEXT}  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("1", WHOLE),
        ("1.50", ValueType(DECIMAL, 2)),
        ("1e0", DOUBLE),
        ("'a'", TEXT),
        ("n + 1", WHOLE),
        ("n / 2", WHOLE),
        ("d2 + d4", ValueType(DECIMAL, 4)),
        ("d2 * d4", ValueType(DECIMAL, 6)),
        ("d2 / d4", ValueType(DECIMAL, 4)),
        ("d2 * f", DOUBLE),
        ("n * d2", ValueType(DECIMAL, 2)),
        ("sum(d2)", ValueType(DECIMAL, 2)),
        ("avg(n)", DOUBLE),
        ("avg(d4)", ValueType(DECIMAL, 4)),
        ("count(t)", WHOLE),
        ("day + INTERVAL '1' DAY", DATE),
        ("coalesce(d2, 0)", ValueType(DECIMAL, 2)),
        ("CASE WHEN n > 1 THEN d2 ELSE NULL END", ValueType(DECIMAL, 2)),
        ("CAST(t AS decimal(10, 3))", ValueType(DECIMAL, 3)),
        ("CAST(n AS double)", DOUBLE),
        ("unknown", None),
        ("unknown + 1", None),
        ("f(n)", None),
    ],
)
def test_an_expression_has_a_kind(expression: str, kind: ValueType | None) -> None:
    tree = sqlglot.parse_one(f"SELECT {expression}", read="trino")

    assert ValueTypes(tree, COLUMNS.items()).of(tree.expressions[0]) == kind


def test_a_name_of_two_kinds_has_none() -> None:
    tree = sqlglot.parse_one("SELECT x FROM (SELECT 1 AS x UNION SELECT 1.5 AS x)", read="trino")

    assert ValueTypes(tree, ()).of(tree.expressions[0]) is None


def test_a_type_of_duckdbs_has_a_kind() -> None:
    assert value_type_of("DECIMAL(15,2)") == ValueType(DECIMAL, 2)
    assert value_type_of("BIGINT") == WHOLE
    assert value_type_of("BLOB") is None
