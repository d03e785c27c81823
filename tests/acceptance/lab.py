"""
A JupyterLab and a browser, both of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import expect, sync_playwright

from tests.servers.trino import free_port, say

START_TIMEOUT_S = 180
STOP_TIMEOUT_S = 20
TOKEN = "for-this-test"
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def running_lab(
    work: Path,
    cells: Sequence[str],
    *options: str,
    application: str = "jupyterlab",
    **environment: str,
) -> Iterator[str]:
    """
    The address of a JupyterLab that is about to open ``notebooks/n.ipynb`` in *work*, a notebook of *cells*.

    Args:
        options: For ``jupyter lab``.

        application: ``notebook`` for Notebook 7 instead.

        environment: Variables for it and its kernels.
    """
    notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell(text) for text in cells],  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    (work / "notebooks").mkdir()
    nbformat.write(notebook, work / "notebooks" / "n.ipynb")  # type: ignore[no-untyped-call]
    port = free_port()
    say(f"starting {application} on port {port}")
    with (work / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", application, "--no-browser", "--allow-root"),
                *(f"--port={port}", f"--IdentityProvider.token={TOKEN}"),
                f"--ServerApp.root_dir={work / 'notebooks'}",
                *options,
            ],
            env={
                **os.environ,
                "HOME": str(work),
                "JUPYTER_CONFIG_DIR": str(work / "config"),
                "JUPYTERLAB_SETTINGS_DIR": str(work / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(work / "workspaces"),
                **environment,
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", process, work / "lab.log")
        path = "lab/tree" if application == "jupyterlab" else "notebooks"
        yield f"http://127.0.0.1:{port}/{path}/n.ipynb?token={TOKEN}"
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """
    A server that is told to end while it starts a kernel may wait for that kernel for ever.
    """
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def open_page(profile: Path, url: str) -> Iterator[Any]:
    """
    A page of a browser whose profile is that folder, at that address.
    """
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=_chromium(), headless=True, args=list(BROWSER_OPTIONS)
        )
        try:
            page = context.new_page()
            page.goto(url)
            page.locator(".jp-Notebook .jp-CodeCell").nth(3).wait_for(timeout=60_000)
            yield page
        finally:
            context.close()


def wait_for_idle_kernel(page: Any) -> None:
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=60_000)


def restart_kernel(page: Any) -> None:
    """
    As a person does, by keys.
    """
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    page.keyboard.press("0")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    wait_for_idle_kernel(page)


def cell(page: Any, number: int) -> Any:
    return page.locator(".jp-Notebook .jp-CodeCell").nth(number)


def execute(page: Any, number: int, *, is_awaited: bool = True) -> Any:
    """
    Run a cell; the cell.
    """
    found = cell(page, number)
    found.locator(".cm-content").click()
    expect(found).to_have_class(re.compile("jp-mod-selected"))
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run Selected Cell and Do not Advance").click()
    prompt = found.locator(".jp-InputArea-prompt").first
    expect(prompt).to_have_text(re.compile(r"\d" if is_awaited else r"\*"), timeout=60_000)
    return found


def value_at(table: Any, row: int, column: int) -> Any:
    """
    A cell by the row's number, counted from 1.
    """
    return table.locator(f'tr[aria-rowindex="{row + 1}"] td').nth(column)


def _chromium() -> str:
    names = (os.environ.get("FUSION_TEST_CHROMIUM", ""), "chromium", "google-chrome")
    found = next(filter(None, map(shutil.which, filter(None, names))), None)
    assert found, (
        "Chromium is needed: install it (Debian: apt install chromium), or name it with FUSION_TEST_CHROMIUM."
    )
    return found


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("JupyterLab did not start:\n" + log.read_text(errors="replace")[-3000:])
