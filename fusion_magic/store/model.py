"""
The values that pass through the job store: frozen snapshots of its rows, and what is written to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal
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
        runner: The process that runs it, until a worker shall; None where none has registered.
        acknowledged: Why it may read what a rule refuses, or None.
    """

    id: UUID
    user_query: str
    owner: str = ""
    origin: str = ""
    engine: str = ""
    profile: str = ""
    runner: str | None = None
    acknowledged: str | None = None


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
    acknowledged: str | None = None
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
    A claimed job of which an attempt has read all rows.
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
    sent: str | None = None  # in the query that the engine is sent, case ignored
    named: str | None = None  # an FQN or a Trino name that it uses


EVERY_JOB = JobFilter()


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
class ProcessRow:
    """
    A process that said it is alive until then, aware UTC.

    Attributes:
        role: A worker, a scheduler, or a runner: a kernel or a script that runs its own jobs.
        engine_url: Of the jobs that it runs, without secrets; empty for a scheduler.
        boot_id: Where on the host its process id means this process; empty where nothing tells.
        started: What tells the process from a later one of the same id; empty where nothing does.
    """

    id: str
    role: Literal["worker", "scheduler", "runner"]
    engine_url: str
    host: str
    boot_id: str
    pid: int
    started: str
    alive_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ForegroundJob:
    """
    A job that has not ended and that no worker runs.

    Attributes:
        runner: The process that runs it; None where it has deregistered.
    """

    id: UUID
    status: JobStatus
    updated: datetime
    query_id: str | None
    runner: ProcessRow | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCatalog:
    """
    A catalog of an engine that was made for a name, and so may be dropped.

    Attributes:
        engine: Which engine, as ``Engine.dataset_namespace`` calls it.
        metadata_url: The metadata that says so, without secrets.
        source_fqn: The database or the service that it leads to.
        digest: What changes with the way in which it is made.
        owner: Who ran the job that needed it.
        made: When, aware.
    """

    engine: str
    name: str
    metadata_url: str
    source_fqn: str
    digest: str
    owner: str
    made: datetime
