"""
The distributed engine: Trino, over its REST protocol.

``client`` speaks the protocol, over ``transport``; ``types`` turns JSON values into Arrow. This module follows a statement from
page to page, and fetches the next page while it decodes this one.

Source: Trino, "Client protocol", https://trino.io/docs/476/develop/client-protocol.html
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from fusion_magic.engines import EngineCapabilities, EngineQuery, Plan, Progress
from fusion_magic.engines.base import BaseEngine, BaseExecution
from fusion_magic.engines.trino.catalogs import TrinoCatalogs
from fusion_magic.engines.trino.client import TrinoClient, failure
from fusion_magic.engines.trino.query_tables import QueryTables, file_tables, result_tables
from fusion_magic.engines.trino.settings import TrinoSettings
from fusion_magic.errors import (
    EngineUnavailable,
    LeaseLost,
    QueryCanceled,
    QueryFailed,
)
from fusion_magic.sql.edits import format_trino_name, quote
from fusion_magic.sql.parameters import format_literal

if TYPE_CHECKING:
    import pyarrow as pa

    from fusion_magic.config import Settings
    from fusion_magic.engines.trino.file_tables import FileTables
    from fusion_magic.engines.trino.hive_tables import ResultTables
    from fusion_magic.engines.trino.spooling import Segments
    from fusion_magic.metadata import Entity

CONCURRENCY = 32
THREADS = 40  # so many jobs can wait in a thread for their answers
# Source: Trino, https://trino.io/docs/476/admin/web-interface.html and io.trino.execution.QueryState
_REASONS = {
    "QUEUED": "waits in Trino's queue",
    "WAITING_FOR_RESOURCES": "waits for Trino's workers",
}


class TrinoEngine(BaseEngine):
    """
    The port ``Engine`` over one Trino cluster.
    """

    name = "trino"
    # Its jobs wait most of the time, so that a few threads serve them all.
    capabilities = EngineCapabilities(
        concurrency=CONCURRENCY,
        threads=THREADS,
        packages={"trino": "trino"},
        makes_catalogs=True,
    )

    def __init__(
        self,
        settings: TrinoSettings,
        *,
        results: Callable[..., ResultTables] | None = None,
        files: Callable[..., FileTables] | None = None,
    ) -> None:
        self._settings = settings
        self._client = TrinoClient(settings)
        self._results = results(run=self._rows) if results is not None else None
        self._files = files(run=self._rows_with) if files is not None else None
        self._tables = QueryTables([kind for kind in (self._results, self._files) if kind])
        self._catalogs = TrinoCatalogs(self._rows)
        self._running: set[TrinoExecution] = set()

    @property
    def default_schema(self) -> tuple[str, ...]:
        """See ``Engine.default_schema``."""
        return self._client.session.default_schema

    @property
    def remote_queries(self) -> TrinoEngine:
        """See ``Engine.remote_queries``."""
        return self

    def dataset_namespace(self) -> str:
        """See ``Engine.dataset_namespace``; the source of the form is OpenLineage's naming specification."""
        return f"trino://{self._settings.address}"

    def session(self) -> Mapping[str, str]:
        """See ``Engine.session``."""
        return self._client.session.headers()

    def result_parts(self, name: str) -> tuple[str, ...] | None:
        """See ``Engine.result_parts``."""
        return self._results.new_name(name) if self._results is not None else None

    def file_parts(self, entity: Entity) -> tuple[str, ...] | None:
        """See ``Engine.file_parts``; a catalog that has the container's own name goes before."""
        if self._files is None or entity.trino_parts[0] in self.catalogs():
            return None
        return self._files.new_name(entity)

    def has_table(self, trino_parts: tuple[str, ...]) -> bool:
        """See ``Engine.has_table``."""
        catalog, schema, table = trino_parts
        return bool(
            self._rows(
                f"SELECT 1 FROM {quote(catalog)}.information_schema.tables "
                f"WHERE table_schema = {format_literal(schema.lower())} "
                f"AND table_name = {format_literal(table.lower())}"
            )
        )

    def about(self) -> str:
        """See ``Engine.about``."""
        kind = self._settings.signs_in_by or "no"
        [(version, user)] = self._rows("SELECT version(), current_user")
        return f"Trino {version} with {kind} authentication as {user}"

    @property
    def catalog_maker(self) -> TrinoCatalogs:
        """See ``Engine.catalog_maker``."""
        return self._catalogs

    def catalogs(self) -> frozenset[str]:
        """See ``Engine.catalogs``."""
        return self._catalogs.names()

    def execute(self, query: EngineQuery) -> TrinoExecution:
        """See ``Engine.execute``."""
        return self._start(query)

    def resume(self, next_uri: str, query: EngineQuery) -> TrinoExecution:
        """See ``RemoteQueries.resume``."""
        return self._start(query, next_uri)

    def state_of(self, query_id: str) -> str | None:
        """See ``RemoteQueries.state_of``."""
        rows = self._rows(
            f"SELECT state FROM system.runtime.queries WHERE query_id = {format_literal(query_id)}"
        )
        return str(rows[0][0]) if rows else None

    def cancel_query(self, query_id: str) -> None:
        """See ``RemoteQueries.cancel_query``."""
        with suppress(QueryFailed):
            self._rows(
                f"CALL system.runtime.kill_query({format_literal(query_id)}, 'Its reader has ended.')"
            )

    def explain(self, query: EngineQuery) -> Plan:
        """See ``Engine.explain``."""
        from fusion_magic.engines.trino.estimates import plan_of

        with self._made(query):
            lines = self._rows(f"EXPLAIN {query.sql}", query.session)
            found = self._rows(f"EXPLAIN (TYPE IO, FORMAT JSON) {query.sql}", query.session)
        return plan_of("\n".join(str(row[0]) for row in lines), str(found[0][0]))

    def describe(self, query_entities: Sequence[Entity]) -> Mapping[str, Mapping[str, str]]:
        """See ``Engine.describe``."""
        found = {}
        for entity in query_entities:
            try:
                rows = self._rows(f"DESCRIBE {format_trino_name(entity.trino_parts)}")
            except QueryFailed:
                continue
            found[entity.fqn] = {str(row[0]): str(row[1]) for row in rows}
        return found

    def close(self) -> None:
        """See ``Engine.close``."""
        for execution in list(self._running):
            execution.cancel()
        self._client.close()

    def _start(self, query: EngineQuery, start_uri: str | None = None) -> TrinoExecution:
        execution = TrinoExecution(
            self._client,
            query,
            ended=self._running.discard,
            start_uri=start_uri,
            tables=self._tables,
        )
        self._running.add(execution)
        return execution

    @contextmanager
    def _made(self, query: EngineQuery) -> Iterator[None]:
        """
        The stored results of *query* as tables.
        """
        tables = self._tables.used_by(query)
        self._tables.make(tables)
        try:
            yield
        finally:
            self._tables.drop(tables)

    def _rows(self, sql: str, session: Mapping[str, str] | None = None) -> list[list[Any]]:
        query = EngineQuery(sql=sql, job_id="", session=session)
        execution = TrinoExecution(self._client, query)
        return [list(row) for batch in execution.batches() for row in _tuples(batch)]

    def _rows_with(self, sql: str, properties: Mapping[str, str]) -> list[list[Any]]:
        return self._rows(sql, self._client.session.with_properties(properties))


class TrinoExecution(BaseExecution):
    """
    The port ``Execution``: one statement, from its first page to its last.
    """

    def __init__(
        self,
        client: TrinoClient,
        query: EngineQuery,
        *,
        ended: Any = None,
        start_uri: str | None = None,
        tables: QueryTables | None = None,
    ) -> None:
        self._client = client
        self._query = query
        self._tables = tables
        self._start_uri = start_uri
        self.checkpoint: Callable[[str | None, str, bool], None] | None = None
        self._ended = ended or (lambda _execution: None)
        self._is_cancelled = threading.Event()
        self._is_done = False
        self._is_for_another = False
        self.next_uri: str | None = None
        self.wait_s: float | None = None
        self._stats: Mapping[str, Any] = {}
        self._schema: pa.Schema | None = None
        self._stream: Generator[pa.RecordBatch | None, None, None] | None = None
        self._ahead: deque[pa.RecordBatch] = deque()
        self._segments: Segments | None = None
        self._error: Exception | None = None

    def schema(self) -> pa.Schema:
        """See ``Execution.schema``."""
        import pyarrow as pa

        stream = self._started()
        while self._schema is None and not self._is_done:
            batch = next(stream, None)
            if batch is not None:
                self._ahead.append(batch)
        return self._schema if self._schema is not None else pa.schema([])

    @property
    def resumable(self) -> TrinoExecution:
        """See ``Execution.resumable``."""
        return self

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """See ``Execution.batches``."""
        with closing(self.arrivals()) as arriving:
            yield from (batch for batch in arriving if batch is not None)

    def arrivals(self) -> Generator[pa.RecordBatch | None, None, None]:
        """See ``Execution.arrivals``."""
        stream = self._started()
        if self._error is not None:
            raise self._error
        with closing(stream):
            while self._ahead:
                yield self._ahead.popleft()
            yield from stream

    def _started(self) -> Generator[pa.RecordBatch | None, None, None]:
        if self._stream is None:
            self._stream = self._run()
        return self._stream

    def _run(self) -> Generator[pa.RecordBatch | None, None, None]:
        with ExitStack() as stack:
            try:
                yield from self._pages(stack)
            except BaseException as exc:
                # Before the stack closes, which waits for the page that is on its way.
                error = self._ended_by(exc)
                self._error = error if isinstance(error, Exception) else None
                if error is exc:
                    raise
                raise error from exc
            finally:
                self._is_done = True
                if self._tables is not None and not self._is_for_another:
                    self._tables.drop(self._stored())
                self._ended(self)

    def _pages(self, stack: ExitStack) -> Iterator[pa.RecordBatch | None]:
        """
        The rows, and None for each page without any, so that a reader with other jobs can turn to them.
        """
        ahead: ThreadPoolExecutor | None = None
        stack.callback(lambda: ahead.shutdown() if ahead is not None else None)
        page = self._first_page()
        while True:
            self._note(page)
            following: Future[Mapping[str, Any]] | None = None
            if self.next_uri is not None and _has_rows(page):
                # Only a query with rows needs a second thread, which fetches while this one decodes.
                ahead = ahead or ThreadPoolExecutor(1, thread_name_prefix="fusion-page")
                self._keep_place(has_rows=True)
                following = ahead.submit(self._next_page, self.next_uri)
            yield from self._decode(page, stack)
            if self._segments is not None:
                yield from self._segments.rows(following.done if following else _never)
            if following is not None:
                page = following.result()
            elif self.next_uri is None:
                return
            else:
                if ahead is not None:
                    # A query that pauses must not hold a thread.
                    ahead.shutdown()
                    ahead = None
                yield None
                self._require_wanted()
                self._keep_place(has_rows=False)
                page = self._next_page(self.next_uri)

    def _stored(self) -> dict[tuple[str, ...], Entity]:
        return self._tables.used_by(self._query) if self._tables is not None else {}

    def _ended_by(self, exc: BaseException) -> BaseException:
        """
        The error that ends the reading. Stops the query, unless another process will read on.
        """
        is_for_another = isinstance(exc, LeaseLost) or (
            isinstance(exc, EngineUnavailable) and self.checkpoint is not None
        )
        self._is_for_another = is_for_another
        if not is_for_another:
            with suppress(EngineUnavailable):
                self._client.cancel(self.next_uri)
        if self._is_cancelled.is_set() and isinstance(exc, Exception):
            return QueryCanceled("The query was canceled.", query_id=self.query_id)
        return exc

    def progress(self) -> Progress:
        """See ``Execution.progress``."""
        stats = self._stats
        percent = stats.get("progressPercentage")
        return Progress(
            state=str(stats.get("state", "WAITING")),
            fraction=percent / 100 if percent is not None else None,
            rows=int(stats.get("processedRows", 0)),
            size_bytes=int(stats.get("processedBytes", 0)),
            elapsed_s=float(stats.get("elapsedTimeMillis", 0)) / 1000,
            splits_done=int(stats.get("completedSplits", 0)),
            splits_total=int(stats.get("totalSplits", 0)),
            reason=self._waits_for() or _REASONS.get(str(stats.get("state")), ""),
        )

    def cancel(self) -> None:
        """See ``Execution.cancel``."""
        if self._is_done:
            return
        self._is_cancelled.set()
        self._client.cancel(self.next_uri)

    def _waits_for(self) -> str:
        url = self._client.login_url
        return f"waits until you have logged in at {url}" if url else ""

    def _first_page(self) -> Mapping[str, Any]:
        if self._start_uri is None:
            properties = self._tables.make(self._stored()) if self._tables is not None else {}
            return self._client.submit(
                self._query, properties={**_limits(self._query), **properties}
            )
        self.next_uri = self._start_uri
        return self._next_page(self._start_uri)

    def _next_page(self, uri: str) -> Mapping[str, Any]:
        is_remembered = self._query.session is None
        return self._client.next_page(uri, wait_s=self.wait_s, is_remembered=is_remembered)

    def _note(self, page: Mapping[str, Any]) -> None:
        """
        What *page* says of the query.
        """
        self.query_id = page.get("id", self.query_id)
        self.info_url = page.get("infoUri", self.info_url)
        self._stats = page.get("stats", self._stats)
        self.update_type = page.get("updateType", self.update_type)
        self.rows_changed = page.get("updateCount", self.rows_changed)
        self.warnings = tuple(w["message"] for w in page.get("warnings") or ()) or self.warnings
        self.next_uri = page.get("nextUri")
        if self._schema is None and page.get("columns") and self.update_type is None:
            from fusion_magic.engines.trino.types import schema_of

            self._schema = schema_of(page["columns"])
        if page.get("error"):
            raise failure(page["error"], self._query.sql, self.query_id)
        self._require_wanted()
        if self.next_uri is None and self._stats.get("state") not in {"FINISHED", None}:
            raise EngineUnavailable(
                "Trino ended the result before the query was finished.", query_id=self.query_id
            )

    def _require_wanted(self) -> None:
        if self._is_cancelled.is_set():
            raise QueryCanceled("The query was canceled.", query_id=self.query_id)

    def _keep_place(self, *, has_rows: bool) -> None:
        if self.checkpoint is not None and self.next_uri is not None:
            self.checkpoint(self.query_id, self.next_uri, has_rows)

    def _decode(self, page: Mapping[str, Any], stack: ExitStack) -> Iterator[pa.RecordBatch]:
        from fusion_magic.engines.trino.pages import decode_page
        from fusion_magic.engines.trino.spooling import Segments

        data = page.get("data")
        if not data or self._schema is None or self.update_type is not None:
            return
        if isinstance(data, Mapping):
            if self._segments is None:
                self._segments = stack.enter_context(closing(Segments(self._client)))
            yield from self._segments.read(data, page["columns"], self._schema)
        else:
            yield from decode_page(page["columns"], data, self._schema)


def _never() -> bool:
    return False


def _has_rows(page: Mapping[str, Any]) -> bool:
    data = page.get("data")
    return bool(data["segments"] if isinstance(data, Mapping) else data)


def open_engine(settings: Settings) -> TrinoEngine:
    """
    The engine for the program's settings.

    Raises:
        MissingExtra: The packages for Trino are not installed.
        InvalidSettings: The URL or the authentication is wrong.
    """
    own = TrinoSettings.from_url(
        settings.engine_url,
        user=settings.owner,
        password=settings.engine_password,
        token=settings.engine_token,
        auth=settings.engine_auth,
        certificate=settings.engine_certificate,
        key=settings.engine_key,
    )
    return TrinoEngine(own, results=result_tables(settings), files=file_tables(settings))


def _limits(query: EngineQuery) -> Mapping[str, str]:
    """
    The session's properties that hold one statement to its limits.
    """
    if query.max_scan_bytes is None:
        return {}
    return {"query_max_scan_physical_bytes": f"{query.max_scan_bytes}B"}


def _tuples(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
