"""
Settings to a wired ``Fusion``: the one place that picks implementations.

Each part is made when it is first needed, so that connecting costs nothing and a mistake in one
setting shows where that part is used.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

from fusion_magic.config import Settings, load_settings, without_secret
from fusion_magic.errors import (
    FusionError,
    InvalidArgument,
    InvalidSettings,
    StoreError,
    UnknownFqn,
    UnknownJob,
)

if TYPE_CHECKING:
    from fusion_magic.doctor import Check
    from fusion_magic.engines import Engine, Plan, Progress
    from fusion_magic.handle import JobHandle
    from fusion_magic.jobs.resolve import NameResolver
    from fusion_magic.jobs.run import JobServices
    from fusion_magic.jobs.submit import Request
    from fusion_magic.jobs.translate import Parameters, Translation, WriteTarget
    from fusion_magic.lineage_graph import LineageGraph
    from fusion_magic.metadata import Column, Entity, Metadata
    from fusion_magic.processes.recovery import Driver
    from fusion_magic.processes.scheduler import Scheduler
    from fusion_magic.processes.worker import Worker
    from fusion_magic.results import Result
    from fusion_magic.results.storage import ResultStorage, StoredResult
    from fusion_magic.store import ColumnEdge, Job, ModelRow, QueueRow, Store

CATALOG_FILE = "catalog.yaml"
LOOK_EVERY_S = 1.0  # most often, for jobs that were left
DELIVER_AFTER_S = 5.0  # after a cell, where a receiver waits for its lineage
_Done = TypeVar("_Done")


def connect(profile: str | None = None, **settings: Any) -> Fusion:
    """
    A ``Fusion`` for these settings; nothing is opened yet.

    Args:
        profile: A ``[profiles.NAME]`` table of the configuration.

        settings: ``engine_url``, ``store_url``, ``metadata_url``, ``data_dir`` …: they go before files and environment.

    Raises:
        InvalidSettings: A key, a value or a file of the configuration is wrong.
    """
    return Fusion(load_settings(profile, overrides=settings))


class Fusion:
    """
    SQL over OpenMetadata's names, each statement a durable job. Safe to use from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._prefix: tuple[str, ...] = ()
        self._looked_at = float("-inf")
        self._said: set[str] = set()
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()

    @cached_property
    def store(self) -> Store:
        """
        The job store, opened.
        """
        with self._lock:
            from fusion_magic.store.sql.jobs import open_store

            return open_store(self.settings.store_url)

    @cached_property
    def _driver(self) -> Driver:
        """
        This process as one that runs jobs itself. Before the first of them, those that others left are ended.
        """
        from fusion_magic.processes.recovery import Driver

        self._look()
        return Driver(self.store.drivers, self.engine_key)

    @cached_property
    def metadata(self) -> Metadata:
        """
        Where names are looked up.
        """
        from fusion_magic.metadata.catalog_file.metadata import CatalogFileMetadata, find_catalog

        url = self.settings.metadata_url
        if url.startswith(("http://", "https://")):
            raise InvalidSettings(
                f"metadata.url is {without_secret(url)}, but this version reads catalog files only.",
                hint=f"Give the path of a {CATALOG_FILE}.",
            )
        path = Path(url).expanduser() if url else find_catalog(Path.cwd())
        return CatalogFileMetadata(path, cache_dir=self.settings.data_dir / "cache")

    @cached_property
    def engine(self) -> Engine:
        """
        What runs the SQL.
        """
        url = self.settings.engine_url
        scheme = url.partition(":")[0]
        if scheme == "duckdb":
            from fusion_magic.engines.duckdb.engine import DuckDBEngine

            return DuckDBEngine(url)
        if scheme in {"trino", "http", "https"}:
            from fusion_magic.engines.trino.engine import open_trino

            return open_trino(self.settings)
        raise InvalidSettings(
            f"engine.url is {without_secret(url)}, which names no engine.",
            hint="It starts with duckdb:// or trino://.",
        )

    def run(
        self,
        sql: str,
        *,
        params: Parameters | None = None,
        refs: Mapping[str, str] | None = None,
        name: str | None = None,
        into: str | None = None,
        if_exists: str = "fail",
        cache: str | None = None,
        limit: int | None = None,
        lineage: bool = True,
        origin: str = "",
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Result:
        """
        Run one statement as a job and wait for its rows.

        Args:
            sql: One statement of Trino's SQL, its tables by FQN.

            params: Values for ``:name`` placeholders, or a function from name to value that raises ``KeyError``.

            refs: Aliases for FQNs.

            name: Store the rows under this name too, from where other notebooks and later SQL read them.

            into: Let the engine write the rows to this table, named by an FQN, instead of giving them.

            if_exists: Where that table exists: ``fail``, ``append`` the rows or ``replace`` it.

            cache: An age such as ``1h``: rows that the same query of yours has stored within it are given again.

            limit: Most rows wanted.

            lineage: Whether what OpenMetadata must learn is queued.

            origin: The notebook or script, which counts as the target of a query's rows.

            on_progress: Called in this thread about ten times a second while the engine works.

        Raises:
            FusionError: See ``fusion_magic.errors``; the job says FAILED with the same text.
            KeyboardInterrupt: After the query was stopped on the engine; the job says CANCELED.
        """
        from fusion_magic.jobs.run import run

        request = self._request(
            sql,
            params=params,
            name=name,
            into=_into(into, if_exists),
            reuse_s=_age(cache),
            limit=limit,
            has_lineage=lineage,
            origin=origin,
        )
        result, translation = run(
            request, self._names(refs), self._services(), on_progress=on_progress
        )
        if translation.prefix is not None:
            self._prefix = translation.prefix
        result.warnings = self._unsaid(result.warnings)
        if lineage and self.settings.delivery_url:
            self._deliver_soon()
        return result

    def submit(
        self,
        sql: str,
        *,
        params: Parameters | None = None,
        refs: Mapping[str, str] | None = None,
        name: str | None = None,
        into: str | None = None,
        if_exists: str = "fail",
        cache: str | None = None,
        limit: int | None = None,
        lineage: bool = True,
        origin: str = "",
        priority: int = 0,
    ) -> JobHandle:
        """
        Hand one statement to a worker and return at once; whatever becomes of this process, it runs on.

        Args are those of ``run``, and:
            priority: Higher goes first; 0 as a rule.

        Raises:
            FusionError: The statement cannot be translated, or cannot run in another process; the job is FAILED.
        """
        from fusion_magic.handle import JobHandle
        from fusion_magic.jobs.submit import submit
        from fusion_magic.processes.attempt import new_task

        request = self._request(
            sql,
            params=params,
            name=name,
            into=_into(into, if_exists),
            reuse_s=_age(cache),
            limit=limit,
            has_lineage=lineage,
            origin=origin,
        )
        submitted = submit(
            request,
            self._names(refs),
            self.store,
            make_task=lambda translation: new_task(
                request, translation, self.engine, engine_url=self.engine_key, priority=priority
            ),
        )
        self.engine.let_go()
        self.ensure_worker()
        return JobHandle(self, submitted.job_id)

    def handle(self, job_id: str | UUID) -> JobHandle:
        """
        A job to wait for, to look at and to cancel.

        Raises:
            UnknownJob: There is none, or there are several that start so.
        """
        from fusion_magic.handle import JobHandle

        return JobHandle(self, self.job(job_id).id)

    def cancel(self, job_id: str | UUID) -> str:
        """
        Ask for the end of a job; its status then: final at once, or RUNNING until who runs it has stopped it.

        Raises:
            UnknownJob: There is no such job.
            NotAllowed: It is somebody else's, and ``jobs.cancel_others`` is not ``yes``.
        """
        from fusion_magic.jobs.queries import require_own

        job = self.job(job_id)
        if self.settings.jobs_cancel_others != "yes":
            require_own(job, self.settings.owner)
        return self.store.want_cancel(job.id).value

    def result(self, name: str, *, version: int | None = None) -> StoredResult:
        """
        A stored result by its name, the newest or that of a version counted from 1; or by its job's id.

        Raises:
            UnknownResult: There is none.
        """
        from fusion_magic.jobs.stored_results import find_result

        return find_result(self.store, name, version)

    def clean(self, older: str, *, is_dry_run: bool = False) -> list[Job]:
        """
        Remove your jobs that ended longer ago than *older* (``30d``), with their stored rows; those removed.

        The newest result of each name stays, and so does what lineage mentions.
        """
        from fusion_magic.jobs.retention import clean, parse_age

        return clean(
            self.store,
            self.storage,
            owner=self.settings.owner,
            older_s=parse_age(older),
            is_dry_run=is_dry_run,
        )

    def recover(self) -> list[UUID]:
        """
        End the jobs whose kernel or script died while it ran them: FAILED, their queries stopped; which they were.

        Listing jobs, the first job of a process, workers and schedulers do it too.
        """
        from fusion_magic.processes.recovery import recover

        return recover(self.store, lambda: self.engine, engine_url=self.engine_key)

    def _look(self) -> None:
        """
        ``recover`` beside something else, which a store that cannot be written must not hinder.
        """
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            with suppress(StoreError):
                self.recover()

    def ensure_worker(self) -> None:
        """
        Start a worker beside an embedded store where none is at work; ``worker.start`` forbids it.
        """
        from fusion_magic.processes.worker import start_beside

        if self.starts_workers:
            start_beside(self.settings, self.store.tasks, self.engine_key)

    def worker(self, *, concurrency: int | None = None, is_embedded: bool = False) -> Worker:
        """
        A worker for this store and engine; its ``run`` works until it is stopped.
        """
        from fusion_magic.processes.recovery import patrol
        from fusion_magic.processes.worker import Worker

        settings = self.settings
        return Worker(
            self._services(),
            engine_url=self.engine_key,
            concurrency=concurrency or settings.worker_concurrency,
            lease_s=settings.worker_lease_s,
            attempts=settings.worker_attempts,
            idle_s=settings.worker_idle_s if is_embedded else None,
            is_only=is_embedded,
            beside=patrol(self.recover),
        )

    def scheduler(self) -> Scheduler:
        """
        A scheduler for this store; its ``run`` delivers lineage until it is stopped.
        """
        from fusion_magic.delivery import Delivery
        from fusion_magic.delivery.local import LocalDelivery
        from fusion_magic.processes.recovery import patrol
        from fusion_magic.processes.scheduler import Scheduler

        deliveries: list[Delivery] = [LocalDelivery(self.store.outbox)]
        if self.settings.delivery_url:
            from fusion_magic.delivery.openlineage import OpenLineageDelivery

            deliveries.append(
                OpenLineageDelivery(
                    self.settings.delivery_url,
                    token=self.settings.delivery_token,
                    engine_url=self.engine_key,
                    columns_of=self._columns_of,
                )
            )
        return Scheduler(self.store, deliveries, beside=patrol(self.recover))

    @cached_property
    def engine_key(self) -> str:
        """
        The engine's URL without secrets, by which workers know their jobs.
        """
        return without_secret(self.settings.engine_url)

    @cached_property
    def storage(self) -> ResultStorage:
        """
        Where results are stored.
        """
        from fusion_magic.results.storage import ResultStorage

        return ResultStorage(self.settings.results_url)

    def run_script(self, sql: str, **options: Any) -> Iterator[Result]:
        """
        Run each statement of *sql* as a job of its own, in order; the first failure stops the rest.

        Takes the options of ``run``; ``name``, ``into`` and ``cache`` are the last statement's. Errors point into the whole text.
        """
        return self._each(self.run, sql, options)

    def submit_script(self, sql: str, **options: Any) -> Iterator[JobHandle]:
        """
        Hand each statement of *sql* to a worker, as ``run_script`` runs them; they may run at the same time.
        """
        return self._each(self.submit, sql, options)

    def translate(self, sql: str, *, refs: Mapping[str, str] | None = None) -> Translation:
        """
        What ``run`` would send to the engine, and what it would record. Nothing is run and no job is written.
        """
        return self.prepare(sql, refs=refs)

    def prepare(
        self,
        sql: str,
        *,
        params: Parameters | None = None,
        refs: Mapping[str, str] | None = None,
        into: str | None = None,
        if_exists: str = "fail",
        limit: int | None = None,
    ) -> Translation:
        """
        ``translate`` with the options of ``run``.
        """
        from fusion_magic.jobs.translate import translate

        target = _into(into, if_exists)
        return translate(sql, self._names(refs), params=params, limit=limit, into=target)

    def explain(
        self,
        sql: str,
        *,
        params: Parameters | None = None,
        refs: Mapping[str, str] | None = None,
    ) -> Plan:
        """
        The engine's plan and its estimates; the statement is not run.
        """
        translation = self.prepare(sql, params=params, refs=refs)
        try:
            return self.engine.explain(translation.engine_query(""))
        except FusionError as error:
            raise translation.located(error) from error.__cause__

    def jobs(
        self,
        *,
        status: str | Sequence[str] | None = None,
        owner: str | None = None,
        text: str | None = None,
        limit: int = 50,
    ) -> list[Job]:
        """
        The newest jobs first.

        Raises:
            InvalidArgument: *status* is none of the six.
        """
        from fusion_magic.jobs.queries import job_filter

        self._look()
        return list(self.store.list(job_filter(status, owner, text), limit=limit))

    def open_jobs(self) -> list[Job]:
        """
        Your jobs that have not ended, oldest first.
        """
        from fusion_magic.jobs.queries import open_jobs

        self._look()
        return open_jobs(self.store, self.settings.owner)

    def job(self, job_id: str | UUID) -> Job:
        """
        The job with that id, or with the only id that starts so.

        Raises:
            UnknownJob: There is none, or there are several.
        """
        self._look()
        found = self.store.find_by_prefix(str(job_id).strip().lower())
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(str(job.id)[:13] for job in found)
            raise UnknownJob(f"Several jobs' ids start with {job_id}: {ids}.")
        raise UnknownJob(f"There is no job {job_id}.", hint="`%fusion jobs` lists the newest.")

    def models(self, job_id: str | UUID) -> list[ModelRow]:
        """
        The registered names of a job.
        """
        return list(self.store.models(self.job(job_id).id))

    def queued(self, job_id: str | UUID | None = None) -> list[tuple[int, QueueRow]]:
        """
        What OpenMetadata has not been told yet, of one job or of all.
        """
        return list(self.store.queued(self.job(job_id).id if job_id else None))

    def column_edges(self, job_id: str | UUID) -> list[ColumnEdge]:
        """
        The column lineage of a job.
        """
        return list(self.store.column_edges(self.job(job_id).id))

    def search(self, text: str, *, limit: int = 20) -> tuple[Entity, ...]:
        """
        Tables and files that the words of *text* describe, best first.
        """
        return self.metadata.search(text, limit=limit).entities

    def describe(self, fqn: str) -> Entity:
        """
        What is known of one table; its columns come from the engine where the metadata has none.

        Raises:
            UnknownFqn: Nothing has that name.
        """
        from fusion_magic.jobs.resolve import find_entity
        from fusion_magic.jobs.translate import with_columns

        return with_columns([find_entity(self.metadata, fqn)], self.engine)[0]

    def lineage(
        self,
        fqn: str,
        *,
        depth: int = 3,
        up: bool = True,
        down: bool = True,
        columns: bool = False,
        column: str | None = None,
    ) -> LineageGraph:
        """
        What *fqn* was made from, and what was made from it, by finished jobs, delivered or still queued.

        Args:
            depth: Hops to look around, at least 1.

            up, down: Whether to look at sources, and at targets.

            columns: Whether to give the column edges too.

            column: Only what this column comes from and goes into.

        Returns:
            The graph: it unpacks into the FQNs one hop upstream and downstream, and shows as SVG.

        Raises:
            UnknownFqn: Nothing has that name.
            InvalidArgument: The depth is no number of hops, or the column has no lineage.
        """
        from fusion_magic.lineage_graph import Walk, build_graph, trace
        from fusion_magic.sql.fqn import parse_fqn

        walk = Walk(depth, up, down)
        known = self.store.lineage
        graph = build_graph(
            self._known_fqn(str(parse_fqn(fqn))),
            walk,
            lambda names, is_up: known.edges(names, is_upstream=is_up),
        )
        if columns or column is not None:
            graph = replace(graph, columns=tuple(known.columns(graph.edges)))
        return trace(graph, column) if column is not None else graph

    def recommend(self, fqn: str, *, limit: int = 10) -> list[tuple[str, int]]:
        """
        The FQNs that finished jobs name together with *fqn*, each with the number of those jobs, most first.

        Raises:
            UnknownFqn: Nothing has that name.
        """
        from fusion_magic.sql.fqn import parse_fqn

        return list(self.store.co_used(self._known_fqn(str(parse_fqn(fqn))), limit=limit))

    def catalogs(self) -> tuple[Mapping[str, int], frozenset[str]]:
        """
        The metadata's services with the number of their tables, and the engine's catalogs.
        """
        return self.metadata.services(), self.engine.catalogs()

    def doctor(self) -> list[Check]:
        """
        Each configured part, examined: whether it works, what is wrong and how to mend it.
        """
        from fusion_magic.doctor import examine

        self._look()
        return examine(self)

    def close(self) -> None:
        """
        Let go of the engine and the store; running statements are cancelled.
        """
        if self._timer is not None:
            self._timer.cancel()
        engine, driver, store = (
            self.__dict__.pop(part, None) for part in ("engine", "_driver", "store")
        )
        if engine is not None:
            engine.close()
        if driver is not None:
            with suppress(StoreError):
                driver.sign_off()
        if store is not None:
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _each(
        self, do: Callable[..., _Done], sql: str, options: Mapping[str, Any]
    ) -> Iterator[_Done]:
        from fusion_magic.sql.statement import split_statements

        try:
            statements = split_statements(sql)
        except FusionError as error:
            # Text that cannot even be split is one job, so that it leaves a row like any other.
            do(sql, **options)
            raise error from None
        earlier = {**options, "name": None, "into": None, "cache": None}
        for statement in statements:
            given = options if statement is statements[-1] else earlier
            try:
                yield do(statement.text, **given)
            except FusionError as error:
                if error.sql == statement.text and error.span is not None:
                    error.sql, error.span = sql, error.span.shifted(statement.start)
                raise

    @property
    def starts_workers(self) -> bool:
        """
        Whether a worker and a scheduler are started by themselves when a job needs them.
        """
        return self.settings.worker_start == "auto" and self.settings.store_url.startswith("sqlite")

    def _deliver_soon(self) -> None:
        """
        Start a scheduler some seconds later, beside an embedded store: the cell does not wait for it.
        """
        if self.starts_workers and (self._timer is None or not self._timer.is_alive()):
            self._timer = threading.Timer(DELIVER_AFTER_S, self._start_scheduler)
            self._timer.daemon = True
            self._timer.start()

    def _start_scheduler(self) -> None:
        # Nobody looks at this thread; the next cell tries again.
        with suppress(FusionError, OSError):
            self.ensure_worker()

    def _request(
        self, sql: str, *, name: str | None, into: WriteTarget | None, **wishes: Any
    ) -> Request:
        from fusion_magic.jobs.submit import Request
        from fusion_magic.results.storage import check_name

        if name is not None and into is not None:
            raise InvalidArgument(
                "Rows are stored under a name, or written to a table by the engine, not both.",
                hint="Give --name or --into.",
            )
        return Request(
            text=sql,
            owner=self.settings.owner,
            profile=self.settings.profile,
            name=check_name(name) if name is not None else "",
            engine=self.engine.name,
            driver=self._driver.beat(),
            into=into,
            **wishes,
        )

    def _services(self) -> JobServices:
        from fusion_magic.jobs.run import JobServices

        return JobServices(
            store=self.store,
            engine=self.engine,
            metadata=self.metadata,
            storage=self.storage,
            max_memory=self.settings.results_max_memory,
            engine_url=self.engine_key,
            beat=lambda: self._driver.beat(),
        )

    def _names(self, refs: Mapping[str, str] | None) -> NameResolver:
        from fusion_magic.jobs.resolve import NameResolver

        return NameResolver(
            metadata=self.metadata,
            engine=self.engine,
            refs=refs or {},
            prefix=self._prefix,
            find_made=self._find_made,
            find_result=self._find_result,
        )

    def _columns_of(self, fqn: str) -> tuple[Column, ...]:
        entity = self.metadata.find_by_fqn([fqn]).get(fqn)
        return entity.columns if entity is not None else ()

    def _find_made(self, fqn: str) -> tuple[str, ...] | None:
        from fusion_magic.sql.trino_names import parse_trino_name

        name = self.store.made_as(fqn)
        return parse_trino_name(name) if name is not None else None

    def _find_result(self, name: str) -> str | None:
        from fusion_magic.jobs.stored_results import newest_path

        return newest_path(self.store, name)

    def _known_fqn(self, fqn: str) -> str:
        from fusion_magic.jobs.resolve import find_entity

        try:
            return find_entity(self.metadata, fqn).fqn
        except UnknownFqn:
            known = self.store.lineage
            if any(known.edges([fqn], is_upstream=is_up) for is_up in (True, False)):
                return fqn
            raise

    def _unsaid(self, warnings: tuple[str, ...]) -> tuple[str, ...]:
        """
        *warnings* without those about missing lineage that were said before.
        """
        fresh = tuple(w for w in warnings if "no lineage" not in w or w not in self._said)
        self._said.update(warnings)
        return fresh


def _into(table: str | None, if_exists: str) -> WriteTarget | None:
    from fusion_magic.jobs.translate import WriteTarget
    from fusion_magic.sql.write_into import writing_kind

    writing_kind(if_exists)
    return WriteTarget(table, if_exists) if table is not None else None


def _age(text: str | None) -> float | None:
    from fusion_magic.jobs.retention import parse_age

    return parse_age(text) if text is not None else None
