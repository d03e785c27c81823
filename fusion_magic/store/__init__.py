"""
Durable jobs: the port, and the rows that pass through it.

``sql_store`` keeps them in SQLite or PostgreSQL through SQLAlchemy. Three tables are shared with
other programs (``job``, ``fusion_model``, ``model_queue``); what else is known of a job stands in tables
of our own beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID


class JobStatus(StrEnum):
    """
    INIT → QUEUED → RUNNING → FINISHED; FAILED and CANCELED can follow any of the first three.
    """

    INIT = "INIT"  # the request has arrived and the row exists
    QUEUED = "QUEUED"  # analysed and translated: can be executed
    RUNNING = "RUNNING"  # handed to the engine
    FINISHED = "FINISHED"  # complete, the result returned or stored
    FAILED = "FAILED"
    CANCELED = "CANCELED"  # stopped by somebody

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({JobStatus.FINISHED, JobStatus.FAILED, JobStatus.CANCELED})

Command = Literal["LINEAGE", "INGESTION"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """
    A request as it arrives.

    Attributes:
        user_query: The SQL text as it was received.
        owner: Who asks: the operating system's or the hub's user name.
        origin: Where it was written (``notebook quickstart.ipynb``), for people.
        engine: The engine's name, ``duckdb`` or ``trino``.
        driver: Which ``DriverRow`` runs it, until a worker shall; None for nobody who signs.
    """

    id: UUID
    user_query: str
    owner: str = ""
    origin: str = ""
    engine: str = ""
    profile: str = ""
    driver: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """
    One ``fusion_model`` row: a name that a job's query uses. No FQN and no id for a bare Trino name.
    """

    model_id_of_om: str | None
    fully_qualified_name: str | None
    trino_model_name: str


@dataclass(frozen=True, slots=True)
class Converted:
    """
    What a job's statement became: ready for the engine, its outermost limit and offset, the models it names.
    """

    query: str
    limit: int | None = None
    offset: int | None = None
    models: Sequence[ModelRow] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """
    One ``model_queue`` row: what the scheduler has to tell OpenMetadata.
    """

    model_name_fqn: str
    from_fqn: str | None
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnEdge:
    """
    One column of the source that a column of the target is computed from. Tables by FQN.
    """

    source_fqn: str
    source_column: str
    target_fqn: str
    target_column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphEdge:
    """
    An edge of the lineage graph, with the newest job that made it.
    """

    source_fqn: str
    target_fqn: str
    job_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphColumn(ColumnEdge):
    """
    A column edge of the lineage graph, with the newest job that made it.
    """

    job_id: UUID

    @property
    def source(self) -> tuple[str, str]:
        """
        Table and column.
        """
        return self.source_fqn, self.source_column

    @property
    def target(self) -> tuple[str, str]:
        """
        Table and column.
        """
        return self.target_fqn, self.target_column


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    A snapshot of one job: its ``job`` row and what our own tables know of it. Times are aware UTC.
    """

    id: UUID
    status: JobStatus
    user_query: str
    converted_query: str | None
    offset_: int | None
    limit_: int | None
    created: datetime
    updated: datetime
    result_name: str | None
    result_path: str | None
    owner: str = ""
    origin: str = ""
    engine: str = ""
    profile: str = ""
    query_id: str | None = None
    error: str | None = None
    hint: str | None = None
    started: datetime | None = None
    finished: datetime | None = None
    row_count: int | None = None
    size_bytes: int | None = None
    update_type: str | None = None
    rows_changed: int | None = None
    is_cancel_wanted: bool = False
    is_background: bool = False
    attempt: int = 0
    worker: str | None = None
    progress: str | None = None

    @property
    def rows(self) -> int | None:
        """
        The rows of its result, or those that it wrote; None where neither is known.
        """
        return self.row_count if self.row_count is not None else self.rows_changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What a finished job leaves behind.

    Attributes:
        fingerprint: Of what was asked, by which a later job finds the stored rows; None for rows that are not to be found.
    """

    queue: Sequence[QueueRow] = ()
    column_edges: Sequence[ColumnEdge] = ()
    row_count: int | None = None
    size_bytes: int | None = None
    result_name: str | None = None
    result_path: str | None = None
    update_type: str | None = None
    rows_changed: int | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """
    A claimed job of which an attempt has all rows.
    """

    job_id: UUID
    outcome: Outcome
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """
    Which jobs to list; an empty field does not restrict.
    """

    statuses: frozenset[JobStatus] = field(default_factory=frozenset)
    owner: str | None = None
    text: str | None = None  # in the user's query, case ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """
    What a worker needs to run a job that nobody waits for.

    Attributes:
        payload: The translation and the wishes of the request, as JSON.
        engine_url: Which engine runs it, without secrets: a worker takes the jobs of its own engine.
        owner: Between whom the workers are shared fairly.
        priority: Higher goes first; 0 as a rule.
    """

    payload: str
    engine_url: str
    owner: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    A background job that a worker has claimed.

    Attributes:
        attempt: Counted from 1. What an earlier attempt's worker still wants to write is refused.
        query_id: The engine's id of an earlier attempt's query.
        next_uri: Where an earlier attempt was about to read on; None where it had not begun.
    """

    job_id: UUID
    user_query: str
    converted_query: str
    owner: str
    origin: str
    payload: str
    attempt: int
    query_id: str | None
    next_uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """
    Where the engine's answers to a claimed job go on.

    Attributes:
        query_id: The engine's id of the query; None where it is written down already, or not known.
        next_uri: The address that is asked for next.
    """

    job_id: UUID
    attempt: int
    query_id: str | None
    next_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """
    A worker or scheduler that said it is alive until then, aware UTC.
    """

    id: str
    engine_url: str
    host: str
    pid: int
    role: Literal["worker", "scheduler"]
    alive_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverRow:
    """
    A kernel or a script that runs jobs itself and said it is alive until then, aware UTC.

    Attributes:
        machine: Where its process id means this process; starts with the host's name.
        began: What tells the process from a later one of the same id; empty where nothing does.
    """

    id: str
    engine_url: str
    machine: str
    pid: int
    began: str
    alive_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenJob:
    """
    A job that has not ended and that no worker runs.

    Attributes:
        driver: Who does; None where it has signed off.
    """

    id: UUID
    status: JobStatus
    updated: datetime
    query_id: str | None
    driver: DriverRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    One claimed outbox row.

    Attributes:
        attempt: Counted from 1.
        column_edges: The job's column edges between the same two tables.
    """

    id: int
    job_id: UUID
    row: QueueRow
    attempt: int
    column_edges: Sequence[ColumnEdge] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """
    An outbox row that is tried no longer, kept for a person to look at.
    """

    id: int
    job_id: UUID
    row: QueueRow
    attempts: int
    error: str
    died: datetime


class Tasks(Protocol):
    """
    The background jobs of a store: claimed by workers under a lease.

    A worker that dies stops renewing; when its lease has run out another takes the job, one attempt later. Fair
    between owners: among jobs of one priority, the owner with the fewest running goes first.
    """

    def claim(
        self, worker: str, *, engine_url: str, lease_s: float, most: int = 1
    ) -> Sequence[Task]:
        """
        Take up to *most* jobs: those whose leases have run out, then the next waiting ones (QUEUED → RUNNING).
        """
        ...

    def renew(self, worker: str, *, lease_s: float, progress: Mapping[UUID, str]) -> None:
        """
        Sign of life for all jobs of *worker*, with how far each of them is, as JSON.
        """
        ...

    def checkpoint(
        self, job_id: UUID, *, attempt: int, query_id: str | None, next_uri: str | None
    ) -> None:
        """
        Note where the engine's answers go on, before they are asked for; None for a statement that was not begun.

        Raises:
            LeaseLost: Another attempt has taken the job.
        """
        ...

    def checkpoint_all(self, worker: str, places: Sequence[ResumePoint]) -> frozenset[UUID]:
        """
        ``checkpoint`` for many jobs of *worker* at once; those that another attempt has taken.
        """
        ...

    def release(self, job_id: UUID, *, attempt: int, delay_s: float = 0.0) -> None:
        """
        Give the job back, for any worker to take after *delay_s* seconds, one attempt later.
        """
        ...

    def cancels_wanted(self, worker: str) -> Sequence[UUID]:
        """
        The jobs of *worker* that somebody wants stopped.
        """
        ...

    def is_any_open(self, *, engine_url: str) -> bool:
        """
        Whether a job waits for a worker, or was left by one.
        """
        ...

    def sign(self, row: WorkerRow) -> None:
        """
        Say that a worker is alive.
        """
        ...

    def sign_off(self, worker: str) -> None:
        """
        Say that a worker has ended.
        """
        ...

    def workers(self) -> Sequence[WorkerRow]:
        """
        The workers and schedulers that signed, those first whose word lasts longest.
        """
        ...


class Drivers(Protocol):
    """
    Who runs jobs itself, without a worker: the cell's kernel, a script.
    """

    def sign(self, row: DriverRow) -> None:
        """
        Say that a driver is alive.
        """
        ...

    def sign_off(self, driver: str) -> None:
        """
        Say that a driver drives no more; the jobs that it left open are anybody's to end.
        """
        ...

    def driven(self) -> Sequence[DrivenJob]:
        """
        The jobs that drivers run or have left.
        """
        ...


class Outbox(Protocol):
    """
    Rows of ``model_queue``, claimed by schedulers and taken out once they are delivered.
    """

    def claim(self, scheduler: str, *, lease_s: float, limit: int) -> Sequence[Message]:
        """
        Up to *limit* due rows, by rising id, at most one a target and never one before which its target has another.

        What *scheduler* has claimed before is due to it at once: it works at one claim at a time.
        """
        ...

    def renew(self, scheduler: str, *, lease_s: float) -> None:
        """
        Sign of life: keep all that *scheduler* has claimed.
        """
        ...

    def delivered(self, message: Message) -> None:
        """
        Take the row out.
        """
        ...

    def retry(self, message: Message, *, error: str, delay_s: float) -> None:
        """
        Try the row again after *delay_s* seconds.
        """
        ...

    def bury(self, message: Message, *, error: str) -> None:
        """
        Move the row to the dead letters.
        """
        ...

    def keep_edge(self, message: Message) -> None:
        """
        Put the row's edge into the lineage graph, once however often it is called.
        """
        ...

    def edges(self) -> Sequence[tuple[str, str]]:
        """
        The edges of the lineage graph: source and target.
        """
        ...

    def dead(self) -> Sequence[DeadLetter]:
        """
        The dead letters, oldest first.
        """
        ...

    def revive(self, letter_id: int) -> bool:
        """
        Put a dead letter back into the queue, with a new id; whether there was one.
        """
        ...

    def drop(self, letter_id: int) -> bool:
        """
        Forget a dead letter; whether there was one.
        """
        ...


class Lineage(Protocol):
    """
    The lineage graph: what jobs have found, what was delivered, and what still waits in the queue.
    """

    def edges(self, fqns: Sequence[str], *, is_upstream: bool) -> Sequence[GraphEdge]:
        """
        The edges into any of *fqns*, or with *is_upstream* False out of them, each once.
        """
        ...

    def of_job(self, job_id: UUID) -> Sequence[tuple[str, str]]:
        """
        The (source, target) that a job has found, delivered or not, in their order.
        """
        ...

    def columns(self, edges: Sequence[GraphEdge]) -> Sequence[GraphColumn]:
        """
        The column edges that belong to *edges*, each once, by their names.
        """
        ...


class StoredResults(Protocol):
    """
    The results that finished jobs have stored: those of one name are its versions, counted from 1, oldest first.
    """

    def count(self, name: str) -> int:
        """
        How many versions the name has.
        """
        ...

    def version(self, name: str, number: int) -> Job | None:
        """
        The job that stored that version, or None.
        """
        ...

    def newest(self, name: str) -> Job | None:
        """
        The job that stored the newest version, or None.
        """
        ...

    def find(self, fingerprint: str, *, owner: str, since: datetime) -> Job | None:
        """
        The newest job of that owner and fingerprint that was started at that time or later and has stored its rows.
        """
        ...

    def is_written_since(self, trino_names: Sequence[str], since: datetime) -> bool:
        """
        Whether a job that names one of these tables, and is no query, has ended at that time or later.
        """
        ...

    def expired(self, before: datetime, *, owner: str, limit: int = 1000) -> Sequence[Job]:
        """
        Jobs of that owner that ended before that time and that ``forget`` would change, oldest first.

        Never the newest version of a name.
        """
        ...

    def is_shared(self, result: Job) -> bool:
        """
        Whether another job gives the same stored rows.
        """
        ...

    def forget(self, job_id: UUID) -> None:
        """
        Remove the job; where lineage mentions it, its rows stay, without a result.
        """
        ...


class Store(Protocol):
    """
    The job store, safe to use from several threads and processes.

    Each method that changes a job is one transaction and a compare-and-set: it raises
    ``IllegalTransition`` and changes nothing when the job is in another status than the
    change starts from. All raise ``StoreUnavailable`` when the store cannot be reached or written.
    With *attempt*, the change is refused with ``LeaseLost`` when another attempt has taken the job.
    """

    @property
    def tasks(self) -> Tasks:
        """
        The background jobs.
        """
        ...

    @property
    def drivers(self) -> Drivers:
        """
        Who runs the others.
        """
        ...

    @property
    def outbox(self) -> Outbox:
        """
        What is to be delivered.
        """
        ...

    @property
    def lineage(self) -> Lineage:
        """
        What was made from what.
        """
        ...

    @property
    def stored(self) -> StoredResults:
        """
        The stored results.
        """
        ...

    def create(self, job: NewJob) -> None:
        """
        Write the row, status INIT.
        """
        ...

    def queue(self, job_id: UUID, converted: Converted, task: NewTask) -> None:
        """
        INIT → QUEUED, with the translation and the FusionModel rows, for a worker to take *task*.
        """
        ...

    def start(self, job_id: UUID, converted: Converted) -> None:
        """
        INIT → QUEUED → RUNNING in one change, likewise, for a caller that runs the job itself.
        """
        ...

    def record_query_id(self, job_id: UUID, query_id: str) -> None:
        """
        Note the engine's id of a RUNNING job's query; nothing happens to a job in another status.
        """
        ...

    def finish(self, job_id: UUID, outcome: Outcome, *, attempt: int | None = None) -> None:
        """
        RUNNING → FINISHED, with the outbox rows and the column edges: all or nothing.

        Nothing happens where that *attempt* has done it before: an answer may have been lost on its way.
        """
        ...

    def finish_all(self, ends: Sequence[Ended]) -> frozenset[UUID]:
        """
        ``finish`` for many jobs in one transaction; those that are FINISHED by it: not what another attempt has taken.

        Raises:
            IllegalTransition: One of them is not RUNNING; none was changed.
        """
        ...

    def fail(
        self, job_id: UUID, *, error: str, hint: str | None = None, attempt: int | None = None
    ) -> None:
        """
        INIT, QUEUED or RUNNING → FAILED, with what the user was told.
        """
        ...

    def cancel(self, job_id: UUID, *, attempt: int | None = None) -> None:
        """
        INIT, QUEUED or RUNNING → CANCELED.
        """
        ...

    def want_cancel(self, job_id: UUID) -> JobStatus:
        """
        Ask for a job's end. One that nobody runs is CANCELED at once; else who runs it sees the wish.

        Returns:
            The status after it: a final one, or RUNNING while the end is awaited.

        Raises:
            UnknownJob: There is no such job.
        """
        ...

    def is_cancel_wanted(self, job_id: UUID) -> bool:
        """
        Whether somebody has asked for the job's end.
        """
        ...

    def find(self, job_id: UUID) -> Job | None:
        """
        The job, or None.
        """
        ...

    def find_by_prefix(self, text: str) -> Sequence[Job]:
        """
        The jobs (at most 10) whose id starts with *text*: people copy the first eight digits.
        """
        ...

    def list(self, where: JobFilter = JobFilter(), *, limit: int = 50) -> Sequence[Job]:
        """
        The newest jobs first.
        """
        ...

    def models(self, job_id: UUID) -> Sequence[ModelRow]:
        """
        The job's FusionModel rows, in the order they were written.
        """
        ...

    def queued(
        self, job_id: UUID | None = None, *, limit: int = 1000
    ) -> Sequence[tuple[int, QueueRow]]:
        """
        Pending outbox rows, by rising id, of one job or of all.
        """
        ...

    def column_edges(self, job_id: UUID) -> Sequence[ColumnEdge]:
        """
        The job's column edges.
        """
        ...

    def edges_of(self, fqn: str) -> Sequence[tuple[UUID, str, str]]:
        """
        Every (job id, source FQN, target FQN) with *fqn* at either end, newest job first.
        """
        ...

    def made_as(self, fqn: str) -> str | None:
        """
        The Trino name of a table that a finished job knew under *fqn* before the metadata did, the newest; or None.
        """
        ...

    def co_used(self, fqn: str, *, limit: int = 10) -> Sequence[tuple[str, int]]:
        """
        The FQNs that finished jobs name together with *fqn*, with the number of those jobs, most first.
        """
        ...

    def check(self) -> str:
        """
        Write something and take it away again; the version of the schema.
        """
        ...

    def migrate(self) -> None:
        """
        Bring the schema to this program's version; does nothing where it is already there.
        """
        ...

    def close(self) -> None:
        """
        Let go of connections.
        """
        ...
