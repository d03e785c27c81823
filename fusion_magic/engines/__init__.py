"""
What runs SQL: the port, and the values that pass through it.

``duckdb`` is the embedded engine, ``trino`` the distributed one; packages add others by the entry point
``fusion_magic.engines``. An engine is given Trino SQL with Trino names and gives back Arrow record batches. ``base`` has what
most engines answer alike.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from fusion_magic.metadata import Entity
    from fusion_magic.sql.create_catalog import CatalogPlan


@dataclass(frozen=True, slots=True)
class EngineQuery:
    """
    One statement to run.

    Attributes:
        sql: Trino SQL with Trino names: a job's ``converted_query``.
        job_id: The job's UUID as text; the engine's own records name it.
        entities: What the names in the SQL stand for, by unquoted parts of the Trino name;
            an engine without catalogs of its own (DuckDB) reads ``Entity.source``.
        targets: The Trino names that the statement makes or writes.
        tags: More words for the engine's operator, like the notebook's name.
        is_query: Whether it gives rows and writes nothing, so that it may be stopped or repeated freely.
        session: What earlier statements of another process have changed for it, as ``Engine.session`` gave it there; None
            for the engine's own.
        max_scan_bytes: The most that it may read, where the engine can hold a statement to it; None for no limit.
    """

    sql: str
    job_id: str
    entities: Mapping[tuple[str, ...], Entity] = field(default_factory=dict)
    targets: tuple[tuple[str, ...], ...] = ()
    tags: tuple[str, ...] = ()
    is_query: bool = True
    session: Mapping[str, str] | None = None
    max_scan_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a running query is.

    Attributes:
        state: The engine's own word for it (QUEUED, PLANNING, RUNNING …).
        fraction: Done, 0 to 1, or None where the engine does not know.
        rows: Rows read so far.
        size_bytes: Bytes read so far.
        elapsed_s: Seconds since the engine took the query.
        splits_done: Pieces of work done, and below how many there are; 0 where unknown.
        reason: Why nothing goes on, for a person; empty while something does.
    """

    state: str
    fraction: float | None = None
    rows: int = 0
    size_bytes: int = 0
    elapsed_s: float = 0.0
    splits_done: int = 0
    splits_total: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What the engine would do: its plan as text, and its estimates, None where it has none.

    Attributes:
        rows: Rows that the statement gives.
        size_bytes: Their size.
        scan_bytes: What is read of tables.
    """

    text: str
    rows: float | None = None
    size_bytes: float | None = None
    scan_bytes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCapabilities:
    """
    What the rest of the program has to know of an engine.

    Attributes:
        concurrency: Jobs that a worker runs on it at once unless told otherwise; None for one a core.
        threads: Threads that serve all of them, since they mostly wait; None for one a job.
        sharing_hint: How a table is made that other processes find too, for a person; empty where they find every table.
        packages: What must be installed for it: extra of this package to module.
        makes_catalogs: Whether ``Engine.catalog_maker`` makes catalogs; its operator may still forbid it.
    """

    concurrency: int | None = None
    threads: int | None = None
    sharing_hint: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    makes_catalogs: bool = False


class Execution(Protocol):
    """
    A statement that an engine runs. One thread iterates; ``progress`` and ``cancel`` are for any thread.
    """

    @property
    def query_id(self) -> str | None:
        """
        The engine's id of the query, as soon as it is known.
        """
        ...

    @property
    def info_url(self) -> str | None:
        """
        The engine's page about the query, if it has one.
        """
        ...

    @property
    def update_type(self) -> str | None:
        """
        The kind of change (``INSERT``, ``CREATE TABLE``) for a statement that is not a query; known at the end.
        """
        ...

    @property
    def rows_changed(self) -> int | None:
        """
        Rows that the statement wrote or removed; known at the end, None for a query.
        """
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """
        What the engine wants the user to know; known at the end.
        """
        ...

    def schema(self) -> pa.Schema:
        """
        The result's columns; waits until the engine knows them, at the latest until the end. Column names may repeat.

        For the thread that iterates. Raises what ``batches`` raises.
        """
        ...

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """
        The rows, once. Ends when the statement is complete, never short without an error.

        Raises:
            QueryFailed: The engine refused or gave up the statement.
            QueryCanceled: It was stopped.
            EngineUnavailable: The engine went away and did not come back.
        """
        ...

    def arrivals(self) -> Generator[pa.RecordBatch | None, None, None]:
        """
        ``batches``, and None wherever the engine has been asked and has no rows yet: time for something else.
        """
        ...

    @property
    def resumable(self) -> Resumable | None:
        """
        How another process could go on reading; None where none can.
        """
        ...

    def progress(self) -> Progress:
        """
        How far it is, from what is known already: asks nobody.
        """
        ...

    def cancel(self) -> None:
        """
        Stop it on the engine; a second call, or one after the end, does nothing.
        """
        ...


class Engine(Protocol):
    """
    An engine, safe to use from several threads; it connects when it is first needed.
    """

    name: str
    capabilities: EngineCapabilities

    @property
    def remote_queries(self) -> RemoteQueries | None:
        """
        What can be done about queries that another process has started; None where they end with their process.
        """
        ...

    @property
    def catalog_maker(self) -> CatalogMaker | None:
        """
        What makes and drops catalogs; None where ``EngineCapabilities.makes_catalogs`` says that nothing does.
        """
        ...

    def dataset_namespace(self) -> str | None:
        """
        What OpenLineage calls the place of its tables (``trino://host:port``), without asking anybody; None where they have none.
        """
        ...

    @property
    def default_schema(self) -> tuple[str, ...]:
        """
        Catalog and schema of a name that has neither; shorter where the engine has no such default.
        """
        ...

    def result_parts(self, name: str) -> tuple[str, ...] | None:
        """
        The Trino name for one use of the stored result *name*, whose file is the entity's source; None where this engine cannot
        read it.
        """
        ...

    def file_parts(self, entity: Entity) -> tuple[str, ...] | None:
        """
        The Trino name for one use of the files that a container stands for; None where it is read under its own name.

        Raises:
            UnsupportedSql: They are of a kind that cannot be read.
        """
        ...

    def session(self) -> Mapping[str, str]:
        """
        What statements (SET SESSION, PREPARE …) have changed for later ones, for a process that runs one of them.
        """
        ...

    def has_table(self, trino_parts: tuple[str, ...]) -> bool:
        """
        Whether the engine itself has a table or view of that name (three unquoted parts).
        """
        ...

    def is_shared(self, trino_parts: tuple[str, ...]) -> bool:
        """
        Whether another process that has the same engine finds the table of that name where this one does.
        """
        ...

    def about(self) -> str:
        """
        What answers, for a person: its name, its version and how it was signed in to.
        """
        ...

    def catalogs(self) -> frozenset[str]:
        """
        The names of the catalogs that the engine has, lower case; cached.
        """
        ...

    def execute(self, query: EngineQuery) -> Execution:
        """
        Hand the statement over. May return before the engine has looked at it.

        Raises:
            UnsupportedSql: This engine cannot run it in the same meaning; names the construct.
        """
        ...

    def explain(self, query: EngineQuery) -> Plan:
        """
        The engine's plan and estimates, without running the statement.
        """
        ...

    def describe(self, query_entities: Sequence[Entity]) -> Mapping[str, Mapping[str, str]]:
        """
        The columns of entities whose catalog entry has none: FQN to {column: Trino type}.

        Best effort: an entity that cannot be read is left out.
        """
        ...

    def release_if_idle(self) -> None:
        """
        Give other processes their turn, where the engine is one at a time's and nothing runs.
        """
        ...

    def close(self) -> None:
        """
        Let go of connections. Running statements are cancelled.
        """
        ...


class Resumable(Protocol):
    """
    A running statement whose answers another process can go on reading.

    Attributes:
        next_uri: The address of the page that is asked for next.
        checkpoint: Called with the query's id, the address of the next page and whether rows have come, before that page
            is asked for. What it raises ends the reading and leaves the query alone.
        wait_s: Seconds that the engine may wait for news before it answers; None for as long as it likes.
    """

    next_uri: str | None
    checkpoint: Callable[[str | None, str, bool], None] | None
    wait_s: float | None


class CatalogMaker(Protocol):
    """
    Catalogs that are made and dropped while the engine runs. Safe to use from several threads.
    """

    def make(self, plan: CatalogPlan) -> bool:
        """
        Make a catalog; False where one of that name is there, whoever made it.

        Raises:
            QueryFailed: The engine cannot, or its operator forbids it; the hint says what the operator does.
        """
        ...

    def drop(self, name: str) -> None:
        """
        Drop a catalog; nothing happens where there is none. Queries that run on it go on.

        Raises:
            QueryFailed: The engine cannot, or its operator forbids it.
        """
        ...

    def is_used(self, name: str) -> bool:
        """
        Whether a query of anybody's that has not ended may use the catalog.
        """
        ...


class RemoteQueries(Protocol):
    """
    Queries that outlive the process that started them.
    """

    def resume(self, next_uri: str, query: EngineQuery) -> Execution:
        """
        Go on reading where another process was about to.

        Raises (from its batches):
            QueryGone: The engine no longer knows that place.
        """
        ...

    def state_of(self, query_id: str) -> str | None:
        """
        The engine's word for the state of a query, or None where it does not remember it.
        """
        ...

    def cancel_query(self, query_id: str) -> None:
        """
        Stop a query that another process started; nothing happens where it has ended.
        """
        ...
