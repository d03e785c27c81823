"""
One attempt at a claimed job: what is noted of its place, and when it is begun again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import EngineBusy, LeaseLost
from fusion_magic.processes.attempt import READ, TaskAttempt
from fusion_magic.store import Task
from tests.workers import run_to_end


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    with connect(data_dir=str(tmp_path), worker_start="never") as opened:
        yield opened


def claimed(fusion: Fusion, sql: str = "SELECT 1 AS x") -> tuple[Task, TaskAttempt]:
    fusion.submit(sql)
    [task] = fusion.store.tasks.claim("w", engine_url=fusion.wiring.engine_key, lease_s=0)
    return task, TaskAttempt(task, fusion.wiring.services(), max_attempts=3)


def place(fusion: Fusion) -> str | None:
    """
    Where the next attempt would go on.
    """
    [task] = fusion.store.tasks.claim("w", engine_url=fusion.wiring.engine_key, lease_s=0)
    return task.next_uri


def test_a_place_is_noted_until_rows_have_come_and_never_after(fusion: Fusion) -> None:
    """
    Rows that a dead worker had read are lost with it: going on behind them would cut the result short.
    """
    _, run = claimed(fusion)

    run._checkpoint("q", "uri/1", False)
    run._checkpoint("q", "uri/2", True)
    run._checkpoint("q", "uri/3", False)

    assert place(fusion) == READ


def test_a_job_is_handed_over_before_its_rows_come(fusion: Fusion) -> None:
    _, run = claimed(fusion)
    run._checkpoint("q", "uri/1", False)

    run.hand_over()

    with pytest.raises(LeaseLost, match="Handed over"):
        run._checkpoint("q", "uri/2", False)
    assert place(fusion) == "uri/1"


def test_a_job_is_given_up_after_so_many_workers(fusion: Fusion) -> None:
    task, _ = claimed(fusion)
    for _attempt in range(3):
        [claim] = fusion.store.tasks.claim("w", engine_url=fusion.wiring.engine_key, lease_s=0)

    run_to_end(TaskAttempt(claim, fusion.wiring.services(), max_attempts=3))

    job = fusion.job(task.job_id).job
    assert job.status == "FAILED"
    assert "Given up" in (job.error or "")


class Restarted:
    """
    An engine that has just been started: at first without room for a question, then without any memory.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.asked = 0
        self.begun = 0

    @property
    def remote_queries(self) -> Restarted:
        return self

    def state_of(self, query_id: str) -> str | None:
        self.asked += 1
        if self.asked == 1:
            raise EngineBusy("No nodes available to run query", is_begun=False)
        return None

    def execute(self, query: Any) -> Any:
        self.begun += 1
        return self._engine.execute(query)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_an_engine_without_room_for_a_question_says_nothing_of_the_statement(
    tmp_path: Path,
) -> None:
    """
    Taken for the statement's own refusal, it would begin a write again that may have been done.
    """
    url = f"duckdb:///{tmp_path / 'file.duckdb'}"
    with connect(data_dir=str(tmp_path), engine_url=url, worker_start="never") as onto_file:
        onto_file.run("CREATE TABLE file.main.t AS SELECT 1 AS x")
        task, run = claimed(onto_file, "INSERT INTO file.main.t SELECT 2")
        run._checkpoint("q", "uri", True)
        [again] = onto_file.store.tasks.claim(
            "w", engine_url=onto_file.wiring.engine_key, lease_s=0
        )
        engine: Any = Restarted(onto_file.engine)

        services = replace(onto_file.wiring.services(), engine=engine)
        run_to_end(TaskAttempt(again, services, max_attempts=3))

        job = onto_file.job(task.job_id).job
        assert (job.status, engine.asked, engine.begun) == ("FAILED", 2, 0)
        assert "not known" in (job.error or "")


def test_a_write_that_may_have_been_done_is_not_done_again(fusion: Fusion, tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path / 'file.duckdb'}"
    with connect(data_dir=str(tmp_path), engine_url=url, worker_start="never") as onto_file:
        onto_file.run("CREATE TABLE file.main.t AS SELECT 1 AS x")
        task, run = claimed(onto_file, "INSERT INTO file.main.t SELECT 2")
        run._checkpoint(None, "begun", False)
        [again] = onto_file.store.tasks.claim(
            "w", engine_url=onto_file.wiring.engine_key, lease_s=0
        )

        run_to_end(TaskAttempt(again, onto_file.wiring.services(), max_attempts=3))

        job = onto_file.job(task.job_id).job
        assert job.status == "FAILED"
        assert "not known" in (job.error or "")
        assert onto_file.run("SELECT count(*) FROM file.main.t").rows() == [(1,)]


def test_a_table_that_is_not_there_is_made_again(fusion: Fusion, tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path / 'other.duckdb'}"
    with connect(data_dir=str(tmp_path), engine_url=url, worker_start="never") as onto_file:
        task, run = claimed(onto_file, "CREATE TABLE other.main.t AS SELECT 2 AS x")
        run._checkpoint(None, "begun", False)
        [again] = onto_file.store.tasks.claim(
            "w", engine_url=onto_file.wiring.engine_key, lease_s=0
        )

        run_to_end(TaskAttempt(again, onto_file.wiring.services(), max_attempts=3))

        assert onto_file.job(task.job_id).job.status == "FINISHED"
