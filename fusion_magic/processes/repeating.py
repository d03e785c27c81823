"""
Something that is done now and then while something else goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fusion_magic.errors import FusionError

logger = logging.getLogger(__name__)

END_PATIENCE_S = 5.0  # for what is being done at the end


@contextmanager
def repeating(do: Callable[[], object], *, every_s: float, name: str) -> Iterator[None]:
    """
    Call *do* at once and every so many seconds while the block runs, in a thread called *name*; what fails is done again the next time.
    """
    is_over = threading.Event()

    def run() -> None:
        while True:
            try:
                do()
            except FusionError as error:
                logger.warning("%s: %s", name, error.message)
            except Exception:
                # One answer that nobody foresaw must not end the looks to come.
                logger.exception("%s failed", name)
            if is_over.wait(every_s):
                return

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(END_PATIENCE_S)
