"""
Background jobs in the SQL store: who runs them, until when, and how far they are.

A claim reads the waiting owners by a walk along the index ``ix_job_task_waiting`` (one step an owner, however many jobs
each has), then locks the first job of the owner who has the fewest running. PostgreSQL skips rows that another worker
has locked; on SQLite the transaction itself is the lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fusion_magic.errors import LeaseLost
from fusion_magic.store import JobStatus, NewTask, Place, Task, WorkerRow
from fusion_magic.store.sql_part import SqlPart
from fusion_magic.store.tables import job, job_detail, job_task
from fusion_magic.store.tables import worker as workers

WAITING, CLAIMED, DONE = "WAITING", "CLAIMED", "DONE"


class SqlTasks(SqlPart):
    """
    The port ``Tasks``, on the connections of an ``SqlStore``.
    """

    def claim(self, worker: str, *, engine_url: str, lease_s: float) -> Task | None:
        """See ``Tasks.claim``."""
        now = self._clock()
        if not self._read(_open(engine_url, now).limit(1)):
            return None
        with self._writing() as connection:
            task_id = self._stalled(connection, engine_url, now) or _next_waiting(
                connection, engine_url
            )
            if task_id is None:
                return None
            return self._take(connection, task_id, worker, now, now + timedelta(seconds=lease_s))

    def renew(self, worker: str, *, lease_s: float, progress: Mapping[UUID, str]) -> None:
        """See ``Tasks.renew``."""
        mine = sa.and_(job_task.c.worker == worker, job_task.c.state == CLAIMED)
        with self._writing() as connection:
            until = self._clock() + timedelta(seconds=lease_s)
            connection.execute(sa.update(job_task).where(mine).values(lease_until=until))
            if progress:
                connection.execute(
                    sa.update(job_task)
                    .where(mine, job_task.c.job_id == sa.bindparam("of_job"))
                    .values(progress=sa.bindparam("how_far")),
                    [{"of_job": job_id, "how_far": text} for job_id, text in progress.items()],
                )

    def checkpoint(
        self, job_id: UUID, *, attempt: int, query_id: str | None, next_uri: str | None
    ) -> None:
        """See ``Tasks.checkpoint``."""
        with self._writing() as connection:
            _change(connection, job_id, attempt, {"next_uri": next_uri})
            if query_id is not None:
                _record_query_ids(connection, [(job_id, query_id)])

    def checkpoint_all(self, worker: str, places: Sequence[Place]) -> frozenset[UUID]:
        """See ``Tasks.checkpoint_all``."""
        with self._writing() as connection:
            connection.execute(
                sa.update(job_task)
                .where(
                    job_task.c.job_id == sa.bindparam("of_job"),
                    job_task.c.attempt == sa.bindparam("of_attempt"),
                    job_task.c.state == CLAIMED,
                )
                .values(next_uri=sa.bindparam("place")),
                [
                    {"of_job": p.job_id, "of_attempt": p.attempt, "place": p.next_uri}
                    for p in places
                ],
            )
            claimed = sa.select(job_task.c.job_id, job_task.c.attempt).where(
                job_task.c.worker == worker, job_task.c.state == CLAIMED
            )
            mine = {tuple(row) for row in connection.execute(claimed)}
            kept = [place for place in places if (place.job_id, place.attempt) in mine]
            new = [(place.job_id, place.query_id) for place in kept if place.query_id is not None]
            if new:
                _record_query_ids(connection, new)
        return frozenset(place.job_id for place in places) - {place.job_id for place in kept}

    def release(self, job_id: UUID, *, attempt: int, delay_s: float = 0.0) -> None:
        """See ``Tasks.release``."""
        with self._writing() as connection:
            until = self._clock() + timedelta(seconds=delay_s)
            _change(connection, job_id, attempt, {"lease_until": until, "worker": None})

    def cancels_wanted(self, worker: str) -> Sequence[UUID]:
        """See ``Tasks.cancels_wanted``."""
        query = (
            sa.select(job_task.c.job_id)
            .join(job_detail, job_detail.c.job_id == job_task.c.job_id)
            .where(job_task.c.worker == worker, job_task.c.state == CLAIMED)
            .where(job_detail.c.is_cancel_wanted)
        )
        return [row.job_id for row in self._read(query)]

    def is_any_open(self, *, engine_url: str) -> bool:
        """See ``Tasks.is_any_open``."""
        return bool(self._read(_open(engine_url, self._clock()).limit(1)))

    def sign(self, row: WorkerRow) -> None:
        """See ``Tasks.sign``."""
        values = {name: getattr(row, name) for name in workers.columns.keys()}
        with self._writing() as connection:
            connection.execute(sa.delete(workers).where(workers.c.alive_until < self._clock()))
            connection.execute(sa.delete(workers).where(workers.c.id == row.id))
            connection.execute(sa.insert(workers), values)

    def sign_off(self, worker_id: str) -> None:
        """See ``Tasks.sign_off``."""
        with self._writing() as connection:
            connection.execute(sa.delete(workers).where(workers.c.id == worker_id))

    def workers(self) -> Sequence[WorkerRow]:
        """See ``Tasks.workers``."""
        query = sa.select(workers).where(workers.c.alive_until >= self._clock())
        rows = self._read(query.order_by(workers.c.alive_until.desc()))
        return [WorkerRow(**row._mapping) for row in rows]

    def add(self, connection: Connection, job_id: UUID, task: NewTask) -> None:
        """
        Write the task of a job that is being queued, in the same transaction.
        """
        connection.execute(
            sa.insert(job_task),
            {
                "job_id": job_id,
                "state": WAITING,
                "engine_url": task.engine_url,
                "owner": task.owner,
                "rank": -task.priority,
                "attempt": 0,
                "payload": task.payload,
            },
        )

    def end(self, connection: Connection, job_id: UUID, attempt: int) -> None:
        """
        Close the task together with its job.
        """
        _change(connection, job_id, attempt, {"state": DONE, "lease_until": None})

    def take_back(self, connection: Connection, job_id: UUID) -> bool:
        """
        Close a task that no worker has taken yet; whether there was one.
        """
        done = connection.execute(
            sa.update(job_task)
            .where(job_task.c.job_id == job_id, job_task.c.state == WAITING)
            .values(state=DONE)
        )
        return done.rowcount == 1

    def _stalled(self, connection: Connection, engine_url: str, now: datetime) -> int | None:
        found: int | None = connection.execute(
            sa.select(job_task.c.id)
            .where(*_stalls(engine_url, now))
            .order_by(job_task.c.lease_until)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar()
        return found

    def _take(
        self, connection: Connection, task_id: int, worker: str, now: datetime, until: datetime
    ) -> Task:
        connection.execute(
            sa.update(job_task)
            .where(job_task.c.id == task_id)
            .values(state=CLAIMED, worker=worker, lease_until=until, attempt=job_task.c.attempt + 1)
        )
        row = connection.execute(
            sa.select(
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
            .where(job_task.c.id == task_id)
        ).one()
        started = connection.execute(
            sa.update(job)
            .where(job.c.id == row.job_id, job.c.status == JobStatus.QUEUED.value)
            .values(status=JobStatus.RUNNING.value, updated=now)
        )
        if started.rowcount:
            connection.execute(
                sa.update(job_detail).where(job_detail.c.job_id == row.job_id).values(started=now)
            )
        return Task(**row._mapping)


def _record_query_ids(connection: Connection, ids: Sequence[tuple[UUID, str]]) -> None:
    connection.execute(
        sa.update(job_detail)
        .where(job_detail.c.job_id == sa.bindparam("of_job"))
        .values(query_id=sa.bindparam("new_id")),
        [{"of_job": job_id, "new_id": query_id} for job_id, query_id in ids],
    )


def _change(
    connection: Connection, job_id: UUID, attempt: int, values: Mapping[str, object]
) -> None:
    done = connection.execute(
        sa.update(job_task)
        .where(
            job_task.c.job_id == job_id,
            job_task.c.attempt == attempt,
            job_task.c.state == CLAIMED,
        )
        .values(**values)
    )
    if done.rowcount != 1:
        raise LeaseLost(f"Job {job_id} was taken by another worker, or has ended.")


def _open(engine_url: str, now: datetime) -> Any:
    """
    Whether anything can be claimed: two look-ups by index, outside a transaction.
    """
    waiting = sa.select(job_task.c.id).where(*_waits(job_task, engine_url))
    stalled = sa.select(job_task.c.id).where(*_stalls(engine_url, now))
    return waiting.union_all(stalled)


def _next_waiting(connection: Connection, engine_url: str) -> int | None:
    """
    The task to run next, locked: the highest priority, then the owner with the fewest running, then the oldest.
    """
    for owner in _owners_in_turn(connection, engine_url):
        found: int | None = connection.execute(
            sa.select(job_task.c.id)
            .where(*_waits(job_task, engine_url), job_task.c.owner == owner)
            .order_by(job_task.c.rank, job_task.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar()
        if found is not None:
            return found
    return None


def _is(table: Any, state: str) -> Any:
    # The state stands in the text, since a partial index serves only a condition that is known beforehand.
    return table.c.state == sa.literal_column(f"'{state}'")


def _waits(table: Any, engine_url: str) -> tuple[Any, ...]:
    return (_is(table, WAITING), table.c.engine_url == engine_url)


def _stalls(engine_url: str, now: datetime) -> tuple[Any, ...]:
    return (
        _is(job_task, CLAIMED),
        job_task.c.engine_url == engine_url,
        job_task.c.lease_until < now,
    )


def _owners_in_turn(connection: Connection, engine_url: str) -> list[str]:
    first = sa.select(sa.func.min(job_task.c.owner).label("owner")).where(
        *_waits(job_task, engine_url)
    )
    owners = first.cte("owners", recursive=True)
    later = job_task.alias("later")
    following = (
        sa.select(sa.func.min(later.c.owner))
        .where(*_waits(later, engine_url), later.c.owner > owners.c.owner)
        .scalar_subquery()
    )
    owners = owners.union_all(sa.select(following).where(owners.c.owner.is_not(None)))
    head = job_task.alias("head")
    first_id = (
        sa.select(head.c.id)
        .where(*_waits(head, engine_url), head.c.owner == owners.c.owner)
        .order_by(head.c.rank, head.c.id)
        .limit(1)
        .scalar_subquery()
    )
    heads = sa.select(first_id.label("id")).where(owners.c.owner.is_not(None)).subquery()
    rows = connection.execute(
        sa.select(job_task.c.owner, job_task.c.rank, job_task.c.id).join(
            heads, heads.c.id == job_task.c.id
        )
    ).all()
    counted = connection.execute(
        sa.select(job_task.c.owner, sa.func.count())
        .where(_is(job_task, CLAIMED))
        .group_by(job_task.c.owner)
    ).all()
    running = {owner: int(number) for owner, number in counted}
    in_turn = sorted(rows, key=lambda row: (row.rank, running.get(row.owner, 0), row.id))
    return [row.owner for row in in_turn]
