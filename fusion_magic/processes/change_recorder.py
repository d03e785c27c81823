"""
Changes on their way into the store: whoever hears of them does not wait for it.

An event that comes again is left out. More than can wait, while the store is away, become one change that stands for any.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from fusion_magic.errors import StoreError
from fusion_magic.metadata.changes import MetadataChange, anything_changed
from fusion_magic.store import MetadataChanges

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000
MOST_REMEMBERED = 20_000  # events that come again
STORE_PAUSE_S = 1.0


class ChangeRecorder:
    """
    Writes changes in a thread of its own. Safe to use from several threads.
    """

    def __init__(self, store: MetadataChanges) -> None:
        self._store = store
        self._lock = threading.Condition()
        self._waiting: list[MetadataChange] = []
        self._remembered: dict[str, None] = {}
        self._is_over = False

    def put(self, changes: Iterable[MetadataChange]) -> None:
        """
        Record *changes* soon.
        """
        with self._lock:
            for change in changes:
                if change.event_id not in self._remembered:
                    self._remembered[change.event_id] = None
                    self._waiting.append(change)
            while len(self._remembered) > MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            if len(self._waiting) > MOST_WAITING:
                self._waiting = [anything_changed(str(uuid4()))]
            self._lock.notify()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """
        Record while the block runs; what waits at its end is recorded, if the store takes it.
        """
        thread = threading.Thread(target=self._run, name="fusion-changes", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._is_over = True
                self._lock.notify()
            thread.join(STORE_PAUSE_S * 5)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._waiting or self._is_over)
                taken, self._waiting = self._waiting, []
            if not taken:
                return
            if not self._is_recorded(taken):
                with self._lock:
                    self._waiting = [*taken, *self._waiting]
                    if self._lock.wait_for(lambda: self._is_over, STORE_PAUSE_S):
                        return

    def _is_recorded(self, changes: list[MetadataChange]) -> bool:
        try:
            self._store.record(changes)
        except StoreError:
            logger.warning("the job store is away", extra={"action": "record changes"})
            return False
        return True
