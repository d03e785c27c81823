"""
A store that is away for a while.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fusion_magic.errors import IllegalTransition, StoreUnavailable
from fusion_magic.processes import retrying
from fusion_magic.processes.retrying import RetryingStore
from fusion_magic.store import JobStatus, NewJob, Outcome
from fusion_magic.store.sql.store import SqlStore, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_DELAY_S", 0.001)


def away(part: Any, name: str, times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """
    Let the method of *part* fail so often; how often it was called.
    """
    really, calls = getattr(part, name), [0]

    def sometimes(*values: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] <= times:
            raise StoreUnavailable("away")
        return really(*values, **named)

    monkeypatch.setattr(part, name, sometimes)
    return calls


def test_a_store_that_is_away_is_waited_for(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = away(store.jobs, "create", 3, monkeypatch)
    waiting, job_id = RetryingStore(store), uuid4()

    waiting.jobs.create(NewJob(id=job_id, user_query="SELECT 1"))

    found = waiting.jobs.find(job_id)
    assert found is not None
    assert found.status is JobStatus.INIT
    assert calls == [4]


def test_tasks_and_results_are_waited_for_too(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(store.tasks, "is_any_open", 2, monkeypatch)
    away(store.results, "count", 2, monkeypatch)
    waiting = RetryingStore(store)

    assert not waiting.tasks.is_any_open(engine_url="duckdb://")
    assert waiting.results.count("daily") == 0


def test_a_store_that_stays_away_is_given_up(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "STORE_PATIENCE_S", 0.01)
    away(store.jobs, "find", 1_000_000, monkeypatch)

    with pytest.raises(StoreUnavailable):
        RetryingStore(store).jobs.find(uuid4())


def test_what_the_store_refuses_is_not_asked_again(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = away(store.jobs, "finish", 0, monkeypatch)

    with pytest.raises(IllegalTransition):
        RetryingStore(store).jobs.finish(uuid4(), Outcome())
    assert calls == [1]
