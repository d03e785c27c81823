"""
The JupyterLab extension in a real browser: `%%fusion` cells are SQL, all others stay what they are.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.lab import open_page, restart_kernel, running_lab, wait_for_idle_kernel
from tests.distribution import Distribution, run

pytestmark = pytest.mark.browser

CELLS = ("%%fusion -n 3\nSELECT a FROM b.c.d.e", "x = 1", "%fusion jobs", "")


@pytest.fixture(scope="module")
def page(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """
    A notebook in a JupyterLab that has the wheel's extension.
    """
    work = tmp_path_factory.mktemp("lab")
    with zipfile.ZipFile(distribution.wheel) as wheel:
        wheel.extractall(work)
    [data] = work.glob("*.data/data/share/jupyter/labextensions")
    with (
        running_lab(work, CELLS, f"--LabApp.extra_labextensions_path={data}") as url,
        open_page(work / "browser", url) as page,
    ):
        yield page


def editor(page: Any, cell: int) -> Any:
    return page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".cm-content")


def test_cells_of_the_magic_are_sql_and_others_are_left_alone(page: Any) -> None:
    expect(editor(page, 0)).to_have_attribute("data-language", "sql", timeout=30_000)
    expect(editor(page, 1)).to_have_attribute("data-language", "python")
    expect(editor(page, 2)).to_have_attribute("data-language", "python")


def test_the_language_follows_the_text_as_it_is_written(page: Any) -> None:
    """
    The first line decides, and it is often typed, or taken away, last.
    """
    editor(page, 3).click()
    page.keyboard.type("%%fusion")
    expect(editor(page, 3)).to_have_attribute("data-language", "sql")

    page.keyboard.type("s")
    expect(editor(page, 3)).to_have_attribute("data-language", "python")


def test_a_restarted_kernel_does_not_take_it_away(page: Any) -> None:
    """
    JupyterLab sets every cell's language again when a kernel tells its own.
    """
    wait_for_idle_kernel(page)
    restart_kernel(page)

    expect(editor(page, 0)).to_have_attribute("data-language", "sql")
    expect(editor(page, 1)).to_have_attribute("data-language", "python")


def test_keywords_are_coloured_as_in_sql(page: Any) -> None:
    keyword = editor(page, 0).get_by_text("SELECT", exact=True)
    plain = editor(page, 0).locator(".cm-line").nth(1)

    colour = "element => getComputedStyle(element).color"
    assert keyword.evaluate(colour) != plain.evaluate(colour)


def test_the_rule_that_picks_cells_passes_its_own_tests(distribution: Distribution) -> None:
    printed = run("npm", "test", cwd=distribution.source / "labextension")

    assert "# fail 0" in printed
