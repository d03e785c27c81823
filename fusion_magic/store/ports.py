"""
The ports of the job store: one a concern, and ``Store``, which gives them.

    jobs          a job's states, from INIT to its end; finding and listing
    models        the names that jobs use
    tasks         the background jobs: claimed by workers under a lease
    processes     who is alive: workers, schedulers, and runners of their own jobs
    outbox        what is still to be delivered
    lineage       what was made from what
    results       the stored results and their versions
    catalogs      the engine's catalogs that were made for names
    changes       what the metadata server has told of changes

Every method may be called from several threads and processes at once, and raises ``StoreUnavailable`` when the store
cannot be reached or written.
"""

# More than 500 lines: every port of the store stands here, and most lines tell what it promises.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from fusion_magic.metadata.changes import MetadataChange, NewChanges
from fusion_magic.store.delivery_ports import LineageEdges, Outbox
from fusion_magic.store.model import (
    EVERY_JOB,
    Converted,
    Ended,
    ForegroundJob,
    Job,
    JobFilter,
    JobStatus,
    MadeCatalog,
    ModelRow,
    NewJob,
    NewTask,
    Outcome,
    ProcessRow,
    ResumePoint,
    Task,
)


class Jobs(Protocol):
    """
    The jobs and their states.

    Each method that changes a job is one transaction and a compare-and-set: it raises ``IllegalTransition`` and changes
    nothing when the job is in another status than the change starts from. With *attempt*, it raises ``LeaseLost`` when
    another attempt has taken the job.
    """

    def create(self, new: NewJob) -> None:
        """
        Write the row, status INIT.
        """
        ...

    def queue(self, job_id: UUID, converted: Converted, task: NewTask) -> None:
        """
        INIT → QUEUED: write the translation and the FusionModel rows, and leave *task* for a worker.
        """
        ...

    def start(self, job_id: UUID, converted: Converted) -> None:
        """
        INIT → QUEUED → RUNNING in one change, for a caller that runs the job itself.
        """
        ...

    def record_query_id(self, job_id: UUID, query_id: str) -> None:
        """
        Note the engine's id of a RUNNING job's query; a job in another status is left as it is.
        """
        ...

    def finish(self, job_id: UUID, outcome: Outcome, *, attempt: int | None = None) -> None:
        """
        RUNNING → FINISHED, together with the outbox rows and the column edges.

        Does nothing where the same *attempt* has finished the job before: its answer may have been lost on the way.
        """
        ...

    def finish_all(self, ends: Sequence[Ended]) -> frozenset[UUID]:
        """
        Finish many jobs in one transaction, except those that another attempt has taken.

        Returns:
            The jobs that are FINISHED by this call.

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
        Ask for the job to be canceled: at once where nobody runs it, else by whoever does.

        Returns:
            The status after it: a final one, or RUNNING while the cancel is awaited.

        Raises:
            UnknownJob: There is no such job.
        """
        ...

    def is_cancel_wanted(self, job_id: UUID) -> bool:
        """
        Whether somebody has asked for the job to be canceled.
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

    def list(self, where: JobFilter = EVERY_JOB, *, limit: int = 50) -> Sequence[Job]:
        """
        The newest jobs first.
        """
        ...


class Models(Protocol):
    """
    The FusionModel rows: which names each job uses.
    """

    def of_job(self, job_id: UUID) -> Sequence[ModelRow]:
        """
        The job's rows, in the order they were written.
        """
        ...

    def made_as(self, fqn: str) -> str | None:
        """
        The Trino name under which a finished job made the table *fqn* that the metadata did not know, the newest; or None.
        """
        ...

    def fqns(self) -> Sequence[str]:
        """
        The FQNs that finished jobs name, each once, in order.
        """
        ...

    def lately_used(self, since: datetime, *, limit: int) -> Sequence[str]:
        """
        The FQNs of what the metadata knew, that jobs name which were created at that time or later; the last used come first.
        """
        ...

    def co_used(self, fqn: str, *, limit: int = 10) -> Sequence[tuple[str, int]]:
        """
        The FQNs that finished jobs use together with *fqn*, with the number of those jobs, most first.
        """
        ...


class Tasks(Protocol):
    """
    The background jobs, claimed by workers under a lease.

    A worker that dies stops renewing; when its lease has run out another takes the job, one attempt later. Fair between
    owners: among jobs of one priority, the owner with the fewest running goes first.
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
        Renew the lease of all jobs of *worker*, and note how far each of them is, as JSON.
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
        ``checkpoint`` many jobs of *worker* in one transaction.

        Returns:
            The jobs that another attempt has taken.
        """
        ...

    def release(self, job_id: UUID, *, attempt: int, delay_s: float = 0.0) -> None:
        """
        Give the job back, for any worker to take after *delay_s* seconds, one attempt later.
        """
        ...

    def cancels_wanted(self, worker: str) -> Sequence[UUID]:
        """
        The jobs of *worker* that somebody wants to be canceled.
        """
        ...

    def is_any_open(self, *, engine_url: str) -> bool:
        """
        Whether a job waits for a worker, or was left by one.
        """
        ...


class Processes(Protocol):
    """
    Who is alive: the workers, the schedulers, and the runners, which are kernels and scripts that run jobs themselves.
    """

    def heartbeat(self, row: ProcessRow) -> None:
        """
        Say that the process is alive until ``row.alive_until``.
        """
        ...

    def deregister(self, process_id: str) -> None:
        """
        Forget the process; the jobs that a runner left open are anybody's to end.
        """
        ...

    def alive(self) -> Sequence[ProcessRow]:
        """
        The workers and schedulers whose heartbeat has not run out, those first that last longest.
        """
        ...

    def foreground_jobs(self) -> Sequence[ForegroundJob]:
        """
        The jobs that runners run or have left.
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
        Whether a job that uses one of these tables, and is no query, has ended at that time or later.
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
        Whether another job has the same stored rows.
        """
        ...

    def forget(self, job_id: UUID) -> None:
        """
        Remove the job; where lineage mentions it, its rows stay, without a result.
        """
        ...


class MadeCatalogs(Protocol):
    """
    The catalogs of engines that were made for names. Only what stands here is dropped again.
    """

    def of(self, engine: str) -> Sequence[MadeCatalog]:
        """
        Those of one engine, by their names.
        """
        ...

    def record(self, made: MadeCatalog) -> None:
        """
        Write one down, in the place of an earlier one of its name.
        """
        ...

    def forget(self, made: MadeCatalog) -> None:
        """
        Take one out; one that was made since stays.
        """
        ...

    def claim(self, made: MadeCatalog, *, seconds: float) -> bool:
        """
        Have one to oneself for a while, to make it anew; whether it is as *made* says and nobody else has it.
        """
        ...

    def is_named(self, prefix: str) -> bool:
        """
        Whether an open job names a table whose Trino name begins so.
        """
        ...


class MetadataChanges(Protocol):
    """
    What the metadata server has told of changes in the last day, for all kernels and workers of the store.
    """

    def record(self, changes: Sequence[MetadataChange]) -> int:
        """
        Keep those of *changes* whose event was not kept before; how many.
        """
        ...

    def since(self, position: int | None) -> NewChanges:
        """
        What was recorded after *position*, which an earlier answer gave; None knows nothing yet.
        """
        ...


class Store(Protocol):
    """
    The job store: its ports, and what concerns it as a whole.
    """

    @property
    def jobs(self) -> Jobs:
        """
        The jobs and their states.
        """
        ...

    @property
    def models(self) -> Models:
        """
        The names that jobs use.
        """
        ...

    @property
    def tasks(self) -> Tasks:
        """
        The background jobs.
        """
        ...

    @property
    def processes(self) -> Processes:
        """
        Who is alive.
        """
        ...

    @property
    def outbox(self) -> Outbox:
        """
        What is to be delivered.
        """
        ...

    @property
    def lineage(self) -> LineageEdges:
        """
        What was made from what.
        """
        ...

    @property
    def results(self) -> StoredResults:
        """
        The stored results.
        """
        ...

    @property
    def catalogs(self) -> MadeCatalogs:
        """
        The engine's catalogs that were made for names.
        """
        ...

    @property
    def changes(self) -> MetadataChanges:
        """
        What the metadata server has told of changes.
        """
        ...

    def check(self) -> str:
        """
        Write something and remove it again; the version of the schema.
        """
        ...

    def migrate(self) -> None:
        """
        Bring the schema to this program's version; does nothing where it is already there.
        """
        ...

    def close(self) -> None:
        """
        Close the connections.
        """
        ...
