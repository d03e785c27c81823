"""
README.md is true: its cells run in order in one notebook session, its configuration is read, its links lead somewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_magic.config import load_settings
from fusion_magic.demo.folder import write_folder
from tests.distribution import ROOT
from tests.prose import blocks_of

README = ROOT / "README.md"
MOST_LINES = 100  # one screen and a half
MOST_BYTES = 400_000


def blocks(language: str) -> list[str]:
    """
    The code blocks of that language, in order.
    """
    wanted = language.split("|")
    return [text for name, text in blocks_of(README) if name in wanted]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    write_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FUSION_PROGRESS", "none")
    shell = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython's own lack of annotations
    yield shell
    shell.run_line_magic("unload_ext", "fusion_magic")


def test_its_cells_run_in_order_on_the_demo(shell: Any) -> None:
    results = [shell.run_cell(cell) for cell in blocks("python|sql")]

    for result in results:
        result.raise_error()
    assert results[-1].result.columns == ("c_name", "spent")
    assert results[-1].result.row_count == 10


def test_its_configuration_is_read(tmp_path: Path) -> None:
    engine, metadata = blocks("toml")
    secret = tmp_path / "token"
    secret.write_text("a.b.c")
    text = engine + re.sub(r'"/run/secrets/[^"]+"', f'"{secret}"', metadata).partition("\n")[2]
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")

    found = load_settings(folder=tmp_path, environment={})

    assert found.engine_url.startswith("trino://")
    assert (found.metadata_url, found.metadata_token) == (
        "https://openmetadata.example/api",
        "a.b.c",
    )


def test_it_is_read_in_a_minute() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= MOST_LINES


def test_its_picture_is_small() -> None:
    picture = (ROOT / "docs" / "picture.png").read_bytes()

    assert picture.startswith(b"\x89PNG")
    assert 10_000 < len(picture) < MOST_BYTES


def test_its_command_for_tests_is_what_changes_have_to_pass() -> None:
    called = (ROOT / ".ci" / "run").read_text().splitlines()

    assert "`make test`" in README.read_text("utf-8")
    assert "make test" in called
