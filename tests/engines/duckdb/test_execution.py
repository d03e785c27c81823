"""
One statement after another on the embedded engine: whatever one left behind, the next one runs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from fusion_magic.engines import Engine, EngineQuery
from fusion_magic.engines.duckdb.engine import DuckDBEngine
from fusion_magic.errors import QueryCanceled, QueryFailed
from tests.both_engines import answer


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = DuckDBEngine("duckdb://")
    yield engine
    engine.close()


def test_the_schema_may_be_asked_for_before_the_rows(engine: Engine) -> None:
    execution = engine.execute(EngineQuery("SELECT x FROM (VALUES 1, 2) t(x)", str(uuid4())))

    assert execution.schema().names == ["x"]
    assert sum(batch.num_rows for batch in execution.batches()) == 2


def test_cancel_stops_the_query(engine: Engine) -> None:

    sql = "SELECT count(*) FROM UNNEST(sequence(1, 100000)) a(x), UNNEST(sequence(1, 100000)) b(y) WHERE x * y = 7"
    execution = engine.execute(EngineQuery(sql, str(uuid4())))
    timer = threading.Timer(0.3, execution.cancel)
    timer.start()
    with pytest.raises(QueryCanceled):
        list(execution.batches())
    timer.join()


OVERFLOW = "SELECT 9223372036854775000 + x FROM UNNEST(sequence(1, 200000)) t(x)"
MANY = "SELECT x FROM UNNEST(sequence(1, 1000000)) t(x)"


def begin(engine: Engine, sql: str) -> Iterator[Any]:
    return engine.execute(EngineQuery(sql, str(uuid4()))).batches()


def still_runs(engine: Engine) -> bool:
    return answer(engine, "SELECT 1").rows == [(1,)]


def test_a_statement_runs_after_one_that_failed_among_its_rows(engine: Engine) -> None:
    with pytest.raises(QueryFailed, match="Overflow"):
        list(begin(engine, OVERFLOW))

    assert still_runs(engine)


def test_a_statement_runs_after_one_whose_rows_were_left(engine: Engine) -> None:
    rows = begin(engine, MANY)
    assert next(rows).num_rows > 0
    rows.close()  # type: ignore[attr-defined]  # a generator, of which the port promises the iterator

    assert still_runs(engine)


def test_statements_run_beside_one_whose_rows_are_still_read(engine: Engine) -> None:
    rows = begin(engine, MANY)
    first = next(rows).num_rows

    assert still_runs(engine)
    assert first + sum(batch.num_rows for batch in rows) == 1_000_000


def test_a_statement_runs_after_one_that_was_canceled_among_its_rows(engine: Engine) -> None:
    execution = engine.execute(EngineQuery(MANY, str(uuid4())))
    rows = execution.batches()
    next(rows)
    execution.cancel()
    rows.close()

    assert still_runs(engine)


def test_a_change_that_failed_leaves_the_next_statement_be(engine: Engine) -> None:
    with pytest.raises(QueryFailed):
        answer(engine, f"CREATE TABLE memory.main.t AS {OVERFLOW}")

    assert still_runs(engine)
