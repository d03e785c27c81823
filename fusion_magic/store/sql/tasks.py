"""
Background jobs in the SQL store: who runs them, until when, and how far they are.

A claim reads the waiting owners by a walk along the index ``ix_job_task_waiting`` (one step an owner, however many jobs
each has), then locks the first job of the owner who has the fewest running. PostgreSQL skips rows that another worker
has locked; on SQLite the transaction itself is the lock.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fusion_magic.errors import LeaseLost
from fusion_magic.store.model import Ended, JobStatus, NewTask, ResumePoint, Task
from fusion_magic.store.sql.base import (
    SqlPart,
    detail,
    detailing,
    insert,
    not_before,
    of_job,
    parameters,
)
from fusion_magic.store.sql.statements import Transaction
from fusion_magic.store.sql.tables import job, job_detail, job_task

WAITING, CLAIMED, DONE = "WAITING", "CLAIMED", "DONE"
_ENDED: Mapping[str, object] = {"state": DONE, "lease_until": None}


class SqlTasks(SqlPart):
    """
    The port ``Tasks``.
    """

    def claim(
        self, worker: str, *, engine_url: str, lease_s: float, most: int = 1
    ) -> Sequence[Task]:
        """See ``Tasks.claim``."""
        now = self._database.now()
        where = {"engine": engine_url, "now": now}
        if not self._database.read(_OPEN, where):
            return ()
        with self._database.writing() as transaction:
            ids = list(transaction.execute(_FIRST_STALLED, {**where, "most": most}).scalars())
            ids += _next_waiting(transaction, engine_url, most - len(ids))
            if not ids:
                return ()
            until = now + timedelta(seconds=lease_s)
            return _take(transaction, ids, {"of": worker, "now": now, "until": until})

    def renew(self, worker: str, *, lease_s: float, progress: Mapping[UUID, str]) -> None:
        """See ``Tasks.renew``."""
        mine = sa.and_(job_task.c.worker == worker, _is(job_task, CLAIMED))
        with self._database.writing() as transaction:
            until = self._database.now() + timedelta(seconds=lease_s)
            transaction.execute(_LOCKED, {"of": worker})
            transaction.execute(sa.update(job_task).where(mine).values(lease_until=until))
            if progress:
                transaction.execute(
                    sa.update(job_task)
                    .where(mine, job_task.c.job_id == sa.bindparam("of_job"))
                    .values(progress=sa.bindparam("how_far")),
                    [{"of_job": job_id, "how_far": text} for job_id, text in progress.items()],
                )

    def checkpoint(
        self, job_id: UUID, *, attempt: int, query_id: str | None, next_uri: str | None
    ) -> None:
        """See ``Tasks.checkpoint``."""
        with self._database.writing() as transaction:
            _change(transaction, job_id, attempt, {"next_uri": next_uri})
            if query_id is not None:
                detail(transaction, job_id, {"query_id": query_id})

    def checkpoint_all(self, worker: str, places: Sequence[ResumePoint]) -> frozenset[UUID]:
        """See ``Tasks.checkpoint_all``."""
        with self._database.writing() as transaction:
            jobs = [place.job_id for place in places]
            rows = transaction.execute(_LOCKED_OF_JOBS, {"of": worker, "of_jobs": jobs})
            mine = {tuple(row) for row in rows}
            kept = [place for place in places if (place.job_id, place.attempt) in mine]
            if kept:
                transaction.execute(
                    _changing(("next_uri",)),
                    [_changed(p.job_id, p.attempt, {"next_uri": p.next_uri}) for p in kept],
                )
            new = [place for place in kept if place.query_id is not None]
            if new:
                transaction.execute(
                    detailing(("query_id",)),
                    [of_job(place.job_id, {"query_id": place.query_id}) for place in new],
                )
        return frozenset(jobs) - {place.job_id for place in kept}

    def release(self, job_id: UUID, *, attempt: int, delay_s: float = 0.0) -> None:
        """See ``Tasks.release``."""
        with self._database.writing() as transaction:
            until = self._database.now() + timedelta(seconds=delay_s)
            _change(transaction, job_id, attempt, {"lease_until": until, "worker": None})

    def cancels_wanted(self, worker: str) -> Sequence[UUID]:
        """See ``Tasks.cancels_wanted``."""
        query = (
            sa.select(job_task.c.job_id)
            .join(job_detail, job_detail.c.job_id == job_task.c.job_id)
            .where(job_task.c.worker == worker, _is(job_task, CLAIMED))
            .where(job_detail.c.is_cancel_wanted)
        )
        return [row.job_id for row in self._database.read(query)]

    def is_any_open(self, *, engine_url: str) -> bool:
        """See ``Tasks.is_any_open``."""
        return bool(self._database.read(_OPEN, {"engine": engine_url, "now": self._database.now()}))

    def add(self, transaction: Transaction, job_id: UUID, task: NewTask) -> None:
        """
        Write the task of a job that is being queued, in the same transaction.
        """
        values = {
            "job_id": job_id,
            "state": WAITING,
            "engine_url": task.engine_url,
            "owner": task.owner,
            "rank": -task.priority,
            "attempt": 0,
            "payload": task.payload,
        }
        insert(transaction, job_task, [values])

    def end(self, transaction: Transaction, job_id: UUID, attempt: int) -> None:
        """
        Close the task together with its job.
        """
        _change(transaction, job_id, attempt, _ENDED)

    def end_all(self, transaction: Transaction, ends: Sequence[Ended]) -> frozenset[UUID]:
        """
        ``end`` for many; those of which the attempt still has the job.
        """
        given = {f"of_job_{number}": end.job_id for number, end in enumerate(ends)}
        locked = {
            (str(row[0]), row[1]) for row in transaction.rows(_locked_of_jobs(len(ends)), given)
        }
        mine = [end for end in ends if (str(end.job_id), end.attempt) in locked]
        transaction.change_all(
            _changing(tuple(_ENDED)),
            [_changed(end.job_id, end.attempt, _ENDED) for end in mine],
        )
        return frozenset(end.job_id for end in mine)

    def take_back(self, transaction: Transaction, job_id: UUID) -> bool:
        """
        Close a task that no worker has taken yet; whether there was one.
        """
        return transaction.change(_TAKE_BACK, {"of_job": job_id}) == 1


def _take(
    transaction: Transaction, ids: Sequence[int], values: Mapping[str, object]
) -> Sequence[Task]:
    """
    The tasks of those *ids*, which are locked, as the worker's; in that order.
    """
    transaction.execute(_CLAIM, {**values, "tasks": ids})
    rows = {row.id: row for row in transaction.execute(_CLAIMED_TASKS, {"tasks": ids})}
    new = [row.job_id for row in rows.values() if row.status == JobStatus.QUEUED.value]
    if new:
        transaction.execute(_START, {**values, "of_jobs": new})
        transaction.execute(_STARTED, {**values, "of_jobs": new})
    return [
        Task(**{name: getattr(rows[task_id], name) for name in _TASK_FIELDS}) for task_id in ids
    ]


def _change(
    transaction: Transaction, job_id: UUID, attempt: int, values: Mapping[str, object]
) -> None:
    given = _changed(job_id, attempt, values)
    if transaction.change(_changing(tuple(values)), given) != 1:
        raise LeaseLost(f"Job {job_id} was taken by another worker, or has ended.")


def _changed(job_id: UUID, attempt: int, values: Mapping[str, object]) -> dict[str, object]:
    """
    The parameters of ``_changing``.
    """
    return {"of_attempt": attempt, **of_job(job_id, values)}


@cache
def _changing(names: tuple[str, ...]) -> Any:
    return (
        sa.update(job_task)
        .where(
            job_task.c.job_id == sa.bindparam("of_job"),
            job_task.c.attempt == sa.bindparam("of_attempt"),
            job_task.c.state == CLAIMED,
        )
        .values(**parameters(names))
    )


@cache
def _locked_of_jobs(count: int) -> Any:
    kind = job_task.c.job_id.type
    jobs: list[Any] = [sa.bindparam(f"of_job_{number}", type_=kind) for number in range(count)]
    return _IN_ORDER.where(job_task.c.job_id.in_(jobs))


def _next_waiting(transaction: Transaction, engine_url: str, most: int) -> list[int]:
    """
    The tasks to run next, locked: the highest priority, then the owner with the fewest running, then the oldest.
    """
    if most < 1:
        return []
    first = transaction.execute(_HEADS, {"engine": engine_url}).all()
    running = transaction.execute(_RUNNING).all() if len(first) > 1 else ()
    numbers = {row.owner: int(row.number) for row in running}
    in_turn = [(row.rank, numbers.get(row.owner, 0), row.id, row.owner) for row in first]
    heapq.heapify(in_turn)
    waiting: dict[str, deque[Any]] = {}
    chosen: list[int] = []
    while in_turn and len(chosen) < most:
        _, running_of_owner, _, owner = heapq.heappop(in_turn)
        if owner not in waiting:
            where = {"engine": engine_url, "of_owner": owner, "most": most - len(chosen)}
            waiting[owner] = deque(transaction.execute(_NEXT_OF_OWNER, where))
        if waiting[owner]:
            chosen.append(waiting[owner].popleft().id)
        if waiting[owner]:
            following = waiting[owner][0]
            heapq.heappush(in_turn, (following.rank, running_of_owner + 1, following.id, owner))
    return chosen


# The statements of a claim are built once: to build them takes longer than to run them.
_MOST = sa.bindparam("most", type_=sa.Integer)
_JOBS: Any = sa.bindparam("of_jobs", expanding=True)
_OF_TASKS = job_task.c.id.in_(sa.bindparam("tasks", expanding=True))


def _is(table: Any, state: str) -> Any:
    # The state stands in the text, since a partial index serves only a condition that is known beforehand.
    return table.c.state == sa.literal_column(f"'{state}'")


def _waits(table: Any) -> tuple[Any, ...]:
    return (_is(table, WAITING), table.c.engine_url == sa.bindparam("engine"))


def _first_waiting(table: Any, owner: Any) -> Any:
    ids = sa.select(table.c.id).where(*_waits(table), table.c.owner == owner)
    return ids.order_by(table.c.rank, table.c.id)


def _heads() -> Any:
    """
    The first waiting task of each owner: a walk along the index, one step an owner.
    """
    first = sa.select(sa.func.min(job_task.c.owner).label("owner")).where(*_waits(job_task))
    owners = first.cte("owners", recursive=True)
    later = job_task.alias("later")
    following = (
        sa.select(sa.func.min(later.c.owner))
        .where(*_waits(later), later.c.owner > owners.c.owner)
        .scalar_subquery()
    )
    owners = owners.union_all(sa.select(following).where(owners.c.owner.is_not(None)))
    first_id = _first_waiting(job_task.alias("head"), owners.c.owner).limit(1).scalar_subquery()
    heads = sa.select(first_id.label("id")).where(owners.c.owner.is_not(None)).subquery()
    return sa.select(job_task.c.owner, job_task.c.rank, job_task.c.id).join(
        heads, heads.c.id == job_task.c.id
    )


_STALLED = (
    sa.select(job_task.c.id)
    .where(_is(job_task, CLAIMED), job_task.c.engine_url == sa.bindparam("engine"))
    .where(job_task.c.lease_until < sa.bindparam("now"))
)
_FIRST_STALLED = (
    _STALLED.order_by(job_task.c.lease_until).limit(_MOST).with_for_update(skip_locked=True)
)
# The least of each, which stands first in an index: for any of them PostgreSQL would read the table until it finds one.
_OPEN = sa.select(sa.literal(1)).where(
    sa.or_(
        sa.select(sa.func.min(job_task.c.owner))
        .where(*_waits(job_task))
        .scalar_subquery()
        .is_not(None),
        _STALLED.with_only_columns(sa.func.min(job_task.c.lease_until))
        .scalar_subquery()
        .is_not(None),
    )
)
_HEADS = _heads()
_RUNNING = (
    sa.select(job_task.c.owner, sa.func.count().label("number"))
    .where(_is(job_task, CLAIMED))
    .group_by(job_task.c.owner)
)
_NEXT_OF_OWNER = (
    _first_waiting(job_task, sa.bindparam("of_owner"))
    .add_columns(job_task.c.rank)
    .limit(_MOST)
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    sa.update(job_task)
    .where(_OF_TASKS)
    .values(
        state=CLAIMED,
        worker=sa.bindparam("of"),
        lease_until=sa.bindparam("until"),
        attempt=job_task.c.attempt + 1,
    )
)
_TASK_FIELDS = [field.name for field in fields(Task)]
_CLAIMED_TASKS = (
    sa.select(
        job_task.c.id,
        job.c.status,
        job.c.id.label("job_id"),
        job.c.user_query,
        job.c.converted_query,
        job_detail.c.owner,
        job_detail.c.origin,
        job_task.c.payload,
        job_task.c.attempt,
        job_detail.c.query_id,
        job_task.c.next_uri,
    )
    .join(job_detail, job_detail.c.job_id == job.c.id)
    .join(job_task, job_task.c.job_id == job.c.id)
    .where(_OF_TASKS)
)
_START = (
    sa.update(job)
    .where(job.c.id.in_(_JOBS), job.c.status == JobStatus.QUEUED.value)
    .values(
        status=JobStatus.RUNNING.value,
        updated=not_before(sa.bindparam("now", type_=job.c.updated.type)),
    )
)
_STARTED = (
    sa.update(job_detail).where(job_detail.c.job_id.in_(_JOBS)).values(started=sa.bindparam("now"))
)
# Who writes many tasks at once locks them in this order, so that two who do never wait for each other.
_IN_ORDER = (
    sa.select(job_task.c.job_id, job_task.c.attempt)
    .where(_is(job_task, CLAIMED))
    .order_by(job_task.c.id)
    .with_for_update()
)
_LOCKED = _IN_ORDER.where(job_task.c.worker == sa.bindparam("of"))
_LOCKED_OF_JOBS = _LOCKED.where(job_task.c.job_id.in_(_JOBS))
_TAKE_BACK = (
    sa.update(job_task)
    .where(job_task.c.job_id == sa.bindparam("of_job"), job_task.c.state == WAITING)
    .values(state=DONE)
)
