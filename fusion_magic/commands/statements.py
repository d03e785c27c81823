"""
What a statement would be to the engine, without running it: ``--dry-run``, ``--explain`` and ``fusion translate``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fusion_magic.jobs.lineage_rows import build_lineage_rows, notebook_fqn
from fusion_magic.present import Answer, Text
from fusion_magic.present.tables import Table, count
from fusion_magic.sql.statement import split_statements

if TYPE_CHECKING:
    from fusion_magic.engines import Plan
    from fusion_magic.fusion import Fusion
    from fusion_magic.jobs.translate import Translation


def translated(fusion: Fusion, sql: str, **options: Any) -> Answer:
    """
    The query that the engine would run for one statement.
    """
    return _query(fusion.translate(sql, **options))


def dry_run(fusion: Fusion, sql: str, **options: Any) -> Iterator[Answer]:
    """
    For each statement: the query that the engine would run, the names in it, and its column lineage.
    """
    for statement in split_statements(sql):
        translation = fusion.translate(statement.text, **options)
        yield _query(translation)
        yield _names(translation)
        yield _column_edges(translation)


def explained(fusion: Fusion, sql: str, **options: Any) -> Iterator[Answer]:
    """
    For each statement: the engine's estimates and its plan.
    """
    for statement in split_statements(sql):
        yield _plan(fusion.explain(statement.text, **options))


def _query(translation: Translation) -> Answer:
    data = {
        "converted_query": translation.converted_query,
        "limit": translation.limit,
        "offset": translation.offset,
        "models": [asdict(model) for model in translation.models],
    }
    return Answer(shown=Text(translation.converted_query), data=data)


def _names(translation: Translation) -> Answer:
    rows = [(m.fully_qualified_name, m.trino_model_name) for m in translation.models]
    return Answer(shown=_table(("Name", "Trino name"), rows, "name"))


def _column_edges(translation: Translation) -> Answer:
    lineage = build_lineage_rows(translation, origin="")
    shown = notebook_fqn("")
    rows = [
        (
            f"{edge.source_fqn}.{edge.source_column}",
            edge.target_column
            if edge.target_fqn == shown
            else f"{edge.target_fqn}.{edge.target_column}",
        )
        for edge in lineage.column_edges
    ]
    columns = ("Source column", "Target column")
    return Answer(shown=_table(columns, rows, "edge", notes=lineage.missing))


def _table(columns: tuple[str, ...], rows: list[Any], what: str, **more: Any) -> Table:
    return Table(columns if rows else (), rows, caption=count(len(rows), what), **more)


def _plan(plan: Plan) -> Answer:
    estimates = []
    if plan.rows is not None:
        estimates.append(f"Estimated rows: {plan.rows:,.0f}")
    if plan.size_bytes is not None:
        estimates.append(f"Estimated size: {plan.size_bytes:,.0f} bytes")
    return Answer(shown=Text("\n".join((*estimates, plan.text))), data=asdict(plan))
