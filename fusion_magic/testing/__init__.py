"""
For tests of notebooks and of code that uses fusion-magic: the pytest fixtures ``fusion`` and ``fusion_catalog``.

    def test_spending(fusion):
        result = fusion.run("SELECT count(*) FROM shop_pg.shop.public.orders")
        assert result.rows() == [(3,)]

They run on the embedded default, in a folder of their own, against the catalog file that ``fusion_catalog``
names. Installing the package makes both known to pytest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fusion_magic.notebook.run_notebook import run_notebook

__all__ = ["freeze_catalog", "fusion", "fusion_catalog", "run_notebook"]

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion
    from fusion_magic.metadata import Entity


@pytest.fixture
def fusion_catalog(request: pytest.FixtureRequest) -> Path:
    """
    The catalog file of the tests: the nearest ``catalog.yaml`` at or above the test's folder. Override it to name another.
    """
    from fusion_magic.metadata.catalog_file.metadata import find_catalog

    found = find_catalog(request.path.parent)
    if found is None:
        pytest.fail("There is no catalog.yaml here; override the fixture fusion_catalog.")
    return found


@pytest.fixture
def fusion(fusion_catalog: Path, tmp_path: Path) -> Iterator[Fusion]:
    """
    A ``Fusion`` on the embedded default, with a job store of its own.
    """
    from fusion_magic.fusion import connect

    with connect(
        metadata_url=str(fusion_catalog),
        data_dir=str(tmp_path / "fusion"),
        engine_url="duckdb://",
        worker_idle_s=5,
        store_url=f"sqlite:///{tmp_path / 'fusion' / 'fusion.db'}",
    ) as connection:
        yield connection


def freeze_catalog(catalog: Path, target: Path, *, rows: int = 100) -> Path:
    """
    Copy *catalog* and the first rows of each source into the folder *target*, so that tests need no big data.

    Args:
        catalog: The catalog file to copy.

        target: A folder; made where it is missing. It can be committed beside the tests.

        rows: Most rows of each source that are kept.

    Returns:
        The copied catalog file. Its sources are Parquet files beside it; descriptions, owners, tags and ids stay.

    Raises:
        InvalidCatalog: *catalog* cannot be read.
        FusionError: A source cannot be read.
    """
    import tempfile

    import yaml

    from fusion_magic.fusion import connect
    from fusion_magic.metadata.catalog_file.reader import read_catalog

    data = target / "data"
    data.mkdir(parents=True, exist_ok=True)
    models = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(
            metadata_url=str(catalog),
            data_dir=folder,
            engine_url="duckdb://",
            store_url=f"sqlite:///{folder}/fusion.db",
        ) as fusion,
    ):
        for number, entity in enumerate(read_catalog(catalog), 1):
            source = None
            if entity.source is not None:
                source = f"data/{number:04}.parquet"
                fusion.run(f"SELECT * FROM {entity.fqn}", limit=rows).to_parquet(target / source)
            models[entity.fqn] = _entry(entity, source)
    frozen = target / "catalog.yaml"
    text = yaml.safe_dump(
        {"version": 1, "models": models}, sort_keys=False, allow_unicode=True, width=100
    )
    frozen.write_text(text, encoding="utf-8")
    return frozen


def _entry(entity: Entity, source: str | None) -> dict[str, Any]:
    from dataclasses import asdict

    from fusion_magic.sql.edits import format_trino_name

    columns = [_without_empty(asdict(column)) for column in entity.columns]
    facts = {**asdict(entity), "source": source, "columns": columns}
    trino = format_trino_name(facts.pop("trino_parts"))
    del facts["fqn"]
    return _without_empty({**facts, "trino": trino})


def _without_empty(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in facts.items()
        if value not in (None, (), [])
    }
