"""
One claim delivered: targets side by side, each target's rows in their order, whatever breaks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.delivery import JobFacts
from fusion_magic.errors import (
    DeliveryError,
    DeliveryPending,
    PermanentDeliveryError,
    ReceiverUnavailable,
)
from fusion_magic.processes.delivery_round import DeliveryRound
from fusion_magic.processes.scheduler import Scheduler
from fusion_magic.store import Converted, Message, NewJob, Outcome, QueueRow

Edge = tuple[str, str]
PATIENCE_S = 60


class Receiver:
    """
    Does what it is given, by target and source, and notes who is told at once.
    """

    name = "receiver"

    def __init__(self, *, is_concurrent: bool = True, **on: Callable[[], None]) -> None:
        self.is_concurrent = is_concurrent
        self.on = on
        self.taken: list[Edge] = []
        self.under_way: list[str] = []
        self.most_at_once = 0
        self.clashes = 0
        self._lock = threading.Lock()

    def deliver(self, message: Message, facts: JobFacts) -> None:
        source, target = message.row.from_fqn or "", message.row.model_name_fqn
        with self._lock:
            self.clashes += target in self.under_way
            self.under_way.append(target)
            self.most_at_once = max(self.most_at_once, len(self.under_way))
        try:
            self.on.get(target + source, lambda: time.sleep(0.002))()
            self.taken.append((source, target))
        finally:
            self.under_way.remove(target)

    def close(self) -> None:
        return None


def raising(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    """
    Rows of three targets, each from three sources.
    """
    with connect(data_dir=str(tmp_path), worker_start="never") as opened:
        store, job_id = opened.store, uuid4()
        rows = [
            QueueRow(model_name_fqn=to, from_fqn=source, command="LINEAGE")
            for source in "abc"
            for to in "tuv"
        ]
        store.jobs.create(NewJob(id=job_id, user_query="SELECT 1"))
        store.jobs.start(job_id, Converted(""))
        store.jobs.finish(job_id, Outcome(queue=rows))
        yield opened


def waiting(fusion: Fusion) -> list[Edge]:
    rows = [row for _, row in fusion.store.outbox.pending()]
    return sorted((row.model_name_fqn, row.from_fqn or "") for row in rows)


def of_target(receiver: Receiver, target: str) -> str:
    """
    The sources that it was told of, in their order.
    """
    return "".join(source for source, to in receiver.taken if to == target)


def test_targets_go_side_by_side_and_the_rows_of_each_in_order(fusion: Fusion) -> None:
    meeting = threading.Barrier(3)

    def meet() -> None:
        meeting.wait(PATIENCE_S)

    receiver = Receiver(ta=meet, ua=meet, va=meet)

    assert Scheduler(fusion.store, [receiver]).deliver_due() == 9

    assert waiting(fusion) == []
    assert (receiver.most_at_once, receiver.clashes) == (3, 0)
    assert [of_target(receiver, target) for target in "tuv"] == ["abc"] * 3


def test_a_receiver_that_says_nothing_of_it_is_told_one_row_at_a_time(fusion: Fusion) -> None:
    """
    Even beside one that takes several.
    """
    one, many = Receiver(is_concurrent=False), Receiver()

    Scheduler(fusion.store, [one, many]).deliver_due()

    assert one.most_at_once == 1
    assert sorted(one.taken) == sorted(many.taken)
    assert len(one.taken) == 9


def test_what_stands_behind_a_row_that_failed_waits_and_no_other(fusion: Fusion) -> None:
    receiver = Receiver(ub=raising(DeliveryError("not yet")))

    Scheduler(fusion.store, [receiver]).deliver_due()

    assert waiting(fusion) == [("u", "b"), ("u", "c")]
    assert [of_target(receiver, target) for target in "tuv"] == ["abc", "a", "abc"]
    # Given back untried.
    [message] = _claim_after_burying(fusion, "b")
    assert (message.row.from_fqn, message.attempt) == ("c", 1)


def _claim_after_burying(fusion: Fusion, source: str) -> list[Message]:
    outbox = fusion.store.outbox
    with pytest.MonkeyPatch.context() as patch:
        database = fusion.store.database  # type: ignore[attr-defined]
        now = database.now()
        patch.setattr(database, "now", lambda: now.replace(year=now.year + 1))
        for message in outbox.claim("x", lease_s=1, limit=1):
            assert message.row.from_fqn == source
            outbox.bury(message, error="x")
        return list(outbox.claim("y", lease_s=1, limit=1))


def test_what_stands_behind_a_wrong_row_goes_on(fusion: Fusion) -> None:
    receiver = Receiver(ub=raising(PermanentDeliveryError("never")), vb=raising(ValueError("bug")))

    Scheduler(fusion.store, [receiver]).deliver_due()

    assert [letter.error for letter in fusion.store.outbox.dead()] == ["never"]
    assert waiting(fusion) == [("v", "b"), ("v", "c")]
    assert of_target(receiver, "u") == "ac"


def test_a_receiver_that_is_away_for_all_threads_costs_no_attempt(fusion: Fusion) -> None:
    away = raising(ReceiverUnavailable("away"))
    receiver = Receiver(ta=away, ua=away, va=away)

    assert Scheduler(fusion.store, [receiver]).deliver_due() == 0

    assert len(waiting(fusion)) == 9
    database = fusion.store.database  # type: ignore[attr-defined]
    now = database.now()
    database.now = lambda: now.replace(year=now.year + 1)
    again = fusion.store.outbox.claim("x", lease_s=1, limit=9, together=9)
    assert [message.attempt for message in again] == [1] * 9


def test_what_was_told_before_the_receiver_went_away_is_done(fusion: Fusion) -> None:
    receiver = Receiver(is_concurrent=False, tb=raising(ReceiverUnavailable("away")))

    Scheduler(fusion.store, [receiver]).deliver_due()

    assert receiver.taken == [("a", "t")]
    assert len(waiting(fusion)) == 8


@pytest.mark.parametrize("is_concurrent", [False, True])
def test_signs_of_life_are_given_while_a_receiver_takes_long(
    fusion: Fusion, monkeypatch: pytest.MonkeyPatch, is_concurrent: bool
) -> None:
    monkeypatch.setattr("fusion_magic.processes.delivery_round.WATCH_EVERY_S", 0.01)
    seen = threading.Semaphore(0)

    def hold() -> None:
        for _ in range(5):
            assert seen.acquire(timeout=PATIENCE_S)

    claimed = fusion.store.outbox.claim("s", lease_s=60, limit=9, together=9)
    receiver = Receiver(is_concurrent=is_concurrent, ta=hold)
    turn = DeliveryRound(fusion.store, [receiver], is_over=lambda: False)

    assert turn.run(claimed, seen.release)


def test_what_is_stopped_side_by_side_is_due_to_others_at_once(fusion: Fusion) -> None:
    receiver = Receiver()
    scheduler = Scheduler(fusion.store, [receiver])
    receiver.on = {f"{target}a": scheduler.stop for target in "tuv"}

    scheduler.deliver_due()
    other = Receiver()
    Scheduler(fusion.store, [other]).deliver_due()

    assert len(receiver.taken) <= 3
    assert len(receiver.taken) + len(other.taken) == 9
    assert waiting(fusion) == []


class Expecting(Receiver):
    """
    Notes what is announced to it, and fails at that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.expected: list[list[Edge]] = []

    def expect(self, rows: Sequence[tuple[Message, JobFacts]]) -> None:
        self.expected.append([(m.row.from_fqn or "", m.row.model_name_fqn) for m, _ in rows])
        raise DeliveryError("left to the rows")


def test_a_receiver_that_wants_to_know_is_told_what_comes_next(fusion: Fusion) -> None:
    receiver = Expecting()

    Scheduler(fusion.store, [receiver]).deliver_due()

    assert sorted(receiver.expected) == [[(source, to) for source in "abc"] for to in "tuv"]
    assert len(receiver.taken) == 9
    assert waiting(fusion) == []


def test_what_is_under_way_is_looked_at_again_and_counts_as_no_attempt(fusion: Fusion) -> None:
    receiver = Receiver(ua=raising(DeliveryPending("a pipeline runs")))

    for year in range(20):
        database = fusion.store.database  # type: ignore[attr-defined]
        now = database.now()
        database.now = lambda now=now, year=year: now.replace(year=now.year + (year > 0))
        Scheduler(fusion.store, [receiver]).deliver_due()

    assert fusion.store.outbox.dead() == []
    assert waiting(fusion) == [("u", source) for source in "abc"]
    assert [of_target(receiver, target) for target in "tuv"] == ["abc", "", "abc"]
