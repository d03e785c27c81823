"""
Settings to the parts that they name: the one place that picks implementations.

Each part is opened when it is first needed, so that connecting costs nothing and a mistake in one setting shows where that part
is used. ``Fusion``, a job's handle and the doctor stand on it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from uuid import UUID

from fusion_magic.config import Settings
from fusion_magic.errors import FusionError, StoreError
from fusion_magic.registry import opener
from fusion_magic.secrets import without_secret

if TYPE_CHECKING:
    from fusion_magic.delivery import Delivery, DeliveryContext
    from fusion_magic.engines import Engine
    from fusion_magic.jobs.catalogs import CatalogKeeper
    from fusion_magic.jobs.governance import GovernanceRules
    from fusion_magic.jobs.resolve import NameResolver
    from fusion_magic.jobs.run import JobServices
    from fusion_magic.metadata import Column, Metadata
    from fusion_magic.processes.presence import Presence
    from fusion_magic.processes.scheduler import Scheduler
    from fusion_magic.processes.worker import Worker
    from fusion_magic.results.storage import ResultStorage
    from fusion_magic.store import Store

RECOVER_EVERY_S = 1.0  # most often, for jobs that were left
_PORTS = {"http": 80, "https": 443}
DELIVER_AFTER_S = 5.0  # after a cell, where a receiver waits for its lineage


class Wiring:
    """
    The parts of one set of settings. Safe to use from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._recovered_at = float("-inf")
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()

    @cached_property
    def store(self) -> Store:
        """
        The job store, opened.
        """
        with self._lock:
            from fusion_magic.store.sql.store import open_store

            return open_store(self.settings.store_url)

    @cached_property
    def engine(self) -> Engine:
        """
        What runs the SQL.
        """
        open_engine = opener("engines", self.settings.engine_url, setting="engine.url")
        return cast("Engine", open_engine(self.settings))

    @cached_property
    def metadata(self) -> Metadata:
        """
        Where names are looked up.
        """
        from fusion_magic.metadata.changes import FollowsChanges

        url = self.settings.metadata_url
        open_metadata = opener("metadata", url, setting="metadata.url", without_scheme="file")
        opened = cast("Metadata", open_metadata(self.settings))
        if isinstance(opened, FollowsChanges):
            opened.follow(lambda position: self.store.changes.since(position))
        return opened

    @cached_property
    def storage(self) -> ResultStorage:
        """
        Where results are stored.
        """
        from fusion_magic.results.storage import ResultStorage

        return ResultStorage(self.settings.results_url)

    @cached_property
    def engine_key(self) -> str:
        """
        The engine's URL without secrets, by which workers know their jobs.
        """
        return without_secret(self.settings.engine_url)

    @cached_property
    def runner(self) -> Presence:
        """
        This process as one that runs jobs itself. Before the first of them, those that others left are ended.
        """
        from fusion_magic.processes.presence import Presence

        self.recover_now_and_then()
        return Presence(self.store.processes, "runner", engine_url=self.engine_key)

    def open_deliveries(self) -> list[Delivery]:
        """
        The receivers of lineage: the store's own graph, and those that ``delivery.url`` names.
        """
        from fusion_magic.delivery.local import LocalDelivery

        own: list[Delivery] = [LocalDelivery(self.store.outbox)]
        return own + [
            opener("delivery", url, setting="delivery.url")(url, self._delivery_context(url))
            for url in self.settings.delivery_urls
        ]

    @cached_property
    def rules(self) -> GovernanceRules:
        """
        What is told of tables, and what refuses a statement.
        """
        from fusion_magic.jobs.governance import GovernanceRules
        from fusion_magic.jobs.limits import Limits

        settings = self.settings
        return GovernanceRules(
            settings.governance_warn.split(),
            settings.governance_refuse.split(),
            Limits(settings.governance_max_scan or None, settings.governance_max_rows or None),
        )

    @cached_property
    def catalogs(self) -> CatalogKeeper:
        """
        What makes, changes and drops catalogs of the engine.
        """
        from fusion_magic.jobs.catalogs import CatalogKeeper, CatalogRules

        settings = self.settings
        rules = CatalogRules(
            create=settings.engine_create_catalogs,
            properties=settings.properties_of_catalogs,
            metadata_url=without_secret(settings.metadata_url),
            owner=settings.owner,
        )
        return CatalogKeeper(self.engine, self.metadata, self.store, rules)

    def services(self) -> JobServices:
        """
        What the use cases need of the parts.
        """
        from fusion_magic.jobs.run import JobServices

        return JobServices(
            store=self.store,
            engine=self.engine,
            metadata=self.metadata,
            storage=self.storage,
            max_memory=self.settings.results_max_memory,
            engine_url=self.engine_key,
            rules=self.rules,
            catalogs=self.catalogs,
            heartbeat_if_due=lambda: self.runner.heartbeat_if_due(),
        )

    def resolver(self, refs: Mapping[str, str] | None, prefix: Sequence[str]) -> NameResolver:
        """
        What resolves the names of one statement.

        Args:
            refs: Aliases for FQNs.

            prefix: What USE has set.
        """
        from fusion_magic.jobs.resolve import NameResolver

        return NameResolver(
            metadata=self.metadata,
            engine=self.engine,
            refs=refs or {},
            prefix=tuple(prefix),
            find_made=self._find_made,
            find_result=lambda name: _newest_path(self.store, name),
        )

    @property
    def starts_workers(self) -> bool:
        """
        Whether a worker and a scheduler are started by themselves when a job needs them.
        """
        return self.settings.worker_start == "auto" and self.settings.store_url.startswith("sqlite")

    def ensure_worker(self) -> None:
        """
        Start a worker beside an embedded store where none is at work; ``worker.start`` forbids it.
        """
        from fusion_magic.processes.launch import start_in_background

        if self.starts_workers:
            start_in_background(self.settings, self.store.processes, self.engine_key)

    def open_worker(self, *, concurrency: int | None = None, is_embedded: bool = False) -> Worker:
        """
        A worker for this store and engine; its ``run`` works until it is stopped.

        Args:
            is_embedded: It ends when it has been idle, or at once where another is at work here.
        """
        from fusion_magic.processes.recovery import recovery_loop
        from fusion_magic.processes.worker import Worker

        settings = self.settings
        return Worker(
            self.services(),
            engine_url=self.engine_key,
            concurrency=concurrency or settings.worker_concurrency,
            lease_s=settings.worker_lease_s,
            max_attempts=settings.worker_attempts,
            idle_s=settings.worker_idle_s if is_embedded else None,
            is_only=is_embedded,
            background=recovery_loop(self.recover),
        )

    def open_scheduler(self, *, events: str | None = None) -> Scheduler:
        """
        A scheduler for this store; its ``run`` delivers lineage until it is stopped.

        Args:
            events: Where it listens for the metadata server's messages, ``HOST:PORT``.

        Raises:
            InvalidSettings: The metadata has no events that could be heard of.
        """
        from fusion_magic.processes.hearing import change_source, hearing_of_changes
        from fusion_magic.processes.recovery import recovery_loop
        from fusion_magic.processes.scheduler import Scheduler

        background, poll_s = [recovery_loop(self.recover)], self.settings.events_poll_s
        if events is not None or poll_s is not None:
            hearing = hearing_of_changes(
                change_source(self.metadata),
                self.store,
                address=events,
                secret=self.settings.events_secret,
                poll_s=poll_s,
                max_age_s=self.settings.metadata_max_age_s,
            )
            background.append(hearing)
        return Scheduler(self.store, self.open_deliveries(), background=_together(background))

    def deliver_soon(self) -> None:
        """
        Start a scheduler some seconds later, where a receiver waits: the cell does not wait for it.
        """
        if not (self.settings.delivery_url and self.starts_workers):
            return
        if self._timer is None or not self._timer.is_alive():
            self._timer = threading.Timer(DELIVER_AFTER_S, self._start_scheduler)
            self._timer.daemon = True
            self._timer.start()

    def recover(self) -> list[UUID]:
        """
        End the jobs whose kernel or script died while it ran them: FAILED, their queries stopped; which they were.
        """
        from fusion_magic.processes.recovery import recover

        return recover(self.store, lambda: self.engine, engine_url=self.engine_key)

    def recover_now_and_then(self) -> None:
        """
        ``recover`` beside something else, which a store that cannot be written must not hinder.
        """
        if time.monotonic() - self._recovered_at > RECOVER_EVERY_S:
            self._recovered_at = time.monotonic()
            with suppress(StoreError):
                self.recover()

    def close(self) -> None:
        """
        Let go of the engine and the store; running statements are cancelled.
        """
        if self._timer is not None:
            self._timer.cancel()
        self.__dict__.pop("catalogs", None)  # it stands on the three below
        engine, runner, store = (
            self.__dict__.pop(part, None) for part in ("engine", "runner", "store")
        )
        if engine is not None:
            engine.close()
        if runner is not None:
            with suppress(StoreError):
                runner.deregister()
        if store is not None:
            store.close()

    def _delivery_context(self, url: str) -> DeliveryContext:
        from fusion_magic.delivery import DeliveryContext
        from fusion_magic.jobs.stored_results import columns_of_result, stored_by

        engine, store = self.engine, self.store
        return DeliveryContext(
            token=delivery_token(self.settings, url),
            engine=engine.name,
            namespace=engine.dataset_namespace(),
            columns_of=self._columns_of,
            sql=self.settings.delivery_sql,
            made_columns=self._made_columns,
            result_columns=columns_of_result,
            stored_by=lambda name, before: stored_by(store, name, before),
            ingestion=self.settings.delivery_ingestion,
            statements=lambda sources, since, until: store.lineage.statements(
                sources, since=since, until=until
            ),
            is_usage_told=self.settings.delivery_usage == "yes",
        )

    def _start_scheduler(self) -> None:
        # Nobody looks at this thread; the next cell tries again.
        with suppress(FusionError, OSError):
            self.ensure_worker()

    def _columns_of(self, fqn: str) -> tuple[Column, ...]:
        entity = self.metadata.find_by_fqn([fqn]).get(fqn)
        return entity.columns if entity is not None else ()

    def _made_columns(self, fqn: str, trino_name: str) -> tuple[Column, ...]:
        """
        The columns that the engine itself has, whatever the metadata says.
        """
        from fusion_magic.metadata import Column, Entity
        from fusion_magic.sql.trino_names import parse_trino_name

        entity = Entity("", fqn, "table", parse_trino_name(trino_name))
        found = self.engine.describe([entity]).get(fqn, {})
        return tuple(Column(name, kind) for name, kind in found.items())

    def _find_made(self, fqn: str) -> tuple[str, ...] | None:
        from fusion_magic.sql.trino_names import parse_trino_name

        name = self.store.models.made_as(fqn)
        return parse_trino_name(name) if name is not None else None


def _newest_path(store: Store, name: str) -> str | None:
    from fusion_magic.jobs.stored_results import newest_path

    return newest_path(store, name)


@contextmanager
def _together(blocks: Sequence[AbstractContextManager[object]]) -> Iterator[None]:
    with ExitStack() as stack:
        for block in blocks:
            stack.enter_context(block)
        yield


def delivery_token(settings: Settings, url: str) -> str | None:
    """
    The token for one receiver: ``delivery.token``, else the metadata's for an OpenMetadata of the same origin, and for no other.
    """
    scheme, _, place = url.partition("+")
    if settings.delivery_token is not None or scheme != "openmetadata":
        return settings.delivery_token
    origin = _origin(place)
    return settings.metadata_token if origin and origin == _origin(settings.metadata_url) else None


def _origin(url: str) -> tuple[str, str, int] | None:
    """
    Scheme, host and port, which a secret is bound to; None for what is no address of a server.

    >>> _origin("https://OM.example/api"), _origin("catalog.yaml")
    (('https', 'om.example', 443), None)
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None
