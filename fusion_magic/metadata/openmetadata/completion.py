"""
Completion of an FQN, part by part, from lists that are kept for minutes.

    services              listed
    databases, schemas    listed
    tables, containers    from the index: a whole level where it is short, else what begins with the prefix
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from fusion_magic.metadata.encoding import complete_parts
from fusion_magic.metadata.openmetadata.lists import DATABASE_SERVICES, STORAGE_SERVICES
from fusion_magic.metadata.openmetadata.staleness import BELOW
from fusion_magic.sql.fqn import format_fqn, parse_fqn

if TYPE_CHECKING:
    from fusion_magic.metadata.openmetadata.cache import Cache
    from fusion_magic.metadata.openmetadata.lists import Lists
    from fusion_magic.metadata.openmetadata.lookups import Lookups

WHOLE = 1000  # FQNs of one level that are kept at once
TABLE_DEPTH = 3


def complete(
    prefix: str, lists: Lists, lookups: Lookups, cache: Cache, *, max_age_s: float
) -> tuple[str, ...]:
    """
    What can follow in an FQN that starts with *prefix*: the FQNs' texts up to the next dot, in order.
    """
    parts = complete_parts(prefix)

    def kept(key: str, ask: Callable[[], list[str]]) -> list[str]:
        found = cache.fact(f"{BELOW}{key}", max_age_s=max_age_s)
        if found is None:
            found = ask()
            cache.keep_fact(f"{BELOW}{key}", found)
        return list(found)

    databases = kept("databases", lambda: _services(lists, DATABASE_SERVICES))
    if not parts:
        return _parts(
            prefix, [*databases, *kept("storages", lambda: _services(lists, STORAGE_SERVICES))]
        )
    level = format_fqn(parts)
    start = f"{level}."
    if len(parts) < TABLE_DEPTH and f"{format_fqn(parts[:1])}." in databases:
        ask = lists.databases if len(parts) == 1 else lists.schemas
        listed = kept(start, lambda: [f"{a.fully_qualified_name}." for a in ask(level)])
        return _parts(prefix, listed)
    whole = kept(start, lambda: lookups.below(start, size=WHOLE))
    if len(whole) < WHOLE or prefix.casefold() == start.casefold():
        return _parts(prefix, whole)
    return _parts(prefix, kept(prefix, lambda: lookups.below(prefix, size=WHOLE)))


def _services(lists: Lists, path: str) -> list[str]:
    return [f"{service.fully_qualified_name}." for service in lists.of_kind(path)]


def _parts(prefix: str, fqns: Iterable[str]) -> tuple[str, ...]:
    """
    What begins with *prefix* among *fqns*, each up to the part behind the complete ones of *prefix*; a dot where it goes on.
    """
    start, depth = prefix.casefold(), len(complete_parts(prefix))
    found: dict[str, bool] = {}
    for fqn in fqns:
        if fqn.casefold().startswith(start):
            parts = parse_fqn(fqn.rstrip(".")).parts
            name = format_fqn(parts[: depth + 1])
            goes_on = len(parts) > depth + 1 or fqn.endswith(".")
            found[name] = goes_on or found.get(name, False)
    return tuple(sorted(f"{name}." if goes_on else name for name, goes_on in found.items()))
