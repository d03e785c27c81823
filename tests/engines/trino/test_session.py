"""
What a statement changes for later ones: right, of one connection, and taken along by background jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.engines.trino.session import Session, parse_roles
from fusion_magic.errors import InvalidSettings, QueryFailed, UnsupportedSql
from tests.servers.lake_trino import LakeTrino

pytestmark = pytest.mark.trino


def opened(trino_url: str, folder: Path, path: str = "", **settings: Any) -> Fusion:
    url = trino_url.replace("http://", "trino://ana@") + path
    settings = {"worker_start": "never", **settings}
    return connect(data_dir=str(folder), engine_url=url, **settings)


@pytest.fixture
def fusion(trino_url: str, tmp_path: Path) -> Iterator[Fusion]:
    with opened(trino_url, tmp_path) as made:
        yield made


def value(fusion: Fusion, sql: str) -> Any:
    return fusion.run(sql).rows()[0][0]


def property_of(fusion: Fusion, name: str) -> Any:
    return next(row[1] for row in fusion.run("SHOW SESSION").rows() if row[0] == name)


def test_a_property_lasts_until_it_is_reset_and_is_of_one_connection(
    fusion: Fusion, trino_url: str, tmp_path: Path
) -> None:
    before = property_of(fusion, "join_distribution_type")
    fusion.run("SET SESSION join_distribution_type = 'BROADCAST'")
    fusion.run("SET SESSION query_priority = 7")
    during = property_of(fusion, "join_distribution_type")
    with opened(trino_url, tmp_path / "other") as other:
        elsewhere = property_of(other, "join_distribution_type")
    fusion.run("RESET SESSION join_distribution_type")

    assert (during, elsewhere) == ("BROADCAST", before)
    assert property_of(fusion, "join_distribution_type") == before
    assert property_of(fusion, "query_priority") == "7"


@pytest.mark.parametrize("zone", ["America/Bahia_Banderas", "+05:45"])
def test_a_time_zone_lasts(fusion: Fusion, zone: str) -> None:
    fusion.run(f"SET TIME ZONE '{zone}'")

    assert value(fusion, "SELECT current_timezone()") == zone


def test_a_prepared_statement_is_known_until_it_is_deallocated(fusion: Fusion) -> None:
    """
    With what would break a header that is not encoded: commas, quotes, line ends, other letters.
    """
    fusion.run(
        "PREPARE p FROM SELECT 'a,b=c; %2C é\n\"😀' AS t, x FROM (VALUES 1, 2) v(x) WHERE x > ?"
    )
    fusion.run('PREPARE "ö, q" FROM SELECT 3')

    assert fusion.run("EXECUTE p USING 1").rows() == [('a,b=c; %2C é\n"😀', 2)]
    assert value(fusion, 'EXECUTE "ö, q"') == 3
    fusion.run("DEALLOCATE PREPARE p")
    with pytest.raises(QueryFailed, match="not found"):
        fusion.run("EXECUTE p USING 1")
    assert value(fusion, 'EXECUTE "ö, q"') == 3


def test_a_background_job_runs_in_the_session_that_it_was_submitted_in(
    trino_url: str, tmp_path: Path
) -> None:
    with opened(trino_url, tmp_path, worker_start="auto", worker_idle_s=2) as fusion:
        fusion.run("SET TIME ZONE 'Asia/Kathmandu'")
        fusion.run("PREPARE p FROM SELECT current_timezone()")
        first = fusion.submit("EXECUTE p")
        fusion.run("SET TIME ZONE 'UTC'")
        second = fusion.submit("EXECUTE p")

        assert first.result(timeout=120).rows() == [("Asia/Kathmandu",)]
        assert second.result(timeout=120).rows() == [("UTC",)]


@pytest.mark.parametrize(
    "sql",
    ["SET SESSION query_priority = 1", "RESET SESSION query_priority", "SET TIME ZONE 'UTC'",
     "PREPARE p FROM SELECT 1", "DEALLOCATE PREPARE p", "SET ROLE NONE", "USE tpch.tiny"],
)  # fmt: skip
def test_what_changes_a_session_is_not_for_a_worker(fusion: Fusion, sql: str) -> None:
    """
    It would change that of everybody's jobs, or nothing.
    """
    with pytest.raises(UnsupportedSql, match="background"):
        fusion.submit(sql)


@pytest.mark.parametrize(
    "sql", ["START TRANSACTION", "START TRANSACTION READ ONLY", "COMMIT", "ROLLBACK WORK"]
)
def test_a_transaction_is_refused_by_name(fusion: Fusion, sql: str) -> None:
    with pytest.raises(UnsupportedSql, match="final when it ends"):
        fusion.run(sql)


def test_catalog_and_schema_of_the_url_complete_names(trino_url: str, tmp_path: Path) -> None:
    with opened(trino_url, tmp_path, "/tpch/tiny") as fusion:
        assert value(fusion, "SELECT count(*) FROM nation") == 25
        assert fusion.engine.default_schema == ("tpch", "tiny")


def test_a_schema_of_other_letters_completes_names(trino_url: str, tmp_path: Path) -> None:
    with opened(trino_url, tmp_path) as fusion:
        fusion.run('CREATE SCHEMA IF NOT EXISTS memory."fusion säss %20, x"')
        fusion.run('CREATE TABLE IF NOT EXISTS memory."fusion säss %20, x".t AS SELECT 7 AS x')
    with opened(trino_url, tmp_path, "/memory/fusion%20s%C3%A4ss%20%2520,%20x") as fusion:
        assert value(fusion, "SELECT x FROM t") == 7
        fusion.run("DROP TABLE t")
        fusion.run('DROP SCHEMA memory."fusion säss %20, x"')


def test_a_role_lasts_whether_the_url_or_a_statement_sets_it(
    lake: LakeTrino, tmp_path: Path
) -> None:
    url = lake.url.replace("http://", "trino://admin@")
    held = (
        "SELECT role_name FROM guarded.information_schema.enabled_roles WHERE role_name = 'admin'"
    )
    for option in ("", "?roles=guarded:admin"):
        with connect(
            data_dir=str(tmp_path), engine_url=url + option, worker_start="never"
        ) as fusion:
            before = fusion.run(held).rows()
            fusion.run("SET ROLE ADMIN IN guarded")
            during = fusion.run(held).rows()
            fusion.run("SET ROLE NONE IN guarded")

            assert before == ([("admin",)] if option else [])
            assert during == [("admin",)]
            assert fusion.run(held).rows() == []


def test_roles_are_read_as_trinos_own_clients_read_them() -> None:
    assert parse_roles("analyst;hive:none") == {"system": "ROLE%7Banalyst%7D", "hive": "NONE"}
    with pytest.raises(InvalidSettings, match="roles"):
        parse_roles("hive:")


def test_an_answer_with_several_changes_is_kept_whole() -> None:
    session = Session(catalog="", schema="", roles={"hive": "ALL"})

    session.remember({"X-Trino-Set-Session": "a=1%2C2, b=3", "X-Trino-Set-Role": "system=NONE"})
    session.remember({"X-Trino-Clear-Session": "a", "X-Trino-Set-Authorization-User": "bea"})
    acting = session.headers()
    session.remember({"X-Trino-Reset-Authorization-User": "true"})

    assert acting == {"X-Trino-Session": "b=3", "X-Trino-User": "bea"}
    assert "X-Trino-User" not in session.headers()
