"""
The facade: SQL over OpenMetadata's names, and questions about jobs, names and lineage. It delegates; ``jobs`` does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from fusion_magic.config import Settings, load_settings
from fusion_magic.errors import FusionError
from fusion_magic.wiring import Wiring

if TYPE_CHECKING:
    from fusion_magic.doctor import Check
    from fusion_magic.engines import Engine, Plan, Progress
    from fusion_magic.handle import JobHandle
    from fusion_magic.jobs.submit import Request
    from fusion_magic.jobs.translate import Translation
    from fusion_magic.lineage_graph import LineageGraph
    from fusion_magic.metadata import Entity, Metadata
    from fusion_magic.results import Result
    from fusion_magic.results.stored import StoredResult
    from fusion_magic.store import Job, Store

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


class Fusion(AbstractContextManager["Fusion"]):
    """
    SQL over OpenMetadata's names, each statement a durable job. Safe to use from several threads.

    The options of ``run``, ``submit``, ``run_script``, ``submit_script``, ``translate`` and ``explain`` are the fields of
    ``fusion_magic.jobs.options.RunOptions``: ``params``, ``refs``, ``limit``, ``name``, ``into``, ``if_exists``, ``cache``,
    ``lineage``, ``origin`` and ``priority``.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.wiring = Wiring(settings)
        self._prefix: tuple[str, ...] = ()
        self._warned: set[str] = set()

    @property
    def store(self) -> Store:
        """
        The job store.
        """
        return self.wiring.store

    @property
    def metadata(self) -> Metadata:
        """
        Where names are looked up.
        """
        return self.wiring.metadata

    @property
    def engine(self) -> Engine:
        """
        What runs the SQL.
        """
        return self.wiring.engine

    def run(
        self, sql: str, *, on_progress: Callable[[Progress], None] | None = None, **options: Any
    ) -> Result:
        """
        Run one statement as a job and wait for its rows.

        Args:
            sql: One statement of Trino's SQL, its tables by FQN.

            on_progress: Called in this thread about ten times a second while the engine works.

            options: See the class.

        Raises:
            FusionError: See ``fusion_magic.errors``; the job is FAILED with the same text.
            KeyboardInterrupt: After the query was stopped on the engine; the job is CANCELED.
        """
        from fusion_magic.jobs.run import run

        request = self._request(sql, options)
        result, translation = run(
            request,
            self.wiring.resolver(request.options.refs, self._prefix),
            self.wiring.services(),
            on_progress=on_progress,
        )
        if translation.prefix is not None:
            self._prefix = translation.prefix
        result.warnings = self._new_warnings(result.warnings)
        if request.options.lineage:
            self.wiring.deliver_soon()
        return result

    def submit(self, sql: str, **options: Any) -> JobHandle:
        """
        Run one statement in the background and return at once; whatever becomes of this process, it runs on.

        Raises:
            FusionError: The statement cannot be translated, or cannot run in another process; the job is FAILED.
        """
        from fusion_magic.handle import JobHandle
        from fusion_magic.jobs.submit import submit
        from fusion_magic.processes.attempt import new_task

        request = self._request(sql, options)
        engine, key = self.engine, self.wiring.engine_key
        submitted = submit(
            request,
            self.wiring.resolver(request.options.refs, self._prefix),
            self.store,
            rules=self.wiring.rules,
            make_task=lambda translation: new_task(request, translation, engine, engine_url=key),
        )
        engine.release_if_idle()
        self.wiring.ensure_worker()
        return JobHandle(self.wiring, submitted.job_id)

    def run_script(self, sql: str, **options: Any) -> Iterator[Result]:
        """
        Run each statement of *sql* as a job of its own, in order; the first failure stops the rest.

        ``name``, ``into`` and ``cache`` are the last statement's. Errors point into the whole text.
        """
        return _each(self.run, sql, options)

    def submit_script(self, sql: str, **options: Any) -> Iterator[JobHandle]:
        """
        Run each statement of *sql* in the background; they may run at the same time.
        """
        return _each(self.submit, sql, options)

    def translate(self, sql: str, **options: Any) -> Translation:
        """
        What ``run`` would send to the engine, and what it would record. Nothing is run and no job is written.
        """
        from fusion_magic.jobs.options import make_options
        from fusion_magic.jobs.translate import translate

        wanted = make_options(options)
        return translate(
            sql,
            self.wiring.resolver(wanted.refs, self._prefix),
            params=wanted.params,
            limit=wanted.limit,
            into=wanted.target,
        )

    def explain(self, sql: str, **options: Any) -> Plan:
        """
        The engine's plan and its estimates; the statement is not run.
        """
        translation = self.translate(sql, **options)
        try:
            return self.engine.explain(translation.explained_query())
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

        self.wiring.recover_now_and_then()
        return list(self.store.jobs.list(job_filter(status, owner, text), limit=limit))

    def job(self, job_id: str | UUID) -> JobHandle:
        """
        The job with that id, or with the only id that starts so: to wait for, to look at and to cancel.

        Raises:
            UnknownJob: There is none, or there are several.
        """
        from fusion_magic.handle import JobHandle
        from fusion_magic.jobs.queries import find_job

        self.wiring.recover_now_and_then()
        return JobHandle(self.wiring, find_job(self.store, job_id).id)

    def open_jobs(self) -> list[JobHandle]:
        """
        Your jobs that have not ended, oldest first.
        """
        from fusion_magic.handle import JobHandle
        from fusion_magic.jobs.queries import open_jobs

        self.wiring.recover_now_and_then()
        return [
            JobHandle(self.wiring, job.id) for job in open_jobs(self.store, self.settings.owner)
        ]

    def clean(self, older: str, *, is_dry_run: bool = False) -> list[Job]:
        """
        Remove your jobs that ended longer ago than *older* (``30d``), with their stored rows; those removed.

        The newest result of each name stays, and so does what lineage mentions.
        """
        from fusion_magic.jobs.retention import clean
        from fusion_magic.units import parse_age

        return clean(
            self.store,
            self.wiring.storage,
            owner=self.settings.owner,
            older_s=parse_age(older),
            is_dry_run=is_dry_run,
        )

    def result(self, name: str, *, version: int | None = None) -> StoredResult:
        """
        A stored result by its name, the newest or that of a version counted from 1; or by its job's id.

        Raises:
            UnknownResult: There is none.
        """
        from fusion_magic.jobs.stored_results import find_result

        return find_result(self.store, name, version)

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
        from fusion_magic.jobs.queries import find_lineage
        from fusion_magic.lineage_graph import Walk

        return find_lineage(
            self.store,
            self.metadata,
            fqn,
            Walk(depth, up, down),
            has_columns=columns,
            column=column,
        )

    def recommend(self, fqn: str, *, limit: int = 10) -> list[tuple[str, int]]:
        """
        The FQNs that finished jobs name together with *fqn*, each with the number of those jobs, most first.

        Raises:
            UnknownFqn: Nothing has that name.
        """
        from fusion_magic.jobs.queries import known_fqn

        return list(
            self.store.models.co_used(known_fqn(self.store, self.metadata, fqn), limit=limit)
        )

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

        self.wiring.recover_now_and_then()
        return examine(self.wiring)

    def close(self) -> None:
        """
        Let go of the engine and the store; running statements are cancelled.
        """
        self.wiring.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, sql: str, options: Mapping[str, Any]) -> Request:
        from fusion_magic.jobs.options import make_options
        from fusion_magic.jobs.submit import Request

        return Request(
            text=sql,
            options=make_options(options),
            owner=self.settings.owner,
            profile=self.settings.profile,
            engine=self.engine.name,
            runner=self.wiring.runner.heartbeat_if_due(),
        )

    def _new_warnings(self, warnings: tuple[str, ...]) -> tuple[str, ...]:
        """
        *warnings* without those about missing lineage that this process has given before.
        """
        fresh = tuple(w for w in warnings if "no lineage" not in w or w not in self._warned)
        self._warned.update(warnings)
        return fresh


def _each(do: Callable[..., _Done], sql: str, options: Mapping[str, Any]) -> Iterator[_Done]:
    from fusion_magic.jobs.options import of_an_earlier_statement
    from fusion_magic.sql.statement import split_statements

    try:
        statements = split_statements(sql)
    except FusionError as error:
        # Text that cannot even be split is one job, so that it leaves a row like any other.
        do(sql, **options)
        raise error from None
    earlier = of_an_earlier_statement(options)
    for statement in statements:
        given = options if statement is statements[-1] else earlier
        try:
            yield do(statement.text, **given)
        except FusionError as error:
            if error.sql == statement.text and error.span is not None:
                error.sql, error.span = sql, error.span.shifted(statement.start)
            raise
