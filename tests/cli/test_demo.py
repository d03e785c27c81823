"""
``fusion demo`` and ``fusion lab``: the folder that they write, what they print, what they start.
"""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fusion_magic.cli import main
from fusion_magic.cli.exit_codes import DONE, WRONG
from fusion_magic.demo.folder import FIRST, notebooks_in, packed_files, write_folder
from fusion_magic.demo.packed import FOLDER as PACKED
from fusion_magic.metadata.catalog_file.reader import read_catalog

MEGABYTE = 1_000_000


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    The demo's folder in an empty one; its only notebook is a quick one.
    """
    monkeypatch.chdir(tmp_path)
    packed = tmp_path / "packed"
    shutil.copytree(PACKED, packed, ignore=shutil.ignore_patterns("*.ipynb", "sanitize.cfg"))
    monkeypatch.setattr("fusion_magic.demo.packed.FOLDER", packed)
    write_notebook(
        packed / FIRST,
        "%load_ext fusion_magic",
        "%%fusion --into shop_pg.tpch.public.few --replace\nSELECT r_name FROM shop_pg.tpch.public.region",
        "%%fusion\nSELECT count(*) AS regions FROM shop_pg.tpch.public.few",
    )
    return tmp_path / "fusion-demo"


def write_notebook(path: Path, *cells: str) -> None:
    import nbformat

    made = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell(text) for text in cells]  # type: ignore[no-untyped-call]
    )
    nbformat.write(made, path)  # type: ignore[no-untyped-call]


def test_every_source_of_the_catalog_is_packed_with_its_columns() -> None:
    """
    The catalog is written by hand, the data by a generator: they must not drift apart.
    """
    for entity in read_catalog(PACKED / "catalog.yaml"):
        source = Path(str(entity.source))
        files = f"{source}/*.csv" if source.is_dir() else source
        found: Any = duckdb.sql(f"SELECT * FROM '{files}' LIMIT 1")

        assert found.columns == [column.name for column in entity.columns]


def test_the_packed_data_are_small_and_tell_their_source() -> None:
    data = [PACKED / name for name in packed_files() if name.parts[0] == "data"]

    assert sum(path.stat().st_size for path in data) < MEGABYTE
    assert "scale factor 0.004" in (PACKED / "data" / "SOURCE.md").read_text("utf-8")
    counted = duckdb.execute(f"SELECT count(*) FROM '{PACKED}/data/lineitem.parquet'").fetchall()
    assert counted == [(24_146,)]


def test_the_catalog_has_what_the_notebooks_show() -> None:
    entities = read_catalog(PACKED / "catalog.yaml")

    assert len([e for e in entities if e.fqn.startswith("shop_pg.tpch.public.")]) == 8
    assert {e.kind for e in entities} == {"table", "container"}
    assert any(e.deprecated for e in entities)
    assert any("PII.Sensitive" in c.tags for e in entities for c in e.columns)
    assert all(e.description and e.owners for e in entities)


def test_the_folder_has_catalog_data_and_notebooks_the_quickstart_first(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert write_folder(folder) == []

    assert notebooks_in(folder)[0].name == FIRST
    assert (folder / "catalog.yaml").is_file()
    assert (folder / "data" / "clicks" / "1995-01.csv").is_file()
    assert not (folder / "sanitize.cfg").exists()


def test_what_a_person_has_changed_is_kept_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    write_folder(folder)
    (folder / FIRST).write_text("mine")
    (folder / "lineage.ipynb").unlink()

    assert write_folder(folder) == [FIRST]

    assert (folder / FIRST).read_text() == "mine"
    assert (folder / "lineage.ipynb").exists()


def test_the_demo_prints_cells_rows_jobs_names_and_lineage_and_runs_again(
    demo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Whatever the person's own settings are, the demo runs on the embedded default and leaves their store alone.
    """
    monkeypatch.setenv("FUSION_ENGINE_URL", "trino://nobody@127.0.0.1:1/")
    monkeypatch.setenv("FUSION_STORE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")

    assert main(["demo"]) == DONE

    printed = capsys.readouterr()
    assert f"Wrote {demo}" in printed.err
    assert "%%fusion --into" in printed.out
    assert "regions\n-------\n      5\n1 row" in printed.out
    assert "(model_queue)" in printed.out
    assert "LINEAGE    shop_pg.tpch.public.region  shop_pg.tpch.public.few" in printed.out

    write_notebook(demo / FIRST, "1 + 1")

    assert main(["demo"]) == DONE
    printed = capsys.readouterr()
    assert f"Kept fusion-demo/{FIRST}, which differs from the package's" in printed.err
    assert "\n2\n" in printed.out


def test_the_demo_prints_json(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json"]) == DONE

    shown = json.loads(capsys.readouterr().out)
    assert shown["folder"] == str(demo)
    assert shown["notebooks"][FIRST][-1]["output"] == "regions\n-------\n      5\n1 row"
    assert [job["Status"] for job in shown["jobs"]] == ["FINISHED", "FINISHED"]
    assert {row["Name"] for row in shown["names"]} == {
        "shop_pg.tpch.public.region",
        "shop_pg.tpch.public.few",
    }
    assert "LINEAGE" in {row["Command"] for row in shown["lineage"]}


def test_a_cell_that_fails_is_told_with_the_way_on(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.mkdir()
    write_notebook(demo / FIRST, "1 / 0")

    assert main(["demo"]) == WRONG

    told = capsys.readouterr().err
    assert "fusion-demo/quickstart.ipynb stopped at a cell: ZeroDivisionError" in told
    assert "delete fusion-demo/quickstart.ipynb" in told


@pytest.mark.parametrize("command", ["demo", "lab"])
def test_a_missing_extra_is_told_before_anything_is_written(
    command: str,
    demo: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fusion_magic.cli.demo.find_spec", lambda name: None)

    assert main([command]) == WRONG

    assert "pip install 'fusion-magic[lab]'" in capsys.readouterr().err
    assert not demo.exists()


def test_the_lab_is_given_the_folder_and_the_further_options(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    JupyterLab itself is started by the test of the wheel.
    """
    program = demo.parent / "python"
    program.write_text(
        f'#!{shutil.which("sh")}\npwd > ../seen; echo "$@" >> ../seen; env >> ../seen\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("FUSION_ENGINE_URL", "trino://nobody@127.0.0.1:1/")

    assert main(["lab", "--no-browser", "--port=1"]) == DONE

    where, arguments, *environment = (demo.parent / "seen").read_text().splitlines()
    assert demo.samefile(where)
    assert arguments == f"-m jupyterlab {FIRST} --no-browser --port=1"
    assert "FUSION_ENGINE_URL=duckdb://" in environment
    assert f"FUSION_DATA_DIR={demo}/.fusion" in environment
