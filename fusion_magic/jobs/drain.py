"""
A running statement, drained by a thread of its own, so that the cell's thread stays free
for progress and for an interrupt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from fusion_magic.engines import Engine, EngineQuery, Execution
from fusion_magic.errors import ResultTooLarge

if TYPE_CHECKING:
    import pyarrow as pa

POLL_INTERVAL_S = 0.1
CANCEL_PATIENCE_S = 20.0  # an engine that does not even answer a cancel is not waited for longer


class Drain:
    """
    One statement on its way from the engine into memory.

    Args:
        max_memory: Most bytes of Arrow data to keep.
    """

    def __init__(self, engine: Engine, query: EngineQuery, *, max_memory: int) -> None:
        self._engine = engine
        self._query = query
        self._max_memory = max_memory
        self._done = threading.Event()
        self._cancel_wanted = threading.Event()
        self._error: BaseException | None = None
        self._table: pa.Table | None = None
        self.execution: Execution | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"fusion-{query.job_id[:8]}", daemon=True
        )

    def start(self) -> None:
        """
        Hand the statement to the engine.
        """
        self._thread.start()

    @property
    def query_id(self) -> str | None:
        """
        The engine's id of the query, as soon as it is known.
        """
        return self.execution.query_id if self.execution is not None else None

    def wait(self, on_tick: Callable[[Execution | None], None]) -> None:
        """
        Wait for the end, calling *on_tick* in this thread about ten times a second.
        """
        while not self._done.wait(POLL_INTERVAL_S):
            on_tick(self.execution)

    def cancel(self) -> bool:
        """
        Stop the statement on the engine and wait until it has stopped; whether it has.
        """
        self._cancel_wanted.set()
        if self.execution is not None:
            self.execution.cancel()
        return self._done.wait(CANCEL_PATIENCE_S)

    @property
    def is_complete(self) -> bool:
        """
        Whether the statement came to its end without an error.
        """
        return self._done.is_set() and self._error is None

    def table(self) -> pa.Table:
        """
        The rows, once ``wait`` has returned; raises what the engine raised.
        """
        if self._error is not None:
            raise self._error
        return self._table

    def _run(self) -> None:
        try:
            self._table = self._collect()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            self._error = error
        finally:
            self._done.set()

    def _collect(self) -> pa.Table:
        import pyarrow as pa

        self.execution = execution = self._engine.execute(self._query)
        if self._cancel_wanted.is_set():
            execution.cancel()
        batches: list[pa.RecordBatch] = []
        size_bytes = 0
        with closing(execution.batches()) as arriving:
            for batch in arriving:
                size_bytes += batch.nbytes
                if size_bytes > self._max_memory:
                    execution.cancel()
                    raise _too_large(self._max_memory)
                batches.append(batch)
        return pa.Table.from_batches(batches, schema=execution.schema())


def _too_large(max_memory: int) -> ResultTooLarge:
    return ResultTooLarge(
        f"The result takes more than {max_memory / (1 << 30):.3g} GiB of memory (results.max_memory).",
        hint=(
            "Take fewer rows with --limit N; or write them to a table with CREATE TABLE … AS, which "
            "is what an option --into TABLE would do; or raise results.max_memory if all of them "
            "must be held in a variable with -o."
        ),
    )
