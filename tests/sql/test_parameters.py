"""
Values become typed literals that real Trino reads back as they were.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion_magic.errors import InvalidParameter
from fusion_magic.sql.parameters import find_placeholders, format_literal, parameter_edits
from fusion_magic.sql.statement import parse_statement
from fusion_magic.sql.translation import apply_edits
from tests.servers.trino import run_query


def bind(sql: str, **values: object) -> str:
    statement = parse_statement(sql)
    return apply_edits(statement.text, parameter_edits(statement, values))


def test_a_colon_elsewhere_is_left_alone() -> None:
    statement = parse_statement("SELECT ':a', x::date, y[1:n], :b -- :c\n")

    assert [p.name for p in find_placeholders(statement)] == ["b"]


def test_lists_fit_behind_in_and_as_arrays() -> None:
    assert (
        bind("SELECT a IN (:x), b IN :x, :x", x=[1, 2])
        == "SELECT a IN (1, 2), b IN (1, 2), ARRAY[1, 2]"
    )


def test_a_missing_value_is_named() -> None:
    with pytest.raises(InvalidParameter, match=":x"):
        bind("SELECT :x")


@pytest.mark.parametrize("value", [object(), "\ud800", Decimal("NaN"), 10**39])
def test_what_has_no_literal_is_refused(value: object) -> None:
    with pytest.raises(InvalidParameter):
        format_literal(value)


@pytest.mark.trino
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=30))
def test_a_hostile_string_comes_back_equal_from_trino(trino_url: str, texts: list[str]) -> None:
    rows = run_query(
        trino_url, f"VALUES {', '.join(f'({i}, {format_literal(t)})' for i, t in enumerate(texts))}"
    )

    assert [row[1] for row in sorted(rows, key=lambda r: int(str(r[0])))] == texts


@pytest.mark.trino
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**40, "bigint"),
        (-(2**63), "bigint"),
        (1.5, "double"),
        (float("inf"), "double"),
        (Decimal("1.20"), "decimal(3,2)"),
        (dt.date(2024, 2, 29), "date"),
        (dt.datetime(2024, 1, 1, 12), "timestamp(6)"),
        (
            dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
            "timestamp(6) with time zone",
        ),
        (b"\x00\xff", "varbinary"),
        ([1, None], "array(integer)"),
        (None, "unknown"),
        (True, "boolean"),
    ],
)
def test_a_literal_has_its_type_on_trino(trino_url: str, value: object, kind: str) -> None:
    assert run_query(trino_url, f"SELECT typeof({format_literal(value)})") == [[kind]]
