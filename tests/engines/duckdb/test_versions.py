"""
What DuckDB's versions do differently is the same here; both lanes of ``make lanes`` run this.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from fusion_magic.engines.duckdb.engine import DuckDBEngine
from tests.both_engines import answer

NAN = "NaN"  # as plain rows tell it


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine("duckdb://")
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sqrt(-1)", NAN),
        ("sqrt(4)", 2.0),
        ("sqrt(NULL)", None),
        ("ln(0)", -math.inf),
        ("ln(-1)", NAN),
        ("log10(0)", -math.inf),
        ("log10(1000)", 3.0),
        ("log2(-2)", NAN),
        ("log(2, 8)", 3.0),
        ("log(2, 0)", -math.inf),
        ("log(2, -1)", NAN),
        ("log(1, 2)", math.inf),
        ("log(1, 1)", NAN),
        ("log(1, -1)", NAN),
        ("log(0, 2)", -0.0),
        ("log(2, NULL)", None),
        ("acos(2)", NAN),
        ("asin(-2)", NAN),
        ("asin(NULL)", None),
        ("sin(infinity())", NAN),
        ("cos(-infinity())", NAN),
        ("tan(infinity())", NAN),
        ("sin(nan())", NAN),
    ],
)
def test_numbers_outside_of_a_functions_range_are_as_in_trino(
    engine: DuckDBEngine, expression: str, expected: float | str | None
) -> None:
    [[found]] = answer(engine, f"SELECT {expression} AS v", {}).rows

    assert repr(found) == repr(expected)
