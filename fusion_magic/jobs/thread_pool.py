"""
Threads that are kept for the next piece of work: to start one takes as long as a small query.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class DaemonThreadPool:
    """
    Threads that do what they are given, started when they are needed. They do not keep the process from ending.

    Args:
        most: So many threads at most; None for as many as there are orders at once.

        name: What their names begin with.
    """

    _orders: queue.SimpleQueue[Callable[[], None]]
    _idle: threading.Semaphore

    def __init__(self, most: int | None = None, *, name: str = "fusion") -> None:
        self._most = most
        self._name = name
        self.forget()

    def forget(self) -> None:
        """
        Begin anew without threads, as in a process that was forked and has none of them.
        """
        self._count = 0
        self._orders = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)

    @property
    def is_behind(self) -> bool:
        """
        Whether an order waits for a thread.
        """
        return not self._orders.empty()

    def submit(self, order: Callable[[], None]) -> None:
        """
        Have *order* done; where there is a most, only one thread gives orders.
        """
        self._orders.put(order)
        has_room = self._most is None or self._count < self._most
        if not self._idle.acquire(blocking=False) and has_room:
            self._count += 1
            name = f"{self._name}-{self._count}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            self._orders.get()()
            self._idle.release()
