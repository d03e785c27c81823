"""
The edges around one table or file as a value, and how they are collected, traced and ordered by distance. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, TypeVar

from fusion_magic.errors import InvalidArgument
from fusion_magic.store import GraphColumn, GraphEdge

DEPTH = 3  # hops, where nobody says how many


@dataclass(frozen=True, slots=True)
class Graph:
    """
    What is known around *root*; ``upstream, downstream = graph`` gives the direct sources and targets.

    Attributes:
        root: The FQN in the middle.
        edges: Every edge within the wanted hops, each once, by source and target.
        columns: The column edges between these tables; empty unless they were asked for.
        column: The column of *root* that ``trace`` has followed, or None.
    """

    root: str
    edges: tuple[GraphEdge, ...] = ()
    columns: tuple[GraphColumn, ...] = ()
    column: str | None = None

    @property
    def upstream(self) -> tuple[str, ...]:
        """
        The FQNs that the root was made from, in one step.
        """
        return tuple(edge.source_fqn for edge in self.edges if edge.target_fqn == self.root)

    @property
    def downstream(self) -> tuple[str, ...]:
        """
        The FQNs that were made from the root, in one step.
        """
        return tuple(edge.target_fqn for edge in self.edges if edge.source_fqn == self.root)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return iter((self.upstream, self.downstream))

    def __getitem__(self, place: int) -> tuple[str, ...]:
        return (self.upstream, self.downstream)[place]

    def __len__(self) -> int:
        return 2

    def json(self) -> dict[str, Any]:
        """
        The graph as plain values.
        """
        return {
            "fqn": self.root,
            "column": self.column,
            "upstream": list(self.upstream),
            "downstream": list(self.downstream),
            "edges": [
                {"source": e.source_fqn, "target": e.target_fqn, "job": str(e.job_id)}
                for e in self.edges
            ],
            "columns": [
                {
                    "source": c.source_fqn,
                    "source_column": c.source_column,
                    "target": c.target_fqn,
                    "target_column": c.target_column,
                    "job": str(c.job_id),
                }
                for c in self.columns
            ],
        }


_Graph = TypeVar("_Graph", bound=Graph)


@dataclass(frozen=True, slots=True)
class Walk:
    """
    How far to look around a table.

    Attributes:
        depth: Hops, at least 1.
        is_up: Whether to look at what it was made from.
        is_down: Whether to look at what was made from it.
    """

    depth: int = DEPTH
    is_up: bool = True
    is_down: bool = True

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise InvalidArgument(
                f"Lineage has a depth of at least 1 hop, not {self.depth}.", hint="--depth 3"
            )


def collect(
    root: str, walk: Walk, find: Callable[[Sequence[str], bool], Iterable[GraphEdge]]
) -> tuple[GraphEdge, ...]:
    """
    The table edges around *root*, asked for one hop at a time.

    Args:
        find: Gives the edges into any of these tables (True: upstream) or out of them (False).
    """
    found: dict[tuple[str, str], GraphEdge] = {}
    for is_up in (True, False):
        if walk.is_up if is_up else walk.is_down:
            for edge in _walk(root, walk.depth, is_up, find):
                found[edge.source_fqn, edge.target_fqn] = edge
    return tuple(found[pair] for pair in sorted(found))


def _walk(
    root: str, depth: int, is_up: bool, find: Callable[[Sequence[str], bool], Iterable[GraphEdge]]
) -> Iterator[GraphEdge]:
    seen = {root}
    frontier = [root]
    for _ in range(depth):
        following = set()
        for edge in find(frontier, is_up):
            yield edge
            following.add(edge.source_fqn if is_up else edge.target_fqn)
        frontier = sorted(following - seen)
        seen |= following
        if not frontier:
            return


def trace(graph: _Graph, column: str) -> _Graph:
    """
    Only what *column* of the root comes from and goes into, whatever its case.

    Raises:
        InvalidArgument: No column edge of the root has that name.
    """
    own = {edge.target_column for edge in graph.columns if edge.target_fqn == graph.root}
    own |= {edge.source_column for edge in graph.columns if edge.source_fqn == graph.root}
    starts = [name for name in sorted(own) if name.lower() == column.lower()]
    if not starts:
        raise InvalidArgument(
            f"No column lineage is known for {column!r} of {graph.root}.",
            hint=f"Its columns with lineage are {', '.join(sorted(own))}."
            if own
            else "`%fusion lineage` without --column shows the tables.",
        )
    root = {(graph.root, name) for name in starts}
    kept = _reached(root, graph.columns, is_up=True) | _reached(root, graph.columns, is_up=False)
    columns = tuple(edge for edge in graph.columns if edge in kept)
    pairs = {(edge.source_fqn, edge.target_fqn) for edge in columns}
    edges = tuple(e for e in graph.edges if (e.source_fqn, e.target_fqn) in pairs)
    return replace(graph, edges=edges, columns=columns, column=starts[0])


def _reached(
    starts: set[tuple[str, str]], edges: Sequence[GraphColumn], *, is_up: bool
) -> set[GraphColumn]:
    beside: dict[tuple[str, str], list[GraphColumn]] = {}
    for edge in edges:
        beside.setdefault(edge.target if is_up else edge.source, []).append(edge)
    reached: set[GraphColumn] = set()
    waiting, seen = list(starts), set(starts)
    while waiting:
        for edge in beside.get(waiting.pop(), ()):
            reached.add(edge)
            other = edge.source if is_up else edge.target
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return reached


def nearest(graph: Graph, most: int) -> tuple[list[str], int]:
    """
    The root and the tables next to it, at most *most*, those upstream and downstream in turn; and how many are left out.
    """
    sides = [_by_distance(graph, is_up=is_up) for is_up in (True, False)]
    in_turn = (name for pair in zip_longest(*sides) for name in pair if name is not None)
    names = list(dict.fromkeys((graph.root, *in_turn)))
    return names[:most], max(0, len(names) - most)


def _by_distance(graph: Graph, *, is_up: bool) -> list[str]:
    beside: dict[str, list[str]] = {}
    for edge in graph.edges:
        here, there = edge.target_fqn, edge.source_fqn
        if not is_up:
            here, there = there, here
        beside.setdefault(here, []).append(there)
    names = [graph.root]
    seen = {graph.root}
    for name in names:
        fresh = [other for other in sorted(beside.get(name, ())) if other not in seen]
        seen.update(fresh)
        names += fresh
    return names[1:]
