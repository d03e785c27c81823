"""
What the server holds: entities by id, by name and in order, edges, events, and what the index has not seen.
"""

from __future__ import annotations

import copy
import threading
import time
import uuid
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .answers import Json, not_found
from .kinds import Kind
from .versions import Version


@dataclass(slots=True, eq=False)
class Entity:
    """
    One entity.

    Attributes:
        data: Its own properties, as a create message has them, references as ids.
        parent: What it hangs below.
        children: What hangs below it, by id.
        history: Its earlier versions as JSON, oldest first.
        facts: What is no property: usage, joins, results of runs and tests.
    """

    kind: Kind
    id: str
    name: str
    fqn: str
    parent: Entity | None
    data: Json
    updated_at: int
    updated_by: str
    version: float = 0.1
    is_deleted: bool = False
    children: dict[str, Entity] | None = None
    change: Json | None = None
    history: list[Json] | None = None
    facts: Json | None = None

    def ancestor(self, kind: str) -> Entity | None:
        """
        The nearest above it of that *kind*.
        """
        found = self.parent
        while found is not None and found.kind.type != kind:
            found = found.parent
        return found

    def adopt(self, child: Entity) -> None:
        """
        Let *child* be found below it.
        """
        if self.children is None:
            self.children = {}
        self.children[child.id] = child

    def fact(self, name: str, default: Callable[[], Any]) -> Any:
        """
        The fact of that *name*, made where it is missing.
        """
        if self.facts is None:
            self.facts = {}
        return self.facts.setdefault(name, default())

    def set_fact(self, name: str, value: Any) -> None:
        """
        Keep a fact.
        """
        if self.facts is None:
            self.facts = {}
        self.facts[name] = value


@dataclass(eq=False)
class State:
    """
    Everything that a stopped server keeps.
    """

    version: Version
    version_text: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    by_id: dict[str, Entity] = field(default_factory=dict)
    by_name: dict[tuple[str, str], Entity] = field(default_factory=dict)
    by_lower: dict[str, list[Entity]] = field(default_factory=dict)
    in_order: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    edges: dict[tuple[str, str], Json | None] = field(default_factory=dict)
    upstream: dict[str, set[str]] = field(default_factory=dict)
    downstream: dict[str, set[str]] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    index_lags: bool = False
    unseen: dict[str, Entity | None] = field(default_factory=dict)
    custom_properties: dict[str, list[Json]] = field(default_factory=dict)
    listeners: list[Callable[[Json], None]] = field(default_factory=list)
    last_time: int = 0

    def now(self) -> int:
        """
        Milliseconds, never the same twice, so that what came later sorts later.
        """
        self.last_time = max(self.last_time + 1, int(time.time() * 1000))
        return self.last_time

    def find(self, kind: str, fqn: str) -> Entity | None:
        """
        The entity of that name; users are found in any case.
        """
        return self.by_name.get((kind, fqn.lower() if kind == "user" else fqn))

    def get(self, kind: str, entity_id: str, *, is_any: bool = False) -> Entity:
        """
        The entity of that id.

        Raises:
            Refusal: There is none, or it is deleted and *is_any* is not said (404).
        """
        found = self.by_id.get(entity_id)
        if found is None or found.kind.type != kind or (found.is_deleted and not is_any):
            raise not_found(kind, entity_id)
        return found

    def named(self, kind: str, fqn: str, *, is_any: bool = False) -> Entity:
        """
        As ``get``, by FQN.
        """
        found = self.find(kind, fqn)
        if found is None or (found.is_deleted and not is_any):
            raise not_found(kind, fqn)
        return found

    def add(self, entity: Entity) -> Entity:
        """
        Keep a new *entity*.
        """
        kind = entity.kind.type
        self.by_id[entity.id] = entity
        self.by_name[kind, entity.fqn.lower() if kind == "user" else entity.fqn] = entity
        self.by_lower.setdefault(entity.fqn.lower(), []).append(entity)
        insort(self.in_order.setdefault(kind, []), (entity.name, entity.id))
        if entity.parent is not None:
            entity.parent.adopt(entity)
        if self.index_lags:
            self.unseen.setdefault(entity.id, None)
        return entity

    def add_sorted(self, kind: str) -> None:
        """
        Put a *kind* into order after many were added by ``add_quickly``.
        """
        self.in_order[kind] = sorted(
            (one.name, one.id) for one in self.by_id.values() if one.kind.type == kind
        )

    def add_quickly(self, entity: Entity) -> None:
        """
        As ``add``, without the order.
        """
        self.by_id[entity.id] = entity
        self.by_name[entity.kind.type, entity.fqn] = entity
        self.by_lower.setdefault(entity.fqn.lower(), []).append(entity)
        if entity.parent is not None:
            entity.parent.adopt(entity)

    def remove(self, entity: Entity) -> None:
        """
        Forget *entity*, its edges, and that it ever was.
        """
        self.touch(entity)
        kind = entity.kind.type
        del self.by_id[entity.id]
        self.by_name.pop((kind, entity.fqn.lower() if kind == "user" else entity.fqn), None)
        self.by_lower[entity.fqn.lower()].remove(entity)
        order = self.in_order[kind]
        del order[bisect_left(order, (entity.name, entity.id))]
        if entity.parent is not None and entity.parent.children is not None:
            entity.parent.children.pop(entity.id, None)
        for other in list(self.upstream.get(entity.id, ())):
            self.remove_edge(other, entity.id)
        for other in list(self.downstream.get(entity.id, ())):
            self.remove_edge(entity.id, other)

    def touch(self, entity: Entity) -> None:
        """
        Say that *entity* is about to change, which an index that lags behind does not see.
        """
        if self.index_lags and entity.id not in self.unseen:
            self.unseen[entity.id] = copy.copy(entity)

    def put_edge(self, source: str, target: str, details: Json | None) -> None:
        """
        Keep the edge from *source* to *target*; there is one at most.
        """
        self.edges[source, target] = details
        self.downstream.setdefault(source, set()).add(target)
        self.upstream.setdefault(target, set()).add(source)

    def remove_edge(self, source: str, target: str) -> bool:
        """
        Forget an edge; whether there was one.
        """
        is_there = (source, target) in self.edges
        if is_there:
            del self.edges[source, target]
            self.downstream[source].discard(target)
            self.upstream[target].discard(source)
        return is_there

    def of_kind(self, kind: str) -> Iterator[Entity]:
        """
        All of a *kind* in the order of their names.
        """
        for _, entity_id in self.in_order.get(kind, ()):
            yield self.by_id[entity_id]


def new_id() -> str:
    return str(uuid.uuid4())
