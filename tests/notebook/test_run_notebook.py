"""
Notebooks run without a person.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from fusion_magic import connect
from fusion_magic.notebook.run_notebook import run_notebook


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text("id\n1\n2\n")
    path = tmp_path / "catalog.yaml"
    path.write_text("version: 1\nmodels:\n  a.b.c.t: {source: t.csv}\n")
    return path


def notebook(folder: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])  # type: ignore[no-untyped-call]
    path = folder / "n.ipynb"
    nbformat.write(made, path)  # type: ignore[no-untyped-call]
    return path


def test_a_notebook_runs_against_the_catalog_and_leaves_its_jobs(
    tmp_path: Path, catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUSION_ENGINE_URL", "trino://nobody@127.0.0.1:1/")
    path = notebook(
        tmp_path, "%load_ext fusion_magic", "%%fusion\nSELECT sum(id) AS s FROM a.b.c.t"
    )
    before = path.read_bytes()

    done = run_notebook(path, catalog=catalog, data_dir=tmp_path / "kept")

    assert "3" in done.cells[1].outputs[0].data["text/plain"]
    assert path.read_bytes() == before
    with connect(data_dir=str(tmp_path / "kept"), metadata_url=str(catalog)) as fusion:
        assert [job.status for job in fusion.jobs()] == ["FINISHED"]


def test_a_failing_cell_stops_the_run_with_the_short_error(tmp_path: Path, catalog: Path) -> None:
    path = notebook(tmp_path, "%load_ext fusion_magic", "%%fusion\nSELECT * FROM a.b.c.tt", "1 / 0")

    with pytest.raises(CellExecutionError) as caught:
        run_notebook(path, catalog=catalog, data_dir=tmp_path)

    assert caught.value.ename == "UnknownFqn"
    assert "a.b.c.t?" in str(caught.value)
    assert "magics.py" not in str(caught.value)
