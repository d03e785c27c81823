"""
The scheduler: every row delivered, in order for its target, whatever breaks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import pytest
import sqlalchemy as sa

from fusion_magic import Fusion, connect
from fusion_magic.delivery import JobFacts
from fusion_magic.errors import (
    DeliveryError,
    PermanentDeliveryError,
    ReceiverUnavailable,
    StoreUnavailable,
)
from fusion_magic.processes.delivery_round import ATTEMPTS
from fusion_magic.processes.scheduler import Scheduler
from fusion_magic.store import Converted, Message, NewJob, Outcome, QueueRow
from fusion_magic.store.sql.tables import metadata, queue_delivery
from fusion_magic.wiring import Wiring
from tests.stores import delivered_edges


class Receiver:
    """
    Takes what it is told, after as many errors as it was given.
    """

    name = "receiver"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.taken: list[Message] = []

    def deliver(self, message: Message, facts: JobFacts) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(message)

    def close(self) -> None:
        return None


def test_queued_lineage_is_delivered_and_kept_once(five_tables: Fusion) -> None:
    for _ in range(2):
        five_tables.run("SELECT id FROM a.b.c.t0", origin="n.ipynb")
    scheduler = five_tables.wiring.open_scheduler()

    while five_tables.store.outbox.pending():
        scheduler.deliver_due()

    assert delivered_edges(five_tables.store) == [("a.b.c.t0", 'fusion.notebooks."n.ipynb"')]


def test_a_scheduler_is_alive_while_it_is_at_work(five_tables: Fusion) -> None:
    """
    ``fusion doctor`` tells a scheduler that is there from one that is not.
    """
    scheduler = five_tables.wiring.open_scheduler()
    thread = Thread(target=scheduler.run)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not five_tables.store.processes.alive():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        [row] = five_tables.store.processes.alive()
        assert (row.id, row.role, row.pid) == (scheduler.id, "scheduler", os.getpid())
    finally:
        scheduler.stop()
        thread.join()

    assert five_tables.store.processes.alive() == []


def test_a_row_that_fails_is_tried_again_and_then_kept_aside(five_tables: Fusion) -> None:
    five_tables.run("CREATE TABLE a.b.c.new AS SELECT 1 AS x")
    receiver = Receiver(*[DeliveryError("away")] * ATTEMPTS)
    scheduler = Scheduler(five_tables.store, [receiver])

    for _ in range(ATTEMPTS):
        _make_due(five_tables)
        scheduler.deliver_due()

    [letter] = five_tables.store.outbox.dead()
    assert (letter.error, letter.attempts) == ("away", ATTEMPTS)
    assert five_tables.store.outbox.revive(letter.id)
    scheduler.deliver_due()
    assert [m.row.model_name_fqn for m in receiver.taken] == ["a.b.c.new"]


def test_a_receiver_that_does_not_answer_costs_no_attempts_however_long(
    five_tables: Fusion,
) -> None:
    for table in ("a.b.c.new", "a.b.c.other"):
        five_tables.run(f"CREATE TABLE {table} AS SELECT 1 AS x")
    receiver = Receiver(*[ReceiverUnavailable("away")] * (3 * ATTEMPTS), DeliveryError("busy"))
    scheduler = Scheduler(five_tables.store, [receiver])

    for _ in range(3 * ATTEMPTS):
        _make_due(five_tables)
        assert scheduler.deliver_due() == 0

    assert five_tables.store.outbox.dead() == []
    assert receiver.taken == []
    for _ in range(2):
        _make_due(five_tables)
        scheduler.deliver_due()
    assert {m.row.model_name_fqn for m in receiver.taken} == {"a.b.c.new", "a.b.c.other"}
    # What failed for a reason of its own was tried twice, not three times twelve and two.
    assert sorted(m.attempt for m in receiver.taken) == [1, 2]


def test_rows_behind_one_that_hangs_are_asked_for_before_it(five_tables: Fusion) -> None:
    """
    Or a row that is the reason itself would stop all others for good.
    """
    for table in ("a.b.c.new", "a.b.c.other"):
        five_tables.run(f"CREATE TABLE {table} AS SELECT 1 AS x")
    scheduler = Scheduler(five_tables.store, [Receiver(ReceiverUnavailable("too slow"))])

    scheduler.deliver_due()

    with five_tables.store.database.engine.connect() as connection:  # type: ignore[attr-defined]
        waits = connection.execute(sa.select(queue_delivery).order_by("queue_id")).all()
    assert waits[0].due > waits[1].due


def _make_due(fusion: Fusion) -> None:
    """
    As if all waiting were over.
    """
    with fusion.store.database.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(sa.update(queue_delivery).values(due=datetime(2000, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize("error", [PermanentDeliveryError("no such table"), ValueError("a bug")])
def test_one_broken_row_holds_up_no_other(five_tables: Fusion, error: Exception) -> None:
    five_tables.run("CREATE TABLE a.b.c.new AS SELECT 1 AS x")
    five_tables.run("CREATE TABLE a.b.c.other AS SELECT 1 AS x")
    receiver = Receiver(error)

    Scheduler(five_tables.store, [receiver]).deliver_due()

    assert [m.row.model_name_fqn for m in receiver.taken] == ["a.b.c.other"]


class Slow(Receiver):
    """
    Takes its time, and knows when two tell it of one target at once.
    """

    def __init__(self, begun: Event, go_on: Event) -> None:
        super().__init__()
        self.begun = begun
        self.go_on = go_on
        self.under_way: list[str] = []
        self.clashes = 0

    def deliver(self, message: Message, facts: JobFacts) -> None:
        target = message.row.model_name_fqn
        self.clashes += target in self.under_way
        self.under_way.append(target)
        self.begun.set()
        assert self.go_on.wait(60)
        self.under_way.remove(target)
        super().deliver(message, facts)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fusion]:
    """
    On each kind of store, with two edges of one target queued by each of two jobs.
    """
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    if url is not None:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            metadata.drop_all(connection)
            connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
        engine.dispose()
    with connect(store_url=url, data_dir=str(tmp_path / "data"), worker_start="never") as opened:
        for _ in range(2):
            rows = [
                QueueRow(model_name_fqn="a.b.c.t", from_fqn=f"a.b.c.{name}", command="LINEAGE")
                for name in "sr"
            ]
            job_id, store = uuid4(), opened.store
            store.jobs.create(NewJob(id=job_id, user_query="SELECT 1"))
            store.jobs.start(job_id, Converted(""))
            store.jobs.finish(job_id, Outcome(queue=rows))
        yield opened


def test_a_delivery_that_outlasts_its_lease_is_not_begun_by_another(
    both: Fusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fusion_magic.processes.scheduler.LEASE_S", 1.0)
    begun, go_on = Event(), Event()
    receiver = Slow(begun, go_on)
    first = Thread(target=Scheduler(both.store, [receiver]).deliver_due)
    first.start()
    assert begun.wait(60)
    other = Scheduler(both.store, [receiver])

    tried = []
    until = time.monotonic() + 3  # of leases
    while time.monotonic() < until:
        tried.append(other.deliver_due())
        time.sleep(0.2)
    go_on.set()
    first.join()
    while other.deliver_due():
        pass

    assert (set(tried), receiver.clashes) == ({0}, 0)
    assert [m.row.from_fqn for m in receiver.taken] == ["a.b.c.s", "a.b.c.r"] * 2
    assert both.store.outbox.pending() == []


def test_several_schedulers_tell_each_row_once_and_in_order(both: Fusion) -> None:
    go_on = Event()
    go_on.set()
    receiver = Slow(Event(), go_on)
    schedulers = [Scheduler(both.store, [receiver]) for _ in range(3)]
    threads = [Thread(target=scheduler.run) for scheduler in schedulers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while both.store.outbox.pending() and time.monotonic() < deadline:
        time.sleep(0.1)
    for scheduler in schedulers:
        scheduler.stop()
    for thread in threads:
        thread.join()

    assert receiver.clashes == 0
    assert [m.row.from_fqn for m in receiver.taken] == ["a.b.c.s", "a.b.c.r"] * 2


def test_a_store_that_goes_away_in_the_middle_loses_nothing(
    both: Fusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = both.store.outbox
    receiver = Receiver()
    scheduler = Scheduler(both.store, [receiver])
    delivered = outbox.delivered
    away = [True, True]

    def fail(*messages: Message) -> None:
        if away:
            away.pop()
            raise StoreUnavailable("gone")
        delivered(*messages)

    monkeypatch.setattr(outbox, "delivered", fail)
    monkeypatch.setattr("fusion_magic.processes.scheduler.IDLE_POLL_S", 0.01)
    thread = Thread(target=scheduler.run)
    thread.start()
    deadline = time.monotonic() + 60
    while both.store.outbox.pending() and time.monotonic() < deadline:
        time.sleep(0.05)
    scheduler.stop()
    thread.join()

    assert both.store.outbox.pending() == []
    told = [m.row.from_fqn for m in receiver.taken]
    # All rows of the target are told again, in their order.
    assert told == ["a.b.c.s", "a.b.c.r"] * 2 * 3


def test_what_is_left_when_it_is_stopped_is_due_to_others_at_once(five_tables: Fusion) -> None:
    for number in range(3):
        five_tables.run(f"CREATE TABLE a.b.c.new{number} AS SELECT 1 AS x")
    stopping = Receiver()
    scheduler = Scheduler(five_tables.store, [stopping])
    take = stopping.deliver

    def stop(message: Message, facts: JobFacts) -> None:
        scheduler.stop()
        take(message, facts)

    stopping.deliver = stop  # type: ignore[method-assign]
    scheduler.deliver_due()
    other = Receiver()

    assert Scheduler(five_tables.store, [other]).deliver_due() == 2
    assert len(stopping.taken) == 1


def test_a_cell_with_a_receiver_starts_a_scheduler_some_time_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Not a cell's own work: it only sets an alarm.
    """
    started: list[str] = []
    monkeypatch.setattr("fusion_magic.wiring.DELIVER_AFTER_S", 0.05)
    monkeypatch.setattr(Wiring, "ensure_worker", lambda self: started.append("worker"))
    url = f"openlineage+file://{tmp_path / 'e.jsonl'}"
    with connect(data_dir=str(tmp_path), delivery_url=url) as fusion:
        fusion.run("SELECT 1 AS x", lineage=False)
        assert fusion.wiring._timer is None
        fusion.run("SELECT 1 AS x")
        assert fusion.wiring._timer is not None
        fusion.wiring._timer.join()
    assert started == ["worker"]
    with connect(data_dir=str(tmp_path), delivery_url=url, worker_start="never") as fusion:
        fusion.run("SELECT 1 AS x")
        assert fusion.wiring._timer is None
    with connect(data_dir=str(tmp_path)) as fusion:
        fusion.run("SELECT 1 AS x")
        assert fusion.wiring._timer is None
