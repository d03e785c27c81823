"""
What OpenMetadata has to learn of a finished job, by design's lineage rules.

Targets are what the statement writes; for a query, the result under whose name its rows are stored, else the notebook
it ran in. A target that the
metadata does not know yet gets an INGESTION row before its edges. Names without an FQN have no lineage;
``missing`` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from fusion_magic.jobs.resolve import result_fqn
from fusion_magic.jobs.translate import Translation, written_name
from fusion_magic.sql.fqn import format_fqn
from fusion_magic.store import ColumnEdge, QueueRow

NOTEBOOK_SERVICE = ("fusion", "notebooks")
_MOVING_ROWS = frozenset(
    {
        "SELECT",
        "INSERT",
        "MERGE",
        "UPDATE",
        "CREATE TABLE AS",
        "CREATE VIEW",
        "CREATE MATERIALIZED VIEW",
    }
)


@dataclass(frozen=True, slots=True)
class LineageRows:
    """
    Rows for the outbox and for our own table of column edges, and what could not be had.
    """

    queue: tuple[QueueRow, ...] = ()
    column_edges: tuple[ColumnEdge, ...] = ()
    missing: tuple[str, ...] = ()


def notebook_fqn(origin: str) -> str:
    """
    The FQN under which the rows shown in a notebook (or a script) count as a target.

    >>> notebook_fqn("quickstart.ipynb")
    'fusion.notebooks."quickstart.ipynb"'
    """
    return format_fqn((*NOTEBOOK_SERVICE, origin or "console"))


def build_lineage_rows(
    translation: Translation, *, origin: str, result_name: str = ""
) -> LineageRows:
    """
    The lineage of *translation*'s statement, run in *origin*, its rows stored as *result_name* if that is not empty.
    """
    if translation.kind not in _MOVING_ROWS:
        return LineageRows()
    pairs = tuple(zip(translation.references, translation.resolved, strict=True))
    sources = tuple(dict.fromkeys(r.fqn for ref, r in pairs if ref.role == "source" and r.fqn))
    targets = {r.fqn: r.entity is not None for ref, r in pairs if ref.role == "target" and r.fqn}
    writes = any(ref.role == "target" for ref, _ in pairs)
    bare = dict.fromkeys(r.trino_parts for ref, r in pairs if r.fqn is None and ref.role != "other")
    missing = tuple(
        f"{format_fqn(parts)} has no FQN, so that no lineage is recorded for it." for parts in bare
    )
    if not writes and sources:
        targets = {result_fqn(result_name) if result_name else notebook_fqn(origin): False}
    if not sources or not targets:
        return LineageRows((*_ingestions(targets),), (), missing)
    edges, incomplete = _column_edges(translation, next(iter(targets)))
    lineage_rows = (
        QueueRow(model_name_fqn=target, from_fqn=source, command="LINEAGE")
        for target in targets
        for source in sources
    )
    return LineageRows((*_ingestions(targets), *lineage_rows), edges, (*missing, *incomplete))


def _ingestions(targets: dict[str, bool]) -> tuple[QueueRow, ...]:
    return tuple(
        QueueRow(model_name_fqn=target, from_fqn=None, command="INGESTION")
        for target, is_known in targets.items()
        if not is_known
    )


def _column_edges(
    translation: Translation, default_target: str
) -> tuple[tuple[ColumnEdge, ...], tuple[str, ...]]:
    lineage = translation.lineage
    by_name = {
        written_name(reference): resolved
        for reference, resolved in zip(translation.references, translation.resolved, strict=True)
    }
    edges = []
    for source_table, source_column, target_table, target_column in lineage.columns:
        source = by_name.get(source_table)
        target = by_name.get(target_table)
        if source is None or source.fqn is None or (target_table and target is None):
            continue
        edges.append(
            ColumnEdge(
                source_fqn=source.fqn,
                source_column=_spelled(source.entity, source_column),
                target_fqn=(target.fqn if target else None) or default_target,
                target_column=_spelled(target.entity if target else None, target_column),
            )
        )
    return tuple(dict.fromkeys(edges)), tuple(lineage.incomplete)


def _spelled(entity: object, column: str) -> str:
    """
    *column* as the metadata spells it; SQL folds case, OpenMetadata does not.
    """
    for known in getattr(entity, "columns", ()):
        if known.name.lower() == column.lower():
            return str(known.name)
    return column
