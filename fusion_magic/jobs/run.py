"""
One statement from its text to its rows: a durable job, whatever happens.

The job's row is written first, and its final state last. An error leaves FAILED with the text that
the user saw, an interrupt CANCELED; a statement that writes and was complete before the interrupt
reached the engine is FINISHED, because it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from fusion_magic.engines import Engine, Execution, Progress
from fusion_magic.errors import FusionError, QueryCanceled, StoreError
from fusion_magic.jobs.drain import Drain
from fusion_magic.jobs.names import Names
from fusion_magic.jobs.notices import find_notices
from fusion_magic.jobs.outbox import Lineage, build_lineage
from fusion_magic.jobs.prepare import Parameters, Translation, prepare
from fusion_magic.results import Result
from fusion_magic.store import NewJob, Outcome, Store

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    What the user asked for.

    Attributes:
        text: One statement.
        params: Values of its ``:name`` placeholders.
        limit: Most rows wanted, or None.
        has_lineage: Whether lineage is recorded.
        origin: The notebook or script it comes from; empty where unknown.
        owner: Who asks.
        profile: The profile of the settings.
    """

    text: str
    params: Parameters | None = None
    limit: int | None = None
    has_lineage: bool = True
    origin: str = ""
    owner: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """
    What a run needs of the rooms outside.
    """

    store: Store
    engine: Engine
    max_memory: int


def run(
    request: Request,
    names: Names,
    outside: Outside,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Result, Translation]:
    """
    Run one statement as a job.

    Args:
        on_progress: Called in this thread about ten times a second while the engine works.

    Raises:
        StoreUnavailable: The job could not be written; nothing was run.
        FusionError: Whatever the statement or the engine is to blame for; ``job_id`` names the job.
        KeyboardInterrupt: After the query was stopped on the engine.
    """
    started = time.perf_counter()
    job_id = uuid4()
    outside.store.create(
        NewJob(
            id=job_id,
            user_query=request.text,
            owner=request.owner,
            origin=request.origin,
            engine=outside.engine.name,
            profile=request.profile,
        )
    )
    with _recorded(outside.store, job_id):
        translation = prepare(request.text, names, params=request.params, limit=request.limit)
        outside.store.queue(
            job_id,
            converted_query=translation.converted_query,
            limit_=translation.limit,
            offset_=translation.offset,
            models=translation.models,
        )
        outside.store.start(job_id)
        run_ = _Run(job_id, request, translation, outside)
        result = run_.use() if translation.prefix is not None else run_.drive(on_progress)
    result.elapsed_s = time.perf_counter() - started
    return result, translation


@contextmanager
def _recorded(store: Store, job_id: UUID) -> Iterator[None]:
    """
    Whatever leaves this block is written down as the job's end before it goes on its way.
    """
    try:
        yield
    except (KeyboardInterrupt, QueryCanceled) as error:
        if isinstance(error, FusionError):
            error.job_id = str(job_id)
        _close(job_id, lambda: store.cancel(job_id))
        raise
    except FusionError as error:
        error.job_id = str(job_id)
        message, hint = error.message, error.hint
        _close(job_id, lambda: store.fail(job_id, error=message, hint=hint))
        raise
    except BaseException as error:
        message = f"An error inside fusion-magic: {type(error).__name__}."
        _close(job_id, lambda: store.fail(job_id, error=message))
        raise


def _close(job_id: UUID, change: Callable[[], None]) -> None:
    try:
        change()
    except StoreError:
        # The first error is the one that the user must see.
        logger.warning("job end not recorded", extra={"action": "close", "job_id": str(job_id)})


@dataclass(slots=True)
class _Run:
    job_id: UUID
    request: Request
    translation: Translation
    outside: Outside
    known_query_id: str | None = None

    def use(self) -> Result:
        """
        USE is kept here and completes later names; the engine is not asked.
        """
        import pyarrow as pa

        self.outside.store.finish(self.job_id, Outcome())
        return Result(
            pa.table({}),
            job_id=str(self.job_id),
            update_type="USE",
            converted_query=self.translation.converted_query,
        )

    def drive(self, on_progress: Callable[[Progress], None] | None) -> Result:
        query = self.translation.engine_query(
            str(self.job_id), tags=(self.request.origin,) if self.request.origin else ()
        )
        drain = Drain(self.outside.engine, query, max_memory=self.outside.max_memory)
        drain.start()
        try:
            # The engine works meanwhile, so that lineage costs the user next to nothing.
            lineage = self._lineage()
            drain.wait(lambda execution: self._tick(execution, on_progress))
            return self._finish(drain, lineage)
        except FusionError as error:
            drain.cancel()
            raise self.translation.located(error) from error.__cause__
        except BaseException as interrupt:
            self._stop(drain, interrupt)
            raise

    def _stop(self, drain: Drain, interrupt: BaseException) -> None:
        drain.cancel()
        is_written = drain.is_complete and not self.translation.statement.is_query
        if isinstance(interrupt, KeyboardInterrupt) and is_written:
            self._finish(drain, self._lineage())

    def _lineage(self) -> Lineage:
        if not self.translation.references:
            return Lineage()
        return build_lineage(self.translation, origin=self.request.origin)

    def _tick(
        self, execution: Execution | None, on_progress: Callable[[Progress], None] | None
    ) -> None:
        if execution is None:
            return
        self._record_query_id(execution.query_id)
        if on_progress is not None:
            on_progress(execution.progress())

    def _record_query_id(self, query_id: str | None) -> None:
        if query_id is not None and query_id != self.known_query_id:
            self.outside.store.record_query_id(self.job_id, query_id)
            self.known_query_id = query_id

    def _finish(self, drain: Drain, lineage: Lineage) -> Result:
        self._record_query_id(drain.query_id)
        table = drain.table()
        recorded = lineage if self.request.has_lineage else Lineage()
        self.outside.store.finish(
            self.job_id,
            Outcome(
                queue=recorded.queue,
                column_edges=recorded.column_edges,
                row_count=table.num_rows,
                size_bytes=table.nbytes,
            ),
        )
        return self._result(table, drain.execution, lineage)

    def _result(self, table: pa.Table, execution: Execution | None, lineage: Lineage) -> Result:
        notices = find_notices(self.translation, lineage)
        missing = lineage.missing if self.request.has_lineage else ()
        own = execution.warnings if execution is not None else ()
        return Result(
            table,
            job_id=str(self.job_id),
            query_id=execution.query_id if execution is not None else None,
            update_type=execution.update_type if execution is not None else None,
            rows_changed=execution.rows_changed if execution is not None else None,
            warnings=(*notices, *missing, *own),
            converted_query=self.translation.converted_query,
        )
