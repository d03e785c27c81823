"""
Quotients of decimals on DuckDB, against Python's decimals: exact, with the larger scale, halves away from zero.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fusion_magic.engines.duckdb.decimals import HALVED, exact_mean, exact_quotient

EXACT = Context(prec=200)
A_COLUMN = "CAST(? AS DECIMAL(38, {}))"


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as connection:
        connection.execute("SET ieee_floating_point_ops = true")
        connection.execute(HALVED)
        yield connection


def quotient(connection: Any, a: Decimal, b: Decimal, *, scales: tuple[int, int]) -> Decimal | None:
    text = exact_quotient(sqlglot.column("a"), sqlglot.column("b"), scales).sql(dialect="duckdb")
    types = [A_COLUMN.format(scale) for scale in scales]
    query = f"SELECT {text} FROM (SELECT {types[0]} AS a, {types[1]} AS b)"
    [(value,)] = connection.execute(query, [str(a), str(b)]).fetchall()
    return value  # type: ignore[no-any-return]


def expected(a: Decimal, b: Decimal, scale: int) -> Decimal:
    unit = Decimal(1).scaleb(-scale)
    return EXACT.divide(a, b).quantize(unit, rounding=ROUND_HALF_UP, context=EXACT)


def decimals(digits: int) -> st.SearchStrategy[tuple[Decimal, int]]:
    """
    Numbers of at most so many digits, and their scales.
    """
    whole = st.integers(-(10**digits) + 1, 10**digits - 1) | st.integers(-99, 99)
    return st.tuples(whole, st.integers(0, 8)).map(lambda x: (Decimal(x[0]).scaleb(-x[1]), x[1]))


@given(a=decimals(18), b=decimals(18))
@settings(max_examples=2000)
def test_any_quotient(connection: Any, a: tuple[Decimal, int], b: tuple[Decimal, int]) -> None:
    (dividend, above), (divisor, below) = a, b
    assume(divisor != 0)
    found = quotient(connection, dividend, divisor, scales=(above, below))
    assert found == expected(dividend, divisor, max(above, below))


@pytest.mark.parametrize(
    ("a", "b", "scales", "value"),
    [
        ("1", "8", (2, 0), "0.13"),
        ("-1", "8", (2, 0), "-0.13"),
        ("1", "-8", (2, 0), "-0.13"),
        ("1.00", "3.0000", (2, 4), "0.3333"),
        ("9999999999999.99", "0.01", (2, 2), "999999999999999.00"),
        ("99999999999999999999.99", "3", (2, 0), "33333333333333333333.33"),
        ("0.000000000000000001", "2", (18, 0), "0.000000000000000001"),
        ("12345678901234567890.5", "0.5", (1, 1), "24691357802469135781.0"),
    ],
)
def test_halves_and_large_numbers(
    connection: Any, a: str, b: str, scales: tuple[int, int], value: str
) -> None:
    assert quotient(connection, Decimal(a), Decimal(b), scales=scales) == Decimal(value)


def test_division_by_zero_is_an_error(connection: Any) -> None:
    with pytest.raises(duckdb.Error, match="Division by zero"):
        quotient(connection, Decimal(1), Decimal(0), scales=(2, 2))


def test_a_mean_of_nothing_is_null(connection: Any) -> None:
    total, number = sqlglot.parse_one("sum(a)"), sqlglot.parse_one("count(a)")
    text = exact_mean(total, number, 2).sql(dialect="duckdb")
    rows = connection.execute(
        f"SELECT {text} FROM (VALUES (1, 0.10), (1, 0.15), (2, NULL)) AS t (g, a) GROUP BY g ORDER BY g"
    )
    assert rows.fetchall() == [(Decimal("0.13"),), (None,)]


def test_a_division_in_each_row_has_a_form_for_64_bits_and_one_of_sums_has_not() -> None:
    row, sums = (
        exact_quotient(sqlglot.parse_one(a), sqlglot.parse_one(b), (2, 2)).sql(dialect="duckdb")
        for a, b in (("a", "b"), ("sum(a)", "sum(b)"))
    )
    assert "BIGINT" in row
    assert "BIGINT" not in sums
