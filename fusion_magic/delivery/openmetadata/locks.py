"""
Locks of this process by a key: what is read, changed and written back whole is so by one thread at a time.
"""

from __future__ import annotations

import threading


class Locks:
    """
    A fixed number of locks, each for many keys, so that none has to be forgotten.
    """

    def __init__(self, number: int = 64) -> None:
        self._locks = tuple(threading.Lock() for _ in range(number))

    def of(self, *key: str) -> threading.Lock:
        """
        The lock for a key, the same each time.
        """
        return self._locks[hash(key) % len(self._locks)]
