"""
Comparing the names that are in use with what the metadata server says now: events get lost, and some are listed under a time long past.

The first look at a name is what later ones are compared with. What differs, or is gone, is a change like one of an event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from fusion_magic.metadata.changes import ChangeSource, MetadataChange
from fusion_magic.processes.repeating import repeating

COMPARE_EVERY_S = 300.0
MOST_NAMES = 2_000


def comparing(
    source: ChangeSource,
    names_in_use: Callable[[], Sequence[str]],
    take: Callable[[Sequence[MetadataChange]], None],
) -> AbstractContextManager[None]:
    """
    Give *take* what has changed among *names_in_use*, while the block runs.
    """
    known: dict[str, int] = {}

    def look() -> None:
        fqns = names_in_use()
        if not fqns:
            return
        found = source.updated_ms(fqns)
        take([change for fqn in fqns if (change := _difference(fqn, known, found)) is not None])
        known.clear()
        known.update(found)

    return repeating(look, every_s=COMPARE_EVERY_S, name="fusion-compare")


def _difference(
    fqn: str, known: Mapping[str, int], found: Mapping[str, int]
) -> MetadataChange | None:
    before, now = known.get(fqn), found.get(fqn)
    if before is None or before == now:
        return None
    happened = "entityDeleted" if now is None else "entityUpdated"
    # The same for every scheduler that sees the difference.
    event_id = hashlib.sha256(f"{fqn} {before} {now}".encode()).hexdigest()[:64]
    return MetadataChange(event_id, happened, "table", fqn, before + 1 if now is None else now)
