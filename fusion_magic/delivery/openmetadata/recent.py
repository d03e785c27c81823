"""
What was read from a server a moment ago, so that rows which come one after another do not read it again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """
    A bounded number of values, each for a time. Safe to use from several threads.

    Args:
        age_s: Seconds for which a value counts.

        most: Values that are kept; the oldest goes first.

        clock: Seconds that only grow.
    """

    def __init__(
        self, *, age_s: float, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._age_s = age_s
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """
        The value, or None where there is none any more.
        """
        kept = self._kept.get(key)
        return kept[1] if kept is not None and self._clock() < kept[0] else None

    def take(self, key: Key) -> Value | None:
        """
        The value, for one who asks alone.
        """
        with self._lock:
            kept = self._kept.pop(key, None)
        return kept[1] if kept is not None and self._clock() < kept[0] else None

    def keep(self, key: Key, value: Value) -> Value:
        """
        Remember *value* from now on.
        """
        with self._lock:
            self._kept[key] = (self._clock() + self._age_s, value)
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value

    def drop(self, *keys: Key) -> None:
        """
        Forget those.
        """
        with self._lock:
            for key in keys:
                self._kept.pop(key, None)
