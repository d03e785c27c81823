"""
What a name look-up, a search and completion ask of an OpenMetadata server.

Several names are one question to its index, cut by the length of an address; what the index does not know yet is asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from fusion_magic.errors import InvalidFqn, MetadataError
from fusion_magic.metadata.openmetadata import search
from fusion_magic.metadata.openmetadata.search import Question
from fusion_magic.openmetadata.address import Address
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.openmetadata.messages import (
    Asset,
    AssetList,
    Found,
    Hits,
    TestCase,
    TestCaseList,
    User,
    Version,
)
from fusion_magic.sql.fqn import parse_fqn
from fusion_magic.sql.trino_names import TABLE_PARTS

AT_ONCE = 8  # requests side by side
MOST_LISTED = 1000
SERVICES = ("services/databaseServices", "services/storageServices")
# In every version since 1.5; what came later is asked for by those that have it.
TABLE_FIELDS = ("columns", "tags", "owners", "extension")
CONTAINER_FIELDS = ("dataModel", "tags", "owners", "extension")
STATUS_SINCE = (1, 10)
DOMAINS_SINCE = (1, 9)
CERTIFIED_SINCE = (1, 7)  # what calls itself 1.6 may be older than the field
_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Named:
    """
    What the server knows of some names.

    Attributes:
        assets: What has one of them, in any case; deleted ones too, where nothing else has the name.
        unknown: Names that nothing has exactly.
    """

    assets: tuple[Asset, ...]
    unknown: tuple[str, ...]


class OpenMetadataServer:
    """
    One server. Safe to use from several threads.
    """

    def __init__(self, client: OpenMetadataClient) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fusion-openmetadata")
        self._version: tuple[int, ...] | None = None

    @property
    def address(self) -> Address:
        """
        Where it is.
        """
        return self._client.address

    def version(self) -> tuple[int, ...]:
        """
        Its version, (1, 6, 0).
        """
        if self._version is None:
            said = self._client.get("system/version", Version)
            numbers = (said.version if said else "").split("-")[0].split(".")
            self._version = tuple(int(n) for n in numbers if n.isdigit())
        return self._version

    def about(self) -> str:
        """
        Where it is, its version, and whose the token is.
        """
        version = ".".join(map(str, self.version()))
        user = self._client.get("users/loggedInUser", User)
        who = f" as {user.name}" if user else ""
        kind = " (a bot)" if user and user.is_bot else ""
        return f"{self.address.url}, OpenMetadata {version}{who}{kind}"

    def named(self, fqns: Sequence[str]) -> Named:
        """
        What has these FQNs.
        """
        wanted = list(dict.fromkeys(fqns))
        found = {} if len(wanted) == 1 else self._searched(wanted)
        missing = [fqn for fqn in wanted if fqn not in found]
        by_name = dict(zip(missing, self._side_by_side(self._by_name, missing), strict=True))
        found |= {fqn: asset for fqn, asset in by_name.items() if asset is not None}
        unknown = tuple(fqn for fqn in missing if by_name[fqn] is None)
        if len(wanted) == 1 and unknown:
            found |= self._searched(wanted)
        return Named(tuple(found.values()), unknown)

    def databases(self, service: str) -> list[Asset]:
        """
        The databases of a service, with the properties that somebody gave them.
        """
        return self._listed("databases", {"service": service, "fields": "extension"})

    def soon(self, ask: Callable[[_Asked], _Answer], item: _Asked) -> Future[_Answer]:
        """
        The answer to come of a question that is asked beside others; *ask* makes one request.
        """
        return self._pool.submit(ask, item)

    def schema(self, fqn: str) -> Asset | None:
        """
        The schema with that FQN.
        """
        return self._client.get(f"databaseSchemas/name/{segment(fqn)}", Asset)

    def with_more(self, path: str, fqn: str) -> Asset | None:
        """
        One entity with what is not kept of it: usage, domains, certificate; *path* is ``tables`` or ``containers``.
        """
        fields = [
            "owners",
            "tags",
            "dataProducts",
            "domains" if self.version() >= DOMAINS_SINCE else "domain",
        ]
        fields += ["usageSummary"] if path == "tables" else []
        fields += ["certification"] if self.version() >= CERTIFIED_SINCE else []
        return self._client.get(f"{path}/name/{segment(fqn)}", Asset, {"fields": ",".join(fields)})

    def profile(self, fqn: str) -> Asset | None:
        """
        A table with the figures that its data had when the profiler ran last.
        """
        return self._client.get(f"tables/{segment(fqn)}/tableProfile/latest", Asset)

    def tests(self, fqn: str) -> list[TestCase]:
        """
        The tests of a table's data and its columns', with their last results.
        """
        link = f"<#E::table::{fqn}>"
        return self._tests({"entityLink": link, "includeAllTests": "true"})

    def failing_tests(self) -> list[TestCase]:
        """
        The tests of data that failed when they ran last, on any table.
        """
        return self._tests({"testCaseStatus": "Failed"})

    def services(self) -> list[Asset]:
        """
        The services that have tables or containers.
        """
        lists = self._side_by_side(self.listed, SERVICES)
        return [service for found in lists for service in found]

    def listed(self, path: str) -> list[Asset]:
        """
        Everything of one kind, by the path of its list.
        """
        return self._listed(path, {})

    def count(self, services: Sequence[str]) -> dict[str, int]:
        """
        How many tables and containers each of *services* has.
        """
        answers = self._side_by_side(lambda name: self._found(search.counted(name)), services)
        totals = (a.hits.total.value if a.hits.total else 0 for a in answers)
        return dict(zip(services, totals, strict=True))

    def search(self, text: str, *, size: int, skip: int) -> list[Asset]:
        """
        What *text* describes, best first by the server's index.
        """
        return _sources(self._found(search.words(text, size=size, skip=skip)))

    def with_last_parts(self, names: Sequence[str]) -> list[Asset]:
        """
        Tables and containers that are called one of *names*.
        """
        return _sources(self._found(search.last_parts(names)))

    def below(self, prefix: str, *, size: int) -> list[str]:
        """
        FQNs of tables and containers that begin with *prefix*, whatever the case, in order.
        """
        found = _sources(self._found(search.below(prefix, size=size)))
        start = prefix.lower()
        return [
            a.fully_qualified_name
            for a in found
            if a.fully_qualified_name.lower().startswith(start)
        ]

    def schemas(self, database: str) -> list[Asset]:
        """
        The schemas of a database.
        """
        return self._listed("databaseSchemas", {"database": database})

    def close(self) -> None:
        """
        Let go of threads and connections.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _searched(self, fqns: Sequence[str]) -> dict[str, Asset]:
        """
        What the index has under these names, by FQN; an index that does not answer knows nothing, and names are asked for one by one.
        """
        pieces = list(
            search.batches(fqns, lambda some: self._client.fits(search.PATH, search.named(some)))
        )
        answers = self._side_by_side(self._named_or_nothing, pieces)
        wanted = {fqn.casefold() for fqn in fqns}
        assets = (asset for answer in answers for asset in answer)
        return {
            asset.fully_qualified_name: asset
            for asset in assets
            if asset.fully_qualified_name.casefold() in wanted
        }

    def _named_or_nothing(self, fqns: Sequence[str]) -> list[Asset]:
        try:
            return _sources(self._found(search.named(fqns)))
        except MetadataError as error:
            if error.status is None or error.status < 500:
                raise
            return []

    def _found(self, question: Question) -> Found:
        return self._client.get(search.PATH, Found, question) or Found(hits=Hits())

    def _by_name(self, fqn: str) -> Asset | None:
        for path, fields in self._kinds(fqn):
            query = {"fields": ",".join(fields), "include": "all"}
            asset = self._client.get(f"{path}/name/{segment(fqn)}", Asset, query)
            if asset is not None:
                return asset
        return None

    def _kinds(self, fqn: str) -> Iterable[tuple[str, tuple[str, ...]]]:
        """
        Where something with that FQN can be: a table has four parts, a container may have as many.
        """
        try:
            depth = len(parse_fqn(fqn).parts)
        except InvalidFqn:
            return ()
        status = ("entityStatus",) if self.version() >= STATUS_SINCE else ()
        containers = ("containers", (*CONTAINER_FIELDS, *status))
        if depth < 2:
            return ()
        return (
            (("tables", (*TABLE_FIELDS, *status)), containers)
            if depth == TABLE_PARTS
            else (containers,)
        )

    def _tests(self, query: Mapping[str, str]) -> list[TestCase]:
        asked: Question = {**query, "fields": "testCaseResult", "limit": MOST_LISTED}
        found = self._client.get("dataQuality/testCases", TestCaseList, asked)
        return found.data if found else []

    def _listed(self, path: str, query: Mapping[str, str]) -> list[Asset]:
        found: list[Asset] = []
        after: str | None = None
        while True:
            page = self._client.get(
                path, AssetList, {**query, "limit": MOST_LISTED, "after": after}
            )
            if page is None:
                return found
            found += page.data
            after = page.paging.after
            if after is None:
                return found

    def _side_by_side(
        self, ask: Callable[[_Asked], _Answer], items: Sequence[_Asked]
    ) -> list[_Answer]:
        if len(items) < 2:
            return [ask(item) for item in items]
        return list(self._pool.map(ask, items))


def _sources(found: Found) -> list[Asset]:
    return [
        hit.source for hit in found.hits.hits if hit.source is not None and not hit.source.deleted
    ]
