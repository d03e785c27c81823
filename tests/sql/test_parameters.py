"""
Values become typed literals that real Trino and DuckDB read back as they were.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion_magic import Fusion, connect
from fusion_magic.errors import InvalidParameter
from fusion_magic.sql.edits import apply_edits
from fusion_magic.sql.parameters import find_placeholders, format_literal, parameter_edits
from fusion_magic.sql.statement import parse_statement
from tests.servers.trino import run_query

INDIA = dt.timezone(dt.timedelta(hours=5, minutes=30))
HOSTILE = st.text(st.characters(exclude_categories=["Cs"]))
BATCHES = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Colour(enum.Enum):
    RED = "r'ed"


class Size(enum.IntEnum):
    LARGE = 3


class Word(enum.StrEnum):
    YES = "y"


def bind(sql: str, **values: object) -> str:
    statement = parse_statement(sql)
    return apply_edits(statement.text, parameter_edits(statement, values))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ':x' -- :x\n/* :x */",
        'SELECT ":x", t.":x" FROM t',
        "SELECT x::date, x :: date",
        "SELECT a[1:x], a[n:x], f(1):x",
        "SELECT JSON_OBJECT('k':x, \"c\":x), JSON_VALUE(d, 'lax $.a[*]?(@ > :x)')",
        "SELECT U&':x' UESCAPE '!', X'00'",
        "SELECT ?, a -> b, transform(a, x -> x), a: x, :1, : x",
        "WITH FUNCTION f() RETURNS int BEGIN top:LOOP LEAVE top; END LOOP; RETURN 1; END SELECT 1",
    ],
)
def test_a_colon_elsewhere_is_left_alone(sql: str) -> None:
    assert find_placeholders(parse_statement(sql)) == ()


def test_a_placeholder_is_found_wherever_a_value_can_stand() -> None:
    sql = "SELECT :a, f(:b), a[:c], -:d, CASE WHEN x = :e THEN:f END, x IN (:g), :größe FROM t LIMIT :h"

    assert [p.name for p in find_placeholders(parse_statement(sql))] == [*"abcdefg", "größe", "h"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], "SELECT a IN (1, 2), b NOT IN (1, 2), ARRAY[1, 2], c IN (1, 2, 9)"),
        (["x'"], "SELECT a IN ('x'''), b NOT IN ('x'''), ARRAY['x'''], c IN ('x''', 9)"),
        ((None, 1), "SELECT a IN (NULL, 1), b NOT IN (NULL, 1), ARRAY[NULL, 1], c IN (NULL, 1, 9)"),
        (
            np.array([1, 2]),
            "SELECT a IN (1, 2), b NOT IN (1, 2), ARRAY[1, 2], c IN (1, 2, 9)",
        ),
        (
            pd.Series(["p", "q"]),
            "SELECT a IN ('p', 'q'), b NOT IN ('p', 'q'), ARRAY['p', 'q'], c IN ('p', 'q', 9)",
        ),
    ],
)  # fmt: skip
def test_lists_fit_behind_in_and_as_arrays(values: object, expected: str) -> None:
    sql = "SELECT a IN (:x), b NOT IN :x, :x, c IN (:x, 9)"

    assert bind(sql, x=values) == expected


def test_an_empty_list_fits_nothing_and_its_negation_everything() -> None:
    with connect() as fusion:
        sql = "SELECT count(*) FROM (VALUES 1, 2) AS t (n) WHERE n"

        assert fusion.run(f"{sql} IN (:x)", params={"x": []}).rows() == [(0,)]
        assert fusion.run(f"{sql} NOT IN (:x)", params={"x": []}).rows() == [(2,)]


def test_a_missing_value_is_named() -> None:
    with pytest.raises(InvalidParameter, match=":x") as caught:
        bind("SELECT 1, :x")

    assert caught.value.span == (10, 12)


def test_an_empty_list_beside_other_values_is_refused() -> None:
    """
    NULL in its place would make NOT IN unknown.
    """
    with pytest.raises(InvalidParameter, match="empty"):
        bind("SELECT a IN (:x, 9)", x=[])


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {"a": 1},
        1j,
        "\ud800",
        Decimal("NaN"),
        Decimal("1E-39"),
        10**39,
        pd.Timestamp("2024-01-01 00:00:00.000000001"),
        pd.Timedelta(1, "ns"),
        np.datetime64(1, "ns"),
        np.timedelta64(1, "ns"),
        dt.timedelta(microseconds=1),
        dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=1))),
        [[object()]],
    ],
)
def test_what_has_no_literal_is_refused(value: object) -> None:
    with pytest.raises(InvalidParameter):
        format_literal(value)


# Each value, its type in Trino, and how Trino's protocol writes it.
TYPED: list[tuple[object, str, object]] = [
    ("", "varchar(0)", ""),
    ("it's \\ U&'\\0041' \n\t\0 😀 \x7f -- /*", "varchar(30)", "it's \\ U&'\\0041' \n\t\0 😀 \x7f -- /*"),
    (0, "integer", 0),
    (-(2**31), "integer", -(2**31)),
    (2**31, "bigint", 2**31),
    (2**40, "bigint", 2**40),
    (-(2**63), "bigint", -(2**63)),
    (2**63, "decimal(19,0)", "9223372036854775808"),
    (-(10**38) + 1, "decimal(38,0)", "-" + "9" * 38),
    (1.5, "double", 1.5),
    (-0.0, "double", -0.0),
    (5e-324, "double", 5e-324),
    (1.7976931348623157e308, "double", 1.7976931348623157e308),
    (math.inf, "double", "Infinity"),
    (-math.inf, "double", "-Infinity"),
    (math.nan, "double", "NaN"),
    (Decimal("1.20"), "decimal(3,2)", "1.20"),
    (Decimal("-0.5"), "decimal(1,1)", "-0.5"),
    (Decimal("1E+3"), "decimal(4,0)", "1000"),
    (Decimal("1E-38"), "decimal(38,38)", "0." + "0" * 37 + "1"),
    (dt.date(1, 1, 1), "date", "0001-01-01"),
    (dt.date(2024, 2, 29), "date", "2024-02-29"),
    (dt.datetime(2024, 1, 1, 12), "timestamp(6)", "2024-01-01 12:00:00.000000"),
    (dt.datetime(9999, 12, 31, 23, 59, 59, 999999), "timestamp(6)", "9999-12-31 23:59:59.999999"),
    (dt.datetime(2024, 1, 1, 12, tzinfo=INDIA), "timestamp(6) with time zone", "2024-01-01 12:00:00.000000 +05:30"),
    (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "timestamp(6) with time zone", "2024-01-01 00:00:00.000000 UTC"),
    (dt.time(1, 2, 3), "time(6)", "01:02:03.000000"),
    (dt.time(1, 2, 3, tzinfo=INDIA), "time(6) with time zone", "01:02:03.000000+05:30"),
    (dt.timedelta(days=-1, milliseconds=5), "interval day to second", "-0 23:59:59.995"),
    (UUID(int=255), "uuid", "00000000-0000-0000-0000-0000000000ff"),
    (b"\x00\xff", "varbinary", "AP8="),
    (bytearray(b""), "varbinary", ""),
    ([1, None], "array(integer)", [1, None]),
    ([], "array(unknown)", []),
    ([["a"], []], "array(array(varchar(1)))", [["a"], []]),
    (None, "unknown", None),
    (True, "boolean", True),
    (Colour.RED, "varchar(4)", "r'ed"),
    (Size.LARGE, "integer", 3),
    (Word.YES, "varchar(1)", "y"),
    (np.int64(7), "integer", 7),
    (np.float32(0.5), "double", 0.5),
    (np.bool_(False), "boolean", False),
    (np.str_("n"), "varchar(1)", "n"),
    (np.array([1, 2]), "array(integer)", [1, 2]),
    (np.datetime64("2024-01-01"), "date", "2024-01-01"),
    (np.datetime64("2024-01-01T01:02:03.5"), "timestamp(6)", "2024-01-01 01:02:03.500000"),
    (np.timedelta64(90, "s"), "interval day to second", "0 00:01:30.000"),
    (np.datetime64("NaT"), "unknown", None),
    (pd.NaT, "unknown", None),
    (pd.NA, "unknown", None),
    (pd.Timestamp("2024-01-01 12:00", tz=INDIA), "timestamp(6) with time zone", "2024-01-01 12:00:00.000000 +05:30"),
    (pd.Timedelta(days=1), "interval day to second", "1 00:00:00.000"),
    (pd.Series([1.5]), "array(double)", [1.5]),
]  # fmt: skip


@pytest.mark.trino
def test_a_literal_has_its_type_and_comes_back_from_trino(trino_url: str) -> None:
    """
    In one query, so that fifty values cost one round.
    """
    literals = [format_literal(value) for value, _, _ in TYPED]
    kinds = ", ".join(f"typeof({literal})" for literal in literals)

    [types] = run_query(trino_url, f"SELECT {kinds}")
    [values] = run_query(trino_url, f"SELECT {', '.join(literals)}")

    assert types == [kind for _, kind, _ in TYPED]
    assert json.dumps(values) == json.dumps([expected for _, _, expected in TYPED])


@pytest.mark.trino
@BATCHES
@given(st.lists(HOSTILE, min_size=1, max_size=60))
def test_hostile_strings_come_back_equal_from_trino(trino_url: str, texts: list[str]) -> None:
    rows = run_query(
        trino_url, f"VALUES {', '.join(f'({i}, {format_literal(t)})' for i, t in enumerate(texts))}"
    )

    assert [row[1] for row in sorted(rows, key=lambda r: int(str(r[0])))] == texts


@pytest.mark.trino
@BATCHES
@given(st.lists(HOSTILE, min_size=1, max_size=40))
def test_a_hostile_string_stays_inside_its_literal(trino_url: str, texts: list[str]) -> None:
    """
    In a statement with strings, comments and names around it, which all keep their meaning.
    """
    names = [f"p{i}" for i in range(len(texts))]
    sql = "SELECT " + ", ".join(f"':{n}' /* :{n} */ || :{n} AS \":{n}\"" for n in names)

    [row] = run_query(trino_url, bind(sql, **dict(zip(names, texts, strict=True))))

    assert row == [f":{n}{t}" for n, t in zip(names, texts, strict=True)]


@pytest.fixture(scope="module")
def embedded() -> Iterator[Fusion]:
    with connect() as fusion:
        yield fusion


@BATCHES
@given(st.lists(HOSTILE, min_size=1, max_size=60))
def test_hostile_strings_come_back_equal_from_duckdb(embedded: Fusion, texts: list[str]) -> None:
    params = {f"p{i}": text for i, text in enumerate(texts)}

    rows = embedded.run(f"SELECT {', '.join(f':{name}' for name in params)}", params=params).rows()

    assert rows == [tuple(texts)]


@pytest.mark.parametrize(
    "value",
    [
        2**40,
        -5,
        1.5,
        -math.inf,
        Decimal("1.20"),
        dt.date(2024, 2, 29),
        dt.datetime(2024, 1, 1, 12, 0, 0, 5),
        dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC),
        b"\x00\xff",
        [1, None],
        None,
        True,
    ],
)
def test_a_value_comes_back_equal_from_duckdb(embedded: Fusion, value: object) -> None:
    assert embedded.run("SELECT :x", params={"x": value}).rows() == [(value,)]
