"""
What the metadata server has told of changes, in the SQL store.

An id is the time of its recording, and larger than all before it. Who records takes turns, so that whoever has seen an id has seen all
smaller ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from fusion_magic.metadata.changes import MetadataChange, NewChanges
from fusion_magic.store.sql.base import SqlPart
from fusion_magic.store.sql.statements import Transaction
from fusion_magic.store.sql.tables import metadata_change

KEPT = timedelta(days=1)
SKEW = timedelta(hours=1)  # at most, between the clocks of those who record and those who read
MOST_AT_ONCE = 10_000
_LOCK = sa.text("SELECT pg_advisory_xact_lock(7104832716)")  # for those who record changes
_IN_ONE = 500
_AFTER = (
    sa.select(metadata_change)
    .where(metadata_change.c.id > sa.bindparam("position"))
    .order_by(metadata_change.c.id)
    .limit(MOST_AT_ONCE + 1)
)
_NAMES = ("event_id", "event_type", "entity_type", "fqn", "updated_ms")


class SqlMetadataChanges(SqlPart):
    """
    The port ``MetadataChanges``.
    """

    def record(self, changes: Sequence[MetadataChange]) -> int:
        """See ``MetadataChanges.record``."""
        by_event = {change.event_id: change for change in changes}
        if not by_event:
            return 0
        with self._database.writing() as transaction:
            if self._database.engine.dialect.name == "postgresql":
                transaction.execute(_LOCK)
            for event_id in _known(transaction, list(by_event)):
                del by_event[event_id]
            self._insert(transaction, list(by_event.values()))
        return len(by_event)

    def since(self, position: int | None) -> NewChanges:
        """See ``MetadataChanges.since``."""
        start = self._past(SKEW)
        if position is None or position < self._past(KEPT - SKEW):
            newest = self._database.read(sa.select(sa.func.max(metadata_change.c.id)))[0][0]
            return NewChanges(max(newest or 0, start), None)
        rows = self._database.read(_AFTER, {"position": position})
        if len(rows) > MOST_AT_ONCE:
            return NewChanges(self.since(None).position, None)
        if not rows:
            # It must not fall behind what is kept, and moves seldom, since whoever asks writes it down.
            return NewChanges(start if position < self._past(3 * SKEW) else position, ())
        return NewChanges(int(rows[-1].id), tuple(_change(row) for row in rows))

    def _insert(self, transaction: Transaction, changes: Sequence[MetadataChange]) -> None:
        if not changes:
            return
        newest = transaction.execute(sa.select(sa.func.max(metadata_change.c.id))).scalar() or 0
        first = max(newest + 1, self._past(timedelta()))
        rows = [
            {"id": number, **{name: getattr(change, name) for name in _NAMES}}
            for number, change in enumerate(changes, first)
        ]
        transaction.execute(sa.insert(metadata_change), rows)
        old = metadata_change.c.id < self._past(KEPT)
        transaction.execute(sa.delete(metadata_change).where(old))

    def _past(self, ago: timedelta) -> int:
        """
        The id of a change that was recorded that long ago.
        """
        return int((self._database.now() - ago).timestamp() * 1_000_000)


def _known(transaction: Transaction, event_ids: Sequence[str]) -> list[str]:
    known: list[str] = []
    for start in range(0, len(event_ids), _IN_ONE):
        some = event_ids[start : start + _IN_ONE]
        query = sa.select(metadata_change.c.event_id).where(metadata_change.c.event_id.in_(some))
        known += transaction.execute(query).scalars()
    return known


def _change(row: Any) -> MetadataChange:
    return MetadataChange(**{name: row._mapping[name] for name in _NAMES})
