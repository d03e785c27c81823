"""
What every engine does, the same on DuckDB, on real Trino and on the engine of another package (``tests/plugins``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from fusion_magic.engines import Engine, EngineQuery
from fusion_magic.engines.duckdb.engine import DuckDBEngine
from fusion_magic.errors import QueryFailed
from fusion_magic.metadata import Entity, FileSet
from tests.both_engines import answer
from tests.plugins.fusion_example.engine import SqliteEngine


@pytest.fixture(params=["duckdb", "sqlite", pytest.param("trino", marks=pytest.mark.trino)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "duckdb":
        made: Engine = DuckDBEngine("duckdb://")
    elif request.param == "sqlite":
        made = SqliteEngine(":memory:")
    else:
        from fusion_magic.engines.trino.engine import TrinoEngine
        from fusion_magic.engines.trino.settings import TrinoSettings

        url = request.getfixturevalue("trino_url")
        made = TrinoEngine(TrinoSettings(base_url=url, user="test"))
    yield made
    made.close()


TEN = " UNION ALL ".join(f"SELECT {n} AS x" for n in range(10))
FIVE = " UNION ALL ".join(f"SELECT {n} AS x" for n in range(5))
FIVE_THOUSAND_ROWS = (
    f"SELECT a.x FROM ({TEN}) a CROSS JOIN ({TEN}) b CROSS JOIN ({TEN}) c CROSS JOIN ({FIVE}) d"
)


def query(sql: str) -> EngineQuery:
    return EngineQuery(sql, str(uuid4()))


def test_rows_have_names_and_types(engine: Engine) -> None:
    found = answer(engine, "SELECT 1 AS a, 'x' AS b, 2")

    assert found.names == ("a", "b", "_col2")
    assert found.types[:1] == ("integer",)
    assert found.rows == [(1, "x", 2)]


def test_column_names_may_repeat(engine: Engine) -> None:
    assert answer(engine, "SELECT 1 AS a, 2 AS a").names == ("a", "a")


def test_a_result_without_rows_has_columns(engine: Engine) -> None:
    found = answer(engine, "SELECT x FROM (SELECT 1 AS x) t WHERE x > 1")

    assert (found.names, found.rows) == (("x",), [])


def test_a_failed_query_leaves_the_engine_usable(engine: Engine) -> None:
    with pytest.raises(QueryFailed):
        answer(engine, "SELECT wrong FROM (SELECT 1 AS x) t")

    assert answer(engine, "SELECT 1").rows == [(1,)]


def test_the_end_is_told(engine: Engine) -> None:
    execution = engine.execute(query("SELECT 1"))
    list(execution.batches())
    execution.cancel()

    assert execution.progress().state == "FINISHED"
    assert execution.update_type is None


def test_a_plan_runs_nothing(engine: Engine) -> None:
    assert engine.explain(query("SELECT 1")).text


def test_the_columns_are_known_before_the_rows_are_taken(engine: Engine) -> None:
    """
    Who writes a file needs them first; the rows are all there afterwards.
    """
    execution = engine.execute(query(FIVE_THOUSAND_ROWS))

    names = execution.schema().names
    rows = sum(batch.num_rows for batch in execution.batches())

    assert (names, rows) == (["x"], 5000)


def test_an_error_that_comes_with_the_columns_is_no_empty_result(engine: Engine) -> None:
    execution = engine.execute(query("SELECT wrong FROM (SELECT 1 AS x) t"))

    with pytest.raises(QueryFailed):
        execution.schema()
    with pytest.raises(QueryFailed):
        list(execution.batches())


def test_a_session_travels_in_words_of_the_engine(engine: Engine) -> None:
    """
    A background job is given it as JSON.
    """
    session = engine.session()
    execution = engine.execute(EngineQuery("SELECT 1", str(uuid4()), session=session))

    assert json.loads(json.dumps(session)) == session
    assert [batch.num_rows for batch in execution.batches()] == [1]


def test_rows_arrive_as_they_do_in_batches(engine: Engine) -> None:
    """
    A worker looks after other jobs wherever None comes instead of rows.
    """
    arriving = engine.execute(query("SELECT 1 AS x")).arrivals()

    assert sum(batch.num_rows for batch in arriving if batch is not None) == 1


def test_what_outlives_the_process_is_declared_by_both(engine: Engine) -> None:
    """
    A statement that can be taken up elsewhere belongs to an engine that can take it up.
    """
    execution = engine.execute(query("SELECT 1 AS x"))
    list(execution.batches())

    assert (execution.resumable is None) == (engine.remote_queries is None)
    assert engine.capabilities.concurrency is None or engine.capabilities.concurrency > 0


def test_it_says_what_it_is(engine: Engine) -> None:
    namespace = engine.dataset_namespace()

    assert engine.name in engine.about().lower()
    assert namespace is None or namespace.startswith(f"{engine.name}://")


def test_an_engine_that_makes_catalogs_says_so(engine: Engine) -> None:
    assert (engine.catalog_maker is not None) == engine.capabilities.makes_catalogs


def test_files_are_read_under_their_own_name_unless_a_setting_says_otherwise(
    engine: Engine,
) -> None:
    files = FileSet("s3://lake/raw/clicks", ("csv",))
    entity = Entity("", "s3.raw.clicks", "container", ("s3", "raw", "clicks"), files=files)

    assert engine.file_parts(entity) is None
