"""
How the databases behind catalogs are reached, as the server tells it. Secrets end here: what is kept and handed on has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fusion_magic.metadata.openmetadata.lists import DATABASE_SERVICES
from fusion_magic.metadata.openmetadata.staleness import CONNECTION
from fusion_magic.openmetadata.client import segment
from fusion_magic.openmetadata.messages import DatabaseService
from fusion_magic.sql.connectors import CatalogSource
from fusion_magic.sql.create_catalog import without_secrets
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.trino_names import WITHOUT_DATABASES

if TYPE_CHECKING:
    from fusion_magic.metadata.openmetadata.cache import Cache
    from fusion_magic.metadata.openmetadata.places import KnownPlaces
    from fusion_magic.metadata.openmetadata.server import OpenMetadataServer


class Connections:
    """
    The connections of services, kept for minutes. Safe to use from several threads.
    """

    def __init__(
        self, server: OpenMetadataServer, places: KnownPlaces, cache: Cache, *, max_age_s: float
    ) -> None:
        self._server = server
        self._places = places
        self._cache = cache
        self._max_age_s = max_age_s

    def source(self, parts: Sequence[str], *, is_fresh: bool) -> CatalogSource | None:
        """
        What stands behind the catalog of the entity whose FQN has these *parts*. See ``Metadata.catalog_source``.
        """
        service = format_fqn(parts[:1])
        if is_fresh:
            self._places.forget(service)
        known = self._service(service, max_age_s=0.0 if is_fresh else self._max_age_s)
        if not known:
            return None
        has_databases = known["type"] not in WITHOUT_DATABASES
        if has_databases and len(parts) < 2:
            return None
        places = self._places.of([service])
        databases = places.databases[service]
        if len(parts) > 1 and format_fqn(parts[:2]) not in databases:
            return None
        named = (
            parts
            if len(parts) > 1
            else parse_fqn(next(iter(databases), f"{service}.default")).parts
        )
        database = named[1]
        return CatalogSource(
            fqn=format_fqn(parts[:2]) if has_databases else service,
            service=service,
            service_type=known["type"],
            database=database,
            catalog=places.trino_parts((parts[0], database, "s", "t"), known["type"])[0],
            is_only=len(databases) < 2 or not has_databases,
            config=known["config"],
        )

    def _service(self, fqn: str, *, max_age_s: float) -> dict[str, Any]:
        """
        Its type and its connection without secrets; empty where there is none.
        """
        key = f"{CONNECTION}{fqn}"
        kept = self._cache.fact(key, max_age_s=max_age_s) if max_age_s > 0 else None
        if isinstance(kept, dict):
            return kept
        found = self._server.get(f"{DATABASE_SERVICES}/name/{segment(fqn)}", DatabaseService)
        known = _known(found) if found is not None and not found.deleted else {}
        self._cache.keep_fact(key, known)
        return known


def _known(service: DatabaseService) -> dict[str, Any]:
    config = service.connection.config if service.connection is not None else None
    is_shown = isinstance(config, Mapping) and bool(config)
    return {
        "type": service.service_type,
        "config": without_secrets(config) if is_shown else None,
    }
