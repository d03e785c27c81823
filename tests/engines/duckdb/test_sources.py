"""
Files, folders and other databases, as the embedded engine reads them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from fusion_magic.engines import Engine, EngineQuery
from fusion_magic.engines.duckdb.engine import DuckDBEngine
from fusion_magic.errors import QueryFailed, UnsupportedSql
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
    "text", ["SELECT {} FROM files.shop.sales", "SELECT {}, n FROM files.shop.sales"]
)
def test_a_text_of_a_csv_that_is_no_number_is_null_for_try_cast(
    engine: Engine, tmp_path: Path, text: str
) -> None:
    """
    DuckDB 2 moves a cast into its CSV reader where it can, and there it fails as a whole.
    """
    path = tmp_path / "x.csv"
    path.write_text("n\n1\nabc\n")

    for kind, numbers in (("bigint", [1, None]), ("double", [1.0, None]), ("date", [None, None])):
        sql = text.format(f"try_cast(n AS {kind})")
        assert [row[0] for row in answer(engine, sql, source(path)).rows] == numbers


def test_a_text_of_a_csv_that_is_not_of_the_catalogs_type_is_an_error_where_it_is_read(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("k,n\n1,1\n2,abc\n")
    entities = source(path, Column("k", "bigint"), Column("n", "bigint"))

    assert rows_of(engine, "SELECT k FROM files.shop.sales", entities) == [(1,), (2,)]
    with pytest.raises(QueryFailed, match="abc"):
        rows_of(engine, "SELECT n FROM files.shop.sales", entities)


def test_a_source_that_cannot_be_read_names_its_entity(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(QueryFailed, match=r"^a\.b\.c\.d cannot be read: ") as caught:
        rows_of(engine, "SELECT * FROM files.shop.sales", source(tmp_path / "gone.csv"))

    assert "gone.csv" in str(caught.value.hint)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO files.shop.sales VALUES 2",
        "UPDATE files.shop.sales SET x = 2",
        "DELETE FROM files.shop.sales",
        "DROP TABLE files.shop.sales",
        "CREATE OR REPLACE TABLE files.shop.sales AS SELECT 2 AS x",
        "CREATE OR REPLACE VIEW files.shop.sales AS SELECT 2 AS x",
        "ALTER TABLE files.shop.sales ADD COLUMN y int",
        "/* first */ TRUNCATE TABLE files.shop.sales",
    ],
)
def test_what_is_read_from_a_file_is_not_written_to(
    engine: Engine, tmp_path: Path, sql: str
) -> None:
    (tmp_path / "x.csv").write_text("x\n1\n")
    entities = source(tmp_path / "x.csv")
    query = EngineQuery(sql, str(uuid4()), entities=entities, targets=(NAME,))

    with pytest.raises(UnsupportedSql, match=r"cannot change a\.b\.c\.d, which is read from"):
        engine.execute(query)

    assert rows_of(engine, "SELECT x FROM files.shop.sales", entities) == [(1,)]
