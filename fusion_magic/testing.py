"""
For tests of notebooks and of code that uses fusion-magic: the pytest fixtures ``fusion`` and ``fusion_catalog``.

    def test_spending(fusion):
        result = fusion.run("SELECT count(*) FROM shop_pg.shop.public.orders")
        assert result.rows() == [(3,)]

They run on the embedded default, in a folder of their own, against the catalog file that ``fusion_catalog``
names. Installing the package makes both known to pytest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fusion_magic.app import Fusion


@pytest.fixture
def fusion_catalog(request: pytest.FixtureRequest) -> Path:
    """
    The catalog file of the tests: the nearest ``catalog.yaml`` at or above the test's folder. Override it to name another.
    """
    from fusion_magic.metadata.local import find_catalog

    found = find_catalog(request.path.parent)
    if found is None:
        pytest.fail("There is no catalog.yaml here; override the fixture fusion_catalog.")
    return found


@pytest.fixture
def fusion(fusion_catalog: Path, tmp_path: Path) -> Iterator[Fusion]:
    """
    A ``Fusion`` on the embedded default, with a job store of its own.
    """
    from fusion_magic.app import connect

    with connect(
        metadata_url=str(fusion_catalog),
        data_dir=str(tmp_path / "fusion"),
        engine_url="duckdb://",
        store_url=f"sqlite:///{tmp_path / 'fusion' / 'fusion.db'}",
    ) as connection:
        yield connection


def run_notebook(path: Path, *, catalog: Path, data_dir: Path, timeout_s: int = 600) -> Any:
    """
    Run a notebook on the embedded default against *catalog*; the notebook with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    import os

    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    settings = {
        "FUSION_METADATA_URL": str(catalog),
        "FUSION_DATA_DIR": str(data_dir),
        "FUSION_ENGINE_URL": "duckdb://",
        "FUSION_STORE_URL": f"sqlite:///{data_dir / 'fusion.db'}",
        "FUSION_PROGRESS": "none",
    }
    client = NotebookClient(
        notebook, timeout=timeout_s, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute(env={**os.environ, **settings})
    return notebook
