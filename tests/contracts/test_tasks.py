"""
The contract of background jobs, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from fusion_magic.errors import IllegalTransition, LeaseLost, StoreUnavailable, UnknownJob
from fusion_magic.store import (
    ColumnEdge,
    Converted,
    Ended,
    JobStatus,
    NewJob,
    NewTask,
    Outcome,
    QueueRow,
    ResumePoint,
)
from fusion_magic.store.sql.store import SqlStore, open_store
from fusion_magic.store.sql.tables import job, job_task

ENGINE = "trino://host:8080"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
A_MOMENT_S = 0.3  # in which another process comes to wait for a row that is being written


class Clock:
    """
    A clock that stands still until it is moved.
    """

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[SqlStore]:
    opened = SqlStore(store_url, clock=clock)
    opened.migrate()
    yield opened
    opened.close()


def waiting(
    store: SqlStore, owner: str = "ana", priority: int = 0, engine_url: str = ENGINE
) -> UUID:
    job_id = uuid4()
    store.jobs.create(NewJob(id=job_id, user_query="SELECT 1", owner=owner))
    task = NewTask(payload="{}", engine_url=engine_url, owner=owner, priority=priority)
    store.jobs.queue(job_id, Converted("SELECT 1"), task)
    return job_id


def claim(store: SqlStore, worker: str = "w1", lease_s: float = 30) -> Any:
    tasks = store.tasks.claim(worker, engine_url=ENGINE, lease_s=lease_s)
    return tasks[0] if tasks else None


def status(store: SqlStore, job_id: UUID) -> JobStatus:
    job = store.jobs.find(job_id)
    assert job is not None
    return job.status


def test_a_claimed_job_runs_and_is_hidden_from_other_workers(store: SqlStore) -> None:
    job_id = waiting(store)

    first = claim(store)
    second = claim(store, "w2")

    assert (first.job_id, first.attempt, first.user_query) == (job_id, 1, "SELECT 1")
    assert second is None
    assert status(store, job_id) is JobStatus.RUNNING


def test_a_dead_workers_job_is_taken_over_where_it_stood(store: SqlStore, clock: Clock) -> None:
    job_id = waiting(store)
    claim(store)
    store.tasks.checkpoint(job_id, attempt=1, query_id="q1", next_uri="http://x/2")
    clock.move(31)

    task = claim(store, "w2")

    assert (task.job_id, task.attempt, task.query_id, task.next_uri) == (
        job_id,
        2,
        "q1",
        "http://x/2",
    )


def test_a_renewed_lease_holds(store: SqlStore, clock: Clock) -> None:
    job_id = waiting(store)
    claim(store)
    clock.move(29)
    store.tasks.renew("w1", lease_s=30, progress={job_id: '{"state": "RUNNING"}'})
    clock.move(29)

    assert claim(store, "w2") is None
    job = store.jobs.find(job_id)
    assert job is not None
    assert job.progress == '{"state": "RUNNING"}'


def test_an_end_whose_answer_was_lost_is_asked_for_again(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Else a worker would take the job for another's, and remove the rows that it stored.
    """
    job_id, row = waiting(store), QueueRow(model_name_fqn="t", from_fqn="s", command="LINEAGE")
    claim(store)
    database = store.database
    writing, errors = database.writing, database.engine.dialect.loaded_dbapi.Error

    @contextmanager
    def write_and_lose_the_answer() -> Iterator[Any]:
        with database.translated():
            with writing() as transaction:
                yield transaction
            raise errors("the connection was closed")

    with monkeypatch.context() as patched:
        patched.setattr(database, "writing", write_and_lose_the_answer)
        with pytest.raises(StoreUnavailable):
            store.jobs.finish(job_id, Outcome(queue=[row], row_count=1), attempt=1)
    store.jobs.finish(job_id, Outcome(queue=[row], row_count=1), attempt=1)

    assert status(store, job_id) is JobStatus.FINISHED
    assert [queued for _, queued in store.outbox.pending(job_id)] == [row]
    with pytest.raises(LeaseLost):
        store.jobs.finish(job_id, Outcome(), attempt=2)


def test_jobs_that_end_together_are_finished_but_for_those_that_others_have(
    store: SqlStore, clock: Clock
) -> None:
    ids = [waiting(store) for _ in range(4)]
    store.tasks.claim("w1", engine_url=ENGINE, lease_s=30, most=3)
    clock.move(31)
    taken = claim(store, "w2").job_id
    others = [job_id for job_id in ids[:3] if job_id != taken]
    row = QueueRow(model_name_fqn="t", from_fqn="s", command="LINEAGE")
    edge = ColumnEdge(source_fqn="s", source_column="x", target_fqn="t", target_column="y")
    outcome = Outcome(queue=[row, row], column_edges=[edge], row_count=3, result_name="kept")

    # The last one is not claimed at all.
    finished = store.jobs.finish_all([Ended(job_id, outcome, 1) for job_id in ids])

    assert finished == set(others)
    for job_id in others:
        found = store.jobs.find(job_id)
        assert found is not None
        assert (found.status, found.row_count, found.result_name, found.finished) == (
            *(JobStatus.FINISHED, 3, "kept"),
            clock.now,
        )
        assert [queued for _, queued in store.outbox.pending(job_id)] == [row, row]
        assert store.lineage.columns_of_job(job_id) == [edge]
    assert status(store, taken) is JobStatus.RUNNING
    assert status(store, ids[3]) is JobStatus.QUEUED
    assert list(store.outbox.pending(taken)) == []
    clock.move(31)
    assert claim(store).job_id == taken
    assert store.jobs.finish_all([Ended(taken, outcome, 2)]) == frozenset()
    assert store.jobs.finish_all([]) == frozenset()


def test_of_jobs_that_end_together_none_is_where_one_cannot_be(store: SqlStore) -> None:
    ids = [waiting(store) for _ in range(2)]
    store.tasks.claim("w1", engine_url=ENGINE, lease_s=30, most=2)
    store.jobs.fail(ids[1], error="somebody else ended it")

    with pytest.raises(IllegalTransition):
        store.jobs.finish_all([Ended(job_id, Outcome(), 1) for job_id in ids])

    assert status(store, ids[0]) is JobStatus.RUNNING
    store.jobs.finish(ids[0], Outcome(), attempt=1)


@pytest.mark.parametrize("change", ["finish", "fail", "cancel", "checkpoint", "release"])
def test_a_worker_that_lost_its_lease_changes_nothing(
    store: SqlStore, clock: Clock, change: str
) -> None:
    """
    A worker that was asleep for longer than its lease must not end a job that another now runs.
    """
    job_id = waiting(store)
    claim(store)
    clock.move(31)
    claim(store, "w2")
    changes: dict[str, Any] = {
        "finish": lambda: store.jobs.finish(job_id, Outcome(), attempt=1),
        "fail": lambda: store.jobs.fail(job_id, error="x", attempt=1),
        "cancel": lambda: store.jobs.cancel(job_id, attempt=1),
        "checkpoint": lambda: store.tasks.checkpoint(
            job_id, attempt=1, query_id=None, next_uri="u"
        ),
        "release": lambda: store.tasks.release(job_id, attempt=1),
    }

    with pytest.raises(LeaseLost):
        changes[change]()
    assert status(store, job_id) is JobStatus.RUNNING
    store.jobs.finish(job_id, Outcome(), attempt=2)
    assert status(store, job_id) is JobStatus.FINISHED


def test_a_finished_job_is_never_claimed_again(store: SqlStore, clock: Clock) -> None:
    job_id = waiting(store)
    claim(store)
    store.jobs.finish(job_id, Outcome(update_type="INSERT", rows_changed=3), attempt=1)
    clock.move(1000)

    assert claim(store) is None
    job = store.jobs.find(job_id)
    assert job is not None
    assert (job.update_type, job.rows_changed, job.is_background) == ("INSERT", 3, True)


def test_a_released_job_waits_its_delay(store: SqlStore, clock: Clock) -> None:
    job_id = waiting(store)
    claim(store)
    store.tasks.release(job_id, attempt=1, delay_s=10)

    assert claim(store, "w2") is None
    clock.move(11)
    assert claim(store, "w2").attempt == 2


def test_workers_take_jobs_of_their_own_engine_alone(store: SqlStore) -> None:
    waiting(store, engine_url="duckdb://")

    assert claim(store) is None
    assert store.tasks.is_any_open(engine_url="duckdb://")
    assert not store.tasks.is_any_open(engine_url=ENGINE)


def test_priority_goes_first_then_age(store: SqlStore) -> None:
    old, new, urgent = waiting(store), waiting(store), waiting(store, priority=5)

    assert [claim(store).job_id for _ in range(3)] == [urgent, old, new]


def test_owners_share_the_workers_fairly(store: SqlStore) -> None:
    """
    A hundred jobs of one person must not make the next person wait for all of them.
    """
    for _ in range(6):
        waiting(store, "ana")
    for _ in range(3):
        waiting(store, "bo")

    owners = [claim(store).owner for _ in range(6)]

    assert Counter(owners) == {"ana": 3, "bo": 3}


def test_several_are_claimed_in_the_order_of_one_after_the_other(
    store: SqlStore, clock: Clock
) -> None:
    stalled = waiting(store)
    claim(store, "gone", lease_s=1)
    clock.now += timedelta(seconds=2)
    ana = [waiting(store, "ana") for _ in range(4)]
    bo, late_bo = waiting(store, "bo"), waiting(store, "bo")
    urgent = waiting(store, "ana", priority=5)

    tasks = store.tasks.claim("w1", engine_url=ENGINE, lease_s=30, most=7)

    # ana has two that run when it is the others' turn: the one that stalled and the urgent one.
    assert [task.job_id for task in tasks] == [
        *(stalled, urgent, bo, late_bo, ana[0], ana[1], ana[2])
    ]
    assert {task.attempt for task in tasks[1:]} == {1}
    assert tasks[0].attempt == 2
    assert {status(store, task.job_id) for task in tasks} == {JobStatus.RUNNING}
    assert [task.job_id for task in store.tasks.claim("w1", engine_url=ENGINE, lease_s=30, most=7)] == [ana[3]]  # fmt: skip
    assert not store.tasks.claim("w1", engine_url=ENGINE, lease_s=30, most=7)


def test_a_waiting_job_is_cancelled_at_once(store: SqlStore) -> None:
    job_id = waiting(store)

    assert store.jobs.want_cancel(job_id) is JobStatus.CANCELED
    assert claim(store) is None
    assert store.jobs.want_cancel(job_id) is JobStatus.CANCELED


def test_a_running_jobs_worker_learns_of_the_wish(store: SqlStore) -> None:
    job_id = waiting(store)
    claim(store)

    assert store.jobs.want_cancel(job_id) is JobStatus.RUNNING
    assert store.tasks.cancels_wanted("w1") == [job_id]
    assert store.tasks.cancels_wanted("w2") == []
    store.jobs.cancel(job_id, attempt=1)
    assert store.tasks.cancels_wanted("w1") == []


def test_a_job_without_a_worker_can_be_asked_to_end(store: SqlStore) -> None:
    job_id = uuid4()
    store.jobs.create(NewJob(id=job_id, user_query="SELECT 1"))

    store.jobs.want_cancel(job_id)

    assert store.jobs.is_cancel_wanted(job_id)
    with pytest.raises(UnknownJob):
        store.jobs.want_cancel(uuid4())


def test_a_cancel_that_comes_too_late_changes_nothing(store: SqlStore) -> None:
    job_id = waiting(store)
    claim(store)
    store.jobs.finish(job_id, Outcome(), attempt=1)

    assert store.jobs.want_cancel(job_id) is JobStatus.FINISHED
    with pytest.raises(IllegalTransition):
        store.jobs.cancel(job_id)


@pytest.mark.parametrize("kind", ["fail", "cancel"])
def test_a_job_that_ends_while_it_is_queued_leaves_nothing_to_claim(
    store: SqlStore, store_url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_written, add = threading.Event(), store.tasks.add

    def add_slowly(*given: Any) -> None:
        add(*given)
        is_written.set()
        time.sleep(A_MOMENT_S)

    monkeypatch.setattr(store.tasks, "add", add_slowly)
    with ThreadPoolExecutor(1) as pool:
        queued = pool.submit(waiting, store)
        is_written.wait()
        [job_id] = [found.id for found in store.jobs.list()]
        with closing(SqlStore(store_url)) as other:
            other.jobs.fail(job_id, error="no") if kind == "fail" else other.jobs.cancel(job_id)
        assert queued.result() == job_id

    assert status(store, job_id).is_final
    assert claim(store) is None


def test_a_claim_walks_along_the_index(store: SqlStore) -> None:
    """
    100,000 jobs in the table must not slow the next claim.
    """
    waiting(store)
    statements: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH")) and "job_task" in statement:
            statements.append((statement, values))

    sa.event.listen(store.database.engine, "before_cursor_execute", note)
    claim(store)
    sa.event.remove(store.database.engine, "before_cursor_execute", note)

    with store.database.engine.connect() as connection:
        is_postgres = connection.dialect.name == "postgresql"
        if is_postgres:
            _add_others(connection)
        prefix, scan = (
            ("EXPLAIN ", "Seq Scan on job_task") if is_postgres else ("EXPLAIN QUERY PLAN ", "SCAN")
        )
        for statement, values in statements:
            rows = connection.exec_driver_sql(prefix + statement, values)
            scans = [str(row[-1]) for row in rows if scan in str(row[-1])]
            tables = [s for s in scans if any(name in s for name in ("job_task", "later", "head"))]
            assert not [s for s in tables if "INDEX" not in s and "heads" not in s], tables
    assert len(statements) >= 3


def _add_others(connection: sa.Connection) -> None:
    """
    100,000 jobs that are done, and behind them 10,000 that wait: a small table is quicker read whole.
    """
    for state, count in (("DONE", 100_000), ("WAITING", 10_000)):
        numbers = sa.func.generate_series(1, count).table_valued("n")
        one = sa.select(job).limit(1).subquery()
        values: dict[str, Any] = {c.name: c for c in one.columns} | {
            "id": sa.func.gen_random_uuid()
        }
        jobs = sa.select(*values.values()).select_from(one.join(numbers, sa.true()))
        connection.execute(sa.insert(job).from_select(list(values), jobs))
        task = sa.select(job_task).limit(1).subquery()
        bare = job.outerjoin(job_task, job_task.c.job_id == job.c.id)
        ids = sa.select(job.c.id).select_from(bare).where(job_task.c.id.is_(None)).subquery("bare")
        values = {c.name: c for c in task.columns if c.name != "id"}
        values |= {"job_id": ids.c.id, "state": sa.literal(state)}
        tasks = sa.select(*values.values()).select_from(ids.join(task, sa.true()))
        connection.execute(sa.insert(job_task).from_select(list(values), tasks))
    connection.exec_driver_sql("ANALYZE")


def test_many_places_are_written_at_once_and_lost_jobs_are_told(
    store: SqlStore, clock: Clock
) -> None:
    kept, lost = waiting(store), waiting(store)
    claim(store)
    claim(store, lease_s=10)
    clock.move(11)
    claim(store, "w2")
    places = [
        ResumePoint(job_id=job_id, attempt=1, query_id=f"q {job_id}", next_uri="http://x/5")
        for job_id in (kept, lost)
    ]

    refused = store.tasks.checkpoint_all("w1", places)

    assert refused == {lost}
    clock.move(100)
    tasks = {task.job_id: task for task in (claim(store, "w3"), claim(store, "w3"))}
    assert (tasks[kept].query_id, tasks[kept].next_uri) == (f"q {kept}", "http://x/5")
    assert (tasks[lost].query_id, tasks[lost].next_uri) == (None, None)


def test_leases_are_renewed_while_places_are_written_in_any_order(store: SqlStore) -> None:
    """
    Both write many rows at once: whoever locks them in another order than the other ends in a deadlock.
    """
    for _ in range(100):
        waiting(store)
    tasks = [claim(store) for _ in range(100)]
    places = [ResumePoint(job_id=t.job_id, attempt=1, query_id=None, next_uri="x") for t in tasks]
    progress = {task.job_id: "{}" for task in tasks}

    def renew(number: int) -> None:
        store.tasks.renew("w1", lease_s=30 + number, progress=progress)

    def write(number: int) -> None:
        assert not store.tasks.checkpoint_all("w1", places[::-1] if number % 2 else places)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(act, n) for n in range(40) for act in (renew, write)]
        for each in done:
            each.result()


def _take_all(url: str, name: str, taken: Any) -> None:
    store = open_store(url)
    while tasks := store.tasks.claim(name, engine_url=ENGINE, lease_s=60, most=3):
        for task in tasks:
            taken.put(str(task.job_id))
            store.jobs.finish(task.job_id, Outcome(), attempt=task.attempt)
    store.close()


def test_several_workers_take_each_job_once(store: SqlStore) -> None:
    """
    The clock of the workers is real here, and so are their processes.
    """
    wanted = [waiting(store, owner=f"owner {n % 3}") for n in range(60)]
    context = multiprocessing.get_context("spawn")
    taken = context.Queue()
    url = store.database.engine.url.render_as_string(hide_password=False)
    workers = [
        context.Process(target=_take_all, args=(url, f"w{n}", taken), daemon=True) for n in range(3)
    ]
    for worker in workers:
        worker.start()
    found = [taken.get(timeout=60) for _ in wanted]
    for worker in workers:
        worker.join(60)

    assert sorted(found) == sorted(map(str, wanted))
    assert taken.empty()
    assert {status(store, job_id) for job_id in wanted} == {JobStatus.FINISHED}
