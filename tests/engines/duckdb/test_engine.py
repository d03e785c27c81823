"""
The embedded engine: its sources, and what user SQL cannot reach.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fusion_magic.engines import Engine
from fusion_magic.engines.duckdb.engine import DuckDBEngine
from fusion_magic.errors import (
    EngineUnavailable,
    InvalidSql,
    QueryFailed,
    UnsupportedSql,
)
from fusion_magic.metadata import Entity
from tests.both_engines import answer

NAME = ("files", "shop", "sales")
Entities = dict[tuple[str, ...], Entity]


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = DuckDBEngine("duckdb://")
    yield engine
    engine.close()


def rows_of(engine: Engine, sql: str, entities: Entities) -> list[Any]:
    """
    In an order of their own: these queries have no ORDER BY.
    """
    return sorted(answer(engine, sql, entities).rows)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{}')",
        "SELECT * FROM read_text('{}')",
        "SELECT * FROM '{}'",
        "COPY (SELECT 1) TO '{}'",
        "ATTACH '{}' AS x",
        "INSTALL httpfs",
        "PRAGMA database_list",
        "SET memory_limit = '1GB'",
    ],
)
def test_user_sql_reaches_no_file_and_no_setting(engine: Engine, tmp_path: Path, sql: str) -> None:
    path = tmp_path / "secret.csv"
    path.write_text("x\n1\n")

    with pytest.raises((UnsupportedSql, InvalidSql)):
        answer(engine, sql.format(path))


def test_a_quoted_file_name_is_a_table_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    """
    DuckDB reads a file for a table of that name, which Trino's users do not expect.
    """
    path = tmp_path / "secret.csv"
    path.write_text("x\n1\n")

    for name in (f'"{path}"', f'"{path.with_suffix("")}".csv'):
        with pytest.raises(UnsupportedSql, match="file's name"):
            answer(engine, f"SELECT * FROM {name}")


def test_an_entity_may_be_named_like_a_file(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("x\n1\n")
    name = ("files", "shop", "x.csv")
    entities: Entities = {name: Entity(str(uuid4()), "a.b.c.d", "table", name, str(path))}

    assert rows_of(engine, 'SELECT x FROM files.shop."x.csv"', entities) == [(1,)]


def test_an_unknown_column_is_named_with_its_place(engine: Engine) -> None:
    sql = "SELECT 1,\n wrong FROM (VALUES 1) t(x)"
    with pytest.raises(QueryFailed, match="wrong") as caught:
        answer(engine, sql)

    assert caught.value.span is not None
    assert sql[slice(*caught.value.span)] == "wrong"
    assert "LINE" not in caught.value.message


def test_a_file_that_another_process_has_open_gives_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    code = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(EngineUnavailable, match="cannot be opened"):
            answer(DuckDBEngine(f"duckdb:///{path}"), "SELECT 1")
        other.communicate("")


@pytest.mark.parametrize(
    ("sql", "message", "marked"),
    [
        ("SELECT 1 FROM", "more is expected behind FROM", "FROM"),
        ("SELEC 1", "1 is not expected here", "1"),
        ("SELECT 1,\n  CASE WHEN true THEN 2", "END is expected behind 2", "2"),
    ],
)
def test_what_cannot_be_read_is_marked(engine: Engine, sql: str, message: str, marked: str) -> None:
    """
    The parser's own words name its classes; a person needs the place.
    """
    with pytest.raises(InvalidSql) as raised:
        answer(engine, sql)

    span = raised.value.span
    assert message in raised.value.message
    assert span is not None
    assert sql[span.start : span.end] == marked
