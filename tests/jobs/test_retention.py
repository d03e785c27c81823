"""
Old jobs are removed when somebody asks, and what others need of them stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import InvalidArgument, ResultsUnavailable, UnknownJob


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    (tmp_path / "t.csv").write_text("id\n1\n2\n")
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels:\n  a.b.c.t: {source: t.csv}\n")
    with connect(
        metadata_url=str(tmp_path / "catalog.yaml"), data_dir=str(tmp_path / "data"), owner="ana"
    ) as opened:
        yield opened


def stored_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "data" / "results").rglob("*") if path.is_file()]


def ids(jobs: list[object]) -> list[str]:
    return [str(getattr(job, "id", job)) for job in jobs]


def test_old_jobs_go_with_their_rows(fusion: Fusion, tmp_path: Path) -> None:
    old = fusion.run("SELECT 1 AS x", cache="1h").job_id
    assert len(stored_files(tmp_path)) == 2

    assert ids([*fusion.clean("0s", is_dry_run=True)]) == [old]
    assert len(stored_files(tmp_path)) == 2
    assert ids([*fusion.clean("30d")]) == []

    assert ids([*fusion.clean("0s")]) == [old]
    assert stored_files(tmp_path) == []
    with pytest.raises(UnknownJob):
        fusion.job(old)
    assert ids([*fusion.clean("0s")]) == []


def test_the_newest_result_of_a_name_stays(fusion: Fusion) -> None:
    first, second = (fusion.run(f"SELECT {n} AS v", name="daily").job_id for n in (1, 2))

    assert ids([*fusion.clean("0s")]) == [first]
    assert fusion.result("daily").rows() == [(2,)]
    assert fusion.job(second).job.result_name == "daily"


def test_what_lineage_mentions_stays_without_its_rows(fusion: Fusion, tmp_path: Path) -> None:
    job_id = fusion.run("SELECT id FROM a.b.c.t", cache="1h", origin="a.ipynb").job_id
    fusion.wiring.open_scheduler().deliver_due()

    assert ids([*fusion.clean("0s")]) == [job_id]

    assert fusion.job(job_id).job.result_path is None
    assert fusion.lineage("a.b.c.t")[1] == ('fusion.notebooks."a.ipynb"',)
    assert stored_files(tmp_path) == []
    with pytest.raises(InvalidArgument, match="stored no result"):
        fusion.result(job_id)
    assert ids([*fusion.clean("0s")]) == []


def test_rows_that_two_jobs_give_go_with_the_second(fusion: Fusion, tmp_path: Path) -> None:
    fusion.run("SELECT 1 AS x", cache="1h")
    fusion.run("SELECT 1 AS x", cache="1h", name="kept")

    fusion.clean("0s")
    assert fusion.result("kept").rows() == [(1,)]
    fusion.run("SELECT 2 AS x", name="kept")
    fusion.clean("0s")

    assert len(stored_files(tmp_path)) == 2
    assert fusion.result("kept").rows() == [(2,)]


def test_other_peoples_jobs_and_open_ones_stay(fusion: Fusion, tmp_path: Path) -> None:
    with connect(data_dir=str(tmp_path / "data"), owner="bob", worker_start="never") as bob:
        bob.run("SELECT 1 AS x")
        assert ids([*fusion.clean("0s")]) == []
        bob.submit("SELECT 2 AS x")
        assert len(bob.clean("0s")) == 1
        assert [job.status for job in bob.jobs()] == ["QUEUED"]


def test_rows_that_cannot_be_removed_keep_their_job(
    fusion: Fusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fusion.run("SELECT 1 AS x", cache="1h").job_id

    def refuse(*_: object, **__: object) -> None:
        raise ResultsUnavailable("The bucket does not answer.")

    monkeypatch.setattr(fusion.wiring.storage, "remove", refuse)
    with pytest.raises(ResultsUnavailable):
        fusion.clean("0s")

    assert fusion.job(old).job.result_path is not None
