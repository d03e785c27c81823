"""
Looking through a stored result: pages, order, filters.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fusion_magic.errors import InvalidArgument, ResultsUnavailable
from fusion_magic.results import browse
from fusion_magic.results.browse import Browser, Column, Filter, Order
from fusion_magic.results.storage import ResultStorage
from fusion_magic.results.stored import StoredResult

HOSTILE = 'x"; DROP TABLE shown; --'
TABLE = pa.table(
    [
        pa.array([3, 1, None, 2], pa.int64()),
        pa.array(["b", "'; DROP TABLE shown; --", None, "B%_"]),
        pa.array([Decimal("1.50"), None, Decimal("0.25"), Decimal("9.00")], pa.decimal128(38, 2)),
        pa.array([[1, None], None, [], [2]]),
        pa.array([b"\x00\xff", None, b"", b"a"]),
        pa.array([dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (4, 3, 2, 1)]),
        pa.nulls(4),
    ],
    # SQL allows a name twice, and a dot, a quote and nothing at all in one.
    names=["a.b", HOSTILE, "a.b", "", "A.B", "at", "n"],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """
    One whose name is a pattern.
    """
    return tmp_path / "a[1]*?"


def stored(folder: Path, table: pa.Table) -> StoredResult:
    writer = ResultStorage(str(folder)).writer("daily", "1")
    for batch in table.to_batches(max_chunksize=10_000):
        writer.write(batch)
    return StoredResult(writer.close(table.schema, {}).path)


@pytest.fixture
def browser(folder: Path) -> Iterator[Browser]:
    browser = Browser(stored(folder, TABLE))
    yield browser
    browser.close()


def first(browser: Browser, **wanted: Any) -> list[Any]:
    return list(browser.rows(0, 10, **wanted).column(0).to_pylist())


def test_a_heading_knows_name_type_and_nulls(browser: Browser) -> None:
    assert browser.columns[:4] == (
        Column("a.b", "int64", 1),
        Column(HOSTILE, "string", 1),
        Column("a.b", "decimal128(38, 2)", 1),
        Column("", "list<element: int64>", 1),
    )
    assert browser.columns[6].nulls == 4


def test_pages_are_the_rows_in_their_order(browser: Browser) -> None:
    assert browser.count() == 4
    assert browser.rows(1, 2).column_names == TABLE.column_names
    assert browser.rows(1, 2).column(0).to_pylist() == [1, None]
    assert browser.rows(3, 10).num_rows == 1
    assert browser.rows(4, 10).num_rows == 0
    assert browser.rows(0, 10).column(3).to_pylist() == [[1, None], None, [], [2]]


def test_null_comes_last_in_either_order(browser: Browser) -> None:
    assert first(browser, order=Order(0)) == [1, 2, 3, None]
    assert first(browser, order=Order(0, is_descending=True)) == [3, 2, 1, None]
    assert first(browser, order=Order(5)) == [2, None, 1, 3]


def test_equal_values_stay_in_the_stored_order(tmp_path: Path) -> None:
    """
    Else a row could be on two pages, and another on none.
    """
    table = pa.table({"k": [n % 3 for n in range(1000)], "n": range(1000)})
    browser = Browser(stored(tmp_path, table))

    pages = [browser.rows(i, 100, order=Order(0)) for i in range(0, 1000, 100)]

    found = pa.concat_tables(pages).column("n").to_pylist()
    assert found == sorted(range(1000), key=lambda n: (n % 3, n))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Filter(None, "contains", "B"), [3, 1, 2]),
        (Filter(1, "contains", "%_"), [2]),
        (Filter(1, "contains", "'; DROP TABLE"), [1]),
        (Filter(4, "contains", "0x00ff"), [3]),
        (Filter(0, "contains", "B"), []),
        (Filter(0, ">=", "2"), [3, 2]),
        (Filter(2, "<", "1.5"), [None]),
        (Filter(5, "=", "2026-01-03"), [1]),
        (Filter(1, "<>", "b"), [1, 2]),
        (Filter(2, "is null"), [1]),
        (Filter(3, "is not null"), [3, None, 2]),
    ],
)
def test_filters_compare_in_the_columns_type(
    browser: Browser, where: Filter, expected: list[int | None]
) -> None:
    assert first(browser, where=where) == expected
    assert browser.count(where=where) == len(expected)


def test_a_filter_and_an_order_go_together(browser: Browser) -> None:
    assert first(browser, order=Order(0), where=Filter(0, ">", "1")) == [2, 3]


@pytest.mark.parametrize(
    "where",
    [
        Filter(7, "contains", "x"),
        Filter(-1, "=", "1"),
        Filter(0, "= 1 OR", "1"),
        Filter(None, "=", "1"),
        Filter(0, "=", "no number"),
    ],
)
def test_what_cannot_be_asked_is_refused(browser: Browser, where: Filter) -> None:
    with pytest.raises(InvalidArgument):
        browser.count(where=where)
    with pytest.raises(InvalidArgument):
        browser.rows(0, 1, order=Order(7))

    assert browser.count() == 4


def test_a_result_that_is_gone_says_so(folder: Path) -> None:
    result = stored(folder, TABLE)
    browser = Browser(result)
    assert browser.count() == 4
    Path(result.path).unlink()

    with pytest.raises(ResultsUnavailable, match="gone"):
        browser.rows(0, 1)


def test_what_is_larger_than_memory_is_sorted_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "MEMORY_LIMIT", "128MB")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = 600_000
    table = pa.table({"n": [n * 7919 % rows for n in range(rows)], "text": ["x" * 250] * rows})
    browser = Browser(stored(tmp_path / "results", table))

    [row] = browser.rows(rows - 1, 10, order=Order(0)).to_pylist()
    on_disk = list(tmp_path.glob("fusion-*/*"))
    browser.close()

    assert row["n"] == rows - 1
    assert on_disk
    assert not list(tmp_path.glob("fusion-*"))


def test_a_bucket_is_read_through_fsspec() -> None:
    writer = ResultStorage("memory://browse").writer("daily", "1")
    writer.write(TABLE.to_batches()[0])
    result = StoredResult(writer.close(TABLE.schema, {}).path)

    assert first(Browser(result), order=Order(0)) == [1, 2, 3, None]
