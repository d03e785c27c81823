"""
The same cells and cards in Notebook 7, whose page is another than JupyterLab's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.lab import execute, open_page, running_lab, value_at, wait_for_idle_kernel

pytestmark = pytest.mark.browser
CELLS = (
    "%load_ext fusion_magic",
    "%%fusion --async\nSELECT count(*) AS n FROM UNNEST(sequence(1, 10000)) AS a(x), "
    "UNNEST(sequence(1, 10000)) AS b(y), UNNEST(sequence(1, 10000)) AS c(z) WHERE x * y * z % 7 = 3",
    "%%fusion --async\nSELECT x FROM UNNEST(sequence(1, 10000)) AS a(x)",
    "%%fusion\nSELECT 41 + 1 AS answer",
)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    folder = {"FUSION_DATA_DIR": str(tmp_path / "data"), "FUSION_WORKER_IDLE_S": "5"}
    with (
        running_lab(tmp_path, CELLS, application="notebook", **folder) as url,
        open_page(tmp_path / "browser", url) as page,
    ):
        wait_for_idle_kernel(page)
        yield page


def test_cards_and_cells_are_those_of_jupyterlab(page: Any) -> None:
    execute(page, 0)
    card = execute(page, 1).locator(".fusion-live")
    expect(card.locator(".fusion-status")).to_have_text("RUNNING")
    card.get_by_role("button", name=re.compile("Cancel job")).click()
    expect(card.locator(".fusion-status")).to_have_text("CANCELED", timeout=30_000)

    table = execute(page, 2).locator(".fusion-live .fusion-rows")
    expect(value_at(table, 1, 0)).to_have_text("1", timeout=60_000)
    table.get_by_role("region", name="Rows of the result").focus()
    page.keyboard.press("End")
    expect(value_at(table, 10_000, 0)).to_have_text("10000", timeout=30_000)

    expect(execute(page, 3).locator("table").last).to_contain_text("42")
    page.set_viewport_size({"width": 520, "height": 800})
    expect(card).to_be_visible()
    assert card.evaluate("e => e.getBoundingClientRect().right <= window.innerWidth")
