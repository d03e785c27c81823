"""
Heartbeats, and whether they are believed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fusion_magic.processes.presence import Presence, find_alive, is_alive
from fusion_magic.processes.system import start_time, this_machine
from fusion_magic.store import ProcessRow
from fusion_magic.store.sql.store import SqlStore, open_store

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
HOST, BOOT_ID = this_machine()
NOBODY = 2**22 + 1  # no process of Linux has a higher number


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield opened
    opened.close()


def row(**facts: Any) -> ProcessRow:
    """
    This process, its heartbeat still believed.
    """
    usual = ProcessRow(
        id="r",
        role="runner",
        engine_url="duckdb://",
        host=HOST,
        boot_id=BOOT_ID,
        pid=os.getpid(),
        started=start_time(os.getpid()) or "",
        alive_until=NOW,
    )
    return replace(usual, **facts)


def test_a_process_that_has_anothers_number_is_not_taken_for_it() -> None:
    assert is_alive(row(alive_until=LONG_AGO), NOW)
    assert not is_alive(row(started="7"), NOW)
    assert not is_alive(row(pid=NOBODY), NOW)


def test_where_nothing_tells_processes_apart_the_heartbeat_decides() -> None:
    assert is_alive(row(started=""), NOW)
    assert not is_alive(row(started="", alive_until=LONG_AGO), NOW)
    assert not is_alive(row(started="", pid=NOBODY), NOW)


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"boot_id": "an earlier boot"}])
def test_another_machine_is_believed_until_its_heartbeat_runs_out(other: dict[str, str]) -> None:
    """
    Its process numbers mean nothing here, and neither do those from before this one was started.
    """
    assert is_alive(row(pid=NOBODY, **other), NOW)
    assert not is_alive(row(alive_until=LONG_AGO, **other), NOW)


def test_who_has_deregistered_is_not_alive() -> None:
    assert not is_alive(None, NOW)


def test_heartbeats_come_before_the_first_job_and_seldom_again(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Presence(store.processes, "runner", engine_url="duckdb://")
    sent: list[ProcessRow] = []
    monkeypatch.setattr(store.processes, "heartbeat", sent.append)

    ids = {runner.heartbeat_if_due() for _ in range(100)}

    assert ids == {sent[0].id}
    assert len(sent) == 1
    monkeypatch.setattr(runner, "_every_s", -1)
    runner.heartbeat_if_due()
    assert len(sent) == 2
    assert sent[1].alive_until > datetime.now(UTC)


def test_a_forked_process_is_another(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The jobs of the one that ends must not keep those of the other alive, nor take them along.
    """
    runner = Presence(store.processes, "runner", engine_url="duckdb://")
    first = runner.heartbeat_if_due()
    monkeypatch.setattr(os, "getpid", lambda: NOBODY)

    runner.deregister()
    second = runner.heartbeat_if_due()

    assert second != first
    assert {found.id for found in _rows(store)} == {first, second}


def test_who_comes_again_after_it_deregistered_is_another(store: SqlStore) -> None:
    """
    The jobs that it left are anybody's to end.
    """
    runner = Presence(store.processes, "runner", engine_url="duckdb://")
    first = runner.heartbeat_if_due()

    runner.deregister()

    assert runner.heartbeat_if_due() != first
    assert len(_rows(store)) == 1


def test_workers_are_found_by_their_engine(store: SqlStore) -> None:
    Presence(store.processes, "worker", engine_url="duckdb://").heartbeat()
    Presence(store.processes, "scheduler").heartbeat()
    Presence(store.processes, "runner", engine_url="duckdb://").heartbeat()

    assert [found.pid for found in find_alive(store.processes, "worker", "duckdb://")] == [
        os.getpid()
    ]
    assert find_alive(store.processes, "worker", "trino://host") == []
    assert [found.role for found in find_alive(store.processes, "scheduler")] == ["scheduler"]


def _rows(store: SqlStore) -> list[Any]:
    import sqlalchemy as sa

    from fusion_magic.store.sql.tables import process

    return list(store.database.read(sa.select(process)))
