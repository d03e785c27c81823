"""
The contract of changes: each event once, in an order in which nobody misses one, for a day.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from fusion_magic.metadata.changes import MetadataChange, NewChanges
from fusion_magic.store.sql.changes import KEPT, MOST_AT_ONCE
from fusion_magic.store.sql.store import SqlStore
from tests.contracts.test_tasks import Clock

HOUR_S = 3600.0


def change(number: int) -> MetadataChange:
    return MetadataChange(f"e{number}", "entityUpdated", "table", f"s.d.p.t{number}", number)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[SqlStore]:
    opened = SqlStore(store_url, clock=clock)
    opened.migrate()
    yield opened
    opened.close()


def told(store: SqlStore, position: int) -> list[str] | None:
    found = store.changes.since(position).changes
    return None if found is None else [one.event_id for one in found]


def test_who_knows_nothing_may_have_missed_anything_and_then_hears_of_each_change_once(
    store: SqlStore,
) -> None:
    store.changes.record([change(0)])
    first = store.changes.since(None)
    assert first.changes is None

    assert store.changes.record([change(1), change(2)]) == 2
    second = store.changes.since(first.position)
    assert second.changes == (change(1), change(2))
    assert store.changes.since(second.position) == NewChanges(second.position, ())


def test_an_event_that_is_told_twice_is_one_change(store: SqlStore) -> None:
    start = store.changes.since(None).position
    assert store.changes.record([change(1), change(1), change(2)]) == 2
    assert store.changes.record([change(number) for number in range(1500)]) == 1498

    assert len(told(store, start) or ()) == 1500


def test_changes_are_kept_for_a_day(store: SqlStore, clock: Clock) -> None:
    """
    Who was away for as long reads everything again.
    """
    start = store.changes.since(None).position
    store.changes.record([change(1)])
    clock.move(KEPT.total_seconds() + 1)
    store.changes.record([change(2)])

    assert store.changes.since(start).changes is None
    assert store.changes.record([change(1)]) == 1


def test_who_hears_of_nothing_for_long_stays_near_enough(store: SqlStore, clock: Clock) -> None:
    position = store.changes.since(None).position
    for _ in range(60):
        clock.move(HOUR_S)
        answer = store.changes.since(position)
        assert answer.changes == ()
        position = answer.position
    store.changes.record([change(1)])

    assert told(store, position) == ["e1"]


def test_a_clock_that_is_behind_hides_nothing(
    store_url: str, store: SqlStore, clock: Clock
) -> None:
    start = store.changes.since(None).position
    store.changes.record([change(1)])
    after = store.changes.since(start).position
    clock.move(-300)
    store.changes.record([change(2)])

    assert told(store, after) == ["e2"]


def test_too_many_changes_are_any(store: SqlStore) -> None:
    start = store.changes.since(None).position
    store.changes.record([change(number) for number in range(MOST_AT_ONCE + 1)])
    answer = store.changes.since(start)

    assert answer.changes is None
    store.changes.record([change(-1)])
    assert told(store, answer.position) == ["e-1"]


def test_those_who_record_at_once_leave_nobody_behind(store: SqlStore) -> None:
    """
    A reader that has seen an id never misses a smaller one that was committed later.
    """
    position, seen = store.changes.since(None).position, list[str]()
    writers = [
        threading.Thread(
            target=lambda turn=turn: [
                store.changes.record([change(100 * turn + number)]) for number in range(25)
            ]
        )
        for turn in range(4)
    ]
    for writer in writers:
        writer.start()
    while len(seen) < 100:
        answer = store.changes.since(position)
        position = answer.position
        seen += [one.event_id for one in answer.changes or ()]
    for writer in writers:
        writer.join()

    assert len(set(seen)) == 100
