"""
--cache: rows are given again only where they are still what the query would give.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import InvalidArgument
from fusion_magic.jobs.result_cache import NOTICE
from fusion_magic.results import Result

COUNT = "SELECT count(*) AS n FROM a.b.c.t"


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    source = tmp_path / "t.csv"
    source.write_text("id\n1\n2\n")
    os.utime(source, (1, 1))
    (tmp_path / "catalog.yaml").write_text(
        "version: 1\nmodels:\n  a.b.c.t: {source: t.csv}\n  a.b.c.u: {}\n"
    )
    with connect(
        metadata_url=str(tmp_path / "catalog.yaml"),
        data_dir=str(tmp_path / "data"),
        worker_idle_s=2,
        owner="ana",
    ) as opened:
        yield opened


def is_reused(result: Result) -> bool:
    return NOTICE in result.warnings


def test_the_same_query_is_answered_by_its_stored_rows(fusion: Fusion) -> None:
    first = fusion.run(COUNT, cache="1h")
    again = fusion.run(COUNT, cache="1h", origin="b.ipynb")

    assert (is_reused(first), is_reused(again)) == (False, True)
    assert again.rows() == first.rows() == [(2,)]
    job = fusion.job(again.job_id).job
    assert (job.status, job.row_count, job.query_id) == ("FINISHED", 1, None)
    assert job.result_path == fusion.job(first.job_id).job.result_path
    assert [row.command for row in fusion.job(again.job_id).queued()] == ["INGESTION", "LINEAGE"]


def test_rows_that_were_stored_by_name_or_in_the_background_serve_too(fusion: Fusion) -> None:
    fusion.submit(COUNT, name="counted").result(60)

    assert is_reused(fusion.run(COUNT, cache="1h"))
    assert fusion.submit(COUNT, cache="1h", name="again").result(60).rows() == [(2,)]
    assert fusion.result("again").path == fusion.result("counted").path


def test_reusing_does_not_make_rows_younger(fusion: Fusion) -> None:
    first = fusion.run(COUNT, cache="1h")
    fusion.run(COUNT, cache="1h")

    found = fusion.job(fusion.run(COUNT, cache="1h").job_id).job.result_path
    assert found == fusion.job(first.job_id).job.result_path
    assert not is_reused(fusion.run(COUNT, cache="0s"))


@pytest.mark.parametrize("sql", ["SELECT random() AS x", "SELECT now() AS x", "SHOW CATALOGS"])
def test_what_may_change_is_refused(fusion: Fusion, sql: str) -> None:
    with pytest.raises(InvalidArgument, match="cannot be kept"):
        fusion.run(sql, cache="1h")

    assert fusion.jobs()[0].status == "FAILED"


def test_a_changed_file_is_read_again(fusion: Fusion, tmp_path: Path) -> None:
    fusion.run(COUNT, cache="1h")
    (tmp_path / "t.csv").write_text("id\n1\n2\n3\n")

    result = fusion.run(COUNT, cache="1h")

    assert (is_reused(result), result.rows()) == (False, [(3,)])


def test_a_table_that_a_job_wrote_to_is_read_again(fusion: Fusion) -> None:
    fusion.run("SELECT 1 AS x", into="a.b.c.u")
    count = "SELECT count(*) AS n FROM a.b.c.u"
    fusion.run(count, cache="1h")
    assert is_reused(fusion.run(count, cache="1h"))

    fusion.run("SELECT 2 AS x", into="a.b.c.u", if_exists="append")

    result = fusion.run(count, cache="1h")
    assert (is_reused(result), result.rows()) == (False, [(2,)])


def test_another_query_another_owner_and_another_engine_find_nothing(
    fusion: Fusion, tmp_path: Path
) -> None:
    fusion.run(COUNT, cache="1h")

    assert not is_reused(fusion.run(COUNT + " WHERE id > 1", cache="1h"))
    shared = {"metadata_url": str(tmp_path / "catalog.yaml"), "data_dir": str(tmp_path / "data")}
    with connect(**shared, owner="bob") as other:
        assert not is_reused(other.run(COUNT, cache="1h"))
    with connect(**shared, owner="ana", engine_url=f"duckdb:///{tmp_path / 'x.duckdb'}") as other:
        assert not is_reused(other.run(COUNT, cache="1h"))


def test_rows_that_are_gone_are_made_again(fusion: Fusion, tmp_path: Path) -> None:
    fusion.run(COUNT, cache="1h")
    shutil.rmtree(tmp_path / "data" / "results")

    result = fusion.run(COUNT, cache="1h")

    assert (is_reused(result), result.rows()) == (False, [(2,)])
