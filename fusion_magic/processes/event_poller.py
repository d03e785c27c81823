"""
Asking a metadata server for its events, where it cannot post them.

Times are the server's. Events are asked for from a while before the newest that was seen, since they become visible out of order; whoever
takes them leaves out what comes again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fusion_magic.metadata.changes import ChangeSource, MetadataChange
from fusion_magic.processes.repeating import repeating

OVERLAP_MS = 60_000
BEFORE_START_MS = 600_000  # what a kernel may have read before a scheduler that stood still


@contextmanager
def polling(
    source: ChangeSource, take: Callable[[Sequence[MetadataChange]], None], *, every_s: float
) -> Iterator[None]:
    """
    Give *take* what *source* tells, while the block runs; a server that does not answer is asked again the next time.
    """
    newest_ms = _now_ms() - BEFORE_START_MS + OVERLAP_MS

    def ask() -> None:
        nonlocal newest_ms
        told = source.changes_after(newest_ms - OVERLAP_MS)
        take(told.changes)
        # One that bears a time to come would hide all until then.
        newest_ms = max(newest_ms, min(told.newest_ms or 0, _now_ms() + OVERLAP_MS))

    with repeating(ask, every_s=every_s, name="fusion-poll"):
        yield


def _now_ms() -> int:
    return int(time.time() * 1000)
