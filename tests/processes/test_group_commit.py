"""
Ends that come at once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from fusion_magic.errors import IllegalTransition, LeaseLost, StoreUnavailable
from fusion_magic.processes.group_commit import MOST_AT_ONCE, GroupCommitJobs
from fusion_magic.store import Ended, Jobs, Outcome

WAIT_S = 10.0
OUTCOME = Outcome(row_count=1)


class Watched:
    """
    Jobs of which only the ends are watched; ``hold`` lets the first of them take until ``go_on`` is set.
    """

    def __init__(self) -> None:
        self.alone: list[UUID] = []
        self.together: list[int] = []
        self.refused: dict[UUID, Exception] = {}
        self.is_away = False
        self.held = threading.Event()
        self.go_on = threading.Event()

    def hold(self, group: GroupCommitJobs, pool: ThreadPoolExecutor) -> None:
        pool.submit(group.finish, uuid4(), OUTCOME, attempt=1)
        assert self.held.wait(WAIT_S)

    def __getattr__(self, name: str) -> object:
        return None

    def finish(self, job_id: UUID, outcome: Outcome, *, attempt: int | None = None) -> None:
        self.alone.append(job_id)
        if not self.held.is_set():
            self.held.set()
            self.go_on.wait(WAIT_S)
        if job_id in self.refused:
            raise self.refused[job_id]

    def finish_all(self, ends: Sequence[Ended]) -> frozenset[UUID]:
        self.together.append(len(ends))
        if self.is_away:
            raise StoreUnavailable("away")
        if any(isinstance(self.refused.get(e.job_id), IllegalTransition) for e in ends):
            raise IllegalTransition("one of them")
        return frozenset(end.job_id for end in ends)


def group_commit(store: Watched) -> GroupCommitJobs:
    return GroupCommitJobs(cast("Jobs", store))


def ended(store: Watched, ids: Sequence[UUID]) -> list[Exception | None]:
    """
    The ids' ends while another's is being written; what each of them raised.
    """
    group: Any = group_commit(store)
    with ThreadPoolExecutor(len(ids) + 1) as pool:
        store.hold(group, pool)
        done = [pool.submit(group.finish, job_id, OUTCOME, attempt=1) for job_id in ids]
        while len(group._waiting) < len(ids):
            pass
        store.go_on.set()
        return [one.exception(WAIT_S) for one in done]  # type: ignore[misc]


def test_what_comes_while_one_is_written_is_written_together() -> None:
    store = Watched()

    assert ended(store, [uuid4() for _ in range(5)]) == [None] * 5
    assert store.together == [5]
    assert len(store.alone) == 1


def test_not_too_many_at_once() -> None:
    store = Watched()

    assert set(ended(store, [uuid4() for _ in range(MOST_AT_ONCE + 2)])) == {None}
    assert store.together == [MOST_AT_ONCE, 2]


def test_what_is_wrong_with_one_touches_no_other() -> None:
    store, ids = Watched(), [uuid4() for _ in range(3)]
    store.refused[ids[1]] = LeaseLost("taken")

    raised = ended(store, ids)

    assert [type(error) for error in raised] == [type(None), LeaseLost, type(None)]
    assert set(ids) <= set(store.alone)


def test_a_store_that_is_away_is_told_to_each() -> None:
    store, ids = Watched(), [uuid4() for _ in range(2)]
    store.is_away = True
    store.refused = {job_id: StoreUnavailable("away") for job_id in ids}

    assert [type(error) for error in ended(store, ids)] == [StoreUnavailable] * 2


def test_what_nobody_claimed_is_written_alone() -> None:
    store = Watched()
    store.held.set()
    store.refused = {UUID(int=1): StoreUnavailable("full")}
    group = group_commit(store)

    group.finish(uuid4(), OUTCOME)
    with pytest.raises(StoreUnavailable, match="full"):
        group.finish(UUID(int=1), OUTCOME, attempt=1)

    assert store.together == []
