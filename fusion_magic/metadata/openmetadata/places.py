"""
Which catalogs of Trino hold what a server lists, as far as cells have asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING

from fusion_magic.errors import InvalidFqn
from fusion_magic.metadata.openmetadata.entities import Places, marked_catalog
from fusion_magic.metadata.openmetadata.staleness import DATABASES
from fusion_magic.sql.fqn import format_fqn, parse_fqn

if TYPE_CHECKING:
    from fusion_magic.metadata.openmetadata.cache import Cache
    from fusion_magic.metadata.openmetadata.lists import Lists
    from fusion_magic.metadata.openmetadata.server import OpenMetadataServer


class KnownPlaces:
    """
    The databases of services, kept for minutes. Safe to use from several threads.

    Args:
        named: Catalogs by the FQN of a service or database, where settings name them.
    """

    def __init__(
        self,
        server: OpenMetadataServer,
        lists: Lists,
        cache: Cache,
        *,
        named: Mapping[str, str],
        max_age_s: float,
    ) -> None:
        self._server = server
        self._lists = lists
        self._cache = cache
        self._named = named
        self._max_age_s = max_age_s

    def asked_soon(self, fqns: Iterable[str]) -> list[Future[dict[str, str]]]:
        """
        The databases of the services of *fqns* that are not known yet, asked for beside the names.
        """
        unknown = [s for s in _services_of(fqns) if self._known(s) is None]
        return [self._server.soon(self._databases, service) for service in unknown]

    def of(self, fqns: Iterable[str]) -> Places:
        """
        What is needed to say where *fqns* are.
        """
        return Places(
            self._named, {service: self._databases(service) for service in _services_of(fqns)}
        )

    def forget(self, service: str) -> None:
        """
        Ask for the databases of *service* again when they are needed.
        """
        self._cache.forget_fact(f"{DATABASES}{service}")

    def _known(self, service: str) -> dict[str, str] | None:
        found = self._cache.fact(f"{DATABASES}{service}", max_age_s=self._max_age_s)
        return found if isinstance(found, dict) else None

    def _databases(self, service: str) -> dict[str, str]:
        known = self._known(service)
        if known is None:
            listed = self._lists.databases(service)
            known = {d.fully_qualified_name: marked_catalog(d) for d in listed}
            self._cache.keep_fact(f"{DATABASES}{service}", known)
        return known


def _services_of(fqns: Iterable[str]) -> list[str]:
    found = dict[str, None]()
    for fqn in fqns:
        try:
            found[format_fqn(parse_fqn(fqn).parts[:1])] = None
        except InvalidFqn:
            continue
    return list(found)
