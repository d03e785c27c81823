"""
README.md is true: its cells run in order in one notebook session, its configuration is read, its test passes.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_magic.config import load_settings
from fusion_magic.demo.folder import write_folder
from fusion_magic.metadata.catalog_file.reader import read_catalog
from tests.test_testing import PLUGIN

pytest_plugins = ["pytester"]

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    """
    The code blocks of that language, in order.
    """
    found = re.findall(
        r"^```(\w+)\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    wanted = language.split("|")
    return [text for name, text in found if name in wanted]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A folder with the demo's catalog and data.
    """
    place: Path = tmp_path_factory.mktemp("readme")
    write_folder(place, scale=0.1)
    return place


@pytest.fixture
def shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.chdir(folder)
    monkeypatch.setenv("FUSION_WORKER_IDLE_S", "5")
    monkeypatch.setenv("FUSION_PROGRESS", "none")
    shell = InteractiveShell()  # type: ignore[no-untyped-call]
    yield shell
    shell.run_line_magic("unload_ext", "fusion_magic")


def test_its_cells_run_in_order(shell: Any) -> None:
    cells = [cell for cell in blocks("python|sql") if not cell.startswith("def test_")]

    for cell in cells:
        shell.run_cell(cell).raise_error()

    assert len(cells) >= 8
    assert shell.user_ns["job"].status == "FINISHED"
    assert shell.user_ns["top"].columns == ("c_name", "spent")
    assert shell.user_ns["rich"].row_count > 0


def test_its_test_of_a_notebook_passes(folder: Path, pytester: pytest.Pytester) -> None:
    (text,) = (cell for cell in blocks("python") if cell.startswith("def test_"))
    shutil.copytree(folder, pytester.path, dirs_exist_ok=True)
    pytester.makepyfile(text)

    pytester.runpytest_subprocess("-q", *PLUGIN).assert_outcomes(passed=1)


def test_its_catalog_is_one(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "catalog.yaml").write_text(text, "utf-8")

    (entity,) = read_catalog(tmp_path / "catalog.yaml")

    assert entity.trino_parts == ("shop_pg", "public", "orders")


def test_its_configuration_is_read(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")

    settings = load_settings(folder=tmp_path, environment={})

    assert "fusion" in tomllib.loads(text)["tool"]
    assert settings.results_url == "s3://lake/fusion"
