"""
Stored results as tables that real Trino reads: in a folder and in a bucket, each use for itself, none left behind.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.engines.trino import hive_tables
from fusion_magic.errors import FusionError, InvalidSettings, QueryFailed, UnsupportedSql
from tests.servers.lake_trino import BUCKET, KEYS, LakeTrino
from tests.servers.trino import run_query

pytestmark = pytest.mark.trino
Opened = Callable[..., Fusion]


@pytest.fixture(params=["folder", "bucket"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def schema(lake: LakeTrino, kind: str, tmp_path: Path) -> Iterator[str]:
    """
    The schema that results become tables in.
    """
    name = f"{kind}.f{abs(hash(tmp_path)):x}"
    place = f"local:///{tmp_path.name}" if kind == "folder" else f"s3://{BUCKET}/{tmp_path.name}"
    run_query(lake.url, f"CREATE SCHEMA {name} WITH (location = '{place}')")
    yield name
    assert tables(lake, name) == []
    run_query(lake.url, f"DROP SCHEMA {name}")


@pytest.fixture
def opened(
    lake: LakeTrino, kind: str, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opened]:
    """
    Connects to Trino; results are where its catalog finds them.
    """
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": lake.bucket.url}.items():
        monkeypatch.setenv(name, value)
    place = {
        "folder": {
            "results_url": str(lake.results / tmp_path.name),
            "results_trino_url": f"local:///results/{tmp_path.name}",
        },
        "bucket": {"results_url": f"s3://{BUCKET}/{tmp_path.name}/results"},
    }[kind]
    made: list[Fusion] = []

    def connected(**settings: Any) -> Fusion:
        given = {
            "data_dir": str(tmp_path),
            "engine_url": lake.url.replace("http://", "trino://ana@"),
            "results_trino_schema": schema,
            "worker_start": "never",
            **place,
            **settings,
        }
        made.append(connect(**given))
        return made[-1]

    yield connected
    for fusion in made:
        fusion.close()


def tables(lake: LakeTrino, schema: str) -> list[object]:
    return [row[0] for row in run_query(lake.url, f"SHOW TABLES FROM {schema}")]


def test_a_stored_result_is_a_table_in_later_sql(opened: Opened) -> None:
    fusion = opened()
    fusion.run(
        "SELECT regionkey AS k, count(*) AS n FROM tpch.tiny.nation GROUP BY 1", name="Per_Region"
    )

    found = fusion.run(
        "SELECT r.name, Per_Region.n FROM Per_Region JOIN tpch.tiny.region r ON r.regionkey = Per_Region.k "
        "JOIN fusion.results.Per_Region q ON q.k = r.regionkey ORDER BY 1 LIMIT 1",
        name="joined",
    )

    assert found.rows() == [("AFRICA", 5)]
    models = [model.fully_qualified_name for model in fusion.job(found.job_id).models()]
    assert models[:1] == ["fusion.results.Per_Region"]
    edges = [(row.from_fqn, row.model_name_fqn) for row in fusion.job(found.job_id).queued()]
    assert ("fusion.results.Per_Region", "fusion.results.joined") in edges


def test_the_newest_version_is_meant_and_cached_rows_are_found(opened: Opened) -> None:
    fusion = opened()
    fusion.run("SELECT 1 AS x", name="versions")
    first = fusion.run("SELECT x FROM versions", cache="1h")
    again = fusion.run("SELECT x FROM versions", cache="1h")
    fusion.run("SELECT 2 AS x", name="versions")

    assert (first.rows(), again.rows()) == ([(1,)], [(1,)])
    assert any("earlier run" in text for text in again.warnings)
    assert fusion.run("SELECT x FROM versions", cache="1h").rows() == [(2,)]


def test_values_and_names_of_columns_come_back_as_they_were(opened: Opened) -> None:
    fusion = opened()
    sql = """
        SELECT CAST(NULL AS bigint) AS nothing, 5000000000 AS "select", tinyint '-1' AS "A b", 1.5e0 AS "d.e",
               nan() AS "quo""te", REAL '2.5' AS "sél;ect", true AS flag, 'ü' AS "--", CAST('ab' AS char(4)) AS c,
               DECIMAL '12345678901234567890.123456789012345678' AS wide, X'00ff' AS bytes, DATE '0001-01-01' AS day,
               TIMESTAMP '2024-01-31 12:34:56.123456' AS at, ARRAY[1, NULL] AS items, MAP(ARRAY['k'], ARRAY[2.5]) AS pairs,
               CAST(ROW(1, 'z') AS row(p integer, "Q r" varchar)) AS parts
    """
    stored = fusion.run(sql, name="all_kinds")

    found = fusion.run("SELECT * FROM all_kinds")

    assert repr(found.rows()) == repr(stored.rows()).replace("'Q r'", "'q r'")
    assert found.rows()[0][12] == dt.datetime(2024, 1, 31, 12, 34, 56, 123456)
    assert found.rows()[0][9] == Decimal("12345678901234567890.123456789012345678")


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("TIMESTAMP '2024-01-31 12:00:00 Europe/Paris'", "with time zone"),
        ("TIME '12:00:00'", "time(0)"),
        ("UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'", "uuid"),
        ("JSON '{}'", "json"),
        ("INTERVAL '1' DAY", "INTERVAL DAY TO SECOND"),
        ("ARRAY[UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59']", "array(uuid)"),
        ("TIMESTAMP '2024-01-31 12:34:56.123456789012'", "timestamp(12)"),
    ],
)
def test_what_hive_has_no_type_for_is_refused_by_name(
    opened: Opened, expression: str, says: str
) -> None:
    fusion = opened()
    fusion.run(f"SELECT 1 AS ok, {expression} AS odd", name="odd_kinds")

    with pytest.raises(UnsupportedSql) as caught:
        fusion.run("SELECT ok FROM odd_kinds")

    assert "column odd" in caught.value.message
    assert says in caught.value.message
    assert "--into" in (caught.value.hint or "")


@pytest.mark.parametrize("columns", ['1 AS "a,b"', "1 AS a, 2 AS a", '1 AS a, 2 AS "A"', '1 AS ""'])
def test_names_that_hive_cannot_have_are_told(opened: Opened, columns: str) -> None:
    fusion = opened()
    try:
        fusion.run(f"SELECT {columns}", name="odd_names")
    except FusionError:
        return  # Trino itself, or Parquet, refuses them earlier.

    with pytest.raises(QueryFailed, match=r"fusion\.results\.odd_names"):
        fusion.run("SELECT * FROM odd_names")


def test_nothing_is_left_of_a_query_that_fails_is_written_or_explained(
    opened: Opened, lake: LakeTrino, schema: str
) -> None:
    fusion = opened()
    fusion.run("SELECT 0 AS x", name="zero")

    with pytest.raises(QueryFailed):
        fusion.run("SELECT 1 / x FROM zero")
    with pytest.raises(QueryFailed):
        fusion.run("SELECT wrong FROM zero")
    fusion.run(f"CREATE TABLE memory.default.z_{schema.partition('.')[2]} AS SELECT x FROM zero")
    plan = fusion.explain("SELECT x FROM zero")

    assert plan.text
    assert tables(lake, schema) == []
    run_query(lake.url, f"DROP TABLE memory.default.z_{schema.partition('.')[2]}")


def test_a_cancelled_query_drops_its_table_and_another_keeps_its_own(
    opened: Opened, lake: LakeTrino, schema: str
) -> None:
    """
    Two jobs read one result at the same time; the end of one must not be felt by the other.
    """
    fusion = opened()
    fusion.run("SELECT 1 AS x", name="shared")
    slow = "SELECT count(*) FROM shared, tpch.sf100.lineitem WHERE orderkey > shared.x - 2"
    seen: list[int] = []

    def interrupt(_: object) -> None:
        seen.append(len(tables(lake, schema)))
        if seen[-1]:
            assert opened().run("SELECT x FROM shared").rows() == [(1,)]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fusion.run(slow, on_progress=interrupt)

    assert seen[-1] == 1
    assert tables(lake, schema) == []


def test_jobs_at_the_same_time_have_tables_of_their_own(opened: Opened) -> None:
    fusion = opened()
    fusion.run("SELECT x FROM UNNEST(sequence(1, 1000)) AS t(x)", name="many")
    answers: list[object] = []

    def ask() -> None:
        answers.append(fusion.run("SELECT sum(x) FROM many").rows()[0][0])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [500_500] * 4


def test_a_background_job_reads_a_result_too(opened: Opened) -> None:
    fusion = opened(worker_start="auto", worker_idle_s=2)
    fusion.run("SELECT 41 AS x", name="base")

    job = fusion.submit("SELECT x + 1 AS y FROM base", name="more")

    assert job.result(timeout=120).rows() == [(42,)]
    assert fusion.run("SELECT y FROM more").rows() == [(42,)]


def test_what_a_killed_process_left_is_swept_unless_a_query_reads_it(
    opened: Opened, lake: LakeTrino, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fusion = opened()
    fusion.run("SELECT 1 AS x", name="left_over")
    prepared = fusion.translate("SELECT x FROM left_over").engine_query("")
    engine: Any = fusion.engine
    engine._tables.make(engine._tables.used_by(prepared))
    run_query(lake.url, f"CREATE VIEW {schema}.daily_fusion_view AS SELECT 1 AS x")
    assert len(tables(lake, schema)) == 2

    fusion.run("SELECT x FROM left_over")
    kept = tables(lake, schema)
    time.sleep(1.1)
    monkeypatch.setattr(hive_tables, "SWEEP_AGE_S", 0.5)
    fusion.run("SELECT x FROM left_over")
    swept = tables(lake, schema)
    run_query(lake.url, f"DROP VIEW {schema}.daily_fusion_view")

    assert len(kept) == 2
    assert swept == ["daily_fusion_view"]


def test_without_the_setting_the_error_names_the_way_out(opened: Opened) -> None:
    fusion = opened(results_trino_schema=None)
    fusion.run("SELECT 1 AS x", name="alone")

    with pytest.raises(UnsupportedSql) as caught:
        fusion.run("SELECT x FROM alone")

    assert "--into" in (caught.value.hint or "")
    assert "results.trino_schema" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"results_trino_schema": "hive"}, "results.trino_schema is 'hive'"),
        ({"results_url": "/data/results"}, "how Trino names it"),
    ],
)
def test_a_setting_that_names_no_place_is_told(
    tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    given = {
        "data_dir": str(tmp_path),
        "engine_url": "trino://ana@127.0.0.1:1",
        "results_trino_schema": "hive.fusion",
        **settings,
    }
    with connect(**given) as fusion, pytest.raises(InvalidSettings) as caught:
        fusion.run("SELECT 1")

    assert says in caught.value.message
