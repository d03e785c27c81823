"""
The port ``Metadata`` over an OpenMetadata server.

What it answered in the last minutes is kept, for all kernels and workers of one person. Half-way through that age names are asked for
again behind the user's back, so that a cell waits for none it has used before; older ones are asked for at once. Where the server does
not answer, what is kept goes on, with the time it is of.

Where somebody hears of changes (``follow``), what an event concerns is asked for again by the next cell. Ages stay as they are: events get
lost.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import (
    MetadataRefuses,
    MetadataUnavailable,
    MissingExtra,
)
from fusion_magic.metadata import Details, Entity, EntityPage, Join
from fusion_magic.metadata.encoding import trino_key
from fusion_magic.metadata.openmetadata.cache import FORMAT, Cache, Kept
from fusion_magic.metadata.openmetadata.following import Follower
from fusion_magic.metadata.openmetadata.staleness import SCHEMA, TRINO_NAMES
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.trino_names import TRINO

if TYPE_CHECKING:
    from fusion_magic.config import Settings
    from fusion_magic.metadata.changes import ChangeSource, ChangesSince
    from fusion_magic.metadata.openmetadata.server import OpenMetadataServer
    from fusion_magic.openmetadata.messages import Asset
    from fusion_magic.sql.connectors import CatalogSource

UNKNOWN_S = 5.0  # how long an unknown name stays so
AWAY_S = 5.0  # how long nobody waits for a server that has just not answered
NEIGHBOURS = 200  # of a schema, among which a similar name is looked for


def open_metadata(settings: Settings) -> OpenMetadataMetadata:
    """
    The server that ``metadata.url`` names.

    Raises:
        InvalidSettings: Its address is none, or a token would travel in the open.
        MissingExtra: The packages for it are not installed.
    """
    try:
        from fusion_magic.metadata.openmetadata.server import OpenMetadataServer
        from fusion_magic.openmetadata.client import OpenMetadataClient
    except ImportError as exc:
        raise MissingExtra("Names from OpenMetadata", extra="openmetadata") from exc
    from fusion_magic.openmetadata.address import parse_address

    token = settings.metadata_token
    address = parse_address(settings.metadata_url, setting="metadata.url", token=token)
    # Another token may see other names, and other settings put them into other catalogs.
    whose = f"{FORMAT} {address.url} {token} {settings.catalogs}"
    name = f"openmetadata-{hashlib.sha256(whose.encode()).hexdigest()[:24]}.db"
    return OpenMetadataMetadata(
        OpenMetadataServer(OpenMetadataClient(address, token=token)),
        Cache(settings.data_dir / "cache" / name),
        catalogs=settings.catalog_names,
        max_age_s=settings.metadata_max_age_s,
    )


class OpenMetadataMetadata:
    """
    Names of an OpenMetadata server. Safe to use from several threads.

    Args:
        cache: Where answers are kept.

        catalogs: Catalogs of Trino by the FQN of a service or database, where settings name them.

        max_age_s: The most age of an answer that is used while the server can be asked.
    """

    def __init__(
        self,
        server: OpenMetadataServer,
        cache: Cache,
        *,
        catalogs: Mapping[str, str],
        max_age_s: float,
    ) -> None:
        from fusion_magic.metadata.openmetadata.connections import Connections
        from fusion_magic.metadata.openmetadata.lists import Lists
        from fusion_magic.metadata.openmetadata.lookups import Lookups
        from fusion_magic.metadata.openmetadata.places import KnownPlaces
        from fusion_magic.metadata.openmetadata.reports import Reports

        self._server = server
        self._cache = cache
        self._max_age_s = max_age_s
        self._lookups = Lookups(server)
        self._lists = Lists(server)
        self._known_places = KnownPlaces(
            server, self._lists, cache, named=catalogs, max_age_s=max_age_s
        )
        self._connections = Connections(server, self._known_places, cache, max_age_s=max_age_s)
        self._reports = Reports(server, cache, max_age_s=max_age_s)
        self._away_until = 0.0
        self._away: MetadataUnavailable | None = None
        self._refreshing = threading.Lock()
        self._follower = Follower(cache)

    def about(self) -> str:
        """See ``Metadata.about``: the server's address and version, and whose the token is."""
        return self._server.about()

    def version(self) -> str:
        """See ``Metadata.version``."""
        # Ages end while nothing is written.
        return f"{self._cache.version()}-{int(time.time() / max(self._max_age_s / 2, 1))}"

    @property
    def change_source(self) -> ChangeSource:
        """See ``FollowsChanges.change_source``."""
        from fusion_magic.metadata.openmetadata.event_source import OpenMetadataEvents

        return OpenMetadataEvents(self._server)

    def follow(self, changes_since: ChangesSince) -> None:
        """See ``FollowsChanges.follow``."""
        self._follower.follow(changes_since)

    def find_by_fqn(self, fqns: Sequence[str]) -> Mapping[str, Entity]:
        """See ``Metadata.find_by_fqn``."""
        if not fqns:
            return {}
        self._follower.look()
        kept = self._cache.names(fqns)
        now = time.time()
        old = [fqn for fqn in fqns if fqn not in kept or _is_old(kept[fqn], now, self._max_age_s)]
        if old:
            kept |= self._fetched(old, kept)
        else:
            self._refresh_soon([fqn for fqn in fqns if now - kept[fqn].at > self._max_age_s / 2])
        found = {fqn: entity for fqn in fqns if (entity := kept[fqn].entity) is not None}
        return self._reports.with_alerts(found, may_ask=time.monotonic() >= self._away_until)

    def find_ignoring_case(self, fqns: Sequence[str]) -> Mapping[str, tuple[Entity, ...]]:
        """See ``Metadata.find_ignoring_case``; a look-up has brought the names of other cases along."""
        self.find_by_fqn(fqns)
        folded = self._cache.ignoring_case(fqns)
        known = self.find_by_fqn(list({e.fqn for entities in folded.values() for e in entities}))
        found = {
            fqn: tuple(known[e.fqn] for e in entities if e.fqn in known)
            for fqn, entities in folded.items()
        }
        return {fqn: entities for fqn, entities in found.items() if entities}

    def find_by_trino_name(
        self, names: Sequence[tuple[str, ...]]
    ) -> Mapping[tuple[str, ...], Entity]:
        """See ``Metadata.find_by_trino_name``."""
        keys = {name: f"{TRINO_NAMES}{trino_key(name)}" for name in names}
        known = {
            name: self._cache.fact(key, max_age_s=self._max_age_s) for name, key in keys.items()
        }
        unsure = [
            name
            for name, fqn in known.items()
            if not fqn and self._cache.fact(keys[name], max_age_s=UNKNOWN_S) is None
        ]
        if unsure:
            known |= dict.fromkeys(unsure) | self._fqns_behind(unsure)
            for name in unsure:
                self._cache.keep_fact(keys[name], known[name] or "")
        entities = self.find_by_fqn([fqn for fqn in known.values() if fqn])
        return {name: entities[fqn] for name, fqn in known.items() if fqn in entities}

    def similar(self, fqn: str, *, limit: int = 3) -> tuple[str, ...]:
        """See ``Metadata.similar``."""
        from rapidfuzz import fuzz

        names = set(self._cache.all_names())
        parts = parse_fqn(fqn).parts
        try:
            names |= set(self._lookups.below(f"{format_fqn(parts[:-1])}.", size=NEIGHBOURS))
            found = self._lookups.search(parts[-1], size=50, skip=0)
            names |= {asset.fully_qualified_name for asset in found}
        except (MetadataUnavailable, MetadataRefuses):
            pass  # what is kept may hold it
        wanted, last = fqn.casefold(), parts[-1].casefold()
        ranked = sorted(
            (
                -fuzz.ratio(wanted, n.casefold())
                - fuzz.ratio(last, n.casefold().rpartition(".")[2]),
                n,
            )
            for n in names - {fqn}
        )
        return tuple(name for score, name in ranked[:limit] if score <= -130)

    def search(self, text: str, *, limit: int = 20, after: str | None = None) -> EntityPage:
        """See ``Metadata.search``; by the server's index and its ranking."""
        skip = int(after) if after and after.isdigit() else 0
        if not text.strip():
            return EntityPage(())
        assets = self._lookups.search(text, size=limit + 1, skip=skip)
        entities = self._kept_entities(assets[:limit])
        return EntityPage(tuple(entities), str(skip + limit) if len(assets) > limit else None)

    def complete(self, prefix: str, *, limit: int = 100) -> tuple[str, ...]:
        """See ``Metadata.complete``."""
        from fusion_magic.metadata.openmetadata.completion import complete

        return complete(prefix, self._lists, self._lookups, self._cache, max_age_s=self._max_age_s)[
            :limit
        ]

    def entities_below(self, fqn: str) -> Iterable[Entity]:
        """See ``Metadata.entities_below``; they are read from the server, and kept as what is named is."""
        parts = parse_fqn(fqn).parts
        for page in self._lists.pages_below(parts):
            there = [asset for asset in page if not asset.deleted]
            yield from sorted(self._kept_entities(there), key=lambda entity: entity.fqn)

    def changed(self, entity: Entity) -> datetime | None:
        """See ``Metadata.changed``; OpenMetadata knows when a description changed, not when rows did."""
        return None

    def details(self, entity: Entity) -> Details:
        """See ``Metadata.details``; what the token may not see is left out."""
        return self._reports.details(entity)

    def joins(self, entity: Entity) -> Sequence[Join]:
        """See ``Metadata.joins``: those of the last 30 days."""
        return self._reports.joins(entity)

    def trino_schema(self, schema: Sequence[str]) -> tuple[str, ...] | None:
        """See ``Metadata.trino_schema``."""
        if len(schema) != 3:
            return None
        key = f"{SCHEMA}{format_fqn(schema)}"
        service_type = self._cache.fact(key, max_age_s=self._max_age_s)
        if service_type is None:
            found = self._lists.schema(format_fqn(schema))
            if found is None:
                return None
            service_type = found.service_type or ""
            self._cache.keep_fact(key, service_type)
        return self._known_places.of([format_fqn(schema)]).trino_parts(
            (*schema, "t"), service_type
        )[:-1]

    def catalog_source(self, fqn: str, *, is_fresh: bool = False) -> CatalogSource | None:
        """See ``Metadata.catalog_source``."""
        return self._connections.source(parse_fqn(fqn).parts, is_fresh=is_fresh)

    def services(self) -> Mapping[str, int]:
        """See ``Metadata.services``."""
        names = sorted(service.fully_qualified_name for service in self._lists.services())
        return self._lookups.count(names)

    def close(self) -> None:
        """
        Let go of connections and of the cache's file.
        """
        self._server.close()
        self._cache.close()

    def _fetched(self, fqns: Sequence[str], kept: Mapping[str, Kept]) -> dict[str, Kept]:
        """
        What the server says now; where it does not answer, what is kept of names that it knew.
        """
        try:
            if self._away is not None and time.monotonic() < self._away_until:
                raise self._away
            return self._ask(fqns)
        except MetadataUnavailable as error:
            if error is not self._away:
                self._away, self._away_until = error, time.monotonic() + AWAY_S
            known = {fqn: kept[fqn] for fqn in fqns if fqn in kept and kept[fqn].entity}
            lost = [fqn for fqn in fqns if fqn not in known]
            if lost:
                raise MetadataUnavailable(
                    f"{', '.join(lost)} cannot be looked up. {error.message}",
                    status=error.status,
                    hint=error.hint,
                ) from error
            return {fqn: _of_then(kept) for fqn, kept in known.items()}

    def _ask(self, fqns: Sequence[str]) -> dict[str, Kept]:
        beside: list[Future[Any]] = [
            *self._known_places.asked_soon(fqns),
            *self._reports.failed_soon(),
        ]
        asked_at = time.time()
        named = self._lookups.named(fqns, told_ms=self._cache.told_ms(fqns))
        wait(beside)
        entities = self._kept_entities(
            named.assets, named.unknown, asked_at=asked_at, by_name=named.by_name
        )
        now = time.time()
        answers = {fqn: Kept(None, now) for fqn in named.unknown}
        return answers | {entity.fqn: Kept(entity, now) for entity in entities}

    def _kept_entities(
        self,
        assets: Sequence[Asset],
        unknown: Sequence[str] = (),
        *,
        asked_at: float | None = None,
        by_name: Collection[str] = (),
    ) -> list[Entity]:
        from fusion_magic.metadata.openmetadata.entities import entity_of

        places = self._known_places.of(a.fully_qualified_name for a in assets)
        entities = [entity_of(asset, places) for asset in assets]
        by_index = (a for a in assets if a.fully_qualified_name not in by_name)
        times = {a.fully_qualified_name: a.updated_at for a in by_index if a.updated_at}
        self._cache.write(entities, unknown, asked_at=asked_at, updated_ms=times)
        return entities

    def _fqns_behind(self, names: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
        """
        The FQN of each Trino name that the server knows. A table that a Trino service lists as well is the original's.
        """
        assets = self._lookups.with_last_parts([name[-1] for name in names])
        # The best come last, and stay. Trino's names have no case: what is written in lower case is what it means.
        assets.sort(key=lambda a: (a.service_type != TRINO, a.name == a.name.lower()))
        entities = self._kept_entities(assets)
        behind = {trino_key(entity.trino_parts): entity.fqn for entity in entities}
        return {name: behind[trino_key(name)] for name in names if trino_key(name) in behind}

    def _refresh_soon(self, fqns: Sequence[str]) -> None:
        """
        Ask for names again in a thread of its own, one at a time.
        """
        if fqns and self._refreshing.acquire(blocking=False):
            threading.Thread(
                target=self._refresh, args=(fqns,), name="fusion-refresh", daemon=True
            ).start()

    def _refresh(self, fqns: Sequence[str]) -> None:
        try:
            self._ask(fqns)
        except (MetadataUnavailable, MetadataRefuses):
            pass  # the cell that needs it will say so
        finally:
            self._refreshing.release()


def _is_old(kept: Kept, now: float, max_age_s: float) -> bool:
    most_s = max_age_s if kept.entity is not None else UNKNOWN_S
    return kept.is_stale or now - kept.at > most_s


def _of_then(kept: Kept) -> Kept:
    if kept.entity is None:
        return kept
    return Kept(replace(kept.entity, as_of=datetime.fromtimestamp(kept.at, UTC)), kept.at)
