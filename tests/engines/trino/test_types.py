"""
The contract of types: what each of Trino's types becomes, at its edges, on real Trino.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from fusion_magic.engines import EngineQuery
from fusion_magic.engines.trino.engine import TrinoEngine, TrinoExecution
from fusion_magic.engines.trino.settings import TrinoSettings
from fusion_magic.errors import QueryFailed

pytestmark = pytest.mark.trino
UTC = ZoneInfo("UTC")
MOST = Decimal("9" * 38)

# Expression, Arrow's type, Trino's words for it, the value.
TYPES: list[tuple[str, pa.DataType, str, Any]] = [
    ("true", pa.bool_(), "boolean", True),
    ("CAST(-128 AS tinyint)", pa.int8(), "tinyint", -128),
    ("CAST(32767 AS smallint)", pa.int16(), "smallint", 32767),
    ("-2147483648", pa.int32(), "integer", -(2**31)),
    ("9223372036854775807", pa.int64(), "bigint", 2**63 - 1),
    ("-9223372036854775808", pa.int64(), "bigint", -(2**63)),
    ("REAL '3.4028235E38'", pa.float32(), "real", 3.4028234663852886e38),
    ("1.7976931348623157E308", pa.float64(), "double", 1.7976931348623157e308),
    ("4.9E-324", pa.float64(), "double", 5e-324),
    ("infinity()", pa.float64(), "double", math.inf),
    ("-infinity()", pa.float64(), "double", -math.inf),
    (f"DECIMAL '{MOST}'", pa.decimal128(38, 0), "decimal(38, 0)", MOST),
    (f"DECIMAL '-0.{MOST}'", pa.decimal128(38, 38), "decimal(38, 38)", Decimal(f"-0.{MOST}")),
    ("DECIMAL '0.00'", pa.decimal128(2, 2), "decimal(2, 2)", Decimal("0.00")),
    ("''", pa.string(), "varchar(0)", ""),
    ("'null'", pa.string(), "varchar(4)", "null"),
    ("U&'\\00e9\\+01F600\\000a\\0000\\\\'", pa.string(), "varchar(5)", "é😀\n\0\\"),
    ("CAST('ab' AS char(4))", pa.string(), "char(4)", "ab  "),
    ("X''", pa.binary(), "varbinary", b""),
    ("X'00FF0a'", pa.binary(), "varbinary", b"\x00\xff\n"),
    ('JSON \'{"b": [1, null], "a": "x"}\'', pa.string(), "json", '{"a":"x","b":[1,null]}'),
    ("DATE '0001-01-01'", pa.date32(), "date", dt.date(1, 1, 1)),
    ("DATE '9999-12-31'", pa.date32(), "date", dt.date(9999, 12, 31)),
    ("TIME '00:00:00'", pa.time64("us"), "time(0)", dt.time(0)),
    ("TIME '23:59:59.999999'", pa.time64("us"), "time(6)", dt.time(23, 59, 59, 999999)),
    ("TIME '23:59:59.999999999999'", pa.string(), "time(12)", "23:59:59.999999999999"),
    ("TIME '01:02:03.004-05:30'", pa.string(), "time(3) with time zone", "01:02:03.004-05:30"),
    ("TIMESTAMP '0001-01-01 00:00:00'", pa.timestamp("us"), "timestamp(0)", dt.datetime(1, 1, 1)),
    (
        "TIMESTAMP '9999-12-31 23:59:59.999999'",
        pa.timestamp("us"),
        "timestamp(6)",
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
    ),
    (
        "TIMESTAMP '2024-02-29 12:00:00.12'",
        pa.timestamp("us"),
        "timestamp(2)",
        dt.datetime(2024, 2, 29, 12, 0, 0, 120000),
    ),
    (
        "TIMESTAMP '2024-01-31 12:34:56.123456789012'",
        pa.string(),
        "timestamp(12)",
        "2024-01-31 12:34:56.123456789012",
    ),
    (
        "TIMESTAMP '2024-03-31 03:30:00 Europe/Paris'",
        pa.timestamp("us", "UTC"),
        "timestamp(0) with time zone",
        dt.datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
    ),
    (
        "TIMESTAMP '2024-10-27 02:30:00 Europe/Paris'",
        pa.timestamp("us", "UTC"),
        "timestamp(0) with time zone",
        dt.datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
    ),
    (
        "TIMESTAMP '2024-01-31 12:00:00.123456 +05:45'",
        pa.timestamp("us", "UTC"),
        "timestamp(6) with time zone",
        dt.datetime(2024, 1, 31, 6, 15, 0, 123456, tzinfo=UTC),
    ),
    (
        "TIMESTAMP '2024-01-31 12:00:00.123456789 UTC'",
        pa.string(),
        "timestamp(9) with time zone",
        "2024-01-31 12:00:00.123456789 UTC",
    ),
    ("INTERVAL '-3' DAY", pa.string(), "INTERVAL DAY TO SECOND", "-3 00:00:00.000"),
    ("INTERVAL '14' MONTH", pa.string(), "INTERVAL YEAR TO MONTH", "1-2"),
    (
        "UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'",
        pa.string(),
        "uuid",
        "12151fd2-7586-11e9-8f9e-2a86e4085a59",
    ),
    ("IPADDRESS '2001:db8::1'", pa.string(), "ipaddress", "2001:db8::1"),
    ("NULL", pa.null(), "unknown", None),
    ("CAST(NULL AS decimal(5,2))", pa.decimal128(5, 2), "decimal(5, 2)", None),
    ("ARRAY[]", pa.list_(pa.null()), "array(unknown)", []),
    ("ARRAY[1, NULL]", pa.list_(pa.int32()), "array(integer)", [1, None]),
    (
        "MAP(ARRAY['a'], ARRAY[NULL])",
        pa.map_(pa.string(), pa.null()),
        "map(varchar(1), unknown)",
        [("a", None)],
    ),
    (
        "MAP(ARRAY[1], ARRAY[X'01'])",
        pa.map_(pa.int32(), pa.binary()),
        "map(integer, varbinary)",
        [(1, b"\x01")],
    ),
    (
        "CAST(ROW(1, 'x') AS row(a integer, b varchar))",
        pa.struct([("a", pa.int32()), ("b", pa.string())]),
        "row(a integer, b varchar)",
        {"a": 1, "b": "x"},
    ),
    (
        "ROW(DATE '2024-01-31', ARRAY[DECIMAL '1.5'])",
        pa.struct([("field0", pa.date32()), ("field1", pa.list_(pa.decimal128(2, 1)))]),
        "row(date, array(decimal(2, 1)))",
        {"field0": dt.date(2024, 1, 31), "field1": [Decimal("1.5")]},
    ),
    (
        "ARRAY[TIMESTAMP '2024-01-31 12:00:00 UTC', NULL]",
        pa.list_(pa.timestamp("us", "UTC")),
        "array(timestamp(0) with time zone)",
        [dt.datetime(2024, 1, 31, 12, tzinfo=UTC), None],
    ),
    ("ARRAY[ARRAY[nan()]]", pa.list_(pa.list_(pa.float64())), "array(array(double))", [[math.nan]]),
]


class InSession(TrinoEngine):
    """
    An engine whose statements all run with session properties.
    """

    properties = ""

    def execute(self, query: EngineQuery) -> TrinoExecution:
        return super().execute(replace(query, session={"X-Trino-Session": self.properties}))


@pytest.fixture(scope="module", params=["pages", "inline", "json", "json+lz4", "json+zstd"])
def engine(request: pytest.FixtureRequest) -> Iterator[TrinoEngine]:
    """
    Rows in Trino's pages; or put aside, in the page itself and in each encoding.
    """
    if request.param == "pages":
        url = request.getfixturevalue("trino_url")
        made: TrinoEngine = TrinoEngine(TrinoSettings(base_url=url, user="ana"))
    else:
        url = request.getfixturevalue("lake").url
        encodings = "json" if request.param == "inline" else request.param
        made = InSession(TrinoSettings(base_url=url, user="ana", encodings=encodings))
        if request.param != "inline":
            made.properties = "spooling_inlining_enabled=false"
    yield made
    made.close()


def table(engine: TrinoEngine, sql: str) -> pa.Table:
    execution = engine.execute(EngineQuery(sql=sql, job_id=""))
    batches = list(execution.batches())
    return pa.Table.from_batches(batches, schema=execution.schema())


@pytest.mark.parametrize(
    ("expression", "kind", "words", "value"), TYPES, ids=[t[0][:40] for t in TYPES]
)
def test_a_value_comes_back_exact(
    engine: TrinoEngine, expression: str, kind: pa.DataType, words: str, value: Any
) -> None:
    found = table(engine, f"SELECT {expression} AS v")

    field = found.schema.field("v")
    assert (field.type, field.metadata[b"trino_type"].decode()) == (kind, words)
    assert repr(found["v"][0].as_py()) == repr(value)


@pytest.mark.parametrize("kind", ["bigint", "double", "decimal(10, 2)", "varchar", "varbinary", "date", "timestamp(3)",
                                  "timestamp(3) with time zone", "time(3)", "json", "uuid", "array(integer)",
                                  "map(varchar, bigint)", "row(a integer)", "boolean"])  # fmt: skip
def test_null_is_null_in_every_type(engine: TrinoEngine, kind: str) -> None:
    found = table(engine, f"SELECT CAST(NULL AS {kind}) AS v FROM UNNEST(sequence(1, 3)) AS s(n)")

    assert found["v"].null_count == 3


def test_minus_zero_keeps_its_sign(engine: TrinoEngine) -> None:
    [value] = table(engine, "SELECT -0e0 AS v")["v"].to_pylist()

    assert math.copysign(1, value) == -1


@pytest.mark.parametrize("precision", range(13))
def test_a_timestamp_has_every_precision(engine: TrinoEngine, precision: int) -> None:
    text = f"2024-01-31 12:34:56.{'123456789012'[:precision]}".rstrip(".")

    found = table(engine, f"SELECT TIMESTAMP '{text}' AS v")

    kind = found.schema.field("v").type
    assert kind == (
        pa.timestamp("us")
        if precision <= 6
        else pa.timestamp("ns")
        if precision <= 9
        else pa.string()
    )
    assert str(found["v"].cast(pa.string())[0].as_py()).rstrip("0").rstrip(".") == text.rstrip(
        "0"
    ).rstrip(".")


def test_what_arrow_cannot_hold_is_an_error_and_never_another_value(engine: TrinoEngine) -> None:
    """
    The year 10000 exists in Trino.
    """
    for expression in ("DATE '+10000-01-01'", "TIMESTAMP '0001-01-01 00:00:00.123456789'"):
        with pytest.raises(QueryFailed, match="CAST"):
            table(engine, f"SELECT {expression} AS v")


def test_ten_megabytes_in_one_value(engine: TrinoEngine) -> None:
    sql = "SELECT array_join(transform(sequence(1, 10000), x -> rpad('x', 1000, 'y')), '') AS v, 1 AS n"

    found = table(engine, sql)

    assert len(found["v"][0].as_py()) == 10_000_000


def test_sketches_are_bytes(engine: TrinoEngine) -> None:
    found = table(
        engine, "SELECT approx_set(orderkey) AS h, qdigest_agg(orderkey) AS q FROM tpch.tiny.orders"
    )

    assert [field.type for field in found.schema] == [pa.binary(), pa.binary()]


def test_names_may_repeat(engine: TrinoEngine) -> None:
    found = table(engine, "SELECT 1 AS a, 2 AS a, 3")

    assert found.column_names == ["a", "a", "_col2"]


def test_every_row_arrives_in_order_over_many_pages(engine: TrinoEngine) -> None:
    found = table(
        engine, "SELECT orderkey, comment FROM tpch.sf1.orders ORDER BY orderkey LIMIT 200000"
    )

    keys = found["orderkey"].to_pylist()
    assert (len(keys), keys) == (200_000, sorted(keys))
