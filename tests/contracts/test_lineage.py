"""
The contract of the lineage graph, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from fusion_magic.store import ColumnEdge, GraphEdge
from fusion_magic.store.sql.store import SqlStore
from fusion_magic.store.sql.tables import lineage_edge
from tests.contracts.test_outbox import edge, finished, made
from tests.contracts.test_tasks import Clock, clock, store
from tests.stores import delivered_edges

__all__ = ["clock", "store"]


def key(source: str, target: str, column: str = "x") -> ColumnEdge:
    return ColumnEdge(
        source_fqn=source, source_column=column, target_fqn=target, target_column=column
    )


def test_an_edge_is_there_once_with_its_newest_job(store: SqlStore) -> None:
    finished(store, made("u"), edge("t", "s"))
    newest = finished(store, edge("t", "s"))
    _, message = store.outbox.claim("s1", lease_s=30, limit=2)
    store.outbox.keep_edge(message)

    known = [GraphEdge(source_fqn="s", target_fqn="t", job_id=newest)]
    assert store.lineage.edges(["t", "other"], is_upstream=True) == known
    assert store.lineage.edges(["s"], is_upstream=False) == known
    assert store.lineage.edges(["s"], is_upstream=True) == []


def test_what_another_program_queued_is_there_before_and_after_it_is_delivered(
    store: SqlStore,
) -> None:
    """
    It writes to ``model_queue`` alone.
    """
    job_id = finished(store, edge("t", "s"))
    with store.database.engine.begin() as connection:
        connection.execute(sa.delete(lineage_edge))
    known = [GraphEdge(source_fqn="s", target_fqn="t", job_id=job_id)]
    assert store.lineage.edges(["t"], is_upstream=True) == known

    [message] = store.outbox.claim("s1", lease_s=30, limit=1)
    store.outbox.keep_edge(message)
    store.outbox.delivered(message)

    assert store.lineage.edges(["t"], is_upstream=True) == known


def test_columns_are_those_of_the_edges_each_once_with_the_newest_job(store: SqlStore) -> None:
    finished(store, edge("t", "s"), column_edges=(key("s", "t"), key("r", "t")))
    newest = finished(store, edge("t", "s"), column_edges=(key("s", "t"), key("s", "t", "y")))

    found = store.lineage.columns(store.lineage.edges(["t"], is_upstream=True))

    assert [(c.source, c.job_id) for c in found] == [(("s", "x"), newest), (("s", "y"), newest)]


def test_more_names_than_a_statement_takes_are_asked_for(store: SqlStore) -> None:
    finished(store, *(edge(f"t{n:05}", "s") for n in range(1200)))

    found = store.lineage.edges([f"t{n:05}" for n in range(1200)], is_upstream=True)

    assert len(found) == 1200


def test_edges_that_other_jobs_give_too_are_told_apart(store: SqlStore) -> None:
    own = finished(store, edge("t", "alone"), edge("t", "queued"), edge("t", "kept"))
    first, *_ = store.outbox.claim("s1", lease_s=30, limit=1, together=3)
    store.outbox.keep_edge(first)
    other = finished(store, edge("t", "kept"), edge("t", "queued"), edge("u", "alone"))
    with store.database.engine.begin() as connection:
        connection.execute(sa.delete(lineage_edge).where(lineage_edge.c.source_fqn == "queued"))

    assert store.lineage.shared(own) == [("kept", "t")]
    assert store.lineage.shared(other) == [("kept", "t")]


def test_an_edge_that_another_program_queues_is_its_too(store: SqlStore) -> None:
    own = finished(store, edge("t", "s"))
    finished(store, edge("t", "s"))
    with store.database.engine.begin() as connection:
        connection.execute(sa.delete(lineage_edge).where(lineage_edge.c.job_id != own))

    assert store.lineage.shared(own) == [("s", "t")]


def test_what_a_forgotten_job_alone_has_found_is_gone(store: SqlStore) -> None:
    columns = (key("s", "t"), key("r", "t"))
    own = finished(store, edge("t", "s"), edge("t", "r"), column_edges=columns)
    other = finished(store, edge("t", "r"), column_edges=columns[1:])
    for message in store.outbox.claim("s1", lease_s=30, limit=9, together=9):
        store.outbox.keep_edge(message)
        store.outbox.delivered(message)

    store.lineage.forget(own)

    kept = [GraphEdge(source_fqn="r", target_fqn="t", job_id=other)]
    assert store.lineage.edges(["t"], is_upstream=True) == kept
    assert [column.source_fqn for column in store.lineage.columns(kept)] == ["r"]
    assert store.lineage.of_job(own) == []
    assert delivered_edges(store) == [("r", "t")]
    # The graph's edge is the other's now, and goes with it.
    store.lineage.forget(other)
    assert delivered_edges(store) == []


def test_the_statements_of_a_day_that_read_tables_together_are_counted(
    store: SqlStore, clock: Clock
) -> None:
    began = store.database.now()
    for _ in range(2):
        finished(store, edge("t", "a"), edge("t", "b"))
    finished(store, edge("t", "a"))
    until = began + timedelta(hours=1)
    clock.move(3600)
    finished(store, edge("t", "a"), edge("t", "b"))

    found = store.lineage.statements
    assert found(["a", "b"], since=began, until=until) == [("SELECT 1", 2)]
    assert found(["a", "b"], since=began, until=until + timedelta(hours=1)) == [("SELECT 1", 3)]
    assert found(["a", "c"], since=began, until=until) == []
