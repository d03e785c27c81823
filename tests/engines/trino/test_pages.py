"""
The quick reader of pages gives exactly what the reader of JSON gives.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_magic.engines.trino import pages
from fusion_magic.engines.trino.pages import RawRows, decode_page, parse_page
from fusion_magic.engines.trino.types import decode_rows, schema_of
from fusion_magic.errors import QueryFailed


def column(name: str, kind: str, *arguments: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "typeSignature": {
            "rawType": kind.partition("(")[0],
            "arguments": [{"kind": "LONG", "value": n} for n in arguments],
        },
    }


COLUMNS = [
    column("i", "bigint"),
    column("t", "tinyint"),
    column("f", "double"),
    column("r", "real"),
    column("b", "boolean"),
    column("d", "decimal(38,3)", 38, 3),
    column("day", "date"),
    column("at", "timestamp(6)", 6),
    column("ns", "timestamp(9)", 9),
    column("zoned", "timestamp(3) with time zone", 3),
    column("time", "time(3)", 3),
    column("text", "varchar"),
    column("bytes", "varbinary"),
]
COLUMNS[9]["typeSignature"]["rawType"] = "timestamp with time zone"
SCHEMA = schema_of(COLUMNS)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "null", "true", "],[", "]],[[", '"', "a,b", ']],"stats":', "NaN", "\n", " ", "'", "\\"]
    ),
)
ROW = st.tuples(
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.none(), st.integers(-128, 127)),
    st.one_of(
        st.none(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["NaN", "Infinity", "-Infinity", -0.0]),
    ),
    st.one_of(
        st.none(), st.floats(width=32, allow_nan=False, allow_infinity=False), st.just("NaN")
    ),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.decimals(-(10**30), 10**30, places=3).map(lambda d: f"{d:.3f}")),
    st.one_of(st.none(), st.dates().map(str)),
    st.one_of(st.none(), st.datetimes().map(lambda t: f"{t:%Y-%m-%d %H:%M:%S.%f}".rjust(26, "0"))),
    st.sampled_from([None, "1970-01-01 00:00:00.123456789", "2024-02-29 23:59:59.999999999"]),
    st.sampled_from([None, "2024-03-31 02:30:00.000 UTC", "1999-12-31 23:59:59.999 +05:45"]),
    st.sampled_from([None, "00:00:00.000", "23:59:59.999"]),
    st.one_of(st.none(), TEXTS),
    st.sampled_from([None, "", "AAEC"]),
).map(list)


def page(rows: list[Any]) -> bytes:
    return json.dumps(
        {
            "id": "q",
            "columns": COLUMNS,
            "data": rows,
            "stats": {"state": "RUNNING"},
            "warnings": [],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def both(rows: list[Any]) -> tuple[Any, Any]:
    """
    A table, or the error, from each reader.
    """
    body = page(rows).partition(b'"data":[[')[2].rpartition(b']],"stats":')[0]

    def read(make: Any) -> Any:
        try:
            return pa.Table.from_batches(make(), schema=SCHEMA)
        except QueryFailed as error:
            return error.message

    quick = read(lambda: list(decode_page(COLUMNS, RawRows(body), SCHEMA)))
    return quick, read(lambda: [decode_rows(COLUMNS, json.loads(b"[[" + body + b"]]"), SCHEMA)])


@settings(max_examples=300)
@given(st.lists(ROW, min_size=1, max_size=8))
def test_both_readers_agree(rows: list[Any]) -> None:
    quick, slow = both(rows)

    if isinstance(slow, str):
        assert quick == slow
    else:
        assert quick.combine_chunks().equals(slow, check_metadata=True) or _same(quick, slow)


def _same(left: pa.Table, right: pa.Table) -> bool:
    """
    NaN is no reason to differ.
    """
    return repr(left.to_pylist()) == repr(right.to_pylist())


def test_plain_rows_are_read_without_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The quick way must be taken, or nothing is won.
    """
    rows = [
        [n, 1, 1.5, 2.5, True, "1.000", "2024-01-31", None, None, None, None, "],[", None]
        for n in range(9)
    ]
    expected = both(rows)[1]
    monkeypatch.setattr(RawRows, "parsed", None)

    body = page(rows).partition(b'"data":[[')[2].rpartition(b']],"stats":')[0]
    found = pa.Table.from_batches(decode_page(COLUMNS, RawRows(body), SCHEMA))

    assert found.equals(expected)


def test_a_large_page_is_cut_and_keeps_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SMALL_BYTES", 10)
    rows = [[n, *[None] * 10, ']],"stats":{', None] for n in range(3)]

    found = parse_page(page(rows))

    assert isinstance(found["data"], RawRows)
    assert found["data"].parsed() == rows
    assert (found["id"], found["stats"]) == ("q", {"state": "RUNNING"})


def test_a_row_longer_than_a_block_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "BLOCK_BYTES", 1000)
    rows = [[n, *[None] * 10, "x" * 5000, None] for n in range(5)]

    quick, slow = both(rows)

    assert quick.equals(slow)
