"""
What the operator of Trino sees: whose each query is, and none that nobody waits for.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fusion_magic import connect
from fusion_magic.engines import EngineQuery
from fusion_magic.engines.trino import client
from fusion_magic.engines.trino.engine import TrinoEngine, TrinoExecution
from fusion_magic.engines.trino.settings import TrinoSettings
from fusion_magic.errors import EngineUnavailable, QueryCanceled, QueryFailed
from tests.engines.trino.test_faults import Proxy, status
from tests.servers.trino import run_query

pytestmark = pytest.mark.trino
LONG = "SELECT orderkey, comment FROM tpch.sf1000.lineitem"
PATIENCE_S = 30.0


@pytest.fixture
def engine(trino_url: str) -> Iterator[TrinoEngine]:
    made = TrinoEngine(TrinoSettings(base_url=trino_url, user="ana"))
    yield made
    made.close()


@pytest.fixture
def mark() -> str:
    """
    By which a query is found again.
    """
    return uuid4().hex


def states(trino_url: str, mark: str) -> set[str]:
    rows = run_query(
        trino_url,
        f"SELECT state FROM system.runtime.queries WHERE strpos(query, '{mark}') > 0 "
        "AND strpos(query, 'system.runtime') = 0",
    )
    return {str(row[0]) for row in rows}


def final_states(trino_url: str, mark: str) -> set[str]:
    """
    The states in which the queries of that mark have ended; what still runs after a while is among them.
    """
    deadline = time.monotonic() + PATIENCE_S
    while (found := states(trino_url, mark)) - {"FINISHED", "FAILED"}:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return found


def start(engine: TrinoEngine, mark: str, sql: str = LONG) -> TrinoExecution:
    return engine.execute(EngineQuery(sql=f"{sql} -- {mark}", job_id=""))


def test_a_query_names_its_job(trino_url: str, tmp_path: Path) -> None:
    url = trino_url.replace("http://", "trino://ana@")
    with connect(data_dir=str(tmp_path), engine_url=url, worker_start="never") as fusion:
        result = fusion.run("SELECT 1", origin="daily, spend.ipynb")

    request = urllib.request.Request(
        f"{trino_url}/v1/query/{result.query_id}", headers={"X-Trino-User": "ana"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        session = json.load(response)["session"]
    assert session["source"] == "fusion-magic"
    assert session["traceToken"] == result.job_id
    assert set(session["clientTags"]) == {f"job:{result.job_id}", "daily%2C%20spend.ipynb"}
    [row] = run_query(
        trino_url,
        f"SELECT source, \"user\" FROM system.runtime.queries WHERE query_id = '{result.query_id}'",
    )
    assert row == ["fusion-magic", "ana"]


def test_a_cancel_before_the_first_page_stops_the_query(
    engine: TrinoEngine, trino_url: str, mark: str
) -> None:
    execution = start(engine, mark)
    submit = engine._client.submit

    def cancelled_meanwhile(*values: Any, **named: Any) -> Any:
        page = submit(*values, **named)
        execution.cancel()
        return page

    engine._client.submit = cancelled_meanwhile  # type: ignore[method-assign] # a cancel at that moment

    with pytest.raises(QueryCanceled):
        list(execution.batches())
    # Trino begins a statement when its first page is asked for: it may never have had a row in the list.
    assert final_states(trino_url, mark) <= {"FAILED"}


def between_pages(execution: TrinoExecution) -> None:
    arriving = execution.batches()
    next(arriving)
    execution.cancel()
    with pytest.raises(QueryCanceled):
        list(arriving)


def left(execution: TrinoExecution) -> None:
    """
    As a full disk or too large a result ends it.
    """
    arriving = execution.batches()
    next(arriving)
    arriving.close()


@pytest.mark.parametrize("end", [between_pages, left])
def test_a_query_whose_rows_nobody_takes_is_stopped(
    engine: TrinoEngine, trino_url: str, mark: str, end: Callable[[TrinoExecution], None]
) -> None:
    end(start(engine, mark))

    assert final_states(trino_url, mark) == {"FAILED"}


def test_a_query_whose_row_cannot_be_held_is_stopped(
    engine: TrinoEngine, trino_url: str, mark: str
) -> None:
    """
    While decoding: the year 10000 stands among the first of many rows.
    """
    sql = "SELECT if(orderkey % 1000 = 7, DATE '+10000-01-01', shipdate) FROM tpch.sf1000.lineitem"

    with pytest.raises(QueryFailed, match="does not fit"):
        list(start(engine, mark, sql).batches())

    assert final_states(trino_url, mark) == {"FAILED"}


def test_a_query_whose_pages_do_not_come_is_stopped(
    trino_url: str, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.2)
    proxy = Proxy(trino_url)
    made = TrinoEngine(TrinoSettings(base_url=proxy.url, user="ana"))
    proxy.faults.update({page: status(503) for page in range(6, 500)})

    with pytest.raises(EngineUnavailable):
        list(start(made, mark).batches())
    proxy.stop()
    made.close()

    assert final_states(trino_url, mark) == {"FAILED"}


def test_an_interrupted_cell_leaves_no_query_behind(
    trino_url: str, mark: str, tmp_path: Path
) -> None:
    url = trino_url.replace("http://", "trino://ana@")

    def interrupt(_: object) -> None:
        if states(trino_url, mark) & {"RUNNING", "FINISHING"}:
            raise KeyboardInterrupt

    with connect(data_dir=str(tmp_path), engine_url=url, worker_start="never") as fusion:
        with pytest.raises(KeyboardInterrupt):
            fusion.run(
                f"SELECT count(*) FROM tpch.sf1000.lineitem -- {mark}", on_progress=interrupt
            )
        [job] = fusion.jobs()

    assert job.status == "CANCELED"
    assert final_states(trino_url, mark) == {"FAILED"}


def test_a_write_is_stopped_or_drained_to_its_end(
    engine: TrinoEngine, trino_url: str, mark: str
) -> None:
    table = f"blackhole.default.t_{mark}"
    list(start(engine, mark, f"CREATE TABLE {table} (k bigint, c varchar)").batches())

    done = start(engine, mark, f"INSERT INTO {table} SELECT orderkey, comment FROM tpch.sf1.orders")
    assert list(done.batches()) == []
    after = states(trino_url, mark)
    stopped = start(engine, mark, f"INSERT INTO {table} {LONG}")
    submit = engine._client.next_page

    def cancelled_meanwhile(*values: Any, **named: Any) -> Any:
        page = submit(*values, **named)
        if page["stats"]["state"] == "RUNNING":
            stopped.cancel()
        return page

    engine._client.next_page = cancelled_meanwhile  # type: ignore[method-assign] # a cancel at that moment
    with pytest.raises(QueryCanceled):
        list(stopped.batches())

    assert (done.update_type, done.rows_changed) == ("INSERT", 1_500_000)
    assert after == {"FINISHED"}
    assert final_states(trino_url, mark) == {"FINISHED", "FAILED"}
    run_query(trino_url, f"DROP TABLE {table}")
