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
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from fusion_magic.engines import Engine, EngineQuery, Execution, Progress
from fusion_magic.engines.base import BaseExecution
from fusion_magic.errors import (
    EngineBusy,
    EngineRefuses,
    EngineUnavailable,
    FusionError,
    JobFailed,
    LeaseLost,
    QueryCanceled,
    QueryGone,
    ResultsUnavailable,
    UnsupportedSql,
)
from fusion_magic.jobs.readers import BlockingResultReader
from fusion_magic.jobs.run import JobServices, Run
from fusion_magic.jobs.submit import Request, recorded
from fusion_magic.jobs.translate import Translation
from fusion_magic.processes.payload import from_payload, to_payload
from fusion_magic.processes.retrying import RetryingStore
from fusion_magic.store import NewTask, ResumePoint, Task

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

ENGINE_PATIENCE_S = 600.0  # an engine that is away for longer fails the job
FIRST_DELAY_S = (
    0.5  # before an engine that has no room, or is away, is asked again; doubled each time
)
LONGEST_DELAY_S = 20.0
_FOR_THIS_PROCESS = frozenset({"USE", "SET", "RESET", "PREPARE", "DEALLOCATE"})
BEGUN = "begun"  # the place of a statement on an engine that has no places
READ = "read"  # the place of a query of which rows have come: they are lost with their reader


def new_task(
    request: Request,
    translation: Translation,
    engine: Engine,
    *,
    engine_url: str,
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
        priority=request.options.priority,
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
                hint=f"{engine.capabilities.sharing_hint}, or run the statement without --async.",
                span=reference.place,
            )


@dataclass(slots=True)
class TaskAttempt:
    """
    One attempt at a claimed job, in its caller's time. ``cancel`` and ``hand_over`` are for other threads.

    Args:
        max_attempts: How often a job is begun at most.

    Attributes:
        pause_s: Seconds for which the run has nothing to do; None where it waits for the engine's news.
        has_ended: Whether this attempt is over.
    """

    task: Task
    services: JobServices
    max_attempts: int
    pause_s: float | None = None
    has_ended: bool = False
    _wait_s: float | None = None
    _run: Run | None = None
    _steps: Generator[float | None, None, None] | None = None
    _query_id: str | None = None
    _place: str | None = None  # that is written down
    _losses: int = 0
    _waits_for: str = ""
    _is_handed_over: bool = False
    _is_cancelled: bool = False
    _is_lost: bool = False

    def __post_init__(self) -> None:
        self.services = replace(self.services, store=RetryingStore(self.services.store))
        self._query_id, self._place = self.task.query_id, self.task.next_uri

    def advance(self, *, wait_s: float | None = None) -> None:
        """
        Work until there is nothing to do for a while (``pause_s``), or no more (``has_ended``). Raises nothing.

        Args:
            wait_s: See ``Resumable.wait_s``.
        """
        task = self.task
        self._wait_s = wait_s
        execution = self._execution()
        if execution is not None and execution.resumable is not None:
            execution.resumable.wait_s = wait_s
        self._steps = self._steps or self._attempt()
        try:
            with recorded(self.services.store, task.job_id, attempt=task.attempt):
                for pause_s in self._steps:
                    self.pause_s = pause_s
                    return
        except LeaseLost:
            logger.info("job left to another", extra=_about("left", task))
        except FusionError:
            logger.info("job ended with an error", extra=_about("ended", task))
        except Exception:
            logger.exception("job ended with a fault of ours", extra=_about("fault", task))
        self.has_ended = True

    @property
    def place(self) -> ResumePoint | None:
        """
        What must be written down before the run goes on; None where nothing must.
        """
        execution = self._execution()
        if execution is None or execution.resumable is None:
            return None
        next_uri = execution.resumable.next_uri
        if next_uri is None or next_uri == self._place or self._place == READ:
            return None
        return ResumePoint(
            job_id=self.task.job_id,
            attempt=self.task.attempt,
            query_id=execution.query_id if execution.query_id != self._query_id else None,
            next_uri=next_uri,
        )

    def keep(self, place: ResumePoint, *, is_lost: bool) -> None:
        """
        That place is written down, or was refused since another worker has the job.
        """
        self._is_lost = is_lost
        self._note(place.query_id, place.next_uri)

    def cancel(self) -> None:
        """
        Stop the statement on the engine.
        """
        self._is_cancelled = True
        if self._run is not None and self._run.reader is not None:
            self._run.reader.cancel()

    def hand_over(self) -> None:
        """
        Let go of the job as soon as it can be taken up elsewhere; its statement goes on.
        """
        self._is_handed_over = True

    def progress(self) -> str | None:
        """
        How far it is, as JSON; None before the engine has it.
        """
        if self._waits_for:
            data = asdict(Progress("WAITING", reason=f"waits: {self._waits_for}"))
        elif (execution := self._execution()) is not None:
            data = {**asdict(execution.progress()), "info_url": execution.info_url}
        else:
            return None
        return json.dumps(data, separators=(",", ":"))

    def _execution(self) -> Execution | None:
        reader = self._run.reader if self._run is not None else None
        return reader.execution if reader is not None else None

    def _attempt(self) -> Generator[float | None, None, None]:
        """
        The job, begun again for as long as the engine has no room, is away, or has forgotten it.
        """
        task = self.task
        if task.attempt > self.max_attempts:
            raise JobFailed(
                f"Given up: {self.max_attempts} workers that ran it ended before it did.",
                hint="Their log files tell why; submit the query again when that is mended.",
            )
        submitted = from_payload(task)
        self._remove_earlier_attempts()
        delays, away_since = _delays(), None
        while True:
            self._run = Run(
                submitted,
                self.services,
                is_stored=True,
                attempt=task.attempt,
                execute=self._execute,
                reader_class=BlockingResultReader,
            )
            try:
                for _ in self._run.steps(_no_tick):
                    delays, away_since = _delays(), None
                    yield None
                return
            except (EngineBusy, EngineUnavailable, QueryGone) as error:
                away_since = away_since or time.monotonic()
                self._require_repeatable(error, away_since)
                self._waits_for = error.message
            yield next(delays)
            self._waits_for = ""
            self._require_kept()

    def _remove_earlier_attempts(self) -> None:
        """
        Their workers could not, who were killed; what cannot be removed is in nobody's way.
        """
        if self.task.attempt > 1:
            with suppress(ResultsUnavailable):
                self.services.storage.remove_attempts(
                    str(self.task.job_id), before=self.task.attempt
                )

    def _require_repeatable(self, error: FusionError, away_since: float) -> None:
        """
        Raise *error* where it is the job's end.
        """
        if self._is_cancelled:
            raise QueryCanceled("The query was canceled.") from error
        if isinstance(error, EngineRefuses):
            raise error
        if isinstance(error, EngineBusy):
            if error.is_begun and not self._is_query:
                raise error
            # It ended there without having done anything: it can be begun as if for the first time.
            self._write_down(None, None)
            return
        is_gone = isinstance(error, QueryGone)
        if is_gone or (self._place == READ and not isinstance(error, _NoAnswer)):
            # The statement is lost, with its rows or without: begun again, it is a new attempt in all but the number.
            self._losses += 1
            if self.task.attempt + self._losses > self.max_attempts:
                raise error
        if is_gone:
            self._write_down(None, READ)
        elif time.monotonic() - away_since > ENGINE_PATIENCE_S:
            raise error

    @property
    def _is_query(self) -> bool:
        return self._run is not None and self._run.translation.is_query

    def _execute(self, query: EngineQuery) -> Execution:
        """
        What ``Engine.execute`` is to a cell: the statement begun, or taken up.
        """
        if self._is_cancelled:
            raise QueryCanceled("The query was canceled.")
        if self._place is None:
            return self._begin(query)
        queries = self.services.engine.remote_queries
        if self._place in {BEGUN, READ} or queries is None:
            return self._again(query)
        return self._watched(queries.resume(self._place, query))

    def _begin(self, query: EngineQuery) -> Execution:
        self._place = None
        if self.services.engine.remote_queries is None:
            self._write_down(None, BEGUN)
        assert self._run is not None  # noqa: S101 - a run is what asks
        return self._watched(self._run.begin(query))

    def _watched(self, execution: Execution) -> Execution:
        if execution.resumable is not None:
            execution.resumable.checkpoint = self._checkpoint
            execution.resumable.wait_s = self._wait_s
        return execution

    def _again(self, query: EngineQuery) -> Execution:
        """
        The statement once more, if that is safe.
        """
        query_id, queries = self._query_id, self.services.engine.remote_queries
        state = None
        if query_id and queries is not None:
            state = _ask(lambda: queries.state_of(query_id))
        if not query.is_query:
            if state == "FINISHED":
                return _Done()
            if not self._is_target_absent(query):
                raise JobFailed(
                    "Whether its statement was carried out is not known: the worker that ran it, or the engine, has "
                    "ended meanwhile.",
                    hint="Look at its target, then submit the query again if it must be.",
                    query_id=query_id,
                )
        if query_id and queries is not None and state not in {None, "FINISHED", "FAILED"}:
            queries.cancel_query(query_id)
        return self._begin(query)

    def _is_target_absent(self, query: EngineQuery) -> bool:
        kind = self._run.translation.kind if self._run is not None else ""
        return (
            kind in {"CREATE TABLE AS", "CREATE TABLE", "CREATE VIEW"}
            and bool(query.targets)
            and not _ask(lambda: any(map(self.services.engine.has_table, query.targets)))
        )

    def _checkpoint(self, query_id: str | None, next_uri: str, has_rows: bool) -> None:
        if self._place == READ:
            # Rows that have come are lost with this process, so that no later place is one to go on from.
            return
        if not has_rows:
            self._require_kept()
        place = READ if has_rows else next_uri
        if place != self._place:
            self._write_down(query_id, place)

    def _require_kept(self) -> None:
        if self._is_lost:
            raise LeaseLost("Another worker has the job.")
        if self._is_handed_over:
            self.services.store.tasks.release(self.task.job_id, attempt=self.task.attempt)
            raise LeaseLost("Handed over to another worker.")

    def _write_down(self, query_id: str | None, place: str | None) -> None:
        self.services.store.tasks.checkpoint(
            self.task.job_id, attempt=self.task.attempt, query_id=query_id, next_uri=place
        )
        self._note(query_id, place)

    def _note(self, query_id: str | None, place: str | None) -> None:
        self._place = place
        self._query_id = query_id or self._query_id
        if self._run is not None:
            self._run.known_query_id = self._query_id


class _NoAnswer(EngineUnavailable):
    """
    The engine had no answer to a question about the job's statement, which says nothing of the statement itself.
    """


def _ask(question: Callable[[], _Answer]) -> _Answer:
    try:
        return question()
    except EngineRefuses:
        raise
    except (EngineBusy, EngineUnavailable) as error:
        raise _NoAnswer(error.message, hint=error.hint) from error


def _delays() -> Iterator[float]:
    """
    Seconds to wait before each further try.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    longest_s = FIRST_DELAY_S
    while True:
        yield longest_s * random.uniform(0.5, 1)  # noqa: S311 - a pause
        longest_s = min(2 * longest_s, LONGEST_DELAY_S)


class _Done(BaseExecution):
    """
    A statement of which the engine remembers that it was carried out.
    """

    update_type = "UPDATE"
    warnings = ("It was carried out; how many rows it changed is not known.",)

    def schema(self) -> pa.Schema:
        """See ``Execution.schema``."""
        import pyarrow as pa

        return pa.schema([])

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """See ``Execution.batches``."""
        yield from ()

    def progress(self) -> Progress:
        """See ``Execution.progress``."""
        return Progress("FINISHED", fraction=1.0)

    def cancel(self) -> None:
        """See ``Execution.cancel``."""


def _no_tick(_execution: Execution | None) -> None:
    return None


def _about(action: str, task: Task) -> dict[str, str]:
    return {"action": action, "job_id": str(task.job_id), "attempt": str(task.attempt)}
