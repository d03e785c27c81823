"""
Rows that a real Trino has put aside in a real bucket: whole, in order, acknowledged; or an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec
import pyarrow as pa
import pytest
import urllib3

from fusion_magic import connect
from fusion_magic.engines import EngineQuery
from fusion_magic.engines.trino import client
from fusion_magic.engines.trino.engine import TrinoEngine
from fusion_magic.engines.trino.settings import ENCODINGS, TrinoSettings
from fusion_magic.engines.trino.spooling import AT_ONCE, Segments
from fusion_magic.engines.trino.transport import Answer, Request
from fusion_magic.engines.trino.types import schema_of
from fusion_magic.errors import EngineUnavailable, InvalidSettings, QueryCanceled
from tests.servers.lake_trino import BUCKET, LakeTrino

pytestmark = pytest.mark.trino
ROWS = 60_175
LARGE = "SELECT * FROM tpch.tiny.lineitem ORDER BY orderkey"  # some 9 MB
PATIENCE_S = 20.0
Fault = Callable[[Answer], Answer]
COLUMNS: list[dict[str, Any]] = [
    {"name": "n", "type": "bigint", "typeSignature": {"rawType": "bigint", "arguments": []}}
]


@pytest.fixture(params=ENCODINGS)
def engine(request: pytest.FixtureRequest, lake: LakeTrino) -> Iterator[TrinoEngine]:
    made = TrinoEngine(TrinoSettings(base_url=lake.url, user="ana", encodings=request.param))
    yield made
    made.close()


def batches(engine: TrinoEngine, sql: str = LARGE) -> Iterator[pa.RecordBatch]:
    return engine.execute(EngineQuery(sql=sql, job_id="")).batches()


def spooled(lake: LakeTrino) -> list[str]:
    """
    What lies in the bucket.
    """
    bucket = fsspec.filesystem(
        "s3", endpoint_url=lake.bucket.url, key="test", secret="test", skip_instance_cache=True
    )
    found: list[str] = bucket.find(f"{BUCKET}/spooled")
    return found


class Storage:
    """
    The way to the bucket, on which *fault* spoils the answers whose numbers are given.
    """

    def __init__(self, engine: TrinoEngine, fault: Fault) -> None:
        self._exchange = engine._client._storage._exchange
        engine._client._storage._exchange = self.exchange  # type: ignore[method-assign] # spoils some
        self.fault = fault
        self.spoiled: frozenset[int] = frozenset()
        self.asked: list[str] = []

    def exchange(self, request: Request, shown: str) -> Answer:
        self.asked.append(request.url)
        number = len(self.asked)
        answer = self._exchange(request, shown)
        return self.fault(answer) if number in self.spoiled else answer


def lost(answer: Answer) -> Answer:
    raise urllib3.exceptions.ProtocolError("secret-signature")


def cut(answer: Answer) -> Answer:
    return replace(answer, content=answer.content[:-1])


def busy(answer: Answer) -> Answer:
    return replace(answer, status=503)


def test_a_large_result_is_whole_and_in_order_and_leaves_nothing(
    engine: TrinoEngine, lake: LakeTrino
) -> None:
    storage = Storage(engine, lost)

    keys = [key for batch in batches(engine) for key in batch.column(0).to_pylist()]

    assert (len(keys), keys) == (ROWS, sorted(keys))
    assert len(storage.asked) > 1
    mine = {unquote(urlsplit(url).path.lstrip("/")) for url in storage.asked}
    deadline = time.monotonic() + PATIENCE_S
    while (kept := mine & set(spooled(lake))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert kept == set()


@pytest.mark.parametrize("fault", [lost, cut, busy])
def test_a_segment_that_does_not_arrive_is_fetched_again(engine: TrinoEngine, fault: Fault) -> None:
    storage = Storage(engine, fault)
    storage.spoiled = frozenset({1, 2, 4})

    assert sum(batch.num_rows for batch in batches(engine)) == ROWS


def test_a_segment_that_never_arrives_is_an_error_that_says_what_to_do(
    engine: TrinoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.3)
    storage = Storage(engine, lost)
    storage.spoiled = frozenset(range(2, 1000))

    with pytest.raises(EngineUnavailable, match="could not be fetched") as caught:
        list(batches(engine))
    assert "encoding=none" in (caught.value.hint or "")
    assert "secret-signature" not in str(caught.value)


def test_a_segment_that_is_gone_is_an_error_at_once(engine: TrinoEngine) -> None:
    """
    Its time is over, or somebody has emptied the bucket: no second attempt brings it back.
    """
    arriving = batches(engine)
    next(arriving)

    def gone(answer: Answer) -> Answer:
        return replace(answer, status=404)

    storage = Storage(engine, gone)
    storage.spoiled = frozenset(range(1, 1000))
    with pytest.raises(EngineUnavailable, match="status 404"):
        list(arriving)


def test_a_cancel_in_the_middle_stops_the_query(engine: TrinoEngine) -> None:
    execution = engine.execute(
        EngineQuery(sql="SELECT orderkey, comment FROM tpch.sf1000.lineitem", job_id="")
    )
    arriving = execution.batches()
    next(arriving)

    execution.cancel()

    with pytest.raises(QueryCanceled):
        list(arriving)
    assert engine.state_of(execution.query_id or "") == "FAILED"


def test_no_more_than_a_few_segments_are_on_their_way(engine: TrinoEngine) -> None:
    """
    A reader that is slow must not have the whole result in memory.
    """
    storage = Storage(engine, lost)
    arriving = batches(engine)
    while not storage.asked:
        next(arriving)
    time.sleep(2)

    asked = len(storage.asked)
    arriving.close()  # type: ignore[attr-defined] # a generator
    assert asked <= AT_ONCE + 1


def test_a_place_is_noted_until_the_first_segment_is_told_of(engine: TrinoEngine) -> None:
    """
    As with rows in pages: a job goes on where no rows have come, and is begun again where they have.
    """
    noted: list[bool] = []
    execution = engine.execute(EngineQuery(sql=LARGE, job_id=""))
    execution.checkpoint = lambda _query, _uri, has_rows: noted.append(has_rows)

    rows = sum(batch.num_rows for batch in execution.batches())

    assert rows == ROWS
    assert noted[0] is False
    assert True in noted


def test_rows_come_in_pages_where_the_url_says_so(lake: LakeTrino, tmp_path: Path) -> None:
    url = lake.url.replace("http://", "trino://ana@")
    for option, is_spooled in (
        ("", False),
        ("?encoding=json%2Bzstd", True),
        ("?encoding=none", False),
    ):
        with connect(
            data_dir=str(tmp_path), engine_url=url + option, worker_start="never"
        ) as fusion:
            storage = Storage(fusion.engine, lost)  # type: ignore[arg-type] # Trino's
            assert fusion.run(LARGE).row_count == ROWS
            assert bool(storage.asked) is is_spooled
    with pytest.raises(InvalidSettings, match="encoding is xml"):
        TrinoSettings.from_url(f"{url}?encoding=xml", user="ana")


class Shelf:
    """
    Segments at hand.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content

    def segment(self, uri: str, headers: Any, **_: Any) -> bytes:
        return self.content

    def acknowledge(self, uri: str, headers: Any) -> None:
        raise AssertionError("a segment that could not be read was acknowledged")


def listed(offset: int, rows: int, **facts: Any) -> dict[str, Any]:
    metadata = {"rowOffset": offset, "rowsCount": rows, "segmentSize": 5, **facts}
    segment = {"type": "spooled", "uri": "u", "ackUri": "a", "metadata": metadata}
    return {"encoding": "json+zstd", "segments": [segment]}


@pytest.mark.parametrize(
    ("data", "content", "says"),
    [
        (listed(3, 1), b"[[1]]", "row 0 is followed by row 3"),
        (listed(0, 2), b"[[1]]", "has 1 rows where Trino wrote 2"),
        (listed(0, 1), b"[[1", "cannot be read"),
        (listed(0, 1, uncompressedSize=5), b"[[1]]", "cannot be read"),
    ],
)
def test_a_result_is_never_short_in_silence(
    data: dict[str, Any], content: bytes, says: str
) -> None:
    segments = Segments(Shelf(content))  # type: ignore[arg-type] # as much of a client as it takes

    def read() -> list[pa.RecordBatch]:
        begun = segments.read(data, COLUMNS, schema_of(COLUMNS))
        return [*begun, *segments.rows(lambda: False)]

    with pytest.raises(EngineUnavailable, match=says):
        read()
    segments.close()
