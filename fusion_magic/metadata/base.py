"""
What a small catalogue of names answers: one whose entities fit in memory has nothing to write but the list of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from fusion_magic.metadata import Details, Entity, EntityPage, Join, Metadata
from fusion_magic.metadata.encoding import complete_parts
from fusion_magic.sql.connectors import CatalogSource
from fusion_magic.sql.fqn import format_fqn, parse_fqn


class EntityList(Protocol):
    """
    Gives all entities; called for each question, so that it may change.
    """

    def __call__(self) -> Iterable[Entity]: ...


class ListedMetadata:
    """
    The port ``Metadata`` over a list of entities, which each question reads through.

    Args:
        entities: Gives all of them.

        where: Where they come from, for a person.
    """

    def __init__(self, entities: EntityList, *, where: str) -> None:
        self._entities = entities
        self._where = where

    def about(self) -> str:
        """See ``Metadata.about``."""
        return self._where

    def version(self) -> str:
        """See ``Metadata.version``."""
        return str(hash(tuple(self._entities())))

    def find_by_fqn(self, fqns: Sequence[str]) -> Mapping[str, Entity]:
        """See ``Metadata.find_by_fqn``."""
        wanted = set(fqns)
        return {entity.fqn: entity for entity in self._entities() if entity.fqn in wanted}

    def find_ignoring_case(self, fqns: Sequence[str]) -> Mapping[str, tuple[Entity, ...]]:
        """See ``Metadata.find_ignoring_case``."""
        found = {fqn: self._matching(fqn) for fqn in fqns}
        return {fqn: entities for fqn, entities in found.items() if entities}

    def find_by_trino_name(
        self, names: Sequence[tuple[str, ...]]
    ) -> Mapping[tuple[str, ...], Entity]:
        """See ``Metadata.find_by_trino_name``."""
        known = {_folded(entity.trino_parts): entity for entity in self._entities()}
        return {name: known[_folded(name)] for name in names if _folded(name) in known}

    def similar(self, fqn: str, *, limit: int = 3) -> tuple[str, ...]:
        """See ``Metadata.similar``."""
        from rapidfuzz import fuzz, process

        names = [entity.fqn for entity in self._entities()]
        found = process.extract(fqn, names, scorer=fuzz.ratio, limit=limit, score_cutoff=60)
        return tuple(name for name, _, _ in found)

    def search(self, text: str, *, limit: int = 20, after: str | None = None) -> EntityPage:
        """See ``Metadata.search``; names that hold a word come before descriptions that do."""
        words = text.lower().split()
        found = [e for e in self._entities() if all(word in _text(e) for word in words)]
        found.sort(key=lambda e: (not any(word in e.fqn.lower() for word in words), e.fqn))
        first = int(after or 0)
        following = str(first + limit) if first + limit < len(found) else None
        return EntityPage(tuple(found[first : first + limit]), following)

    def complete(self, prefix: str, *, limit: int = 100) -> tuple[str, ...]:
        """See ``Metadata.complete``."""
        depth = len(complete_parts(prefix))
        found = set()
        for entity in self._entities():
            parts = parse_fqn(entity.fqn).parts
            text = format_fqn(parts[: depth + 1]) + ("." if len(parts) > depth + 1 else "")
            if len(parts) > depth and text.lower().startswith(prefix.lower()):
                found.add(text)
        return tuple(sorted(found)[:limit])

    def entities_below(self, fqn: str) -> Iterable[Entity]:
        """See ``Metadata.entities_below``."""
        start = parse_fqn(fqn).parts
        found = (e for e in self._entities() if parse_fqn(e.fqn).parts[: len(start)] == start)
        return sorted(found, key=lambda entity: entity.fqn)

    def changed(self, entity: Entity) -> datetime | None:
        """See ``Metadata.changed``."""
        return None

    def details(self, entity: Entity) -> Details:
        """See ``Metadata.details``."""
        return Details()

    def joins(self, entity: Entity) -> Sequence[Join]:
        """See ``Metadata.joins``."""
        return ()

    def trino_schema(self, schema: Sequence[str]) -> tuple[str, ...] | None:
        """See ``Metadata.trino_schema``."""
        return schema_of_tables(self, schema)

    def catalog_source(self, fqn: str, *, is_fresh: bool = False) -> CatalogSource | None:
        """See ``Metadata.catalog_source``; nothing is known of connections."""
        return None

    def services(self) -> Mapping[str, int]:
        """See ``Metadata.services``."""
        counted: dict[str, int] = {}
        for entity in self._entities():
            service = parse_fqn(entity.fqn).parts[0]
            counted[service] = counted.get(service, 0) + 1
        return dict(sorted(counted.items()))

    def _matching(self, fqn: str) -> tuple[Entity, ...]:
        return tuple(e for e in self._entities() if e.fqn.lower() == fqn.lower())


def schema_of_tables(metadata: Metadata, schema: Sequence[str]) -> tuple[str, ...] | None:
    """
    What ``Metadata.trino_schema`` answers where tables alone are known: the one schema that they lie in.
    """
    neighbours = metadata.complete(f"{format_fqn(schema)}.", limit=20)
    entities = metadata.find_by_fqn([name.rstrip(".") for name in neighbours])
    schemas = {entity.trino_parts[:-1] for entity in entities.values()}
    return schemas.pop() if len(schemas) == 1 else None


def _folded(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.lower() for part in parts)


def _text(entity: Entity) -> str:
    texts = (entity.fqn, entity.description or "", *entity.owners, *entity.tags)
    return " ".join((*texts, *(column.name for column in entity.columns))).lower()
