"""
Lineage graphs for tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from fusion_magic.lineage_graph import LineageGraph
from fusion_magic.store import GraphColumn, GraphEdge

JOB = UUID(int=7)


def edge(source: str, target: str) -> GraphEdge:
    return GraphEdge(source_fqn=source, target_fqn=target, job_id=JOB)


def column(source: str, target: str) -> GraphColumn:
    """
    An edge between two columns, each written ``table.column``.
    """
    (a, b), (c, d) = source.rsplit(".", 1), target.rsplit(".", 1)
    return GraphColumn(source_fqn=a, source_column=b, target_fqn=c, target_column=d, job_id=JOB)


def graph(root: str, pairs: Iterable[tuple[str, str]], *columns: GraphColumn) -> LineageGraph:
    return LineageGraph(root, tuple(edge(*pair) for pair in sorted(pairs)), columns)
