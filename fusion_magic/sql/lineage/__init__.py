"""
Which tables a statement reads and writes, and which columns each column is computed from.

Tables come from ``sql.references``, for every statement that Trino has. Column edges come from sqlglot's tree,
walked once: a query's columns are a list of names, each with the set of base columns that its value
depends on, and a query above it only looks them up.

An edge is there for each column that a value is computed from, a window's PARTITION BY and ORDER BY and the
conditions of CASE included; filters, join conditions and ``count(*)`` make none.
"""

from __future__ import annotations

from collections.abc import Mapping

from fusion_magic.sql.lineage.model import ColumnPair, JoinedColumns, Lineage
from fusion_magic.sql.references import Reference, find_references
from fusion_magic.sql.statement import parse_statement

__all__ = ["ColumnPair", "JoinedColumns", "Lineage", "extract_lineage"]

_WRITES = frozenset(
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


def extract_lineage(sql: str, *, schema: Mapping[str, Mapping[str, str]] | None = None) -> Lineage:
    """
    The lineage of one statement.

    Args:
        sql: One statement of Trino's SQL.

        schema: Columns of base tables, ``{table: {column: type}}``, the tables named as in the result;
            without it, a star and a column without a table in a join stay open, and ``incomplete`` says so.

    Raises:
        InvalidSql: The text cannot be read at all, or holds no statement or several.
    """
    statement = parse_statement(sql)
    references = find_references(statement)
    sources = tuple(sorted({_written(r) for r in references if r.role == "source"}))
    targets = tuple(sorted({_written(r) for r in references if r.role == "target"}))
    if not references or statement.kind not in _WRITES:
        return Lineage(sources, targets)
    # sqlglot is loaded only where columns are wanted.
    from fusion_magic.sql.lineage.statements import column_edges

    target = targets[0] if targets else ""
    columns, incomplete, joins = column_edges(statement, schema or {}, target)
    return Lineage(sources, targets, columns, incomplete, joins)


def _written(reference: Reference) -> str:
    return ".".join(
        part if quoted else part.lower()
        for part, quoted in zip(reference.parts, reference.quoted, strict=True)
    )
