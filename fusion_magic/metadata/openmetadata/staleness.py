"""
What a change in OpenMetadata makes old among kept answers; pure.

    table, container    what is kept of it, and below it; where it is new or gone, lists and Trino names without an FQN
    what lies above     the same of everything below it, and which catalog its tables are in
    test of data        which tests failed
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fusion_magic.errors import InvalidFqn
from fusion_magic.metadata.changes import MetadataChange
from fusion_magic.sql.fqn import format_fqn, parse_fqn

FAILED_TESTS = "failed tests"
TRINO_NAMES = "trino:"
BELOW = "below:"
DATABASES = "databases:"
CONNECTION = "connection:"
SCHEMA = "schema:"
SERVICES = (f"{BELOW}databases", f"{BELOW}storages")
_UPDATES = frozenset({"entityUpdated", "entityFieldsChanged"})
_LEAVES = frozenset({"table", "container"})


@dataclass(frozen=True, slots=True)
class Told:
    """
    What an event says.

    Attributes:
        fqn: What has changed, and maybe what lies below it; empty for nothing that has a name.
        updated_ms: An answer that was changed before this time, by the server's clock, is older than the event; None where it does
            not say.
        facts: How the keys of the facts begin that may be wrong from now on.
        is_new_or_gone: Whether a Trino name that nothing was behind may have something now.
    """

    fqn: str
    updated_ms: int | None = None
    facts: tuple[str, ...] = ()
    is_new_or_gone: bool = False


def told_by(change: MetadataChange) -> Told | None:
    """
    What *change* says; None where it is about nothing that is kept.
    """
    if change.entity_type == "testCase":
        return Told("", facts=(FAILED_TESTS,))
    try:
        parts = parse_fqn(change.fqn).parts
    except InvalidFqn:
        return None
    is_update = change.event_type in _UPDATES
    facts = () if is_update and change.entity_type in _LEAVES else _facts(parts, change.entity_type)
    if change.entity_type == "database" and not is_update:
        # How many there are says which catalogs their neighbours are in.
        return Told(format_fqn(parts[:1]), None, tuple(facts), is_new_or_gone=True)
    return Told(format_fqn(parts), change.updated_ms, tuple(facts), is_new_or_gone=not is_update)


def names_above(fqns: Sequence[str]) -> set[str]:
    """
    The FQNs of what the entities lie in.
    """
    return {above for fqn in fqns for above in _above(fqn)}


def _above(fqn: str) -> Iterator[str]:
    try:
        parts = parse_fqn(fqn).parts
    except InvalidFqn:
        return
    for depth in range(1, len(parts)):
        yield format_fqn(parts[:depth])


def _facts(parts: Sequence[str], kind: str) -> Iterator[str]:
    if len(parts) == 1:
        yield from (*SERVICES, f"{CONNECTION}{format_fqn(parts)}")
    else:
        yield f"{BELOW}{format_fqn(parts[:-1])}."
    if kind not in _LEAVES:
        fqn = format_fqn(parts)
        yield from (f"{BELOW}{fqn}.", f"{SCHEMA}{fqn}", TRINO_NAMES)
        yield f"{DATABASES}{format_fqn(parts[:1])}"
