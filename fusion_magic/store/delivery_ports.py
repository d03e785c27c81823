"""
What delivery asks of the job store: the outbox, and the lineage that jobs have found.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from fusion_magic.store.model import (
    ColumnEdge,
    DeadLetter,
    GraphColumn,
    GraphEdge,
    Message,
    QueueRow,
)


class Outbox(Protocol):
    """
    Rows of ``model_queue``, claimed by schedulers and removed once they are delivered.
    """

    def pending(
        self, job_id: UUID | None = None, *, limit: int = 1000
    ) -> Sequence[tuple[int, QueueRow]]:
        """
        The rows that wait, with their ids, by rising id: of one job, or of all.
        """
        ...

    def claim(
        self, scheduler: str, *, lease_s: float, limit: int, together: int = 1
    ) -> Sequence[Message]:
        """
        The first due rows of up to *limit* targets, by rising id: never one before which its target has another that is not claimed as well.

        What *scheduler* has claimed before is due to it at once: it works at one claim at a time.

        Args:
            together: How many rows are claimed in all where the targets have more than one each; they are spread evenly.
        """
        ...

    def renew(self, scheduler: str, *, lease_s: float) -> None:
        """
        Renew the lease of all that *scheduler* has claimed.
        """
        ...

    def delivered(self, *messages: Message) -> None:
        """
        Remove the rows, all at once.
        """
        ...

    def retry(
        self, message: Message, *, error: str, delay_s: float, is_counted: bool = True
    ) -> None:
        """
        Try the row again after *delay_s* seconds; with *is_counted* False, as if it had not been tried.
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

    def withdraw(self, job_id: UUID) -> bool:
        """
        Remove the job's rows and dead letters; False, with nothing done, where a scheduler has one of them in its hands.
        """
        ...


class LineageEdges(Protocol):
    """
    The lineage graph: what jobs have found, what was delivered, and what still waits in the outbox.
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

    def columns_of_job(self, job_id: UUID) -> Sequence[ColumnEdge]:
        """
        The column edges that a job has found, in their order.
        """
        ...

    def shared(self, job_id: UUID) -> Sequence[tuple[str, str]]:
        """
        Those (source, target) of ``of_job`` that other jobs have found or queued, too.
        """
        ...

    def forget(self, job_id: UUID) -> None:
        """
        Remove what the job has found: its edges and columns, and those of the graph that are nobody else's.
        """
        ...

    def statements(
        self, sources: Sequence[str], *, since: datetime, until: datetime
    ) -> Sequence[tuple[str, int]]:
        """
        The statements, as the engine ran them, of finished jobs that have read all of *sources*, each with the number of those jobs that
        began at *since* or later and before *until*.
        """
        ...
