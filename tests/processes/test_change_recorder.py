"""
Changes on their way into the store: each event once, none lost while the store is away, and no more memory than was set aside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from fusion_magic.errors import StoreUnavailable
from fusion_magic.metadata.changes import MetadataChange, NewChanges
from fusion_magic.processes import change_recorder
from fusion_magic.processes.change_recorder import MOST_REMEMBERED, MOST_WAITING, ChangeRecorder


class Changes:
    """
    The port, that of a store which may be away.
    """

    def __init__(self) -> None:
        self.recorded: list[MetadataChange] = []
        self.is_away = False
        self.done = threading.Event()

    def record(self, changes: Sequence[MetadataChange]) -> int:
        if self.is_away:
            raise StoreUnavailable("It is away.")
        self.recorded += changes
        self.done.set()
        return len(changes)

    def since(self, position: int | None) -> NewChanges:
        raise NotImplementedError


def change(number: int) -> MetadataChange:
    return MetadataChange(f"e{number}", "entityUpdated", "table", f"s.d.p.t{number}")


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_recorder, "STORE_PAUSE_S", 0.1)


def test_an_event_that_comes_again_is_recorded_once() -> None:
    store = Changes()
    recorder = ChangeRecorder(store)
    with recorder.at_work():
        for _ in range(3):
            recorder.put([change(1), change(2)])
        recorder.put([change(2), change(3)])

    assert store.recorded == [change(1), change(2), change(3)]


def test_a_store_that_is_away_gets_them_later() -> None:
    store = Changes()
    store.is_away = True
    recorder = ChangeRecorder(store)
    with recorder.at_work():
        recorder.put([change(1)])
        time.sleep(0.25)
        recorder.put([change(2)])
        store.is_away = False
        assert store.done.wait(10)

    assert store.recorded == [change(1), change(2)]


def test_more_than_can_wait_is_any_change() -> None:
    store = Changes()
    store.is_away = True
    recorder = ChangeRecorder(store)
    with recorder.at_work():
        for start in range(0, 10 * MOST_WAITING, 1000):
            recorder.put([change(number) for number in range(start, start + 1000)])
        store.is_away = False
        assert store.done.wait(10)

    assert len(store.recorded) <= MOST_WAITING
    assert [one for one in store.recorded if not one.entity_type]
    assert len(recorder._remembered) <= MOST_REMEMBERED


def test_a_store_that_stays_away_does_not_hinder_the_end() -> None:
    store = Changes()
    store.is_away = True
    recorder = ChangeRecorder(store)
    begun = time.monotonic()
    with recorder.at_work():
        recorder.put([change(1)])

    assert time.monotonic() - begun < 5
