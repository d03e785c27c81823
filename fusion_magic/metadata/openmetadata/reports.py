"""
What a server says of tables beside their names: for a person, and as alerts in a cell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, TypeVar

from fusion_magic.errors import MetadataError, MetadataUnavailable
from fusion_magic.metadata import Details, Entity, Join
from fusion_magic.metadata.openmetadata.details import details_of, failures, joins_of
from fusion_magic.metadata.openmetadata.search import Question
from fusion_magic.metadata.openmetadata.server import MOST_LISTED, OpenMetadataServer
from fusion_magic.metadata.openmetadata.staleness import FAILED_TESTS
from fusion_magic.openmetadata.client import segment
from fusion_magic.openmetadata.messages import Asset, DataTest, DataTests

if TYPE_CHECKING:
    from fusion_magic.metadata.openmetadata.cache import Cache

DOMAINS_SINCE = (1, 9)
CERTIFIED_SINCE = (1, 7)  # what calls itself 1.6 may be older than the field
PATIENCE_S = 60.0  # until a server that does not say which tests failed is asked again
_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class Reports:
    """
    Reports of one server, as far as its version has them and the token may see them. Safe to use from several threads.
    """

    def __init__(self, server: OpenMetadataServer, cache: Cache, *, max_age_s: float) -> None:
        self._server = server
        self._cache = cache
        self._max_age_s = max_age_s
        self._patient_until = 0.0

    def details(self, entity: Entity) -> Details:
        """See ``Metadata.details``."""
        server, is_table = self._server, entity.kind != "container"
        path = "tables" if is_table else "containers"
        asset = server.soon(lambda fqn: self._with_more(path, fqn), entity.fqn)
        profile = server.soon(_or_nothing(self._profile), entity.fqn) if is_table else None
        tests = server.soon(_or_nothing(self._tests_of), entity.fqn) if is_table else None
        found = asset.result()
        if found is None:
            return Details()
        return details_of(
            found,
            profile.result() if profile else None,
            (tests.result() if tests else None) or [],
            server_page=server.address.page,
        )

    def joins(self, entity: Entity) -> list[Join]:
        """See ``Metadata.joins``."""
        if entity.kind == "container":
            return []
        path = f"tables/name/{segment(entity.fqn)}"
        asset = self._server.get(path, Asset, {"fields": "joins"})
        return joins_of(asset) if asset is not None else []

    def failed_soon(self) -> list[Future[None]]:
        """
        The tests of data that failed last, on all tables, asked for where they are not known or half-way through their age.
        """
        if self._cache.fact(FAILED_TESTS, max_age_s=self._max_age_s / 2) is not None:
            return []
        return [self._server.soon(self._keep_failed, FAILED_TESTS)]

    def with_alerts(self, entities: Mapping[str, Entity], *, may_ask: bool) -> dict[str, Entity]:
        """
        *entities* with the tests of their data that failed.

        Args:
            may_ask: Whether the server is asked where that is not known any more; else, and where it does not answer, what was
                known last counts.
        """
        failed = self._cache.fact(FAILED_TESTS, max_age_s=self._max_age_s)
        if failed is None:
            if may_ask:
                self._know_failed()
            failed = self._cache.fact(FAILED_TESTS, max_age_s=inf) or {}
        return {
            fqn: replace(entity, alerts=(*entity.alerts, *failed[fqn])) if fqn in failed else entity
            for fqn, entity in entities.items()
        }

    def _know_failed(self) -> None:
        if time.monotonic() < self._patient_until:
            return
        try:
            self._keep_failed(FAILED_TESTS)
        except MetadataUnavailable:
            self._patient_until = time.monotonic() + PATIENCE_S

    def _keep_failed(self, key: str) -> None:
        tests = _or_nothing(self._tests)({"testCaseStatus": "Failed"}) or []
        said = {
            fqn: [f"A test of its data failed: {failure}" for failure in found]
            for fqn, found in failures(tests).items()
        }
        self._cache.keep_fact(key, said)

    def _with_more(self, path: str, fqn: str) -> Asset | None:
        """
        One entity with what is not kept of it: usage, domains, certificate; *path* is ``tables`` or ``containers``.
        """
        version = self._server.version()
        fields = ["owners", "tags", "dataProducts"]
        fields += ["domains" if version >= DOMAINS_SINCE else "domain"]
        fields += ["certification"] if version >= CERTIFIED_SINCE else []

        def ask(wanted: list[str]) -> Asset | None:
            place = f"{path}/name/{segment(fqn)}"
            return self._server.get(place, Asset, {"fields": ",".join(wanted)})

        # Use is seen with a right of its own.
        used = _or_nothing(ask)([*fields, "usageSummary"]) if path == "tables" else None
        return used or ask(fields)

    def _profile(self, fqn: str) -> Asset | None:
        """
        A table with the figures that its data had when the profiler ran last.
        """
        return self._server.get(f"tables/{segment(fqn)}/tableProfile/latest", Asset)

    def _tests_of(self, fqn: str) -> list[DataTest]:
        """
        The tests of a table's data and its columns', with their last results.
        """
        link = f"<#E::table::{fqn}>"
        return self._tests({"entityLink": link, "includeAllTests": "true"})

    def _tests(self, query: Mapping[str, str]) -> list[DataTest]:
        asked: Question = {**query, "fields": "testCaseResult", "limit": MOST_LISTED}
        found = self._server.get("dataQuality/testCases", DataTests, asked)
        return found.data if found else []


def _or_nothing(ask: Callable[[_Asked], _Answer]) -> Callable[[_Asked], _Answer | None]:
    """
    *ask*, for what a version does not have or a token may not see.
    """

    def asked(item: _Asked) -> _Answer | None:
        try:
            return ask(item)
        except MetadataUnavailable:
            raise
        except MetadataError:
            return None

    return asked
