"""
The embedded engine: its sources, and what user SQL cannot reach.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from fusion_magic.engines import Engine, EngineQuery
from fusion_magic.engines.duckdb.engine import DuckDBEngine
from fusion_magic.errors import (
    EngineUnavailable,
    InvalidSql,
    QueryCanceled,
    QueryFailed,
    UnsupportedSql,
)
from fusion_magic.metadata import Column, Entity
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


def source(text: Path | str, *columns: Column) -> Entities:
    return {NAME: Entity(str(uuid4()), "a.b.c.d", "table", NAME, str(text), columns=columns)}


@pytest.mark.parametrize("name", ["x.parquet", "it's.parquet", 'a "b".parquet', "ä ö; --.parquet"])
def test_parquet_under_any_name(engine: Engine, tmp_path: Path, name: str) -> None:
    with duckdb.connect() as connection:
        connection.sql("SELECT 1 AS x").write_parquet(str(tmp_path / name))

    assert rows_of(engine, "SELECT x FROM files.shop.sales", source(tmp_path / name)) == [(1,)]


def test_a_csv_has_the_types_of_the_catalog(engine: Engine, tmp_path: Path) -> None:
    """
    A zip code is no number.
    """
    path = tmp_path / "x.csv"
    path.write_text("zip,n\n01234,1\n")
    entities = source(path, Column("zip", "varchar"), Column("n", "bigint"))

    found = answer(engine, "SELECT * FROM files.shop.sales", entities)
    assert (found.types, found.rows) == (("varchar", "bigint"), [("01234", 1)])


def test_folders_globs_and_json(engine: Engine, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_text(f'{{"x": {number}}}\n')

    for text in (tmp_path, tmp_path / "*.json"):
        found = rows_of(engine, "SELECT x FROM files.shop.sales", source(text))
        assert found == [(1,), (2,)]


def test_a_changed_file_is_seen_by_the_next_query(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for number in (1, 2):
        path.write_text(f"x\n{number}\n")
        assert rows_of(engine, "SELECT x FROM files.shop.sales", source(path)) == [(number,)]


def test_a_changed_sqlite_file_is_seen_by_the_next_query(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "it's.db"
    for number in (1, 2):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (x integer)")
            connection.execute("INSERT INTO t VALUES (?)", [number])
            connection.commit()
        found = rows_of(engine, "SELECT count(*) FROM files.shop.sales", source(f"sqlite:{path}#t"))
        assert found == [(number,)]


def test_a_table_of_another_duckdb_file(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "it's.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 7 AS x")

    entities = source(f"duckdb:{path}#s.t")
    assert rows_of(engine, "SELECT x FROM files.shop.sales", entities) == [(7,)]


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


def test_the_schema_may_be_asked_for_before_the_rows(engine: Engine) -> None:
    execution = engine.execute(EngineQuery("SELECT x FROM (VALUES 1, 2) t(x)", str(uuid4())))

    assert execution.schema().names == ["x"]
    assert sum(batch.num_rows for batch in execution.batches()) == 2


def test_cancel_stops_the_query(engine: Engine) -> None:
    import threading

    sql = "SELECT count(*) FROM UNNEST(sequence(1, 100000)) a(x), UNNEST(sequence(1, 100000)) b(y) WHERE x * y = 7"
    execution = engine.execute(EngineQuery(sql, str(uuid4())))
    timer = threading.Timer(0.3, execution.cancel)
    timer.start()
    with pytest.raises(QueryCanceled):
        list(execution.batches())
    timer.join()


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
