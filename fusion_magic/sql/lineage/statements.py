"""
Statements that move rows: which column of the target each column of a query becomes.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from fusion_magic.sql.edits import Edit, apply_edits, mark_edits, without_overlaps
from fusion_magic.sql.lineage.model import ColumnPair, JoinedColumns
from fusion_magic.sql.lineage.nodes import identifier
from fusion_magic.sql.lineage.queries import QueryWalk
from fusion_magic.sql.lineage.scopes import OPEN, Base, Outputs, Scope
from fusion_magic.sql.parameters import find_placeholders
from fusion_magic.sql.sqlglot_compat import readable_edits, without_warnings
from fusion_magic.sql.statement import Statement

_UNREADABLE = "This statement has no column lineage: its columns cannot be read."


def column_edges(
    statement: Statement, schema: Mapping[str, Mapping[str, str]], target: str
) -> tuple[tuple[ColumnPair, ...], tuple[str, ...], tuple[JoinedColumns, ...]]:
    """
    The column edges of *statement* into *target*, sorted, what could not be had, one sentence each, and the columns that it joins.
    """
    readable = readable_edits(statement)
    placeholders = [Edit(p.span, "NULL") for p in find_placeholders(statement)]
    edits = [*mark_edits(statement.text), *readable, *without_overlaps(placeholders, readable)]
    text = apply_edits(statement.text, edits)
    try:
        with without_warnings():
            tree = sqlglot.parse_one(text, read="trino")
        if isinstance(tree, exp.Command):
            return (), (_UNREADABLE,), ()
        walk = StatementWalk(schema, target)
        walk.statement(tree)
    except (SqlglotError, RecursionError):
        return (), (_UNREADABLE,), ()
    joins = tuple(JoinedColumns(*one, *other) for one, other in sorted(walk.joins))
    return tuple(sorted(walk.edges)), tuple(dict.fromkeys(walk.incomplete)), joins


class StatementWalk(QueryWalk):
    """
    A reader for each kind of statement.
    """

    def statement(self, tree: exp.Expr) -> None:
        """
        Read it; the edges are in ``edges``, and what could not be had in ``incomplete``.
        """
        if isinstance(tree, exp.Insert):
            self._insert(tree)
        elif isinstance(tree, exp.Create):
            self._create(tree)
        elif isinstance(tree, exp.Merge):
            self._merge(tree)
        elif isinstance(tree, exp.Update):
            self._update(tree)
        elif isinstance(tree, exp.Query):
            self._emit(self.query(tree, None, {}), None)

    def _insert(self, node: exp.Insert) -> None:
        names = None
        if isinstance(node.this, exp.Schema):
            names = [identifier(column) for column in node.this.expressions]
        elif self.target.lower() in self.schema:
            names = list(self.schema[self.target.lower()])
        ctes = self._with(node, {}, None)
        if isinstance(node.expression, (exp.Query, exp.Values)):
            self._emit(self.query(node.expression, None, ctes), names)

    def _create(self, node: exp.Create) -> None:
        names = None
        if isinstance(node.this, exp.Schema):
            names = [identifier(column) for column in node.this.expressions]
        if isinstance(node.expression, exp.Query):
            self._emit(self.query(node.expression, None, self._with(node, {}, None)), names)

    def _update(self, node: exp.Update) -> None:
        scope = Scope()
        if isinstance(node.this, exp.Table):
            self._add_table(scope, node.this, {})
        for assignment in node.expressions:
            if isinstance(assignment, exp.EQ):
                self._emit_one(assignment.this, self._bases(assignment.expression, scope, {}))

    def _merge(self, node: exp.Merge) -> None:
        scope = Scope()
        for part in (node.this, node.args.get("using")):
            self._add_source(scope, part, {})
        self._equate(node.args.get("on"), scope, {})
        whens = node.args.get("whens")
        for when in whens.expressions if whens is not None else node.expressions:
            then = when.args.get("then")
            if isinstance(then, exp.Update):
                for assignment in then.expressions:
                    bases = self._bases(assignment.expression, scope, {})
                    self._emit_one(assignment.this, bases)
            elif isinstance(then, exp.Insert) and isinstance(then.expression, exp.Tuple):
                self._merge_insert(then, scope)

    def _merge_insert(self, node: exp.Insert, scope: Scope) -> None:
        names: list[str] = []
        if isinstance(node.this, (exp.Tuple, exp.Schema)):
            names = [identifier(column) for column in node.this.expressions]
        names = names or list(self.schema.get(self.target.lower(), ()))
        if not names:
            self.incomplete.append(f"The columns of {self.target} that INSERT fills are not known.")
        for name, value in zip(names, node.expression.expressions, strict=False):
            self._emit_bases(name, self._bases(value, scope, {}))

    def _emit(self, outputs: Outputs, names: list[str] | None) -> None:
        for position, (name, bases) in enumerate(outputs):
            if name == OPEN:
                self._say_open(bases)
                if names:
                    return
                continue
            renamed = names[position] if names and position < len(names) else name
            self._emit_bases(renamed, bases)

    def _emit_one(self, column: exp.Expr, bases: frozenset[Base]) -> None:
        self._emit_bases(identifier(column), bases)

    def _emit_bases(self, name: str, bases: frozenset[Base]) -> None:
        self.edges.update(ColumnPair(table, column, self.target, name) for table, column in bases)
