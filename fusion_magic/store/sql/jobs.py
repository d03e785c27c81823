"""
The jobs in the SQL store.

Every change is one transaction and a compare-and-set: ``UPDATE … WHERE id = … AND status IN (…)``, and the number of rows
tells whether it happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fusion_magic.errors import IllegalTransition, LeaseLost, UnknownJob
from fusion_magic.store.model import (
    EVERY_JOB,
    Converted,
    Ended,
    Job,
    JobFilter,
    JobStatus,
    NewJob,
    NewTask,
    Outcome,
)
from fusion_magic.store.sql.base import (
    SqlPart,
    detail,
    detailing,
    insert,
    not_before,
    of_job,
    parameters,
    select_jobs,
)
from fusion_magic.store.sql.database import Database
from fusion_magic.store.sql.statements import Transaction
from fusion_magic.store.sql.tables import (
    column_lineage,
    fusion_model,
    job,
    job_detail,
    job_task,
    lineage_edge,
    model_queue,
)
from fusion_magic.store.sql.tasks import SqlTasks

TAKE_BACKS = 3  # of a job that is QUEUED and had no task: it was queued, or taken, at that moment
_OPEN = (JobStatus.INIT, JobStatus.QUEUED, JobStatus.RUNNING)
# Of an outcome: what stands in ``job``, and in ``job_detail``.
_RESULT_NAMES = ("result_name", "result_path")
_OUTCOME_NAMES = ("row_count", "size_bytes", "update_type", "rows_changed", "fingerprint")
_WITHOUT_TASK = (JobStatus.INIT, JobStatus.RUNNING)  # or whose task a worker has taken


class SqlJobs(SqlPart):
    """
    The port ``Jobs``.

    Args:
        tasks: The background jobs' tasks, which change together with their jobs.
    """

    def __init__(self, database: Database, tasks: SqlTasks) -> None:
        super().__init__(database)
        self._tasks = tasks

    def create(self, new: NewJob) -> None:
        """See ``Jobs.create``."""
        now = self._database.now()
        with self._database.writing() as transaction:
            insert(
                transaction,
                job,
                [
                    {
                        "id": new.id,
                        "status": JobStatus.INIT.value,
                        "user_query": new.user_query,
                        "created": now,
                        "updated": now,
                    }
                ],
            )
            insert(
                transaction,
                job_detail,
                [
                    {
                        "job_id": new.id,
                        "owner": new.owner,
                        "origin": new.origin,
                        "engine": new.engine,
                        "profile": new.profile,
                        "runner": new.runner,
                        "acknowledged": new.acknowledged,
                    }
                ],
            )

    def queue(self, job_id: UUID, converted: Converted, task: NewTask) -> None:
        """See ``Jobs.queue``."""
        with self._database.writing() as transaction:
            self._convert(transaction, job_id, JobStatus.QUEUED, converted)
            self._tasks.add(transaction, job_id, task)
            detail(transaction, job_id, {"runner": None})

    def start(self, job_id: UUID, converted: Converted) -> None:
        """See ``Jobs.start``."""
        with self._database.writing() as transaction:
            now = self._convert(transaction, job_id, JobStatus.RUNNING, converted)
            detail(transaction, job_id, {"started": now})

    def record_query_id(self, job_id: UUID, query_id: str) -> None:
        """See ``Jobs.record_query_id``."""
        with self._database.writing() as transaction:
            transaction.change(_QUERY_ID, of_job(job_id, {"query_id": query_id}))

    def finish(self, job_id: UUID, outcome: Outcome, *, attempt: int | None = None) -> None:
        """See ``Jobs.finish``."""
        with self._database.writing() as transaction:
            if attempt is not None and not self._end_attempt(transaction, job_id, attempt):
                return
            values = _result_values(outcome)
            now = self._move(transaction, job_id, (JobStatus.RUNNING,), JobStatus.FINISHED, values)
            _leave(transaction, now, {job_id: outcome})

    def finish_all(self, ends: Sequence[Ended]) -> frozenset[UUID]:
        """See ``Jobs.finish_all``."""
        if not ends:
            return frozenset()
        with self._database.writing() as transaction:
            mine = self._tasks.end_all(transaction, ends)
            outcomes = {end.job_id: end.outcome for end in ends if end.job_id in mine}
            now = self._database.now()
            self._finish_rows(transaction, now, outcomes)
            _leave(transaction, now, outcomes)
        return mine

    def fail(
        self, job_id: UUID, *, error: str, hint: str | None = None, attempt: int | None = None
    ) -> None:
        """See ``Jobs.fail``."""
        with self._database.writing() as transaction:
            now = self._end(transaction, job_id, attempt, JobStatus.FAILED)
            detail(transaction, job_id, {"finished": now, "error": error, "hint": hint})

    def cancel(self, job_id: UUID, *, attempt: int | None = None) -> None:
        """See ``Jobs.cancel``."""
        with self._database.writing() as transaction:
            now = self._end(transaction, job_id, attempt, JobStatus.CANCELED)
            detail(transaction, job_id, {"finished": now})

    def want_cancel(self, job_id: UUID) -> JobStatus:
        """See ``Jobs.want_cancel``."""
        with self._database.writing() as transaction:
            for _ in range(TAKE_BACKS):
                if self._tasks.take_back(transaction, job_id):
                    now = self._move(transaction, job_id, _OPEN, JobStatus.CANCELED, {})
                    detail(transaction, job_id, {"finished": now})
                    return JobStatus.CANCELED
                status = _status(transaction, job_id)
                if status is not JobStatus.QUEUED:
                    break
            if status is None:
                raise UnknownJob(f"There is no job {job_id}.")
            if not status.is_final:
                detail(transaction, job_id, {"is_cancel_wanted": True})
            return status

    def is_cancel_wanted(self, job_id: UUID) -> bool:
        """See ``Jobs.is_cancel_wanted``."""
        rows = self._database.read(
            sa.select(job_detail.c.is_cancel_wanted).where(job_detail.c.job_id == job_id)
        )
        return bool(rows and rows[0][0])

    def find(self, job_id: UUID) -> Job | None:
        """See ``Jobs.find``."""
        rows = self._jobs(select_jobs(job.c.id == job_id))
        return rows[0] if rows else None

    def find_by_prefix(self, text: str) -> Sequence[Job]:
        """See ``Jobs.find_by_prefix``."""
        start = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        as_text = sa.cast(job.c.id, sa.String)
        return self._jobs(select_jobs(as_text.like(f"{start}%", escape="\\")).limit(10))

    def list(self, where: JobFilter = EVERY_JOB, *, limit: int = 50) -> Sequence[Job]:
        """See ``Jobs.list``."""
        query = select_jobs().order_by(job.c.created.desc(), job.c.id).limit(limit)
        if where.statuses:
            query = query.where(job.c.status.in_([status.value for status in where.statuses]))
        if where.owner is not None:
            query = query.where(job_detail.c.owner == where.owner)
        if where.text is not None:
            query = query.where(job.c.user_query.icontains(where.text, autoescape=True))
        if where.sent is not None:
            query = query.where(job.c.converted_query.icontains(where.sent, autoescape=True))
        if where.named is not None:
            named = sa.select(fusion_model.c.job_id).where(
                sa.or_(
                    fusion_model.c.fully_qualified_name == where.named,
                    fusion_model.c.trino_model_name == where.named,
                )
            )
            query = query.where(job.c.id.in_(named))
        return self._jobs(query)

    def _end_attempt(self, transaction: Transaction, job_id: UUID, attempt: int) -> bool:
        """
        Close the task of a job that is being finished; False where this attempt has done it before.

        A worker whose store went away while it answered cannot know, and asks again.
        """
        try:
            self._tasks.end(transaction, job_id, attempt)
        except LeaseLost:
            if not transaction.rows(_FINISHED_BY, {"of_job": job_id, "of_attempt": attempt}):
                raise
            return False
        return True

    def _finish_rows(
        self, transaction: Transaction, now: datetime, outcomes: Mapping[UUID, Outcome]
    ) -> None:
        rows = [
            _moved(job_id, JobStatus.FINISHED, now, _result_values(outcome))
            for job_id, outcome in outcomes.items()
        ]
        statement = _moving((JobStatus.RUNNING,), _RESULT_NAMES)
        if transaction.change_all(statement, rows) != len(rows):
            raise IllegalTransition("One of these jobs is not RUNNING.")

    def _convert(
        self, transaction: Transaction, job_id: UUID, after: JobStatus, converted: Converted
    ) -> datetime:
        values = {
            "converted_query": converted.query,
            "limit_": converted.limit,
            "offset_": converted.offset,
        }
        now = self._move(transaction, job_id, (JobStatus.INIT,), after, values)
        _insert_of(transaction, fusion_model, {job_id: converted.models})
        return now

    def _end(
        self, transaction: Transaction, job_id: UUID, attempt: int | None, after: JobStatus
    ) -> datetime:
        """
        End a job that is not FINISHED, together with its task; the time of the change.
        """
        if attempt is not None:
            self._tasks.end(transaction, job_id, attempt)
            return self._move(transaction, job_id, _OPEN, after, {})
        for _ in range(TAKE_BACKS):
            if self._tasks.take_back(transaction, job_id):
                break
            # A job that was queued since has a task by now, which must not outlive it.
            if now := self._try_move(transaction, job_id, _WITHOUT_TASK, after, {}):
                return now
        return self._move(transaction, job_id, _OPEN, after, {})

    def _move(
        self,
        transaction: Transaction,
        job_id: UUID,
        before: Sequence[JobStatus],
        after: JobStatus,
        values: Mapping[str, object],
    ) -> datetime:
        """
        Compare and set: change the status if it is one of *before*; return the time of the change.
        """
        if now := self._try_move(transaction, job_id, before, after, values):
            return now
        found = _status(transaction, job_id)
        raise IllegalTransition(
            f"Job {job_id} is {found or 'unknown'}, so that it cannot become {after.value}."
        )

    def _try_move(
        self,
        transaction: Transaction,
        job_id: UUID,
        before: Sequence[JobStatus],
        after: JobStatus,
        values: Mapping[str, object],
    ) -> datetime | None:
        now = self._database.now()
        statement = _moving(tuple(before), tuple(values))
        is_moved = transaction.change(statement, _moved(job_id, after, now, values)) == 1
        return now if is_moved else None


def _status(transaction: Transaction, job_id: UUID) -> JobStatus | None:
    rows = transaction.rows(_STATUS, {"of_job": job_id})
    return JobStatus(rows[0][0]) if rows else None


def _moved(
    job_id: UUID, after: JobStatus, now: datetime, values: Mapping[str, object]
) -> Mapping[str, object]:
    """
    The parameters of ``_moving``.
    """
    return {"after": after.value, "now": now, **of_job(job_id, values)}


def _result_values(outcome: Outcome) -> Mapping[str, object]:
    return {name: getattr(outcome, name) for name in _RESULT_NAMES}


def _leave(transaction: Transaction, now: datetime, outcomes: Mapping[UUID, Outcome]) -> None:
    """
    What finished jobs leave behind, beside their rows.
    """
    transaction.change_all(
        detailing(("finished", *_OUTCOME_NAMES)),
        [
            of_job(
                job_id,
                {"finished": now, **{name: getattr(outcome, name) for name in _OUTCOME_NAMES}},
            )
            for job_id, outcome in outcomes.items()
        ],
    )
    queue = {job_id: outcome.queue for job_id, outcome in outcomes.items()}
    _insert_of(transaction, model_queue, queue)
    columns = {job_id: outcome.column_edges for job_id, outcome in outcomes.items()}
    _insert_of(transaction, column_lineage, columns)
    edges = [
        {"job_id": job_id, "source_fqn": row.from_fqn, "target_fqn": row.model_name_fqn}
        for job_id, rows in queue.items()
        for row in rows
        if row.command == "LINEAGE"
    ]
    insert(transaction, lineage_edge, edges)


def _insert_of(
    transaction: Transaction, table: sa.Table, rows: Mapping[UUID, Sequence[Any]]
) -> None:
    """
    The rows of each job.
    """
    names = _own_names(table)
    insert(
        transaction,
        table,
        [
            {"job_id": job_id, **{name: getattr(row, name) for name in names}}
            for job_id, of_job in rows.items()
            for row in of_job
        ],
    )


# The statements of every job are made once: making them takes longer than running them.
_IS_JOB = job.c.id == sa.bindparam("of_job")
_STATUS = sa.select(job.c.status).where(_IS_JOB)
_FINISHED_BY = _STATUS.where(
    job.c.status == JobStatus.FINISHED.value,
    job_task.c.job_id == job.c.id,
    job_task.c.attempt == sa.bindparam("of_attempt"),
)
_QUERY_ID = detailing(("query_id",)).where(
    sa.exists().where(_IS_JOB, job.c.status == JobStatus.RUNNING.value)
)


@cache
def _own_names(table: sa.Table) -> tuple[str, ...]:
    return tuple(name for name in table.columns.keys() if name not in {"id", "job_id"})


@cache
def _moving(before: tuple[JobStatus, ...], names: tuple[str, ...]) -> Any:
    now: Any = sa.bindparam("now", type_=job.c.updated.type)
    return (
        sa.update(job)
        .where(_IS_JOB, sa.or_(*(job.c.status == s.value for s in before)))
        .values(status=sa.bindparam("after"), updated=not_before(now), **parameters(names))
    )
