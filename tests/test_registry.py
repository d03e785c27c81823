"""
Another package, installed, adds an engine, a catalogue of names, a receiver of lineage and a command.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from fusion_magic.errors import BrokenPlugin, InvalidSettings
from fusion_magic.registry import names, opener, scheme_of
from tests.distribution import ROOT, run

IN_A_NOTEBOOK = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.run_line_magic("load_ext", "fusion_magic")
print(shell.run_line_magic("fusion", "biggest -n 1"))
print(shell.run_line_magic("fusion", "help"))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A folder of packages with the example in it.
    """
    folder = tmp_path_factory.mktemp("packages")
    command = (sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps")
    run(*command, "--no-build-isolation", "--target", folder, ROOT / "tests" / "plugins")
    return folder


@pytest.fixture
def environment(installed: Path, tmp_path: Path) -> Mapping[str, str]:
    with closing(sqlite3.connect(tmp_path / "zoo.db")) as zoo:
        zoo.execute("CREATE TABLE animals (id INTEGER, name TEXT, keeper INTEGER)")
        zoo.execute("INSERT INTO animals VALUES (1, 'Ada', 7), (2, 'Bo', 7)")
        zoo.execute("CREATE TABLE keepers (id INTEGER)")
        zoo.execute("INSERT INTO keepers VALUES (7)")
        zoo.commit()
    return {
        **os.environ,
        "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}",
        "FUSION_ENGINE_URL": f"sqlite:///{tmp_path / 'engine.db'}",
        "FUSION_METADATA_URL": "dictionary://",
        "FUSION_DELIVERY_URL": f"markdown://{tmp_path / 'lineage.md'} openlineage+file://{tmp_path / 'events.jsonl'}",
        "FUSION_DATA_DIR": str(tmp_path / "data"),
        "FUSION_WORKER_START": "never",
    }


def said(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fusion(environment: Mapping[str, str], folder: Path, *words: str) -> str:
    return said([sys.executable, "-m", "fusion_magic.cli", *words], environment, folder)


def test_what_is_installed_comes_in_by_its_entry_points(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    """
    Names from its dictionary, rows from its engine, lineage to its file and, beside it, to a receiver of ours.
    """
    sql = (
        'SELECT a.name FROM zoo.park.public.animals a JOIN zoo.park."public.old".Keepers k '
        "ON k.id = a.keeper ORDER BY a.name"
    )

    rows = json.loads(fusion(environment, tmp_path, "run", "--json", sql))["rows"]
    deliver = (
        "from fusion_magic import connect\n"
        "with connect() as fusion:\n"
        "    scheduler = fusion.wiring.open_scheduler()\n"
        "    while fusion.store.outbox.pending(): scheduler.deliver_due()"
    )
    said([sys.executable, "-c", deliver], environment, tmp_path)
    parts = {
        part["part"]: part for part in json.loads(fusion(environment, tmp_path, "doctor", "--json"))
    }

    assert rows == [["Ada"], ["Bo"]]
    assert parts["engine"]["what"].startswith("SQLite")
    assert parts["metadata"]["what"].startswith("the dictionary of fusion_example")
    lines = (tmp_path / "lineage.md").read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("- `zoo.park.")
    assert (tmp_path / "events.jsonl").exists()


def test_its_command_is_one_of_both_front_ends(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    fusion(environment, tmp_path, "run", "SELECT name FROM zoo.park.public.animals")

    listed = json.loads(fusion(environment, tmp_path, "biggest", "--json"))
    help_ = fusion(environment, tmp_path, "--help")
    shown = said([sys.executable, "-c", IN_A_NOTEBOOK], environment, tmp_path)

    assert [job["rows"] for job in listed] == [2]
    assert "Lists the jobs with the most rows." in help_
    assert "SELECT name FROM zoo.park.public.animals" in shown
    assert "biggest [--limit N]" in shown


def test_a_scheme_for_which_nothing_is_installed_names_what_there_is() -> None:
    with pytest.raises(InvalidSettings) as caught:
        opener("engines", "oracle://ana:s3cret@host", setting="engine.url")

    assert "oracle" in caught.value.message
    assert "duckdb://" in (caught.value.hint or "")
    assert "s3cret" not in str(caught.value)


def test_a_package_that_cannot_be_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fusion_magic.engines]\nbroken = no_such_module:x\n")
    monkeypatch.syspath_prepend(tmp_path)
    from fusion_magic import registry

    registry._of_others.cache_clear()
    try:
        with pytest.raises(BrokenPlugin, match="package broken"):
            opener("engines", "broken://", setting="engine.url")
        assert "broken" in names("engines")
    finally:
        registry._of_others.cache_clear()


def test_our_own_come_in_by_the_same_doors() -> None:
    assert {"duckdb", "trino"} <= set(names("engines"))
    assert "file" in names("metadata")
    assert "openlineage" in names("delivery")
    assert scheme_of("data/catalog.yaml") == ""
