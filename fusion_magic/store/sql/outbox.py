"""
The outbox in the SQL store: ``model_queue`` and, beside it, how often each row was tried and when it is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from fusion_magic.store import ColumnEdge, DeadLetter, Message, QueueRow
from fusion_magic.store.sql.base import SqlPart
from fusion_magic.store.sql.tables import (
    column_lineage,
    dead_letter,
    graph_edge,
    model_queue,
    queue_delivery,
)

FURTHEST = timedelta(hours=1)  # no row is put off for longer


class SqlOutbox(SqlPart):
    """
    The port ``Outbox``, on the connections of an ``SqlStore``.
    """

    def claim(self, scheduler: str, *, lease_s: float, limit: int) -> Sequence[Message]:
        """See ``Outbox.claim``."""
        now = self._clock()
        due = _due(now, scheduler).limit(limit)
        if not self._read(due):
            return []
        with self._writing() as connection:
            rows = connection.execute(due.with_for_update(of=model_queue, skip_locked=True)).all()
            until = now + timedelta(seconds=lease_s)
            return [
                _message(connection, row)
                for row in rows
                if _take(connection, row, scheduler, until)
            ]

    def renew(self, scheduler: str, *, lease_s: float) -> None:
        """See ``Outbox.renew``."""
        with self._writing() as connection:
            until = self._clock() + timedelta(seconds=lease_s)
            connection.execute(
                sa.update(queue_delivery)
                .where(queue_delivery.c.claimed_by == scheduler)
                .values(due=until)
            )

    def delivered(self, message: Message) -> None:
        """See ``Outbox.delivered``."""
        with self._writing() as connection:
            _remove(connection, message)

    def retry(self, message: Message, *, error: str, delay_s: float) -> None:
        """See ``Outbox.retry``."""
        with self._writing() as connection:
            connection.execute(
                sa.update(queue_delivery)
                .where(
                    queue_delivery.c.queue_id == message.id,
                    queue_delivery.c.attempts == message.attempt,
                )
                .values(
                    due=self._clock() + timedelta(seconds=delay_s), claimed_by=None, error=error
                )
            )

    def bury(self, message: Message, *, error: str) -> None:
        """See ``Outbox.bury``."""
        with self._writing() as connection:
            if not _remove(connection, message):
                return
            connection.execute(
                sa.insert(dead_letter),
                {
                    "id": message.id,
                    "job_id": message.job_id,
                    "model_name_fqn": message.row.model_name_fqn,
                    "from_fqn": message.row.from_fqn,
                    "command": message.row.command,
                    "attempts": message.attempt,
                    "error": error,
                    "died": self._clock(),
                },
            )

    def keep_edge(self, message: Message) -> None:
        """See ``Outbox.keep_edge``."""
        with self._writing() as connection:
            _insert_once(
                connection,
                graph_edge,
                source_fqn=message.row.from_fqn,
                target_fqn=message.row.model_name_fqn,
                job_id=message.job_id,
            )

    def edges(self) -> Sequence[tuple[str, str]]:
        """See ``Outbox.edges``."""
        query = sa.select(graph_edge).order_by(graph_edge.c.source_fqn, graph_edge.c.target_fqn)
        return [(row.source_fqn, row.target_fqn) for row in self._read(query)]

    def dead(self) -> Sequence[DeadLetter]:
        """See ``Outbox.dead``."""
        return [
            DeadLetter(
                id=row.id,
                job_id=row.job_id,
                row=_queue_row(row),
                attempts=row.attempts,
                error=row.error,
                died=row.died,
            )
            for row in self._read(sa.select(dead_letter).order_by(dead_letter.c.id))
        ]

    def revive(self, letter_id: int) -> bool:
        """See ``Outbox.revive``."""
        with self._writing() as connection:
            row = connection.execute(
                sa.delete(dead_letter).where(dead_letter.c.id == letter_id).returning(dead_letter)
            ).first()
            if row is None:
                return False
            names = ("job_id", "model_name_fqn", "from_fqn", "command")
            connection.execute(sa.insert(model_queue), {name: row._mapping[name] for name in names})
            return True

    def drop(self, letter_id: int) -> bool:
        """See ``Outbox.drop``."""
        with self._writing() as connection:
            done = connection.execute(sa.delete(dead_letter).where(dead_letter.c.id == letter_id))
            return done.rowcount == 1


def _take(connection: Connection, row: Any, scheduler: str, until: datetime) -> bool:
    """
    Note the attempt; False where another scheduler was quicker.
    """
    values = {"attempts": (row.attempts or 0) + 1, "due": until, "claimed_by": scheduler}
    if row.attempts is not None:
        done = connection.execute(
            sa.update(queue_delivery)
            .where(queue_delivery.c.queue_id == row.id, queue_delivery.c.attempts == row.attempts)
            .values(**values)
        )
        return done.rowcount == 1
    return _insert_once(connection, queue_delivery, queue_id=row.id, **values)


def _insert_once(connection: Connection, table: sa.Table, **values: object) -> bool:
    """
    Insert a row unless its key is there; whether it was inserted.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    key = next(iter(table.primary_key.columns))
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(key)
    return connection.execute(statement).first() is not None


def _message(connection: Connection, row: Any) -> Message:
    edges = connection.execute(
        sa.select(column_lineage)
        .where(
            column_lineage.c.job_id == row.job_id,
            column_lineage.c.source_fqn == row.from_fqn,
            column_lineage.c.target_fqn == row.model_name_fqn,
        )
        .order_by(column_lineage.c.id)
    ).all()
    return Message(
        id=row.id,
        job_id=row.job_id,
        row=_queue_row(row),
        attempt=(row.attempts or 0) + 1,
        column_edges=[
            ColumnEdge(
                source_fqn=edge.source_fqn,
                source_column=edge.source_column,
                target_fqn=edge.target_fqn,
                target_column=edge.target_column,
            )
            for edge in edges
        ],
    )


def _due(now: datetime, scheduler: str) -> Any:
    """
    The first row of each target, unless it waits for its next attempt or another scheduler has it.
    """
    waits = queue_delivery.c
    is_due = sa.or_(
        waits.due.is_(None),
        waits.due <= now,
        waits.claimed_by == scheduler,
        # The clock was put back since.
        waits.due > now + FURTHEST,
    )
    earlier = model_queue.alias("earlier")
    is_first = ~sa.exists().where(
        earlier.c.model_name_fqn == model_queue.c.model_name_fqn, earlier.c.id < model_queue.c.id
    )
    return (
        sa.select(model_queue, queue_delivery.c.attempts)
        .join(queue_delivery, queue_delivery.c.queue_id == model_queue.c.id, isouter=True)
        .where(is_first, is_due)
        .order_by(model_queue.c.id)
    )


def _remove(connection: Connection, message: Message) -> bool:
    """
    Take the row out, unless another scheduler has taken it over since.
    """
    done = connection.execute(
        sa.delete(queue_delivery).where(
            queue_delivery.c.queue_id == message.id, queue_delivery.c.attempts == message.attempt
        )
    )
    if done.rowcount != 1:
        return False
    connection.execute(sa.delete(model_queue).where(model_queue.c.id == message.id))
    return True


def _queue_row(row: Any) -> QueueRow:
    return QueueRow(model_name_fqn=row.model_name_fqn, from_fqn=row.from_fqn, command=row.command)
