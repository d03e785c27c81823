"""
Cards in a real JupyterLab and a real browser: live, re-attached, canceled by a button, a million rows, and read without a kernel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from fusion_magic import connect
from tests.acceptance.lab import (
    cell,
    execute,
    open_page,
    restart_kernel,
    running_lab,
    value_at,
    wait_for_idle_kernel,
)

pytestmark = pytest.mark.browser
expect.set_options(timeout=30_000)

LONG = (
    "SELECT count(*) AS n FROM UNNEST(sequence(1, 10000)) AS a(x), UNNEST(sequence(1, 10000)) AS b(y), "
    "UNNEST(sequence(1, 10000)) AS c(z) WHERE x * y * z % 7 = 3"
)
MILLION = (
    "SELECT x * 1000 + y AS id, 'name ' || CAST(y AS varchar) AS name, IF(y = 0, NULL, x) AS part "
    "FROM UNNEST(sequence(0, 999)) AS a(x), UNNEST(sequence(0, 999)) AS b(y)"
)
ATTACH = (
    '%load_ext fusion_magic\nget_ipython().run_line_magic("fusion", "job " + open("id").read())'
)
CELLS = (
    "%load_ext fusion_magic",
    f"%%fusion --async -o job\n{LONG}",
    'print(open("id", "w").write(job.id))',
    ATTACH,
    "import time; time.sleep(600)",
    f"%%fusion --async --name million\n{MILLION}",
    "%fusion result million",
)
SUBMIT, SAVE_ID, REATTACH, BUSY, SUBMIT_MILLION, RESULT = range(1, 7)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cards")


@pytest.fixture(scope="module")
def url(work: Path) -> Iterator[str]:
    folder = {"FUSION_DATA_DIR": str(work / "data"), "FUSION_WORKER_IDLE_S": "5"}
    with running_lab(work, CELLS, **folder) as url:
        yield url
    # After a failure too, no worker goes on with a query of hours.
    with connect(data_dir=str(work / "data"), worker_start="never") as fusion:
        for job in fusion.open_jobs():
            job.cancel()


@pytest.fixture(scope="module")
def page(work: Path, url: str) -> Iterator[Any]:
    with open_page(work / "browser", url) as page:
        wait_for_idle_kernel(page)
        yield page


def test_a_submitted_job_has_a_live_card(page: Any) -> None:
    execute(page, 0)
    card = execute(page, SUBMIT).locator(".fusion-live")

    expect(card.locator(".fusion-status")).to_have_text("RUNNING")
    expect(card.get_by_role("progressbar")).to_be_visible()
    expect(card.get_by_role("button", name=re.compile("Cancel job"))).to_be_enabled()
    execute(page, SAVE_ID)


def test_a_restarted_kernel_leaves_the_last_state_and_job_attaches_again(page: Any) -> None:
    restart_kernel(page)
    left = cell(page, SUBMIT)

    expect(left.locator(".fusion-live")).to_have_count(0)
    expect(left.locator(".fusion-card")).to_contain_text("%fusion cancel")
    card = execute(page, REATTACH).locator(".fusion-live")
    expect(card.locator(".fusion-status")).to_have_text("RUNNING")


def test_its_button_cancels_it_while_the_kernel_works_on_a_cell(page: Any) -> None:
    """
    JupyterLab sends widgets' messages over a subshell of the kernel.
    """
    execute(page, BUSY, is_awaited=False)
    card = cell(page, REATTACH).locator(".fusion-live")
    button = card.get_by_role("button", name=re.compile("Cancel job"))

    button.focus()
    page.keyboard.press("Enter")

    expect(card.locator(".fusion-status")).to_have_text("CANCELED")
    expect(button).to_be_hidden()
    expect(cell(page, BUSY).locator(".jp-InputArea-prompt").first).to_have_text(re.compile(r"\*"))
    page.get_by_role("button", name="Interrupt the kernel").click()
    wait_for_idle_kernel(page)


def test_a_million_rows_are_scrolled_sorted_and_filtered(page: Any) -> None:
    live = execute(page, SUBMIT_MILLION).locator(".fusion-live")
    table = live.locator(".fusion-rows")
    rows = table.get_by_role("region", name="Rows of the result")

    expect(value_at(table, 1, 1)).to_have_text("name 0", timeout=60_000)
    expect(table.locator("table")).to_have_attribute("aria-rowcount", "1000001")
    expect(table.get_by_role("columnheader").nth(2)).to_contain_text("1,000 nulls")
    rows.focus()
    page.keyboard.press("End")
    expect(value_at(table, 1_000_000, 0)).to_have_text("999999")
    expect(table.locator(".fusion-foot")).to_contain_text("to 1,000,000 of 1,000,000 rows")

    for _ in range(2):
        table.get_by_role("columnheader").first.get_by_role("button").click()
    expect(table.get_by_role("columnheader").first).to_have_attribute("aria-sort", "descending")
    expect(value_at(table, 1, 0)).to_have_text("999999", timeout=60_000)
    expect(value_at(table, 1000, 0)).to_have_count(0)
    rows.evaluate("element => { element.scrollTop = element.scrollHeight / 2 }")
    expect(table.locator("tbody td.later")).to_have_count(0)

    table.get_by_role("searchbox").fill("name 77")
    expect(table.locator(".fusion-foot")).to_contain_text(
        "of 11,000 of 1,000,000 rows", timeout=60_000
    )
    expect(value_at(table, 1, 1)).to_have_text("name 779")


def test_a_stored_result_is_the_same_table(page: Any) -> None:
    shown = execute(page, RESULT)

    expect(value_at(shown, 1, 1)).to_have_text("name 0", timeout=60_000)
    expect(shown.locator(".fusion-foot")).to_contain_text("of 1,000,000 rows")


def test_a_saved_notebook_shows_the_last_state_without_its_kernel(
    page: Any, url: str, work: Path
) -> None:
    """
    Nothing refers to a widget, so that nothing is "model not found".
    """
    path = work / "notebooks" / "n.ipynb"
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    notebook = json.loads(path.read_text())
    kinds = {kind for c in notebook["cells"] for o in c["outputs"] for kind in o.get("data", {})}
    assert kinds == {"text/plain", "text/html"}
    assert "widgets" not in notebook["metadata"]
    notebook["metadata"] = {"kernelspec": {"name": "gone", "display_name": "Gone"}}
    (path.parent / "saved.ipynb").write_text(json.dumps(notebook))

    # A workspace of its own, where no other notebook is open. JupyterLab asks for a kernel, or takes a new one
    # by the language; neither holds a widget of the old one.
    page.goto(url.replace("/lab/tree/n.ipynb", "/lab/workspaces/saved/tree/saved.ipynb"))

    expect(cell(page, REATTACH)).to_contain_text("CANCELED", timeout=60_000)
    million = cell(page, SUBMIT_MILLION)
    expect(million).to_contain_text("FINISHED")
    expect(million.locator("table")).to_contain_text("10 of 1,000,000 rows")
    expect(page.locator(".fusion-live")).to_have_count(0)
    expect(page.get_by_text("model not found")).to_have_count(0)
