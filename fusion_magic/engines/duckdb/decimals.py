"""
Quotients of decimals in DuckDB's words, exact to the last digit: DuckDB's own division goes through double.

The digits of both numbers are divided as whole numbers, twice the dividend so that the last bit says which way to
round, and the quotient is given its scale again. Trino's rules: the larger scale, halves away from zero.
Source: Trino 476, "Decimal functions and operators", https://trino.io/docs/476/functions/decimal.html

Scales stand in the text as numbers, and an operand as seldom as can be: DuckDB plans it once for each time that it
stands there, which for a sum over CASE takes longer than the division. A division in each row has a second form
for numbers whose digits fit 64 bits, which is to say most: 128 bits are divided twelve times slower.
"""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp

# What the texts below call.
HALVED = "CREATE TEMP MACRO fusion_halved(t) AS (t + sign(t)) // 2"
_NARROW_DIGITS = (
    17  # of a whole number that is multiplied by 2 and rounded, and still fits a BIGINT
)


def exact_quotient(dividend: exp.Expr, divisor: exp.Expr, scales: tuple[int, int]) -> exp.Expr:
    """
    ``dividend / divisor``, an error where the divisor is zero.

    Args:
        scales: Of the dividend and of the divisor; 0 for whole numbers.
    """
    is_in_each_row = dividend.find(exp.AggFunc) is None and divisor.find(exp.AggFunc) is None
    narrow = _narrow_branch(*scales) if is_in_each_row else ""
    digits = f"CASE WHEN :b = 0 THEN error('Division by zero') {narrow}ELSE {_wide_quotient(*scales)} END"
    return exp.replace_placeholders(_parsed(_scaled(digits, max(scales))), a=dividend, b=divisor)


def exact_mean(total: exp.Expr, number: exp.Expr, scale: int) -> exp.Expr:
    """
    ``total / number``, NULL where there is no total.

    Args:
        scale: Of the total.
    """
    digits = _wide_quotient(scale, 0)
    return exp.replace_placeholders(_parsed(_scaled(digits, scale)), a=total, b=number)


@lru_cache(maxsize=256)
def _parsed(text: str) -> exp.Expr:
    return sqlglot.parse_one(text, read="duckdb")


def _scaled(digits: str, scale: int) -> str:
    """
    A decimal of that scale from its digits as a whole number.
    """
    whole = f"CAST({digits} AS DECIMAL(38, 0))"
    if scale == 0:
        return whole
    return f"({whole} * CAST('0.{'1':0>{scale}}' AS DECIMAL({scale}, {scale})))"


def _shift(above: int, below: int) -> int:
    """
    The zeros that the dividend's digits want, so that the quotient has the larger scale.
    """
    return max(above, below) + below - above


def _wide_quotient(above: int, below: int) -> str:
    twice = f"CAST('{2 * 10 ** _shift(above, below)}' AS HUGEINT)"
    return f"fusion_halved({twice} * {_wide(':a', above)} // {_wide(':b', below)})"


def _wide(operand: str, scale: int) -> str:
    """
    The digits as HUGEINT, by way of the text: a product might have more than 38 digits.
    """
    if scale == 0:
        return f"CAST({operand} AS HUGEINT)"
    text = f"CAST(CAST({operand} AS DECIMAL(38, {scale})) AS VARCHAR)"
    return f"CAST(replace({text}, '.', '') AS HUGEINT)"


def _narrow_branch(above: int, below: int) -> str:
    """
    WHEN both numbers are small enough for 64 bits; empty where the scales leave them no room.
    """
    shift = _shift(above, below)
    most_above = min(_NARROW_DIGITS - 2 * above, _NARROW_DIGITS - above - shift)
    most_below = _NARROW_DIGITS - 2 * below
    if min(most_above, most_below) < 1:
        return ""
    are_small = " AND ".join(
        f"{operand} BETWEEN -{'9' * digits} AND {'9' * digits}"
        for operand, digits in ((":a", most_above), (":b", most_below))
    )
    quotient = f"{2 * 10**shift} * {_narrow(':a', above)} // {_narrow(':b', below)}"
    return f"WHEN {are_small} THEN fusion_halved({quotient}) "


def _narrow(operand: str, scale: int) -> str:
    """
    The digits as BIGINT.
    """
    if scale == 0:
        return f"CAST({operand} AS BIGINT)"
    number = f"CAST({operand} AS DECIMAL({_NARROW_DIGITS - scale}, {scale}))"
    return f"CAST({number} * CAST(1{'0' * scale} AS DECIMAL({scale + 1}, 0)) AS BIGINT)"
