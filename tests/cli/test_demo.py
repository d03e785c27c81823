"""
``make demo``: the data it makes and what it prints.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from fusion_magic.cli import DONE, WRONG, main
from fusion_magic.cli.demo import make_data, notebooks_folder
from fusion_magic.metadata.catalog_file.reader import read_catalog


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notebooks")
    make_data(folder)
    return folder / "data"


def test_every_source_of_the_catalog_is_made_and_has_its_columns(data: Path) -> None:
    """
    The catalog is written by hand, the data by a generator: they must not drift apart.
    """
    folder = notebooks_folder()
    for entity in read_catalog(folder / "catalog.yaml"):
        source = data.parent / Path(str(entity.source)).relative_to(folder.resolve())
        files = f"{source}/*.csv" if source.is_dir() else source
        found = duckdb.sql(f"SELECT * FROM '{files}' LIMIT 1").columns

        assert found == [column.name for column in entity.columns]


def test_the_data_is_tpc_h_at_a_tenth(data: Path) -> None:
    counted = duckdb.sql(f"SELECT count(*) FROM '{data}/lineitem.parquet'").fetchone()

    assert counted == (600_572,)


def test_data_that_is_there_is_not_made_again(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_data(data.parent)

    assert capsys.readouterr().out == ""


def test_the_catalog_has_what_the_notebooks_show() -> None:
    entities = read_catalog(notebooks_folder() / "catalog.yaml")

    assert len([e for e in entities if e.fqn.startswith("shop_pg.tpch.public.")]) == 8
    assert {e.kind for e in entities} == {"table", "container"}
    assert any(e.deprecated for e in entities)
    assert any("PII.Sensitive" in c.tags for e in entities for c in e.columns)
    assert all(e.description and e.owners for e in entities)


def test_the_demo_prints_rows_jobs_names_and_lineage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Whatever the person's own settings are, the demo runs on the embedded default and leaves their store alone.
    """
    monkeypatch.setenv("FUSION_ENGINE_URL", "trino://nobody@127.0.0.1:1/")
    monkeypatch.setenv("FUSION_STORE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")

    assert main(["demo"]) == DONE

    printed = capsys.readouterr().out
    assert "AUTOMOBILE  59295168.76" in printed
    assert "UnknownFqn: No table or file is known" in printed
    assert "(model_queue)" in printed
    assert "LINEAGE    shop_pg.tpch.public.partsupp  shop_pg.tpch.public.cheapest" in printed


def test_outside_a_checkout_the_demo_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fusion_magic.cli.demo.__file__", str(tmp_path / "a" / "b" / "demo.py"))

    assert main(["demo"]) == WRONG
    assert "checkout" in capsys.readouterr().err
