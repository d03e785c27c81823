"""
The outbox in the SQL store: ``model_queue`` and, beside it, how often each row was tried and when it is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from fusion_magic.store.model import ColumnEdge, DeadLetter, Message, QueueRow
from fusion_magic.store.sql.base import SqlPart
from fusion_magic.store.sql.lineage import column_edge
from fusion_magic.store.sql.statements import Transaction
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
    The port ``Outbox``.
    """

    def pending(
        self, job_id: UUID | None = None, *, limit: int = 1000
    ) -> Sequence[tuple[int, QueueRow]]:
        """See ``Outbox.pending``."""
        query = sa.select(model_queue).order_by(model_queue.c.id).limit(limit)
        if job_id is not None:
            query = query.where(model_queue.c.job_id == job_id)
        return [(row.id, _queue_row(row)) for row in self._database.read(query)]

    def claim(
        self, scheduler: str, *, lease_s: float, limit: int, together: int = 1
    ) -> Sequence[Message]:
        """See ``Outbox.claim``."""
        now = self._database.now()
        due = _due(now, scheduler).limit(limit)
        if not self._database.read(due):
            return []
        with self._database.writing() as transaction:
            rows = transaction.execute(due.with_for_update(of=model_queue, skip_locked=True)).all()
            until = now + timedelta(seconds=lease_s)
            taken = [row for row in rows if _take(transaction, row, scheduler, until)]
            # Whoever has a target's first row has its others.
            others = _following(transaction, taken, now, scheduler, together)
            taken += [row for row in others if _take(transaction, row, scheduler, until)]
            return _messages(transaction, sorted(taken, key=lambda row: int(row.id)))

    def renew(self, scheduler: str, *, lease_s: float) -> None:
        """See ``Outbox.renew``."""
        with self._database.writing() as transaction:
            until = self._database.now() + timedelta(seconds=lease_s)
            transaction.execute(
                sa.update(queue_delivery)
                .where(queue_delivery.c.claimed_by == scheduler)
                .values(due=until)
            )

    def delivered(self, *messages: Message) -> None:
        """See ``Outbox.delivered``."""
        with self._database.writing() as transaction:
            for message in messages:
                _remove(transaction, message)

    def retry(
        self, message: Message, *, error: str, delay_s: float, is_counted: bool = True
    ) -> None:
        """See ``Outbox.retry``."""
        with self._database.writing() as transaction:
            transaction.execute(
                sa.update(queue_delivery)
                .where(
                    queue_delivery.c.queue_id == message.id,
                    queue_delivery.c.attempts == message.attempt,
                )
                .values(
                    due=self._database.now() + timedelta(seconds=delay_s),
                    claimed_by=None,
                    error=error,
                    attempts=message.attempt if is_counted else message.attempt - 1,
                )
            )

    def bury(self, message: Message, *, error: str) -> None:
        """See ``Outbox.bury``."""
        with self._database.writing() as transaction:
            if not _remove(transaction, message):
                return
            transaction.execute(
                sa.insert(dead_letter),
                {
                    "id": message.id,
                    "job_id": message.job_id,
                    "model_name_fqn": message.row.model_name_fqn,
                    "from_fqn": message.row.from_fqn,
                    "command": message.row.command,
                    "attempts": message.attempt,
                    "error": error,
                    "died": self._database.now(),
                },
            )

    def keep_edge(self, message: Message) -> None:
        """See ``Outbox.keep_edge``."""
        with self._database.writing() as transaction:
            _insert_once(
                transaction,
                graph_edge,
                source_fqn=message.row.from_fqn,
                target_fqn=message.row.model_name_fqn,
                job_id=message.job_id,
            )

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
            for row in self._database.read(sa.select(dead_letter).order_by(dead_letter.c.id))
        ]

    def revive(self, letter_id: int) -> bool:
        """See ``Outbox.revive``."""
        with self._database.writing() as transaction:
            row = transaction.execute(
                sa.delete(dead_letter).where(dead_letter.c.id == letter_id).returning(dead_letter)
            ).first()
            if row is None:
                return False
            names = ("job_id", "model_name_fqn", "from_fqn", "command")
            transaction.execute(
                sa.insert(model_queue), {name: row._mapping[name] for name in names}
            )
            return True

    def drop(self, letter_id: int) -> bool:
        """See ``Outbox.drop``."""
        with self._database.writing() as transaction:
            done = transaction.execute(sa.delete(dead_letter).where(dead_letter.c.id == letter_id))
            return done.rowcount == 1

    def withdraw(self, job_id: UUID) -> bool:
        """See ``Outbox.withdraw``."""
        with self._database.writing() as transaction:
            rows = sa.select(model_queue.c.id).where(model_queue.c.job_id == job_id)
            free = transaction.execute(rows.with_for_update(skip_locked=True)).scalars().all()
            is_its = queue_delivery.c.queue_id.in_(free)
            held = (
                queue_delivery.c.claimed_by.is_not(None),
                queue_delivery.c.due > self._database.now(),
            )
            is_held = transaction.execute(sa.select(queue_delivery).where(is_its, *held)).first()
            if is_held or len(free) < len(transaction.execute(rows).all()):
                return False
            transaction.execute(sa.delete(queue_delivery).where(is_its))
            for table in (model_queue, dead_letter):
                transaction.execute(sa.delete(table).where(table.c.job_id == job_id))
            return True


def _take(transaction: Transaction, row: Any, scheduler: str, until: datetime) -> bool:
    """
    Note the attempt; False where another scheduler was quicker.
    """
    values = {"attempts": (row.attempts or 0) + 1, "due": until, "claimed_by": scheduler}
    if row.attempts is not None:
        done = transaction.execute(
            sa.update(queue_delivery)
            .where(queue_delivery.c.queue_id == row.id, queue_delivery.c.attempts == row.attempts)
            .values(**values)
        )
        return done.rowcount == 1
    return _insert_once(transaction, queue_delivery, queue_id=row.id, **values)


def _insert_once(transaction: Transaction, table: sa.Table, **values: object) -> bool:
    """
    Insert a row unless its key is there; whether it was inserted.
    """
    insert = (
        postgresql.insert if transaction.connection.dialect.name == "postgresql" else sqlite.insert
    )
    key = next(iter(table.primary_key.columns))
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(key)
    return transaction.execute(statement).first() is not None


def _following(
    transaction: Transaction, firsts: Sequence[Any], now: datetime, scheduler: str, together: int
) -> list[Any]:
    """
    The rows behind those, target by target up to the first that is not due, as many for each.
    """
    each = together // len(firsts) - 1 if firsts else 0
    found: list[Any] = []
    for first in firsts if each > 0 else ():
        rows = transaction.execute(
            _waiting()
            .where(
                model_queue.c.model_name_fqn == first.model_name_fqn, model_queue.c.id > first.id
            )
            .add_columns(_is_due(now, scheduler).label("is_due"))
            .limit(each)
            .with_for_update(of=model_queue)
        )
        found += takewhile(lambda row: row.is_due, rows.all())
    return found


def _messages(transaction: Transaction, rows: Sequence[Any]) -> list[Message]:
    job_ids = {row.job_id for row in rows}
    found = transaction.execute(
        sa.select(column_lineage)
        .where(column_lineage.c.job_id.in_(job_ids))
        .order_by(column_lineage.c.id)
    )
    edges: dict[tuple[UUID, str, str], list[ColumnEdge]] = {}
    for edge in found:
        key = (edge.job_id, edge.source_fqn, edge.target_fqn)
        edges.setdefault(key, []).append(column_edge(edge))
    return [
        Message(
            id=row.id,
            job_id=row.job_id,
            row=_queue_row(row),
            attempt=(row.attempts or 0) + 1,
            column_edges=edges.get((row.job_id, row.from_fqn, row.model_name_fqn), []),
        )
        for row in rows
    ]


def _due(now: datetime, scheduler: str) -> Any:
    """
    The first row of each target, unless it waits for its next attempt or another scheduler has it.
    """
    earlier = model_queue.alias("earlier")
    is_first = ~sa.exists().where(
        earlier.c.model_name_fqn == model_queue.c.model_name_fqn, earlier.c.id < model_queue.c.id
    )
    return _waiting().where(is_first, _is_due(now, scheduler))


def _waiting() -> Any:
    return (
        sa.select(model_queue, queue_delivery.c.attempts)
        .join(queue_delivery, queue_delivery.c.queue_id == model_queue.c.id, isouter=True)
        .order_by(model_queue.c.id)
    )


def _is_due(now: datetime, scheduler: str) -> Any:
    waits = queue_delivery.c
    return sa.or_(
        waits.due.is_(None),
        waits.due <= now,
        waits.claimed_by == scheduler,
        # The clock was put back since.
        waits.due > now + FURTHEST,
    )


def _remove(transaction: Transaction, message: Message) -> bool:
    """
    Take the row out, unless another scheduler has taken it over since.
    """
    done = transaction.execute(
        sa.delete(queue_delivery).where(
            queue_delivery.c.queue_id == message.id, queue_delivery.c.attempts == message.attempt
        )
    )
    if done.rowcount != 1:
        return False
    transaction.execute(sa.delete(model_queue).where(model_queue.c.id == message.id))
    return True


def _queue_row(row: Any) -> QueueRow:
    return QueueRow(model_name_fqn=row.model_name_fqn, from_fqn=row.from_fqn, command=row.command)
