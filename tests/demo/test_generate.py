"""
The demo's data at another scale, by the real generator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from fusion_magic.demo.folder import write_folder
from fusion_magic.demo.generate import generate
from fusion_magic.demo.packed import FOLDER as PACKED
from fusion_magic.errors import InvalidArgument
from fusion_magic.metadata.catalog_file.reader import read_catalog

SCALE = 0.001


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    write_folder(made, scale=SCALE)
    return made


def test_tables_have_the_columns_and_types_of_the_catalog(folder: Path) -> None:
    for entity in read_catalog(folder / "catalog.yaml"):
        if entity.kind == "table":
            found: Any = duckdb.sql(f"SELECT * FROM '{entity.source}'")
            types = ["INTEGER" if t == "integer" else str(t).lower() for t in found.types]

            assert found.columns == [column.name for column in entity.columns]
            assert types == [
                "INTEGER" if c.type == "integer" else str(c.type) for c in entity.columns
            ]


def test_data_of_that_scale_are_not_generated_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(folder, SCALE)
    write_folder(folder)

    assert capsys.readouterr().err == ""
    counted = duckdb.execute(f"SELECT count(*) FROM '{folder}/data/orders.parquet'").fetchall()
    assert counted == [(1_500,)]


def test_data_of_another_scale_replace_those_of_the_package(tmp_path: Path) -> None:
    write_folder(tmp_path)

    write_folder(tmp_path, scale=SCALE)

    assert "scale factor 0.001" in (tmp_path / "data" / "SOURCE.md").read_text("utf-8")
    counted = duckdb.execute(f"SELECT count(*) FROM '{tmp_path}/data/orders.parquet'").fetchall()
    assert counted == [(1_500,)]


def test_the_packed_data_are_what_the_generator_makes(tmp_path: Path) -> None:
    """
    The same rows on every machine, so that the package's data can be made again.
    """
    generate(tmp_path, 0.004)

    for path in (PACKED / "data").glob("*.parquet"):
        made = tmp_path / "data" / path.name
        assert duckdb.execute(f"FROM '{path}' EXCEPT ALL FROM '{made}'").fetchall() == []
        assert duckdb.execute(f"FROM '{made}' EXCEPT ALL FROM '{path}'").fetchall() == []


def test_a_missing_generator_and_a_scale_of_nothing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidArgument, match="not above 0"):
        generate(tmp_path, 0)
    monkeypatch.setattr("fusion_magic.demo.generate.shutil.which", lambda *a, **k: None)
    with pytest.raises(InvalidArgument, match="not installed") as caught:
        generate(tmp_path, 0.1)
    assert "pip install tpchgen-cli" in str(caught.value.hint)
    assert not (tmp_path / "data").exists()
