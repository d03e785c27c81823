"""
Durable jobs: the port, and the rows that pass through it.

``sql_store`` keeps them in SQLite or PostgreSQL through SQLAlchemy. Three tables are shared with
other programs (``job``, ``fusion_model``, ``model_queue``); what else is known of a job stands in tables
of our own beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """

    id: UUID
    user_query: str
    owner: str = ""
    origin: str = ""
    engine: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """
    One ``fusion_model`` row: a name that a job's query uses. No FQN and no id for a bare Trino name.
    """

    model_id_of_om: str | None
    fully_qualified_name: str | None
    trino_model_name: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What a finished job leaves behind.
    """

    queue: Sequence[QueueRow] = ()
    column_edges: Sequence[ColumnEdge] = ()
    row_count: int | None = None
    size_bytes: int | None = None
    result_name: str | None = None
    result_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """
    Which jobs to list; an empty field does not restrict.
    """

    statuses: frozenset[JobStatus] = field(default_factory=frozenset)
    owner: str | None = None
    text: str | None = None  # in the user's query, case ignored


class Store(Protocol):
    """
    The job store, safe to use from several threads and processes.

    Each method that changes a job is one transaction and a compare-and-set: it raises
    ``IllegalTransition`` and changes nothing when the job is in another status than the
    change starts from. All raise ``StoreUnavailable`` when the store cannot be reached or written.
    """

    def create(self, job: NewJob) -> None:
        """
        Write the row, status INIT.
        """
        ...

    def queue(
        self,
        job_id: UUID,
        *,
        converted_query: str,
        limit_: int | None,
        offset_: int | None,
        models: Sequence[ModelRow],
    ) -> None:
        """
        INIT → QUEUED, with the translation and the FusionModel rows.
        """
        ...

    def start(self, job_id: UUID) -> None:
        """
        QUEUED → RUNNING.
        """
        ...

    def record_query_id(self, job_id: UUID, query_id: str) -> None:
        """
        Note the engine's id of a RUNNING job's query; nothing happens to a job in another status.
        """
        ...

    def finish(self, job_id: UUID, outcome: Outcome) -> None:
        """
        RUNNING → FINISHED, with the outbox rows and the column edges: all or nothing.
        """
        ...

    def fail(self, job_id: UUID, *, error: str, hint: str | None = None) -> None:
        """
        INIT, QUEUED or RUNNING → FAILED, with what the user was told.
        """
        ...

    def cancel(self, job_id: UUID) -> None:
        """
        INIT, QUEUED or RUNNING → CANCELED.
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

    def co_used(self, fqn: str, *, limit: int = 10) -> Sequence[tuple[str, int]]:
        """
        The FQNs that jobs name together with *fqn*, with the number of those jobs, most first.
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
