"""
Qualified columns, each given to the table that it means.
"""

from __future__ import annotations

from collections import Counter

from fusion_magic.sql.references.model import DottedName, FoundTable, Reference, Scope
from fusion_magic.sql.references.tables import TableScan


def make_references(scan: TableScan) -> tuple[Reference, ...]:
    """
    What *scan* has found as references, in the order of the text, each with the columns that mean it.
    """
    _drop_clashing_aliases(scan)
    for scope, name in scan.columns:
        _attach(scan, scope, name)
    ordered = sorted(scan.found, key=lambda found: found.span.start)
    return tuple(
        Reference(
            parts=found.parts,
            quoted=found.quoted,
            span=found.span,
            role=found.role,
            column_spans=tuple(found.column_spans),
            alias_at=found.alias_at,
            alias=found.alias,
        )
        for found in ordered
    )


def _attach(scan: TableScan, scope: Scope, name: DottedName) -> None:
    """
    Give a qualified column to the table that it means: the nearest one with that whole name, else the nearest
    one that is visible under the first part, or whose name ends with the parts before the column.
    """
    parts = tuple(part.lower() for part in scan.texts(name))
    longest = len(parts) if name.has_star else len(parts) - 1
    where: Scope | None = scope
    while where is not None:
        for length in range(longest, 2, -1):
            found = _visible_in(scan, where).get(parts[:length])
            if found is not None and len(found.parts) == length:
                _qualify(scan, found, name, length)
                return
        where = where.parent
    where = scope
    while where is not None:
        visible = _visible_in(scan, where)
        for length in (1, *range(longest, 1, -1)):
            found = visible.get(parts[:length])
            if found is not None:
                _qualify(scan, found, name, length)
                return
        where = where.parent


def _qualify(scan: TableScan, found: FoundTable, name: DottedName, length: int) -> None:
    """
    The first *length* parts of *name* mean the table; where it has or can have an alias, one part stays.
    """
    if length > 1 or (found.alias_name is None and found.alias_at is None):
        span = scan.tokens.span(name.parts[0], name.parts[length - 1])
        found.column_spans.append(span)


def _visible_in(scan: TableScan, scope: Scope) -> dict[tuple[str, ...], FoundTable]:
    """
    What can stand before a column at *scope*: each table's alias, and every end of its name.
    """
    if scope.visible is None:
        scope.visible = {}
        for found in (scan.found[index] for index in scope.tables):
            own = tuple(part.lower() for part in found.parts)
            scope.visible.setdefault((visible_name(found),), found)
            for start in range(len(own) - 1):
                scope.visible.setdefault(own[start:], found)
    return scope.visible


def _drop_clashing_aliases(scan: TableScan) -> None:
    """
    A table has no implied alias where another of its scope is seen under that name: whole names tell them apart.
    """
    for scope in scan.scopes:
        tables = [scan.found[index] for index in scope.tables]
        names = Counter([*map(visible_name, tables), *scope.common])
        for found in tables:
            if names[visible_name(found)] > 1:
                found.alias_at = None


def visible_name(found: FoundTable) -> str:
    """
    What stands before a column of that table, in lower case.
    """
    return (found.alias_name or found.parts[-1]).lower()
