"""
Where outbox rows go: the port.

``local`` keeps the lineage graph beside the jobs, ``openlineage`` sends events, ``openmetadata`` writes to its REST API. What every
receiver may count on:

- Rows of one target come one after another, by rising id: a table's INGESTION before the edges that lead to it.
- A row may come again. Its effect is idempotent, and what is told is the same both times.
- An error that is no ``PermanentDeliveryError`` brings the row again, later each time; after a number of times it is a dead letter.
- ``DeliveryPending`` brings it again soon, however often; rows of other targets go on.
- ``ReceiverUnavailable`` brings it again however often, and the rows behind it wait as well.
- Calls come one at a time, unless the receiver has a true ``is_concurrent``: then those for different targets may come at once.
- A row is held for ``scheduler.LEASE_S`` and for as long as the call takes beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from fusion_magic.metadata import Column
from fusion_magic.store import ColumnEdge, Job, Message, ModelRow


def _no_columns(*_: object) -> Sequence[Column]:
    return ()


def _no_statements(*_: object) -> Sequence[tuple[str, int]]:
    return ()


def _nobody(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class JobFacts:
    """
    The job that a row comes from, whole: the same however many of its rows were delivered.

    Attributes:
        job: With the user's text and what the engine ran.
        models: The names it used, with entity id (None for what the metadata did not know) and Trino name.
        edges: All its (source FQN, target FQN), in the order they were found.
        column_edges: All its column edges.
    """

    job: Job
    models: Sequence[ModelRow] = ()
    edges: Sequence[tuple[str, str]] = ()
    column_edges: Sequence[ColumnEdge] = ()

    def model(self, fqn: str) -> ModelRow | None:
        """
        What the job knew of a name.
        """
        return next((m for m in self.models if m.fully_qualified_name == fqn), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryContext:
    """
    What a receiver is told when it is opened.

    Attributes:
        token: The secret of ``delivery.token``, or None.
        engine: The name of the engine that the settings name, as jobs carry it.
        namespace: The place of that engine's tables for OpenLineage (``trino://host:port``); None where it has none.
        columns_of: The columns of a table by its FQN; none where nothing knows them.
        sql: What is told of a statement's text, as ``sql.masking.disclosed`` takes it.
        made_columns: The columns of a table by its FQN and its name in the engine, as the engine itself has it; none where it has no
            such table.
        result_columns: The columns of the rows that a job has stored.
        ingestion: How a table becomes known that a receiver of metadata lacks: ``auto``, ``pipeline``, ``create`` or ``none``.
        is_usage_told: Whether use is told besides lineage: who ran which statement on what, and how often.
        statements: The statements that jobs have read some tables with, by their FQNs, between two times, each with the number of jobs.
        stored_by: The job that had stored the newest result of a name at a time; None where there was none.
    """

    token: str | None = None
    engine: str = ""
    namespace: str | None = None
    columns_of: Callable[[str], Sequence[Column]] = _no_columns
    sql: str = "masked"
    made_columns: Callable[[str, str], Sequence[Column]] = _no_columns
    result_columns: Callable[[Job], Sequence[Column]] = _no_columns
    stored_by: Callable[[str, datetime], Job | None] = _nobody
    ingestion: str = "auto"
    statements: Callable[[Sequence[str], datetime, datetime], Sequence[tuple[str, int]]] = (
        _no_statements
    )
    is_usage_told: bool = True


class Delivery(Protocol):
    """
    One receiver of lineage.
    """

    name: str

    def deliver(self, message: Message, facts: JobFacts) -> None:
        """
        Tell the receiver of one row.

        Args:
            message: The row, with the column edges between its two tables.

            facts: The job that it comes from.

        Raises:
            DeliveryError: It may be tried again.
            ReceiverUnavailable: The receiver does not answer at all.
            PermanentDeliveryError: It may not: the row itself is wrong.
        """
        ...

    def close(self) -> None:
        """
        Let go of connections.
        """
        ...


@runtime_checkable
class Expecting(Protocol):
    """
    A receiver that wants to know what it is told next.
    """

    def expect(self, rows: Sequence[tuple[Message, JobFacts]]) -> None:
        """
        Do at once what several rows of one target share. Each of them is delivered afterwards, unless something comes in between.

        Raises:
            FusionError: It is left to the rows.
        """
        ...


@runtime_checkable
class Forgetting(Protocol):
    """
    A receiver that can take back what it was told.
    """

    def forget(self, source: str, target: str, facts: JobFacts) -> str | None:
        """
        Remove an edge that no other job has given; why it stays, where it is somebody else's as well.

        Raises:
            DeliveryError: It may be tried again.
        """
        ...
