"""
What a name look-up, a search and completion ask of a server's index.

Several names are one question, cut by the length of an address; what the index does not know yet is asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_magic.errors import InvalidFqn, MetadataError
from fusion_magic.metadata.openmetadata import search
from fusion_magic.metadata.openmetadata.lists import CONTAINER_FIELDS, TABLE_FIELDS
from fusion_magic.metadata.openmetadata.search import Question
from fusion_magic.openmetadata.client import segment
from fusion_magic.openmetadata.messages import Asset, Found, Hits
from fusion_magic.sql.fqn import parse_fqn
from fusion_magic.sql.trino_names import TABLE_PARTS

if TYPE_CHECKING:
    from fusion_magic.metadata.openmetadata.server import OpenMetadataServer

STATUS_SINCE = (1, 10)


@dataclass(frozen=True, slots=True)
class Named:
    """
    What the server knows of some names.

    Attributes:
        assets: What has one of them, in any case; deleted ones too, where nothing else has the name.
        unknown: Names that nothing has exactly.
        by_name: Those that were asked for by name, which never lags.
    """

    assets: tuple[Asset, ...]
    unknown: tuple[str, ...]
    by_name: frozenset[str] = frozenset()


class Lookups:
    """
    Names at one server. Safe to use from several threads.
    """

    def __init__(self, server: OpenMetadataServer) -> None:
        self._server = server

    def named(self, fqns: Sequence[str], *, told_ms: Mapping[str, int] | None = None) -> Named:
        """
        What has these FQNs.

        Args:
            told_ms: What the index says is not believed of a name where it changed before this time, in milliseconds since 1970.
        """
        wanted = list(dict.fromkeys(fqns))
        found = {} if len(wanted) == 1 else self._searched(wanted)
        for fqn in (told_ms or {}).keys() & found.keys():
            if (found[fqn].updated_at or 0) < (told_ms or {})[fqn]:
                del found[fqn]
        missing = [fqn for fqn in wanted if fqn not in found]
        by_name = dict(zip(missing, self._server.side_by_side(self._by_name, missing), strict=True))
        found |= {fqn: asset for fqn, asset in by_name.items() if asset is not None}
        unknown = tuple(fqn for fqn in missing if by_name[fqn] is None)
        if len(wanted) == 1 and unknown:
            found |= self._searched(wanted)
        return Named(tuple(found.values()), unknown, frozenset(missing))

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

    def count(self, services: Sequence[str]) -> dict[str, int]:
        """
        How many tables and containers each of *services* has.
        """
        answers = self._server.side_by_side(
            lambda name: self._found(search.counted(name)), services
        )
        totals = (a.hits.total.value if a.hits.total else 0 for a in answers)
        return dict(zip(services, totals, strict=True))

    def _searched(self, fqns: Sequence[str]) -> dict[str, Asset]:
        """
        What the index has under these names, by FQN; an index that does not answer knows nothing, and names are asked for one by one.
        """
        pieces = list(
            search.batches(fqns, lambda some: self._server.fits(search.PATH, search.named(some)))
        )
        answers = self._server.side_by_side(self._named_or_nothing, pieces)
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
        return self._server.get(search.PATH, Found, question) or Found(hits=Hits())

    def _by_name(self, fqn: str) -> Asset | None:
        for path, fields in self._kinds(fqn):
            query: Question = {"fields": ",".join(fields), "include": "all"}
            asset = self._server.get(f"{path}/name/{segment(fqn)}", Asset, query)
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
        status = ("entityStatus",) if self._server.version() >= STATUS_SINCE else ()
        containers = ("containers", (*CONTAINER_FIELDS, *status))
        if depth < 2:
            return ()
        return (
            (("tables", (*TABLE_FIELDS, *status)), containers)
            if depth == TABLE_PARTS
            else (containers,)
        )


def _sources(found: Found) -> list[Asset]:
    return [
        hit.source for hit in found.hits.hits if hit.source is not None and not hit.source.deleted
    ]
