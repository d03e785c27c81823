"""
The contract of the outbox, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

from uuid import UUID, uuid4

from fusion_magic.store import ColumnEdge, Converted, NewJob, Outcome, QueueRow
from fusion_magic.store.sql.store import SqlStore
from tests.contracts.test_tasks import Clock, clock, store
from tests.stores import delivered_edges

__all__ = ["clock", "store"]


def edge(target: str, source: str) -> QueueRow:
    return QueueRow(model_name_fqn=target, from_fqn=source, command="LINEAGE")


def made(target: str) -> QueueRow:
    return QueueRow(model_name_fqn=target, from_fqn=None, command="INGESTION")


def finished(store: SqlStore, *rows: QueueRow, column_edges: tuple[ColumnEdge, ...] = ()) -> UUID:
    job_id = uuid4()
    store.jobs.create(NewJob(id=job_id, user_query="SELECT 1"))
    store.jobs.start(job_id, Converted("SELECT 1"))
    store.jobs.finish(job_id, Outcome(queue=rows, column_edges=column_edges))
    return job_id


def test_a_delivered_row_is_gone(store: SqlStore) -> None:
    finished(store, edge("t", "s"))

    [message] = store.outbox.claim("s1", lease_s=30, limit=10)
    store.outbox.delivered(message)

    assert (message.row, message.attempt) == (edge("t", "s"), 1)
    assert store.outbox.pending() == []
    assert store.outbox.claim("s1", lease_s=30, limit=10) == []


def test_rows_of_one_target_go_in_their_order(store: SqlStore) -> None:
    """
    An edge cannot be made before its table is known.
    """
    finished(store, made("t"), edge("t", "a"), edge("u", "a"))

    first = store.outbox.claim("s1", lease_s=30, limit=10)
    assert [m.row for m in first] == [made("t"), edge("u", "a")]
    assert store.outbox.claim("s2", lease_s=30, limit=10) == []
    store.outbox.delivered(first[0])

    assert [m.row for m in store.outbox.claim("s2", lease_s=30, limit=10)] == [edge("t", "a")]


def test_a_claim_runs_out_with_its_scheduler(store: SqlStore, clock: Clock) -> None:
    finished(store, edge("t", "s"))
    [lost] = store.outbox.claim("s1", lease_s=30, limit=10)
    clock.move(31)

    [again] = store.outbox.claim("s2", lease_s=30, limit=10)
    store.outbox.delivered(lost)

    assert again.attempt == 2
    assert len(store.outbox.pending()) == 1
    store.outbox.delivered(again)
    assert store.outbox.pending() == []


def test_a_row_that_failed_waits_and_holds_up_no_other_target(
    store: SqlStore, clock: Clock
) -> None:
    finished(store, edge("t", "s"), edge("u", "s"))
    broken, fine = store.outbox.claim("s1", lease_s=30, limit=10)
    store.outbox.retry(broken, error="no answer", delay_s=60)
    store.outbox.delivered(fine)

    assert store.outbox.claim("s1", lease_s=30, limit=10) == []
    clock.move(61)
    [again] = store.outbox.claim("s1", lease_s=30, limit=10)
    assert (again.row, again.attempt) == (edge("t", "s"), 2)


def test_a_buried_row_lets_the_next_of_its_target_pass(store: SqlStore) -> None:
    job_id = finished(store, edge("t", "a"), edge("t", "b"))
    [message] = store.outbox.claim("s1", lease_s=30, limit=10)
    store.outbox.bury(message, error="there is no table a")

    [letter] = store.outbox.dead()
    assert (letter.job_id, letter.row, letter.error, letter.attempts) == (
        job_id,
        edge("t", "a"),
        "there is no table a",
        1,
    )
    assert [m.row for m in store.outbox.claim("s1", lease_s=30, limit=10)] == [edge("t", "b")]


def test_a_dead_letter_is_revived_or_dropped_once(store: SqlStore) -> None:
    finished(store, edge("t", "a"), edge("u", "a"))
    for message in store.outbox.claim("s1", lease_s=30, limit=10):
        store.outbox.bury(message, error="x")
    first, second = store.outbox.dead()

    assert store.outbox.revive(first.id)
    assert not store.outbox.revive(first.id)
    assert store.outbox.drop(second.id)
    assert not store.outbox.drop(second.id)
    [message] = store.outbox.claim("s1", lease_s=30, limit=10)
    assert (message.row, message.attempt) == (edge("t", "a"), 1)
    assert store.outbox.dead() == []


def test_a_message_brings_its_column_edges(store: SqlStore) -> None:
    column = ColumnEdge(source_fqn="s", source_column="x", target_fqn="t", target_column="y")
    other = ColumnEdge(source_fqn="r", source_column="x", target_fqn="t", target_column="y")
    finished(store, edge("t", "s"), column_edges=(column, other))

    [message] = store.outbox.claim("s1", lease_s=30, limit=10)

    assert message.column_edges == [column]


def test_a_sign_of_life_keeps_what_is_being_delivered(store: SqlStore, clock: Clock) -> None:
    """
    A receiver may take longer than a lease: nobody else delivers the row meanwhile, nor the next of its target.
    """
    finished(store, edge("t", "a"), edge("t", "b"))
    [held] = store.outbox.claim("s1", lease_s=30, limit=10)
    for _ in range(4):
        clock.move(20)
        store.outbox.renew("s1", lease_s=30)

    assert store.outbox.claim("s2", lease_s=30, limit=10) == []
    store.outbox.delivered(held)
    [following] = store.outbox.claim("s2", lease_s=30, limit=10)
    assert following.row == edge("t", "b")


def test_a_sign_of_life_keeps_no_row_that_waits_or_is_another_ones(
    store: SqlStore, clock: Clock
) -> None:
    finished(store, edge("t", "a"), edge("u", "a"))
    failed, lost = store.outbox.claim("s1", lease_s=30, limit=10)
    store.outbox.retry(failed, error="away", delay_s=5)
    clock.move(31)
    taken = store.outbox.claim("s2", lease_s=30, limit=10)
    store.outbox.renew("s1", lease_s=300)
    clock.move(31)

    assert [m.id for m in taken] == [failed.id, lost.id]
    assert len(store.outbox.claim("s3", lease_s=30, limit=10)) == 2


def test_what_a_scheduler_left_it_takes_again_at_once(store: SqlStore) -> None:
    """
    The store was away while it delivered: it need not wait for its own lease.
    """
    finished(store, edge("t", "s"))
    store.outbox.claim("s1", lease_s=30, limit=10)

    [again] = store.outbox.claim("s1", lease_s=30, limit=10)
    assert again.attempt == 2


def test_a_clock_that_is_put_back_holds_no_row_for_long(store: SqlStore, clock: Clock) -> None:
    finished(store, edge("t", "s"))
    store.outbox.claim("s1", lease_s=30, limit=10)
    clock.move(-86_400)

    [again] = store.outbox.claim("s2", lease_s=30, limit=10)
    assert again.row == edge("t", "s")


def test_a_clock_that_is_put_forward_loses_and_doubles_nothing(
    store: SqlStore, clock: Clock
) -> None:
    finished(store, edge("t", "a"), edge("t", "b"))
    [first] = store.outbox.claim("s1", lease_s=30, limit=10)
    clock.move(86_400)
    [second] = store.outbox.claim("s2", lease_s=30, limit=10)
    for message in (first, second):
        store.outbox.keep_edge(message)
        store.outbox.delivered(message)

    assert [row for _, row in store.outbox.pending()] == [edge("t", "b")]
    assert delivered_edges(store) == [("a", "t")]


def test_rows_of_one_target_are_claimed_together_in_their_order(store: SqlStore) -> None:
    """
    One scheduler tells a receiver of a table once, instead of several in turns.
    """
    finished(store, made("t"), edge("t", "a"), edge("u", "a"), edge("t", "b"), edge("u", "b"))
    finished(store, edge("t", "c"))

    claimed = store.outbox.claim("s1", lease_s=30, limit=10, together=6)

    assert [m.row for m in claimed] == [
        *(made("t"), edge("t", "a"), edge("u", "a"), edge("t", "b"), edge("u", "b"))
    ]
    assert {m.attempt for m in claimed} == {1}
    # The others' first row is another one's.
    assert store.outbox.claim("s2", lease_s=30, limit=10, together=6) == []
    store.outbox.delivered(*claimed)
    assert [row for _, row in store.outbox.pending()] == [edge("t", "c")]


def test_no_more_is_claimed_than_asked_for(store: SqlStore) -> None:
    finished(store, *(edge(target, source) for target in "tuv" for source in "abcd"))

    claimed = store.outbox.claim("s1", lease_s=30, limit=2, together=5)

    assert [m.row for m in claimed] == [*(edge(to, source) for to in "tu" for source in "ab")]


def test_what_waits_behind_a_row_that_failed_waits_with_it(store: SqlStore, clock: Clock) -> None:
    finished(store, edge("t", "a"), edge("t", "b"), edge("t", "c"))
    first, second, third = store.outbox.claim("s1", lease_s=30, limit=9, together=9)
    store.outbox.delivered(first)
    store.outbox.retry(second, error="no answer", delay_s=60)
    store.outbox.retry(third, error="", delay_s=0, is_counted=False)

    assert store.outbox.claim("s1", lease_s=30, limit=9, together=9) == []
    clock.move(61)
    again = store.outbox.claim("s2", lease_s=30, limit=9, together=9)
    assert [(m.row.from_fqn, m.attempt) for m in again] == [("b", 2), ("c", 1)]


def test_columns_of_rows_that_are_claimed_together_are_each_ones_own(store: SqlStore) -> None:
    columns = tuple(
        ColumnEdge(source_fqn=source, source_column="x", target_fqn="t", target_column=source)
        for source in "ab"
    )
    for _ in range(2):
        finished(store, edge("t", "a"), edge("t", "b"), column_edges=columns)

    claimed = store.outbox.claim("s1", lease_s=30, limit=9, together=9)

    assert [m.column_edges for m in claimed] == [[columns[0]], [columns[1]]] * 2


def test_a_withdrawn_job_has_nothing_in_the_queue(store: SqlStore) -> None:
    finished(store, edge("v", "a"))
    own = finished(store, edge("t", "a"), edge("u", "a"))
    finished(store, edge("t", "b"))
    claimed = store.outbox.claim("s1", lease_s=30, limit=10)
    for message in claimed:
        if message.row == edge("u", "a"):
            store.outbox.bury(message, error="x")
        else:
            store.outbox.retry(message, error="away", delay_s=60)

    assert store.outbox.withdraw(own)

    assert store.outbox.dead() == []
    assert [row for _, row in store.outbox.pending()] == [edge("v", "a"), edge("t", "b")]
    [following] = store.outbox.claim("s1", lease_s=30, limit=10)
    assert following.row == edge("t", "b")
    assert store.outbox.withdraw(own)


def test_what_a_scheduler_has_in_its_hands_is_not_withdrawn(store: SqlStore, clock: Clock) -> None:
    """
    It would be told all the same.
    """
    job_id = finished(store, edge("t", "a"), edge("t", "b"))
    store.outbox.claim("s1", lease_s=30, limit=10)

    assert not store.outbox.withdraw(job_id)
    assert len(store.outbox.pending()) == 2

    clock.move(31)
    assert store.outbox.withdraw(job_id)
    assert store.outbox.claim("s1", lease_s=30, limit=10) == []
