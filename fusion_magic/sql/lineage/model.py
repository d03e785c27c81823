"""
Lineage as values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class ColumnPair(NamedTuple):
    """
    One edge: a column of a base table, and the column of the target that depends on it.
    """

    source_table: str
    source_column: str
    target_table: str
    target_column: str


class JoinedColumns(NamedTuple):
    """
    Columns of two base tables that a join holds equal, the smaller names first.
    """

    table: str
    column: str
    other_table: str
    other_column: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """
    Tables by the names that the SQL wrote: parts unquoted and joined by dots, unquoted ones in lower case.

    Attributes:
        sources: Tables whose rows are read, sorted.
        targets: Tables that the statement writes or makes, sorted; empty for a query.
        columns: The column edges, sorted; the target table is ``""`` where there is none.
        joins: The columns that ON, USING or WHERE hold equal, sorted.
        incomplete: What could not be had, one sentence each.
    """

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    columns: tuple[ColumnPair, ...] = ()
    incomplete: tuple[str, ...] = ()
    joins: tuple[JoinedColumns, ...] = ()
