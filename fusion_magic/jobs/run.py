"""
A queued job from the engine's first answer to its final state: driven by the cell's own thread, or by a worker.

An error leaves FAILED with the text that the user saw, a cancel CANCELED; a statement that writes and was complete
before the cancel reached the engine is FINISHED, because it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from fusion_magic.engines import Engine, EngineQuery, Execution, Progress
from fusion_magic.errors import FusionError, StoreError
from fusion_magic.jobs.governance import DEFAULT_RULES, GovernanceRules, find_notices
from fusion_magic.jobs.limits import NO_LIMITS, Limits, check_limits
from fusion_magic.jobs.lineage_rows import LineageRows, build_lineage_rows
from fusion_magic.jobs.options import RunOptions
from fusion_magic.jobs.readers import MemorySink, ResultReader, Sink, StorageSink
from fusion_magic.jobs.resolve import NameResolver
from fusion_magic.jobs.result_cache import NOTICE, find_reusable, fingerprint_of, require_reusable
from fusion_magic.jobs.stored_results import open_result
from fusion_magic.jobs.submit import Request, Submitted, recorded, submit
from fusion_magic.jobs.translate import Translation
from fusion_magic.results import Result
from fusion_magic.store import Job, Outcome, Store

if TYPE_CHECKING:
    from fusion_magic.metadata import Metadata
    from fusion_magic.results.storage import ResultStorage

CANCEL_CHECK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobServices:
    """
    What a run needs of the rooms outside.

    Attributes:
        rules: What is told of tables, and what refuses a statement.
        heartbeat_if_due: Says now and then that this process is alive; for jobs that it runs itself.
    """

    store: Store
    engine: Engine
    metadata: Metadata
    storage: ResultStorage
    max_memory: int
    engine_url: str
    rules: GovernanceRules = DEFAULT_RULES
    heartbeat_if_due: Callable[[], object] = str


def run(
    request: Request,
    names: NameResolver,
    services: JobServices,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Result, Translation]:
    """
    Run one statement as a job and wait for its rows.

    Args:
        on_progress: Called in this thread about ten times a second while the engine works.

    Raises:
        StoreUnavailable: The job could not be written; nothing was run.
        FusionError: Whatever the statement or the engine is to blame for; ``job_id`` names the job.
        KeyboardInterrupt: After the query was stopped on the engine.
    """
    started = time.perf_counter()
    submitted = submit(request, names, services.store, rules=services.rules)
    with recorded(services.store, submitted.job_id):
        run_ = Run(submitted, services)
        if submitted.translation.prefix is not None:
            result = run_.use()
        else:
            result = run_.drive(lambda execution: run_.tick(execution, on_progress))
    result.elapsed_s = time.perf_counter() - started
    return result, submitted.translation


@dataclass(slots=True)
class Run:
    """
    One job that is RUNNING.

    Attributes:
        is_stored: Whether the rows go to storage; a named result always does.
        attempt: For a worker: which attempt this is, so that a later one wins.
        execute: Hands the statement to the engine; a worker may resume there instead.
        drain_kind: In which thread the rows are taken.
        known_query_id: The engine's id of the query, once it is written down.
        unchecked: Which limits could not be checked before the run.
    """

    submitted: Submitted
    services: JobServices
    is_stored: bool = False
    attempt: int | None = None
    execute: Callable[[EngineQuery], Execution] | None = None
    reader_class: type[ResultReader] = ResultReader
    reader: ResultReader | None = None
    known_query_id: str | None = None
    unchecked: tuple[str, ...] = ()
    _cancel_checked_at: float = field(default_factory=time.monotonic)

    @property
    def job_id(self) -> UUID:
        """
        The job's id.
        """
        return self.submitted.job_id

    @property
    def translation(self) -> Translation:
        """
        The job's statement with its names resolved.
        """
        return self.submitted.translation

    @property
    def request(self) -> Request:
        """
        What was asked for.
        """
        return self.submitted.request

    @property
    def options(self) -> RunOptions:
        """
        What was asked for beside the statement.
        """
        return self.submitted.request.options

    def use(self) -> Result:
        """
        USE is kept here and completes later names; the engine is not asked.
        """
        self.services.store.jobs.finish(self.job_id, Outcome(update_type="USE"))
        return Result.without_rows(
            job_id=str(self.job_id),
            update_type="USE",
            converted_query=self.translation.converted_query,
        )

    def drive(self, on_tick: Callable[[Execution | None], None]) -> Result:
        """
        Run the statement to its end and record what it leaves behind.
        """
        steps = self.steps(on_tick)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return] # the generator's result, which StopIteration carries untyped

    def steps(self, on_tick: Callable[[Execution | None], None]) -> Generator[None, None, Result]:
        """
        ``drive`` that gives way wherever there is nothing to do until the engine has news.
        """
        if self.options.reuse_s is not None:
            require_reusable(self.translation)
            found = self._find_reusable(self.options.reuse_s)
            if found is not None:
                return self._reuse(found)
        sink = self._sink()
        execute = self.execute or self.begin
        query = self.query()
        reader = self.reader = self.reader_class(
            lambda: execute(query), sink, label=str(self.job_id)[:8]
        )
        reader.start()
        try:
            # The engine works meanwhile, so that lineage costs the user next to nothing.
            lineage = self._lineage()
            yield from reader.wait(on_tick)
            return self._finish(reader, sink, lineage)
        except FusionError as error:
            reader.cancel()
            raise self.translation.located(error) from error.__cause__
        except BaseException as interrupt:
            self._stop(reader, sink, interrupt)
            raise

    def query(self) -> EngineQuery:
        """
        What the engine is given.
        """
        origin = self.options.origin
        return self.translation.engine_query(
            str(self.job_id),
            tags=(origin,) if origin else (),
            max_scan_bytes=self._limits.max_scan_bytes,
        )

    def begin(self, query: EngineQuery) -> Execution:
        """
        Hand the statement to the engine, unless that expects more than the limits allow.
        """
        engine = self.services.engine
        self.unchecked = check_limits(engine, self.translation, self._limits)
        return engine.execute(query)

    def tick(
        self, execution: Execution | None, on_progress: Callable[[Progress], None] | None
    ) -> None:
        """
        What the waiting thread does now and then: note the query's id, show progress, look for a cancel.
        """
        if time.monotonic() - self._cancel_checked_at > CANCEL_CHECK_S:
            self._cancel_checked_at = time.monotonic()
            with suppress(StoreError):
                # A heartbeat that is late is sent a second later.
                self.services.heartbeat_if_due()
            if self.services.store.jobs.is_cancel_wanted(self.job_id) and self.reader is not None:
                self.reader.cancel()
        if execution is None:
            return
        self._record_query_id(execution.query_id)
        if on_progress is not None:
            on_progress(execution.progress())

    @property
    def _limits(self) -> Limits:
        return NO_LIMITS if self.options.acknowledge is not None else self.services.rules.limits

    def _sink(self) -> Sink:
        if not (self.is_stored or self.options.name or self.options.reuse_s is not None):
            return MemorySink(self.services.max_memory)
        writer = self.services.storage.writer(
            self.options.name or "", f"{self.job_id}-{self.attempt or 1}"
        )
        facts: dict[str, object] = {"job": str(self.job_id), "name": self.options.name}
        return StorageSink(writer, self.options.name or "", facts)

    def _find_reusable(self, age_s: float) -> Job | None:
        services = self.services
        return find_reusable(
            self.translation,
            services.store,
            services.metadata,
            engine_url=services.engine_url,
            owner=self.request.owner,
            age_s=age_s,
        )

    def _reuse(self, found: Job) -> Result:
        """
        The rows of *found* as this job's.
        """
        lineage = self._lineage()
        recorded_lineage = lineage if self.options.lineage else LineageRows()
        outcome = Outcome(
            queue=recorded_lineage.queue,
            column_edges=recorded_lineage.column_edges,
            row_count=found.row_count,
            size_bytes=found.size_bytes,
            result_name=self.options.name,
            result_path=found.result_path,
        )
        self.services.store.jobs.finish(self.job_id, outcome, attempt=self.attempt)
        result = open_result(found)
        result.job_id, result.name = str(self.job_id), self.options.name or ""
        result.warnings = (NOTICE, *find_notices(self.translation, lineage, self.services.rules))
        return result

    def _stop(self, reader: ResultReader, sink: Sink, interrupt: BaseException) -> None:
        reader.cancel_and_wait()
        is_written = reader.is_complete and not self.translation.is_query
        if isinstance(interrupt, KeyboardInterrupt) and is_written:
            self._finish(reader, sink, self._lineage())

    def _lineage(self) -> LineageRows:
        if not self.translation.references:
            return LineageRows()
        return build_lineage_rows(
            self.translation, origin=self.options.origin, result_name=self.options.name or ""
        )

    def _record_query_id(self, query_id: str | None) -> None:
        if query_id is not None and query_id != self.known_query_id:
            self.services.store.jobs.record_query_id(self.job_id, query_id)
            self.known_query_id = query_id

    def _finish(self, reader: ResultReader, sink: Sink, lineage: LineageRows) -> Result:
        execution = reader.execution
        assert execution is not None  # noqa: S101 - the drain has ended without an error
        self._record_query_id(execution.query_id)
        recorded_lineage = lineage if self.options.lineage else LineageRows()
        outcome = Outcome(
            queue=recorded_lineage.queue,
            column_edges=recorded_lineage.column_edges,
            row_count=sink.row_count,
            size_bytes=sink.size_bytes,
            result_name=self.options.name if sink.path else None,
            result_path=sink.path,
            update_type=execution.update_type,
            rows_changed=execution.rows_changed,
            fingerprint=(
                fingerprint_of(self.translation, self.services.engine_url) if sink.path else None
            ),
        )
        try:
            self.services.store.jobs.finish(self.job_id, outcome, attempt=self.attempt)
        except BaseException:
            sink.abort()
            raise
        return self._result(sink, execution, lineage)

    def _result(self, sink: Sink, execution: Execution, lineage: LineageRows) -> Result:
        notices = find_notices(self.translation, lineage, self.services.rules)
        missing = lineage.missing if self.options.lineage else ()
        return sink.result(
            job_id=str(self.job_id),
            query_id=execution.query_id,
            update_type=execution.update_type,
            rows_changed=execution.rows_changed,
            warnings=(*self.unchecked, *notices, *missing, *execution.warnings),
            converted_query=self.translation.converted_query,
        )
