"""
A running statement on its way from the engine into a sink: memory, or a file that outlives the process.

``ResultReader`` has a thread of its own, so that the cell's thread stays free for progress and for an interrupt;
``BlockingResultReader`` works in the caller's, for a worker that has a thread for each job anyway.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

from fusion_magic.engines import Execution
from fusion_magic.errors import ResultTooLarge
from fusion_magic.jobs.thread_pool import DaemonThreadPool
from fusion_magic.results import Result

if TYPE_CHECKING:
    import pyarrow as pa

    from fusion_magic.results.writer import ResultWriter

POLL_INTERVAL_S = 0.1
CANCEL_PATIENCE_S = 20.0  # an engine that does not even answer a cancel is not waited for longer
_pool = DaemonThreadPool(name="fusion-rows")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


class Sink(Protocol):
    """
    Where the rows go.

    Attributes:
        row_count: How many came, once it is closed; None before, and for ever where a statement gives no rows.
        size_bytes: What they take there, likewise.
        path: The file that they are in; None in memory.
    """

    row_count: int | None
    size_bytes: int | None
    path: str | None

    def write(self, batch: pa.RecordBatch) -> None:
        """
        Take rows.
        """
        ...

    def close(self, schema: pa.Schema) -> None:
        """
        All rows were written.
        """
        ...

    def abort(self) -> None:
        """
        Forget them.
        """
        ...

    def result(self, **facts: Any) -> Result:
        """
        The rows as their author holds them; none where it was never closed.
        """
        ...


class MemorySink:
    """
    Rows into an Arrow table.

    Args:
        max_memory: Most bytes of Arrow data to keep.
    """

    path: str | None = None

    def __init__(self, max_memory: int) -> None:
        self._max_memory = max_memory
        self._batches: list[pa.RecordBatch] = []
        self._size_bytes = 0
        self._table: pa.Table | None = None
        self.row_count: int | None = None
        self.size_bytes: int | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """See ``Sink.write``; raises ``ResultTooLarge``."""
        self._size_bytes += batch.nbytes
        if self._size_bytes > self._max_memory:
            raise _too_large(self._max_memory)
        self._batches.append(batch)

    def close(self, schema: pa.Schema) -> None:
        """See ``Sink.close``."""
        import pyarrow as pa

        self._table = pa.Table.from_batches(self._batches, schema=schema)
        self.row_count, self.size_bytes = self._table.num_rows, self._table.nbytes
        self._batches = []

    def abort(self) -> None:
        """See ``Sink.abort``."""
        self._batches = []

    def result(self, **facts: Any) -> Result:
        """See ``Sink.result``."""
        return Result.without_rows(**facts) if self._table is None else Result(self._table, **facts)


class StorageSink:
    """
    Rows into a stored result.

    Args:
        name: The result's name; empty for none.

        facts: What stands beside the rows.
    """

    def __init__(self, writer: ResultWriter, name: str, facts: dict[str, object]) -> None:
        self._writer = writer
        self._name = name
        self._facts = facts
        self.row_count: int | None = None
        self.size_bytes: int | None = None
        self.path: str | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """See ``Sink.write``."""
        self._writer.write(batch)

    def close(self, schema: pa.Schema) -> None:
        """See ``Sink.close``."""
        stored = self._writer.close(schema, self._facts)
        self.row_count, self.size_bytes = stored.row_count, stored.size_bytes
        self.path = stored.path

    def abort(self) -> None:
        """See ``Sink.abort``."""
        self._writer.abort()

    def result(self, **facts: Any) -> Result:
        """See ``Sink.result``."""
        from fusion_magic.results.stored import StoredResult

        if self.path is None:
            return Result.without_rows(**facts)
        return StoredResult(self.path, name=self._name, **facts)


class ResultReader:
    """
    One statement on its way from the engine into *sink*.

    Args:
        execute: Hands the statement to the engine.
    """

    def __init__(self, execute: Callable[[], Execution], sink: Sink, *, label: str = "") -> None:
        self._execute = execute
        self._sink = sink
        self._done = threading.Event()
        self._cancel_wanted = threading.Event()
        self._error: BaseException | None = None
        self.execution: Execution | None = None
        self._label = label

    def start(self) -> None:
        """
        Hand the statement to the engine.
        """
        _pool.submit(self._run)

    def wait(self, on_tick: Callable[[Execution | None], None]) -> Iterator[None]:
        """
        Wait for the end, calling *on_tick* in this thread about ten times a second; raise what the engine raised.
        """
        while not self._done.wait(POLL_INTERVAL_S):
            on_tick(self.execution)
            yield
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        """
        Stop the statement on the engine; ``wait`` then ends.
        """
        self._cancel_wanted.set()
        if self.execution is not None:
            self.execution.cancel()

    def cancel_and_wait(self) -> None:
        """
        Stop the statement on the engine and wait until it has stopped.
        """
        self.cancel()
        self._done.wait(CANCEL_PATIENCE_S)

    @property
    def is_complete(self) -> bool:
        """
        Whether the statement came to its end without an error.
        """
        return self._done.is_set() and self._error is None

    def _run(self) -> None:
        thread = threading.current_thread()
        idle_name, thread.name = thread.name, f"fusion-{self._label}"
        for _ in self._steps():
            pass
        thread.name = idle_name

    def _steps(self) -> Iterator[None]:
        """
        The work; gives way wherever the engine has no rows yet.
        """
        try:
            yield from self._collect()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            self._error = error
        finally:
            self._done.set()

    def _collect(self) -> Iterator[None]:
        self.execution = execution = self._execute()
        if self._cancel_wanted.is_set():
            execution.cancel()
        try:
            with closing(execution.arrivals()) as arriving:
                for batch in arriving:
                    if batch is None:
                        yield
                    else:
                        self._sink.write(batch)
            if execution.update_type is None:
                self._sink.close(execution.schema())
        except BaseException:
            self._sink.abort()
            raise


class BlockingResultReader(ResultReader):
    """
    A drain that works in the thread that waits.
    """

    def start(self) -> None:
        """
        Nothing yet.
        """

    def wait(self, on_tick: Callable[[Execution | None], None]) -> Iterator[None]:
        """
        Do the work; *on_tick* is not called.
        """
        yield from self._steps()
        if self._error is not None:
            raise self._error


def _too_large(max_memory: int) -> ResultTooLarge:
    return ResultTooLarge(
        f"The result takes more than {max_memory / (1 << 30):.3g} GiB of memory (results.max_memory).",
        hint=(
            "Take fewer rows with --limit N; store them with --name RESULT, or let the engine write them to "
            "a table with --into TABLE; or raise results.max_memory if all of them must be held in a "
            "variable with -o."
        ),
    )
