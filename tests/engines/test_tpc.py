"""
TPC-H and TPC-DS by OpenMetadata's names: each query gives the same rows on DuckDB and on real Trino.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import FusionError
from tests.corpora import (
    TPCDS_TABLES,
    TPCH_TABLES,
    tpcds_queries,
    tpch_queries,
    with_names,
)

pytestmark = pytest.mark.trino

# Each with the reason why its rows cannot be compared.
DIFFERENT = {("tpcds", 12): "divides by zero at this scale, on both engines"}
CORPORA = {
    "tpch_standard": (TPCH_TABLES, tpch_queries),
    "tpcds": (TPCDS_TABLES, tpcds_queries),
}
NUMBERS = [("tpch_standard", n) for n in range(1, 23)] + [("tpcds", n) for n in range(1, 100)]


@pytest.fixture(scope="module")
def engines(
    trino_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Fusion, Fusion]]:
    """
    The same catalog on both; its tables are exported once.
    """
    folder = tmp_path_factory.mktemp("tpc")
    catalog = folder / "catalog.yaml"
    lines = ["version: 1", "models:"]
    url = trino_url.replace("://", "://ana@")
    with connect(engine_url=url, data_dir=str(folder / "export")) as trino:
        for service, (tables, _) in CORPORA.items():
            for table in tables:
                source = _export(trino, f"{service}.tiny.{table}", folder)
                name = f'{service}."my db".tiny.{table}'
                lines.append(f"  '{name}': {{trino: {service}.tiny.{table}, source: {source}}}")
    catalog.write_text("\n".join(lines) + "\n")
    on_trino = connect(engine_url=url, metadata_url=str(catalog), data_dir=str(folder / "t"))
    on_duckdb = connect(metadata_url=str(catalog), data_dir=str(folder / "d"))
    yield on_trino, on_duckdb
    on_trino.close()
    on_duckdb.close()


def _export(trino: Fusion, name: str, folder: Path) -> Path:
    # DuckDB has no padded texts, so that char(n) is stored as what is in it.
    columns = ", ".join(
        f"rtrim(CAST({column} AS varchar)) AS {column}" if kind.startswith("char(") else column
        for column, kind, *_ in trino.run(f"DESCRIBE {name}").rows()
    )
    return trino.run(f"SELECT {columns} FROM {name}").to_parquet(folder / f"{name}.parquet")


@pytest.mark.parametrize(("corpus", "number"), NUMBERS)
def test_a_query_gives_the_same_rows_on_both_engines(
    engines: tuple[Fusion, Fusion], corpus: str, number: int
) -> None:
    tables, queries = CORPORA[corpus]
    sql = with_names(queries()[number], tables, f'{corpus}."my db".tiny.{{}}')
    trino, duckdb = engines
    if (corpus, number) in DIFFERENT:
        for engine in engines:
            with pytest.raises(FusionError, match="Division by zero"):
                engine.run(sql)
        return

    there, here = _rows(trino, sql), _rows(duckdb, sql)

    assert len(here) == len(there)
    for expected, found in zip(there, here, strict=True):
        assert all(map(_is_same, expected, found)), (expected, found)


def _rows(fusion: Fusion, sql: str) -> list[tuple[Any, ...]]:
    """
    The rows in one order: ORDER BY leaves that of equal ones to the engine.
    """
    rows = [tuple(map(_plain, row)) for row in fusion.run(sql).rows()]
    return sorted(rows, key=lambda row: repr([_rounded(value) for value in row]))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.rstrip() if isinstance(value, str) else value


def _rounded(value: Any) -> Any:
    return f"{value:.3g}" if isinstance(value, float) else value


def _is_same(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, (int, float)):
        # A sum of doubles depends on the order in which they are added.
        return math.isclose(expected, found, rel_tol=1e-9, abs_tol=1e-9)
    return bool(expected == found)
