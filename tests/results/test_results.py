"""
A result is Arrow, and everything that speaks Arrow takes it.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fusion_magic.errors import InvalidArgument
from fusion_magic.results import Result


@pytest.fixture
def result() -> Result:
    amount = pa.field("amount", pa.decimal128(38, 2), metadata={"trino_type": "decimal(38,2)"})
    schema = pa.schema([amount, pa.field("day", pa.date32())])
    big = Decimal("123456789012345678901234567890123456.78")
    return Result(pa.table({"amount": [big, None], "day": [dt.date(1, 1, 1), None]}, schema=schema))


def test_a_data_frame_keeps_decimals_dates_and_nulls_exact(result: Result) -> None:
    """
    Through floats and nanoseconds all three would be lost.
    """
    frame = result.df()

    assert frame["amount"][0] == Decimal("123456789012345678901234567890123456.78")
    assert frame["day"][0] == dt.date(1, 1, 1)
    assert frame.isna().sum().tolist() == [1, 1]


def test_polars_and_duckdb_take_it_as_it_is(result: Result) -> None:
    import duckdb

    assert result.polars().shape == (2, 2)
    counted: Any = duckdb.sql("SELECT count(day) FROM result")
    assert counted.fetchall() == [(1,)]
    assert pa.table(result).equals(result.arrow())


def test_types_are_named_in_trinos_words_where_the_engine_gave_them(result: Result) -> None:
    assert result.types == ("decimal(38,2)", "date32[day]")


def test_rows_come_as_tuples(result: Result) -> None:
    assert result.rows(1) == list(result)[:1]
    assert len(result) == 2
    assert bool(Result(pa.table({"n": pa.array([], pa.int64())})))


def test_rows_without_columns_are_still_counted() -> None:
    assert Result(pa.table({})).rows() == []


def test_columns_of_one_name_are_refused_by_polars_alone() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["n", "n"])

    assert Result(table).df().shape == (1, 2)
    assert Result(table).rows() == [(1, 2)]
    with pytest.raises(InvalidArgument, match="'n'"):
        Result(table).polars()


def test_files_are_whole_or_absent(result: Result, tmp_path: Path) -> None:
    """
    A reader never sees half a file, and a failed write leaves the old one.
    """
    import pyarrow.parquet as pq

    path = result.to_parquet(tmp_path / "r.parquet")

    assert pq.read_table(path).equals(result.arrow())
    with pytest.raises(pa.ArrowInvalid):
        Result(pa.table({"l": [[1]]})).to_csv(path)
    assert pq.read_table(path).num_rows == 2
    assert [p.name for p in tmp_path.iterdir()] == ["r.parquet"]
