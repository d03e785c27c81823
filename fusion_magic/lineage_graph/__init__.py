"""
The lineage graph around one table or file: what it was made from, and what was made from it.

    build_graph      asks for the edges hop by hop; the asking comes in as a function
    trace            keeps what one column comes from and goes into
    LineageGraph     unpacks into the direct sources and targets; shows as SVG (``drawing``) and as text (``tree``)

Pure: no I/O. Tables and files are nodes, named by FQN; two columns of the same two tables may have an edge of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fusion_magic.lineage_graph.graph import Graph, Walk, collect, nearest, trace
from fusion_magic.store import GraphEdge

__all__ = ["LineageGraph", "Walk", "build_graph", "nearest", "trace"]


class LineageGraph(Graph):
    """
    A graph that shows itself: as a drawing in a notebook, as an indented tree everywhere else.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return self.text()

    def text(self) -> str:
        """
        The graph as an indented tree, always in the same order.
        """
        from fusion_magic.lineage_graph.tree import format_tree

        return format_tree(self)

    def svg(self) -> str:
        """
        The graph as an SVG element, with its style.
        """
        from fusion_magic.lineage_graph.drawing import draw

        return draw(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from fusion_magic.lineage_graph.drawing import to_html
        from fusion_magic.lineage_graph.tree import shown_tree

        return {"text/plain": shown_tree(self), "text/html": to_html(self)}


def build_graph(
    root: str, walk: Walk, find: Callable[[Sequence[str], bool], Iterable[GraphEdge]]
) -> LineageGraph:
    """
    The table edges around *root*, asked for one hop at a time.

    Args:
        find: Gives the edges into any of these tables (True: upstream) or out of them (False).
    """
    return LineageGraph(root, collect(root, walk, find))
