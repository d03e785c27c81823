"""
The lineage graph in the SQL store, read from three tables.

    lineage_edge     what finished jobs have found; several jobs may have found the same
    graph_edge       what was delivered, whoever queued it
    model_queue      what still waits, whoever queued it
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fusion_magic.store.model import ColumnEdge, GraphColumn, GraphEdge, JobStatus
from fusion_magic.store.sql.base import SqlPart
from fusion_magic.store.sql.tables import (
    column_lineage,
    graph_edge,
    job,
    job_detail,
    lineage_edge,
    model_queue,
)

NAMES_A_QUERY = 500
MOST_STATEMENTS = 1_000


class SqlLineageEdges(SqlPart):
    """
    The port ``LineageEdges``.
    """

    def edges(self, fqns: Sequence[str], *, is_upstream: bool) -> Sequence[GraphEdge]:
        """See ``LineageEdges.edges``."""
        found: dict[tuple[str, str], GraphEdge] = {}
        for names in _in_parts(fqns):
            for row in self._database.read(_edges(names, is_upstream=is_upstream)):
                # The newest job's comes first.
                found.setdefault((row.source_fqn, row.target_fqn), GraphEdge(**row._mapping))
        return [found[pair] for pair in sorted(found)]

    def of_job(self, job_id: UUID) -> Sequence[tuple[str, str]]:
        """See ``LineageEdges.of_job``."""
        query = sa.select(lineage_edge).where(lineage_edge.c.job_id == job_id)
        return [
            (row.source_fqn, row.target_fqn)
            for row in self._database.read(query.order_by(lineage_edge.c.id))
        ]

    def columns(self, edges: Sequence[GraphEdge]) -> Sequence[GraphColumn]:
        """See ``LineageEdges.columns``."""
        pairs = {(edge.source_fqn, edge.target_fqn) for edge in edges}
        targets = sorted({target for _, target in pairs})
        found = (
            GraphColumn(**row._mapping)
            for names in _in_parts(targets)
            for row in self._database.read(_columns(names))
            if (row.source_fqn, row.target_fqn) in pairs
        )
        return sorted(found, key=lambda edge: (edge.source, edge.target))

    def columns_of_job(self, job_id: UUID) -> Sequence[ColumnEdge]:
        """See ``LineageEdges.columns_of_job``."""
        query = sa.select(column_lineage).where(column_lineage.c.job_id == job_id)
        rows = self._database.read(query.order_by(column_lineage.c.id))
        return [column_edge(row) for row in rows]

    def shared(self, job_id: UUID) -> Sequence[tuple[str, str]]:
        """See ``LineageEdges.shared``."""
        own = self.of_job(job_id)
        others: set[tuple[str, str]] = set()
        for names in _in_parts(sorted({target for _, target in own})):
            for table in (lineage_edge, model_queue, graph_edge):
                source, target = _ends(table)
                query = sa.select(source, target).where(target.in_(names), table.c.job_id != job_id)
                others |= {(row[0], row[1]) for row in self._database.read(query)}
        return [pair for pair in dict.fromkeys(own) if pair in others]

    def statements(
        self, sources: Sequence[str], *, since: datetime, until: datetime
    ) -> Sequence[tuple[str, int]]:
        """See ``LineageEdges.statements``."""
        began = sa.func.coalesce(job_detail.c.started, job.c.created)
        text = sa.func.coalesce(job.c.converted_query, job.c.user_query)
        reads = (
            sa.exists().where(lineage_edge.c.job_id == job.c.id, lineage_edge.c.source_fqn == fqn)
            for fqn in sources
        )
        query = (
            sa.select(text, sa.func.count())
            .join(job_detail, job_detail.c.job_id == job.c.id)
            .where(job.c.status == JobStatus.FINISHED.value, began >= since, began < until, *reads)
            .group_by(text)
            .limit(MOST_STATEMENTS)
        )
        return [(row[0], row[1]) for row in self._database.read(query)]

    def forget(self, job_id: UUID) -> None:
        """See ``LineageEdges.forget``."""
        with self._database.writing() as transaction:
            for table in (lineage_edge, column_lineage):
                transaction.execute(sa.delete(table).where(table.c.job_id == job_id))
            transaction.execute(_handing_on(job_id))
            transaction.execute(sa.delete(graph_edge).where(graph_edge.c.job_id == job_id))


def _handing_on(job_id: UUID) -> Any:
    """
    The change that gives the job's edges of the graph to others that have found them, too.
    """
    heirs = (
        sa.select(lineage_edge.c.job_id)
        .where(
            lineage_edge.c.source_fqn == graph_edge.c.source_fqn,
            lineage_edge.c.target_fqn == graph_edge.c.target_fqn,
        )
        .correlate(graph_edge)
    )
    newest = heirs.order_by(lineage_edge.c.id.desc()).limit(1).scalar_subquery()
    return (
        sa.update(graph_edge)
        .where(graph_edge.c.job_id == job_id, heirs.exists())
        .values(job_id=newest)
    )


def column_edge(row: Any) -> ColumnEdge:
    """
    A row of ``column_lineage`` as a value.
    """
    return ColumnEdge(
        source_fqn=row.source_fqn,
        source_column=row.source_column,
        target_fqn=row.target_fqn,
        target_column=row.target_column,
    )


def _in_parts(names: Sequence[str]) -> Iterator[list[str]]:
    """
    A database takes only so many values in one statement.
    """
    waiting = iter(names)
    while part := list(islice(waiting, NAMES_A_QUERY)):
        yield part


def _edges(names: Sequence[str], *, is_upstream: bool) -> Any:
    found = _part(lineage_edge, names, is_upstream)
    newest = (
        sa.select(sa.func.max(lineage_edge.c.id))
        .where(found)
        .group_by(lineage_edge.c.source_fqn, lineage_edge.c.target_fqn)
    )
    is_edge = (model_queue.c.command == "LINEAGE", model_queue.c.from_fqn.is_not(None))
    places = (
        _place(lineage_edge, 0).where(lineage_edge.c.id.in_(newest)),
        _place(model_queue, 1).where(_part(model_queue, names, is_upstream), *is_edge),
        _place(graph_edge, 2).where(_part(graph_edge, names, is_upstream)),
    )
    union = sa.union_all(*places).subquery()
    return sa.select(union.c.source_fqn, union.c.target_fqn, union.c.job_id).order_by(union.c.place)


def _ends(table: sa.Table) -> tuple[Any, Any]:
    if table is model_queue:
        return table.c.from_fqn, table.c.model_name_fqn
    return table.c.source_fqn, table.c.target_fqn


def _place(table: sa.Table, number: int) -> Any:
    source, target = _ends(table)
    return sa.select(
        source.label("source_fqn"),
        target.label("target_fqn"),
        table.c.job_id,
        sa.literal_column(str(number)).label("place"),
    )


def _part(table: sa.Table, names: Sequence[str], is_upstream: bool) -> Any:
    return _ends(table)[is_upstream].in_(names)


def _columns(targets: Sequence[str]) -> Any:
    names = ("source_fqn", "source_column", "target_fqn", "target_column")
    columns = [column_lineage.c[name] for name in names]
    newest = (
        sa.select(sa.func.max(column_lineage.c.id))
        .where(column_lineage.c.target_fqn.in_(targets))
        .group_by(*columns)
    )
    return sa.select(*columns, column_lineage.c.job_id).where(column_lineage.c.id.in_(newest))
