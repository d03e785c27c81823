"""
A job that a worker has claimed: begun, or taken up where a dead worker left it.

    the engine still knows the place it was read to     go on there; the statement runs once
    a query (it writes nothing)                         stop the old one, run it again
    a target that is made, and is not there yet         run it again
    anything else                                       FAILED: it may have been done

A place is written down before it is asked for (``Tasks.checkpoint``), and Trino begins a statement only when its first
page is asked for, so that a statement without a place was never begun.
Source: Trino, "Client protocol", https://trino.io/docs/476/develop/client-protocol.html
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from fusion_magic.engines import Engine, EngineQuery, Execution, Progress
from fusion_magic.errors import (
    EngineUnavailable,
    FusionError,
    JobFailed,
    LeaseLost,
    QueryCanceled,
    QueryGone,
    StoreUnavailable,
    UnsupportedSql,
)
from fusion_magic.jobs.drain import InlineDrain
from fusion_magic.jobs.payload import from_payload, to_payload
from fusion_magic.jobs.prepare import Translation
from fusion_magic.jobs.run import Outside, Run
from fusion_magic.jobs.submit import Request, recorded
from fusion_magic.store import NewTask, Store, Task

logger = logging.getLogger(__name__)

STORE_PATIENCE_S = 600.0  # a store that is away for longer loses the job to its next attempt
RETRY_DELAY_S = 5.0  # before a job whose engine is away is begun again, doubled each time
_FOR_THIS_PROCESS = frozenset({"USE", "SET", "RESET", "PREPARE", "DEALLOCATE"})
BEGUN = "begun"  # the place of a statement on an engine that has no places
READ = "read"  # the place of a query of which rows have come: they are lost with their reader


def new_task(
    request: Request,
    translation: Translation,
    engine: Engine,
    *,
    engine_url: str,
    priority: int = 0,
) -> NewTask:
    """
    What a worker is told of a job that is being queued.

    Raises:
        UnsupportedSql: Another process could not run it in the same meaning.
    """
    _require_shared(translation, engine)
    return NewTask(
        payload=to_payload(request, translation, session=engine.session()),
        engine_url=engine_url,
        owner=request.owner,
        priority=priority,
    )


def _require_shared(translation: Translation, engine: Engine) -> None:
    """
    A worker is another process: it knows neither this one's USE nor tables in its memory.
    """
    word = translation.kind.partition(" ")[0]
    if word in _FOR_THIS_PROCESS:
        raise UnsupportedSql(f"{word} is for this notebook; it cannot run in the background.")
    for reference, resolved in zip(translation.references, translation.resolved, strict=True):
        has_source = resolved.entity is not None and resolved.entity.source is not None
        if not (has_source or engine.is_shared(resolved.trino_parts)):
            raise UnsupportedSql(
                f"{'.'.join(reference.parts)} is a table in this process's memory, where no worker can "
                f"{'read' if reference.role == 'source' else 'leave'} it.",
                hint="Keep it in a DuckDB file (engine.url = duckdb:///analysis.duckdb, table analysis.main.name), "
                "or run the statement without --async.",
                span=reference.place,
            )


@dataclass(slots=True)
class BackgroundRun:
    """
    One attempt at a claimed job, in the caller's thread. ``cancel`` and ``hand_over`` are for others.

    Args:
        max_attempts: How often a job is begun at most.
    """

    task: Task
    outside: Outside
    max_attempts: int
    _run: Run | None = None
    _is_handed_over: bool = False
    _is_cancelled: bool = False
    _has_read: bool = False

    def __post_init__(self) -> None:
        self.outside = replace(self.outside, store=cast("Store", _Patient(self.outside.store)))

    def work(self) -> None:
        """
        Bring the job to its end, or leave it for a later attempt. Raises nothing: the job's row tells.
        """
        task = self.task
        try:
            with recorded(self.outside.store, task.job_id, attempt=task.attempt):
                self._attempt()
        except LeaseLost:
            logger.info("job left to another", extra=_about("left", task))
        except FusionError:
            logger.info("job ended with an error", extra=_about("ended", task))
        except Exception:
            logger.exception("job ended with a fault of ours", extra=_about("fault", task))

    def cancel(self) -> None:
        """
        Stop the statement on the engine.
        """
        self._is_cancelled = True
        if self._run is not None and self._run.drain is not None:
            self._run.drain.cancel()

    def hand_over(self) -> None:
        """
        Let go of the job as soon as it can be taken up elsewhere; its statement goes on.
        """
        self._is_handed_over = True

    def progress(self) -> str | None:
        """
        How far it is, as JSON; None before the engine has it.
        """
        drain = self._run.drain if self._run is not None else None
        if drain is None or drain.execution is None:
            return None
        execution = drain.execution
        data = {**asdict(execution.progress()), "info_url": execution.info_url}
        return json.dumps(data, separators=(",", ":"))

    def _attempt(self) -> None:
        task = self.task
        if task.attempt > self.max_attempts:
            raise JobFailed(
                f"Given up: {self.max_attempts} workers that ran it ended before it did.",
                hint="Their log files tell why; submit the query again when that is mended.",
            )
        self._run = run = Run(
            from_payload(task),
            self.outside,
            is_stored=True,
            attempt=task.attempt,
            execute=self._execute,
            drain_kind=InlineDrain,
        )
        try:
            run.drive(_no_tick)
        except EngineUnavailable as error:
            if task.attempt >= self.max_attempts or self._is_cancelled:
                raise
            self._give_back(RETRY_DELAY_S * 2 ** (task.attempt - 1) * (1 + random.random()))  # noqa: S311
            raise LeaseLost(f"To be begun again: {error.message}") from error

    def _give_back(self, delay_s: float) -> None:
        self.outside.store.tasks.release(
            self.task.job_id, attempt=self.task.attempt, delay_s=delay_s
        )

    def _execute(self, query: EngineQuery) -> Execution:
        """
        What ``Engine.execute`` is to a cell: the statement begun, or taken up.
        """
        if self._is_cancelled:
            raise QueryCanceled("The query was canceled.")
        place = self.task.next_uri
        if place is None:
            return self._begin(query)
        engine: Any = self.outside.engine
        if place not in {BEGUN, READ}:
            return self._watched(_Taken(engine.resume(place, query), lambda: self._again(query)))
        return self._again(query)

    def _begin(self, query: EngineQuery) -> Execution:
        self._has_read = False
        if not hasattr(self.outside.engine, "resume"):
            self._checkpoint(None, BEGUN, False)
        return self._watched(self.outside.engine.execute(query))

    def _watched(self, execution: Any) -> Execution:
        if hasattr(execution, "checkpoint"):
            execution.checkpoint = self._checkpoint
        return execution  # type: ignore[no-any-return]

    def _again(self, query: EngineQuery) -> Execution:
        """
        The statement once more, if that is safe.
        """
        engine: Any = self.outside.engine
        query_id = self.task.query_id
        state = engine.state_of(query_id) if query_id and hasattr(engine, "state_of") else None
        if not query.is_query:
            if state == "FINISHED":
                return _Done()
            if not self._is_target_absent(query):
                raise JobFailed(
                    "The worker that ran it ended, and whether its statement was carried out is not known.",
                    hint="Look at its target, then submit the query again if it must be.",
                    query_id=query_id,
                )
        if query_id and state not in {None, "FINISHED", "FAILED"}:
            engine.cancel_query(query_id)
        return self._begin(query)

    def _is_target_absent(self, query: EngineQuery) -> bool:
        kind = self._run.translation.kind if self._run is not None else ""
        return (
            kind in {"CREATE TABLE AS", "CREATE TABLE", "CREATE VIEW"}
            and bool(query.targets)
            and not any(self.outside.engine.has_table(parts) for parts in query.targets)
        )

    def _checkpoint(self, query_id: str | None, next_uri: str, has_rows: bool) -> None:
        if self._has_read:
            # Rows that have come are lost with this process, so that no later place is one to go on from.
            return
        if self._is_handed_over and not has_rows:
            self._give_back(0.0)
            raise LeaseLost("Handed over to another worker.")
        self._has_read = has_rows
        self.outside.store.tasks.checkpoint(
            self.task.job_id,
            attempt=self.task.attempt,
            query_id=query_id,
            next_uri=READ if has_rows else next_uri,
        )


class _Taken:
    """
    An execution that was resumed; where its place is gone, *again* makes another.
    """

    def __init__(self, execution: Any, again: Callable[[], Execution]) -> None:
        self.__dict__["_execution"] = execution
        self.__dict__["_again"] = again

    def batches(self) -> Any:
        """
        The rows of the one or the other.
        """
        try:
            yield from self._execution.batches()
        except QueryGone:
            # It says so at its first answer, before any row.
            self.__dict__["_execution"] = self._again()
            yield from self._execution.batches()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._execution, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._execution, name, value)


class _Done:
    """
    A statement of which the engine remembers that it was carried out.
    """

    query_id = None
    info_url = None
    update_type = "UPDATE"
    rows_changed = None
    warnings = ("It was carried out; how many rows it changed is not known.",)

    def schema(self) -> Any:
        """See ``Execution.schema``."""
        import pyarrow as pa

        return pa.schema([])

    def batches(self) -> Any:
        """See ``Execution.batches``."""
        yield from ()

    def progress(self) -> Progress:
        """See ``Execution.progress``."""
        return Progress("FINISHED", fraction=1.0)

    def cancel(self) -> None:
        """See ``Execution.cancel``."""


class _Patient:
    """
    A store that is waited for when it is away.
    """

    def __init__(self, part: Any) -> None:
        self._part = part

    @property
    def tasks(self) -> Any:
        return _Patient(self._part.tasks)

    @property
    def stored(self) -> Any:
        return _Patient(self._part.stored)

    def __getattr__(self, name: str) -> Any:
        return lambda *values, **named: _persist(
            lambda: getattr(self._part, name)(*values, **named)
        )


def _persist(change: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + STORE_PATIENCE_S
    delay_s = 0.2
    while True:
        try:
            return change()
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(delay_s)
            delay_s = min(delay_s * 2, 5.0)


def _no_tick(_execution: Execution | None) -> None:
    return None


def _about(action: str, task: Task) -> dict[str, str]:
    return {"action": action, "job_id": str(task.job_id), "attempt": str(task.attempt)}
