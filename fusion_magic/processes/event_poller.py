"""
Asking a metadata server for its events, where it cannot post them.

Times are the server's. Events are asked for from a while before the newest that was seen, since they become visible out of order; whoever
takes them leaves out what comes again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fusion_magic.errors import FusionError
from fusion_magic.metadata.changes import ChangeSource, MetadataChange

logger = logging.getLogger(__name__)

OVERLAP_MS = 60_000
BEFORE_START_MS = 600_000  # what a kernel may have read before a scheduler that stood still


@contextmanager
def polling(
    source: ChangeSource, take: Callable[[Sequence[MetadataChange]], None], *, every_s: float
) -> Iterator[None]:
    """
    Give *take* what *source* tells, while the block runs; a server that does not answer is asked again the next time.
    """
    is_over = threading.Event()
    newest_ms = _now_ms() - BEFORE_START_MS + OVERLAP_MS

    def ask() -> None:
        nonlocal newest_ms
        told = source.changes_after(newest_ms - OVERLAP_MS)
        take(told.changes)
        # One that bears a time to come would hide all until then.
        newest_ms = max(newest_ms, min(told.newest_ms or 0, _now_ms() + OVERLAP_MS))

    def run() -> None:
        while True:
            try:
                ask()
            except FusionError as error:
                logger.warning("no events: %s", error.message)
            if is_over.wait(every_s):
                return

    threading.Thread(target=run, name="fusion-poll", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _now_ms() -> int:
    return int(time.time() * 1000)
