"""
The JupyterLab extension in a real browser: `%%fusion` cells are SQL, all others stay what they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.distribution import Distribution, run
from tests.servers.trino import free_port, say

pytestmark = pytest.mark.browser

START_TIMEOUT_S = 60
TOKEN = "for-this-test"
CELLS = ("%%fusion -n 3\nSELECT a FROM b.c.d.e", "x = 1", "%fusion jobs", "")
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _chromium() -> str:
    names = (os.environ.get("FUSION_TEST_CHROMIUM", ""), "chromium", "google-chrome")
    found = next(filter(None, map(shutil.which, filter(None, names))), None)
    assert found, (
        "Chromium is needed: install it (Debian: apt install chromium), or name it with FUSION_TEST_CHROMIUM."
    )
    return found


@pytest.fixture(scope="module")
def lab_url(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """
    A notebook in a JupyterLab that has the wheel's extension.
    """
    work = tmp_path_factory.mktemp("lab")
    with zipfile.ZipFile(distribution.wheel) as wheel:
        wheel.extractall(work)
    [data] = work.glob("*.data/data/share/jupyter/labextensions")
    notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell(text) for text in CELLS],  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    (work / "notebooks").mkdir()
    nbformat.write(notebook, work / "notebooks" / "n.ipynb")  # type: ignore[no-untyped-call]
    port = free_port()
    say(f"starting JupyterLab on port {port}")
    with (work / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *(f"--port={port}", f"--IdentityProvider.token={TOKEN}"),
                f"--ServerApp.root_dir={work / 'notebooks'}",
                f"--LabApp.extra_labextensions_path={data}",
            ],
            env={
                **os.environ,
                "HOME": str(work),
                "JUPYTER_CONFIG_DIR": str(work / "config"),
                "JUPYTERLAB_SETTINGS_DIR": str(work / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(work / "workspaces"),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", process, work / "lab.log")
        yield f"http://127.0.0.1:{port}/lab/tree/n.ipynb?token={TOKEN}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("JupyterLab did not start:\n" + log.read_text(errors="replace")[-3000:])


@pytest.fixture(scope="module")
def page(lab_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("browser")),
            executable_path=_chromium(),
            headless=True,
            args=list(BROWSER_OPTIONS),
        )
        page = context.new_page()
        page.goto(lab_url)
        page.locator(".jp-Notebook .jp-CodeCell").nth(3).wait_for(timeout=60_000)
        yield page
        context.close()


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
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=60_000)
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    page.keyboard.press("0")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=60_000)

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
