"""
What an open page asks and is told. Each message may come from a page that means no good.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.notebook import card_protocol
from fusion_magic.notebook.card import JobSource
from fusion_magic.notebook.card_protocol import LivePage, TableSource
from tests.workers import run_next

NAME = '<img src=x onerror=alert(1)>"; DROP TABLE shown; --'
SQL = f"""SELECT x AS id, IF(x % 2 = 0, NULL, '<b>' || CAST(x AS varchar)) AS "{NAME.replace('"', '""')}"
FROM UNNEST(sequence(1, 500)) AS t(x)"""


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    with connect(data_dir=str(tmp_path), worker_start="never", owner="ana") as opened:
        yield opened


class Page:
    """
    A page in a browser: what it was sent, and how it asks.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.live = LivePage(self.sent.append)

    def ask(self, do: str, **rest: Any) -> dict[str, Any]:
        self.live.receive({"do": do, "key": "k", "request": "r", **rest})
        assert self.sent[-1].pop("request") == "r"
        return self.sent.pop()


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def stored(fusion: Fusion, page: Page) -> Page:
    """
    A page that shows a stored result.
    """
    fusion.submit(SQL, name="daily")
    run_next(fusion)
    page.live.add("k", TableSource(fusion.result("daily")))
    return page


def test_only_what_this_kernel_has_shown_is_attached(fusion: Fusion, page: Page) -> None:
    handle = fusion.submit("SELECT 1 AS x")
    page.live.add("k", JobSource(handle))

    page.live.receive({"do": "attach", "keys": ["other", handle.id, "k", 7]})

    [message] = page.sent
    assert (message["is"], message["key"]) == ("state", "k")
    assert message["state"]["card"]["status"] == "QUEUED"
    assert message["state"]["has_rows"] is False
    assert page.live.is_attached("k")
    assert not page.live.is_attached("other")


def test_cancel_ends_the_job_and_tells_it(fusion: Fusion, page: Page) -> None:
    handle = fusion.submit("SELECT 1 AS x")
    page.live.add("k", JobSource(handle))
    page.live.receive({"do": "attach", "keys": ["k"]})

    assert page.ask("cancel") == {"is": "answer"}

    assert handle.status == "CANCELED"
    assert page.sent[-1]["state"]["card"]["status"] == "CANCELED"


def test_somebody_elses_job_is_not_canceled(fusion: Fusion, page: Page, tmp_path: Path) -> None:
    handle = fusion.submit("SELECT 1 AS x")
    with connect(data_dir=str(tmp_path), worker_start="never", owner="eve") as other:
        page.live.add("k", JobSource(other.job(handle.id)))

        answer = page.ask("cancel")

    assert answer["is"] == "error"
    assert "is ana's" in answer["text"]
    assert handle.status == "QUEUED"


def test_a_table_opens_with_its_columns_as_texts(stored: Page) -> None:
    opened = stored.ask("open")

    assert opened["rows"] == 500
    assert opened["columns"] == [
        {"name": "id", "type": "bigint", "nulls": 0, "is_number": True},
        {"name": NAME, "type": "varchar", "nulls": 250, "is_number": False},
    ]


def test_pages_come_sorted_and_filtered(stored: Page) -> None:
    last = stored.ask("page", first=498, count=200)
    down = stored.ask("page", first=0, count=1, order={"column": 0, "is_descending": True})
    where = {"column": 1, "operator": "contains", "value": "<B>49"}
    some = stored.ask("page", first=0, count=2, where=where)
    null = stored.ask(
        "page", first=0, count=1, where={"column": 1, "operator": "is null", "value": ""}
    )

    assert last == {"is": "answer", "rows": [["499", "<b>499"], ["500", None]], "total": 500}
    assert down["rows"] == [["500", None]]
    assert (some["rows"], some["total"]) == ([["49", "<b>49"], ["491", "<b>491"]], 6)
    assert null["total"] == 250


def test_a_page_is_never_larger_than_allowed(stored: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_protocol, "MOST_ROWS", 10)

    assert len(stored.ask("page", first=0, count=10**9)["rows"]) == 10


def test_copies_are_csv_up_to_a_limit(stored: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_protocol, "COPIED_ROWS", 2)

    copied = stored.ask("copy", order={"column": 0, "is_descending": True})

    name = NAME.replace('"', '""')
    assert copied["text"] == f'"id","{name}"\n500,\n499,"<b>499"\n'
    assert (copied["rows"], copied["total"]) == (2, 500)


HOSTILE: list[dict[str, Any]] = [
    {"first": -1, "count": 1},
    {"first": 0, "count": "1; DROP TABLE shown"},
    {"first": True, "count": 1},
    {"first": 0.5, "count": 1},
    {"first": 2**60, "count": 1},
    {"count": 1},
    {"first": 0, "count": 1, "order": "id"},
    {"first": 0, "count": 1, "order": {"column": "id"}},
    {"first": 0, "count": 1, "order": {"column": 99}},
    {"first": 0, "count": 1, "where": ["x"]},
    {"first": 0, "count": 1, "where": {"column": 0, "operator": "= 1 OR 1", "value": "1"}},
    {"first": 0, "count": 1, "where": {"column": 0, "operator": "=", "value": "') OR true --"}},
    {"first": 0, "count": 1, "where": {"column": 0, "operator": "=", "value": {"a": 1}}},
    {
        "first": 0,
        "count": 1,
        "where": {"column": None, "operator": "contains", "value": "x" * 10**5},
    },
    {"first": 0, "count": 1, "where": {"column": None, "operator": "=", "value": "1"}},
    {"first": 0, "count": 1, "where": {"column": 0, "operator": None}},
]


@pytest.mark.parametrize("message", HOSTILE)
def test_a_hostile_request_is_refused_and_harms_nothing(
    stored: Page, message: dict[str, Any]
) -> None:
    assert stored.ask("page", **message)["is"] == "error"
    assert stored.ask("page", first=0, count=1)["total"] == 500


@pytest.mark.parametrize(
    "message",
    [
        None,
        "cancel",
        [],
        {},
        {"do": "attach"},
        {"do": "attach", "keys": "k"},
        {"do": "attach", "keys": [["k"], {"k": 1}, None]},
        {"do": "page", "key": "k"},
        {"do": "page", "key": "unknown", "request": "r", "first": 0, "count": 1},
        {"do": "page", "key": ["k"], "request": "r"},
        {"do": ["page"], "key": "k", "request": "r"},
        {"do": "__class__", "key": "k", "request": "r"},
        {"do": "open", "key": "k", "request": {"a": 1}},
    ],
)
def test_what_makes_no_sense_has_no_answer(stored: Page, message: object) -> None:
    stored.live.receive(message)

    assert stored.sent == []


def test_rows_that_are_gone_are_an_answer(fusion: Fusion, stored: Page) -> None:
    assert stored.ask("open")["rows"] == 500
    Path(fusion.result("daily").path).unlink()

    answer = stored.ask("page", first=0, count=1)

    assert answer["is"] == "error"
    assert "is gone" in answer["text"]
    assert stored.ask("cancel")["is"] == "error"


def test_no_more_results_than_allowed_stay_open(
    fusion: Fusion, stored: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card_protocol, "MOST_OPEN", 2)
    for key in "abc":
        stored.live.add(key, TableSource(fusion.result("daily")))
        stored.ask("page", key=key, first=0, count=1, order={"column": 0})

    assert list(stored.live._browsers) == ["b", "c"]
    assert stored.ask("page", key="a", first=499, count=1, order={"column": 0})["rows"] == [
        ["500", None]
    ]
