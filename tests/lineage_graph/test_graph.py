"""
The graph around a table: how far it goes, and what one column takes part in.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fusion_magic.errors import InvalidArgument
from fusion_magic.lineage_graph import LineageGraph, Walk, build_graph, nearest, trace
from fusion_magic.store import GraphEdge
from tests.lineage_graph.graphs import column, edge, graph

CHAIN = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("x", "c"), ("c", "c")]


def around(root: str, **walk: object) -> LineageGraph:
    def find(names: Sequence[str], is_up: bool) -> list[GraphEdge]:
        return [edge(s, t) for s, t in CHAIN if (t if is_up else s) in names]

    return build_graph(root, Walk(**walk), find)  # type: ignore[arg-type]


def pairs(found: LineageGraph) -> list[tuple[str, str]]:
    return [(e.source_fqn, e.target_fqn) for e in found.edges]


def test_it_unpacks_into_the_direct_sources_and_targets() -> None:
    upstream, downstream = found = around("c")

    assert upstream == found[0] == ("b", "c", "x")
    assert downstream == found[1] == ("c", "d")


def test_it_goes_as_many_hops_as_wanted_each_edge_once() -> None:
    assert pairs(around("c", depth=1)) == [("b", "c"), ("c", "c"), ("c", "d"), ("x", "c")]
    assert pairs(around("c", depth=9)) == sorted(CHAIN)


def test_it_looks_up_or_down_alone() -> None:
    assert pairs(around("b", is_down=False)) == [("a", "b")]
    assert pairs(around("d", is_up=False)) == [("d", "e")]


def test_a_cycle_ends() -> None:
    ring = [("a", "b"), ("b", "c"), ("c", "a")]

    def find(names: Sequence[str], is_up: bool) -> list[GraphEdge]:
        return [edge(s, t) for s, t in ring if (t if is_up else s) in names]

    assert pairs(build_graph("a", Walk(100), find)) == sorted(ring)


@pytest.mark.parametrize("depth", [0, -1])
def test_a_depth_without_hops_is_refused(depth: int) -> None:
    with pytest.raises(InvalidArgument, match="at least 1 hop"):
        Walk(depth)


def test_a_column_is_followed_through_all_hops_and_nothing_beside_it() -> None:
    whole = graph(
        "t",
        [("s", "t"), ("r", "s"), ("t", "u"), ("q", "t")],
        column("r.id", "s.key"),
        column("s.key", "t.Key"),
        column("s.other", "t.other"),
        column("t.Key", "u.k"),
        column("q.x", "t.other"),
    )

    found = trace(whole, "KEY")

    assert found.column == "Key"
    assert [(c.source, c.target) for c in found.columns] == [
        (("r", "id"), ("s", "key")),
        (("s", "key"), ("t", "Key")),
        (("t", "Key"), ("u", "k")),
    ]
    assert pairs(found) == [("r", "s"), ("s", "t"), ("t", "u")]


def test_a_column_without_lineage_is_refused_with_those_that_have_it() -> None:
    whole = graph("t", [("s", "t")], column("s.key", "t.key"))

    with pytest.raises(InvalidArgument, match="'kex' of t") as caught:
        trace(whole, "kex")
    assert caught.value.hint == "Its columns with lineage are key."


def test_the_nearest_are_kept_from_both_sides() -> None:
    many = graph("r", [*((f"s{n:03}", "r") for n in range(100)), ("r", "t"), ("t", "u")])

    names, left_out = nearest(many, 6)

    assert names == ["r", "s000", "t", "s001", "u", "s002"]
    assert left_out == 97
