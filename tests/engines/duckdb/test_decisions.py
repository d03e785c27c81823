"""
Every decision about DuckDB's meaning, on DuckDB and on real Trino.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.engines.duckdb.functions import ALLOWED
from tests.engines.duckdb.decisions import decisions, outcome_of


@pytest.fixture(scope="module")
def engines(
    trino_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Fusion, Fusion]]:
    folder: Path = tmp_path_factory.mktemp("decisions")
    trino = connect(engine_url=trino_url.replace("://", "://ana@"), data_dir=str(folder / "t"))
    duckdb = connect(data_dir=str(folder / "d"))
    yield trino, duckdb
    trino.close()
    duckdb.close()


@pytest.mark.trino
def test_the_table_of_decisions_is_true(engines: tuple[Fusion, Fusion]) -> None:
    wrong = [
        (outcome, found, statement)
        for outcome, statement in decisions()
        if (found := outcome_of(statement, *engines)) != outcome
    ]

    assert wrong == []


def test_every_allowed_function_stands_in_the_table() -> None:
    """
    A function that nobody compared with Trino's is none that DuckDB may run.
    """
    shown = {
        name.upper()
        for outcome, statement in decisions()
        if outcome in {"same", "type", "double", "different"}
        for name in re.findall(r"(\w+)(?:\(|\b)", statement)
    }

    assert ALLOWED - shown == set()


def test_most_of_the_table_is_the_same() -> None:
    counted = Counter(outcome for outcome, _ in decisions())

    assert counted["same"] > 300
    assert counted["different"] <= 3
