"""
A lineage graph as text: two indented trees, each name whole.

    shop.db.public.spend
    made from
      shop.db.public.customer
        raw.db.public.people
      shop.db.public.orders
    goes into
      fusion.notebooks."report.ipynb"
    4 edges

A name that stands there twice is followed once; the other time an ellipsis stands for what is under it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fusion_magic.lineage_graph.graph import Graph
from fusion_magic.sql.fqn import format_fqn
from fusion_magic.store import GraphColumn

HEADS = {True: "made from", False: "goes into"}
MOST_LINES = 500  # that a notebook shows


def format_tree(graph: Graph) -> str:
    """
    The text of *graph*; of one column, where it was traced.
    """
    name, links, notes = _links(graph)
    lines = [name]
    for is_up, head in HEADS.items():
        tree = _tree(name, links, notes, is_up=is_up)
        lines += [head, *tree] if tree else []
    number = len(links)
    return "\n".join((*lines, f"{number:,} edge{'' if number == 1 else 's'}"))


def shown_tree(graph: Graph) -> str:
    """
    ``format_tree``, cut where it is too long for a notebook.
    """
    *lines, count = format_tree(graph).split("\n")
    if len(lines) <= MOST_LINES:
        return "\n".join((*lines, count))
    left_out = f"… {len(lines) - MOST_LINES:,} lines more, which .text() has"
    return "\n".join((*lines[:MOST_LINES], left_out, count))


def visible(text: str) -> str:
    """
    *text* with characters that do not print, which could rearrange what is around them, written out.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def column_name(fqn: str, column: str) -> str:
    """
    The FQN of a column.
    """
    return f"{fqn}.{format_fqn([column])}"


_Pair = tuple[str, str]


def _links(graph: Graph) -> tuple[str, list[_Pair], Callable[[_Pair], list[str]]]:
    """
    The name in the middle, the (source, target) pairs, and the lines under each of them.
    """
    if graph.column is not None:
        jobs = {
            (column_name(*edge.source), column_name(*edge.target)): str(edge.job_id)
            for edge in graph.columns
        }
        root = column_name(graph.root, graph.column)
        return root, sorted(jobs), lambda pair: [f"job {jobs[pair]}"]
    by_pair: dict[_Pair, list[GraphColumn]] = {}
    for edge in graph.columns:
        by_pair.setdefault((edge.source_fqn, edge.target_fqn), []).append(edge)
    pairs = [(edge.source_fqn, edge.target_fqn) for edge in graph.edges]
    return graph.root, pairs, lambda pair: _column_lines(by_pair.get(pair, ()))


def _column_lines(edges: Sequence[GraphColumn]) -> list[str]:
    ordered = sorted(edges, key=lambda e: (e.source_column, e.target_column))
    return [f"{e.source_column} → {e.target_column}, job {e.job_id}" for e in ordered]


def _tree(
    root: str, links: Sequence[_Pair], notes: Callable[[_Pair], list[str]], *, is_up: bool
) -> list[str]:
    beside = _neighbours(links, is_up=is_up)
    lines: list[str] = []
    seen = {root}
    waiting = [(1, root, name) for name in reversed(beside.get(root, ()))]
    while waiting:
        level, beyond, name = waiting.pop()
        under = beside.get(name, ())
        is_again = name in seen and bool(under)
        lines.append(f"{'  ' * level}{visible(name)}{' …' if is_again else ''}")
        pair = (name, beyond) if is_up else (beyond, name)
        lines += [f"{'  ' * (level + 2)}{visible(note)}" for note in notes(pair)]
        if name not in seen:
            seen.add(name)
            waiting += [(level + 1, name, other) for other in reversed(under)]
    return lines


def _neighbours(links: Sequence[_Pair], *, is_up: bool) -> Mapping[str, list[str]]:
    beside: dict[str, list[str]] = {}
    for source, target in links:
        here, there = (target, source) if is_up else (source, target)
        beside.setdefault(here, []).append(there)
    return {name: sorted(others) for name, others in beside.items()}
