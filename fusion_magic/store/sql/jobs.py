"""
The job store in SQLite or PostgreSQL.

Every change is one transaction and a compare-and-set: ``UPDATE … WHERE id = … AND status IN (…)``, and the
number of rows tells whether it happened. SQLite runs in WAL mode; a writer takes the lock at BEGIN, so that two
kernels wait for one another and never fail half-way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url

from fusion_magic.errors import (
    IllegalTransition,
    InvalidSettings,
    LeaseLost,
    MissingExtra,
    StoreError,
    StoreTooNew,
    StoreUnavailable,
    UnknownJob,
)
from fusion_magic.store import (
    ColumnEdge,
    Converted,
    Ended,
    Job,
    JobFilter,
    JobStatus,
    ModelRow,
    NewJob,
    NewTask,
    Outcome,
    QueueRow,
    WorkerRow,
)
from fusion_magic.store.sql.base import detail, detailing, insert, not_before, of_job, parameters
from fusion_magic.store.sql.lineage import SqlLineage
from fusion_magic.store.sql.outbox import SqlOutbox
from fusion_magic.store.sql.processes import SqlDrivers
from fusion_magic.store.sql.result_versions import SqlStored
from fusion_magic.store.sql.statements import Transaction, Transactions
from fusion_magic.store.sql.tables import (
    DETAILS,
    column_lineage,
    fusion_model,
    job,
    job_detail,
    job_task,
    lineage_edge,
    model_queue,
)
from fusion_magic.store.sql.tasks import SqlTasks

REVISION = "0005"  # of this program's schema: the newest file in migrations/versions
LOCK_PATIENCE_MS = 30_000
TAKE_BACKS = 3  # of a job that is QUEUED and had no task: it was queued, or taken, at that moment
_OPEN = (JobStatus.INIT, JobStatus.QUEUED, JobStatus.RUNNING)
# Of an outcome: what stands in ``job``, and in ``job_detail``.
_RESULT_NAMES = ("result_name", "result_path")
_OUTCOME_NAMES = ("row_count", "size_bytes", "update_type", "rows_changed", "fingerprint")
_WITHOUT_TASK = (JobStatus.INIT, JobStatus.RUNNING)  # or whose task a worker has taken


def utc_now() -> datetime:
    """
    Now, aware, in UTC.
    """
    return datetime.now(UTC)


def open_store(url: str) -> SqlStore:
    """
    The store at *url*, with its tables; an older schema is brought up to date.

    Raises:
        StoreUnavailable: It cannot be opened or written.
        StoreTooNew: A newer program has migrated it; nothing was changed.
        MissingExtra: The database's driver is not installed.
    """
    store = SqlStore(url)
    store.migrate()
    return store


class SqlStore:
    """
    The port ``Store`` over SQLAlchemy.

    Args:
        url: SQLAlchemy's URL of an SQLite file or a PostgreSQL database.

        clock: Gives the time, aware.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        try:
            self._url = make_url(url)
        except sa.exc.ArgumentError:
            raise InvalidSettings(
                "store.url is no database URL.",
                hint="It looks like sqlite:///jobs.db or postgresql+psycopg://user@host/database.",
            ) from None
        self._clock = clock
        self._engine = self._make_engine()
        self._transactions = Transactions(self._engine)
        access = (self._writing, self._changing, self._read, clock)
        self._tasks = SqlTasks(*access)
        self._drivers = SqlDrivers(*access)
        self._outbox = SqlOutbox(*access)
        self._lineage = SqlLineage(*access)
        self._stored = SqlStored(*access, jobs=self._jobs)

    def create(self, new: NewJob) -> None:
        """See ``Store.create``."""
        now = self._clock()
        with self._changing() as transaction:
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
                        "driver": new.driver,
                    }
                ],
            )

    def queue(self, job_id: UUID, converted: Converted, task: NewTask) -> None:
        """See ``Store.queue``."""
        with self._changing() as transaction:
            self._convert(transaction, job_id, JobStatus.QUEUED, converted)
            self.tasks.add(transaction, job_id, task)
            detail(transaction, job_id, {"driver": None})

    def start(self, job_id: UUID, converted: Converted) -> None:
        """See ``Store.start``."""
        with self._changing() as transaction:
            now = self._convert(transaction, job_id, JobStatus.RUNNING, converted)
            detail(transaction, job_id, {"started": now})

    def record_query_id(self, job_id: UUID, query_id: str) -> None:
        """See ``Store.record_query_id``."""
        with self._changing() as transaction:
            transaction.change(_QUERY_ID, of_job(job_id, {"query_id": query_id}))

    def finish(self, job_id: UUID, outcome: Outcome, *, attempt: int | None = None) -> None:
        """See ``Store.finish``."""
        with self._changing() as transaction:
            if attempt is not None and not self._end_attempt(transaction, job_id, attempt):
                return
            values = _result_values(outcome)
            now = self._move(transaction, job_id, (JobStatus.RUNNING,), JobStatus.FINISHED, values)
            _leave(transaction, now, {job_id: outcome})

    def finish_all(self, ends: Sequence[Ended]) -> frozenset[UUID]:
        """See ``Store.finish_all``."""
        if not ends:
            return frozenset()
        with self._changing() as transaction:
            mine = self.tasks.end_all(transaction, ends)
            outcomes = {end.job_id: end.outcome for end in ends if end.job_id in mine}
            now = self._clock()
            self._finish_rows(transaction, now, outcomes)
            _leave(transaction, now, outcomes)
        return mine

    def fail(
        self, job_id: UUID, *, error: str, hint: str | None = None, attempt: int | None = None
    ) -> None:
        """See ``Store.fail``."""
        with self._changing() as transaction:
            now = self._end(transaction, job_id, attempt, JobStatus.FAILED)
            detail(transaction, job_id, {"finished": now, "error": error, "hint": hint})

    def cancel(self, job_id: UUID, *, attempt: int | None = None) -> None:
        """See ``Store.cancel``."""
        with self._changing() as transaction:
            now = self._end(transaction, job_id, attempt, JobStatus.CANCELED)
            detail(transaction, job_id, {"finished": now})

    def want_cancel(self, job_id: UUID) -> JobStatus:
        """See ``Store.want_cancel``."""
        with self._changing() as transaction:
            for _ in range(TAKE_BACKS):
                if self.tasks.take_back(transaction, job_id):
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
        """See ``Store.is_cancel_wanted``."""
        rows = self._read(
            sa.select(job_detail.c.is_cancel_wanted).where(job_detail.c.job_id == job_id)
        )
        return bool(rows and rows[0][0])

    def find(self, job_id: UUID) -> Job | None:
        """See ``Store.find``."""
        rows = self._jobs(sa.select(job, *DETAILS).where(job.c.id == job_id))
        return rows[0] if rows else None

    @property
    def tasks(self) -> SqlTasks:
        """See ``Store.tasks``."""
        return self._tasks

    @property
    def drivers(self) -> SqlDrivers:
        """See ``Store.drivers``."""
        return self._drivers

    @property
    def outbox(self) -> SqlOutbox:
        """See ``Store.outbox``."""
        return self._outbox

    @property
    def lineage(self) -> SqlLineage:
        """See ``Store.lineage``."""
        return self._lineage

    @property
    def stored(self) -> SqlStored:
        """See ``Store.stored``."""
        return self._stored

    def find_by_prefix(self, text: str) -> Sequence[Job]:
        """See ``Store.find_by_prefix``."""
        start = text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        as_text = sa.cast(job.c.id, sa.String)
        return self._jobs(
            sa.select(job, *DETAILS).where(as_text.like(f"{start}%", escape="\\")).limit(10)
        )

    def list(self, where: JobFilter = JobFilter(), *, limit: int = 50) -> Sequence[Job]:  # noqa: B008 - frozen
        """See ``Store.list``."""
        query = sa.select(job, *DETAILS).order_by(job.c.created.desc(), job.c.id).limit(limit)
        if where.statuses:
            query = query.where(job.c.status.in_([status.value for status in where.statuses]))
        if where.owner is not None:
            query = query.where(job_detail.c.owner == where.owner)
        if where.text is not None:
            query = query.where(job.c.user_query.icontains(where.text, autoescape=True))
        return self._jobs(query)

    def models(self, job_id: UUID) -> Sequence[ModelRow]:
        """See ``Store.models``."""
        query = sa.select(fusion_model).where(fusion_model.c.job_id == job_id)
        return [
            ModelRow(
                model_id_of_om=row.model_id_of_om,
                fully_qualified_name=row.fully_qualified_name,
                trino_model_name=row.trino_model_name,
            )
            for row in self._read(query.order_by(fusion_model.c.id))
        ]

    def queued(
        self, job_id: UUID | None = None, *, limit: int = 1000
    ) -> Sequence[tuple[int, QueueRow]]:
        """See ``Store.queued``."""
        query = sa.select(model_queue).order_by(model_queue.c.id).limit(limit)
        if job_id is not None:
            query = query.where(model_queue.c.job_id == job_id)
        return [
            (
                row.id,
                QueueRow(
                    model_name_fqn=row.model_name_fqn, from_fqn=row.from_fqn, command=row.command
                ),
            )
            for row in self._read(query)
        ]

    def column_edges(self, job_id: UUID) -> Sequence[ColumnEdge]:
        """See ``Store.column_edges``."""
        query = sa.select(column_lineage).where(column_lineage.c.job_id == job_id)
        return [
            ColumnEdge(
                source_fqn=row.source_fqn,
                source_column=row.source_column,
                target_fqn=row.target_fqn,
                target_column=row.target_column,
            )
            for row in self._read(query.order_by(column_lineage.c.id))
        ]

    def edges_of(self, fqn: str) -> Sequence[tuple[UUID, str, str]]:
        """See ``Store.edges_of``."""
        touches = sa.or_(lineage_edge.c.source_fqn == fqn, lineage_edge.c.target_fqn == fqn)
        query = sa.select(lineage_edge).where(touches).order_by(lineage_edge.c.id.desc())
        return [(row.job_id, row.source_fqn, row.target_fqn) for row in self._read(query)]

    def made_as(self, fqn: str) -> str | None:
        """See ``Store.made_as``."""
        query = (
            sa.select(fusion_model.c.trino_model_name)
            .join(job, job.c.id == fusion_model.c.job_id)
            .where(
                fusion_model.c.fully_qualified_name == fqn,
                fusion_model.c.model_id_of_om.is_(None),
                job.c.status == JobStatus.FINISHED.value,
            )
            .order_by(fusion_model.c.id.desc())
            .limit(1)
        )
        rows = self._read(query)
        return str(rows[0][0]) if rows else None

    def co_used(self, fqn: str, *, limit: int = 10) -> Sequence[tuple[str, int]]:
        """See ``Store.co_used``."""
        other = fusion_model.alias()
        count = sa.func.count(fusion_model.c.job_id.distinct())
        query = (
            sa.select(other.c.fully_qualified_name, count)
            .join(other, other.c.job_id == fusion_model.c.job_id)
            .join(job, job.c.id == fusion_model.c.job_id)
            .where(job.c.status == JobStatus.FINISHED.value)
            .where(fusion_model.c.fully_qualified_name == fqn, other.c.fully_qualified_name != fqn)
            .group_by(other.c.fully_qualified_name)
            .order_by(count.desc(), other.c.fully_qualified_name)
            .limit(limit)
        )
        return [(row[0], int(row[1])) for row in self._read(query)]

    def check(self) -> str:
        """See ``Store.check``."""
        mark = WorkerRow(
            id=f"check-{uuid4()}",
            engine_url="",
            host="",
            pid=0,
            role="worker",
            alive_until=datetime(2000, 1, 1, tzinfo=UTC),  # so that nobody takes it for alive,
        )
        self._tasks.sign(mark)
        self._tasks.sign_off(mark.id)
        return REVISION

    def migrate(self) -> None:
        """See ``Store.migrate``."""
        with self._translated():
            self._make_folder()
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as reading:
                revision = _revision(reading)
            if revision == REVISION:
                return
            with self._writing() as connection:
                self._upgrade(connection)

    def close(self) -> None:
        """See ``Store.close``."""
        self._engine.dispose()

    def _upgrade(self, connection: Connection) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError

        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7104832715)")
        revision = _revision(connection)
        if revision == REVISION:
            return
        config = Config()
        config.set_main_option("script_location", "fusion_magic:store/migrations")
        config.attributes["connection"] = connection
        try:
            if revision is not None:
                ScriptDirectory.from_config(config).get_revision(revision)
        except CommandError:
            raise StoreTooNew(
                f"The job store {self._shown()} was migrated by a newer version (schema {revision}).",
                hint="pip install --upgrade fusion-magic",
            ) from None
        command.upgrade(config, "head")

    def _make_engine(self) -> sa.Engine:
        try:
            if self._url.get_backend_name() != "sqlite":
                return sa.create_engine(self._url, pool_pre_ping=True)
            engine = sa.create_engine(
                self._url,
                connect_args={"timeout": LOCK_PATIENCE_MS / 1000, "check_same_thread": False},
            )
        except ModuleNotFoundError as exc:
            raise MissingExtra("This job store", extra="postgres") from exc
        except sa.exc.ArgumentError as exc:
            raise InvalidSettings(f"store.url names no database that is known: {exc}") from None
        event.listen(engine, "connect", _prepare_sqlite)
        return engine

    def _make_folder(self) -> None:
        database = self._url.database
        if self._url.get_backend_name() == "sqlite" and database and database != ":memory:":
            try:
                Path(database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as exc:
                raise StoreUnavailable(
                    f"The folder of the job store {self._shown()} cannot be made: {exc.strerror}.",
                    hint="Set data_dir (FUSION_DATA_DIR) to a folder that you can write.",
                ) from exc

    def _shown(self) -> str:
        return self._url.render_as_string(hide_password=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DataError, self._transactions.data_errors) as exc:
            # Waiting does not help: the store answers, and will answer the same again.
            raise StoreError(
                f"The job store {self._shown()} cannot keep a value: {_reason(exc)}",
                hint="PostgreSQL keeps no text with the character NUL; write it as chr(0).",
            ) from exc
        except (sa.exc.SQLAlchemyError, self._transactions.errors) as exc:
            raise StoreUnavailable(
                f"The job store {self._shown()} cannot be used: {_reason(exc).splitlines()[0]}",
                hint="Nothing was run. Is there space, and may you write there? `%fusion doctor` checks it.",
            ) from exc

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._translated(), self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def _changing(self) -> Iterator[Transaction]:
        with self._translated(), self._transactions.begin() as transaction:
            yield transaction

    def _read(self, query: Any, values: Mapping[str, object] | None = None) -> Sequence[Any]:
        with (
            self._translated(),
            self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            return connection.execute(query, values).all()

    def _jobs(self, query: Any) -> Sequence[Job]:
        rows = self._read(
            query.join(job_detail, job_detail.c.job_id == job.c.id, isouter=True).join(
                job_task, job_task.c.job_id == job.c.id, isouter=True
            )
        )
        return [_job(row._mapping) for row in rows]

    def _end_attempt(self, transaction: Transaction, job_id: UUID, attempt: int) -> bool:
        """
        Close the task of a job that is being finished; False where this attempt has done it before.

        A worker whose store went away while it answered cannot know, and asks again.
        """
        try:
            self.tasks.end(transaction, job_id, attempt)
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
            self.tasks.end(transaction, job_id, attempt)
            return self._move(transaction, job_id, _OPEN, after, {})
        for _ in range(TAKE_BACKS):
            if self.tasks.take_back(transaction, job_id):
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
        now = self._clock()
        statement = _moving(tuple(before), tuple(values))
        is_moved = transaction.change(statement, _moved(job_id, after, now, values)) == 1
        return now if is_moved else None


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip()


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


def _job(row: Mapping[str, Any]) -> Job:
    values = dict(row)
    values["status"] = JobStatus(values["status"])
    for name in ("owner", "origin", "engine", "profile"):
        values[name] = values[name] or ""
    values["attempt"] = values["attempt"] or 0
    values["is_cancel_wanted"] = bool(values["is_cancel_wanted"])
    return Job(**values)


def _revision(connection: Connection) -> str | None:
    """
    The schema's revision, None for a database without our tables.
    """
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by _writing; the driver must not begin its own.
    connection.isolation_level = None
    deadline = time.monotonic() + LOCK_PATIENCE_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except connection.OperationalError as exc:
            # Two kernels that make the file at once: the switch to WAL does not wait by itself.
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
