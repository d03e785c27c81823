"""
Queries: their columns as a list of names, each with the base columns that its value depends on.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from fusion_magic.sql.lineage.from_clause import FromWalk
from fusion_magic.sql.lineage.nodes import identifier, names_table, output_name, star_qualifier
from fusion_magic.sql.lineage.scopes import OPEN, Base, Outputs, Scope

MAX_DEPTH = 150  # nested queries; deeper ones have no column lineage


class QueryWalk(FromWalk):
    """
    A reader for each kind of query.
    """

    def query(self, node: exp.Expr, outer: Scope | None, ctes: Mapping[str, Outputs]) -> Outputs:
        """
        The output columns of a query, each with the base columns that it depends on.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RecursionError
        try:
            visible = self._with(node, ctes, outer)
            if isinstance(node, exp.Select):
                return self._select(node, outer, visible)
            if isinstance(node, exp.SetOperation):
                return self._set_operation(node, outer, visible)
            if isinstance(node, exp.Subquery):
                return self.query(node.this, outer, visible)
            if isinstance(node, exp.Values):
                return self._values(node, outer, visible)
            if isinstance(node, exp.Table):
                scope = Scope(parent=outer)
                self._add_table(scope, node, visible)
                return scope.fields
            return []
        finally:
            self.depth -= 1

    def _with(
        self, node: exp.Expr, ctes: Mapping[str, Outputs], outer: Scope | None
    ) -> Mapping[str, Outputs]:
        with_ = node.args.get("with_") or node.args.get("with")
        if with_ is None:
            return ctes
        visible = dict(ctes)
        for cte in with_.expressions:
            names = [identifier(column) for column in cte.args["alias"].args.get("columns") or ()]
            name = cte.alias.lower()
            if with_.args.get("recursive") and names_table(cte.this, name):
                visible[name] = self._recursive(cte.this, names, visible, name, outer)
            else:
                visible[name] = self._renamed(self.query(cte.this, outer, visible), names)
        return visible

    def _recursive(
        self,
        body: exp.Expr,
        names: list[str],
        visible: Mapping[str, Outputs],
        name: str,
        outer: Scope | None,
    ) -> Outputs:
        """
        Rounds until the columns' sources stop growing: a step may move one column into the next.
        """
        outputs: Outputs = [(column, frozenset()) for column in names]
        while True:
            grown = self._renamed(self.query(body, outer, {**visible, name: outputs}), names)
            if grown == outputs:
                return outputs
            outputs = grown

    def _select(
        self, node: exp.Select, outer: Scope | None, ctes: Mapping[str, Outputs]
    ) -> Outputs:
        scope = Scope(parent=outer)
        from_ = node.args.get("from_") or node.args.get("from")
        if from_ is not None:
            self._add_source(scope, from_.this, ctes)
        self._add_joins(scope, node.args.get("joins"), ctes)
        for lateral in node.args.get("laterals") or ():
            self._add_source(scope, lateral, ctes)
        self._equate(node.args.get("where"), scope, ctes)
        if node.args.get("match") is not None:
            scope = self._match(node.args["match"], scope, ctes)
        windows = {w.name.lower(): w for w in node.args.get("windows") or ()}
        outputs: Outputs = []
        for item in node.expressions:
            outputs += self._item(item, len(outputs), scope, ctes, windows)
        return outputs

    def _item(
        self,
        item: exp.Expr,
        position: int,
        scope: Scope,
        ctes: Mapping[str, Outputs],
        windows: Mapping[str, exp.Expr],
    ) -> Outputs:
        if isinstance(item, exp.Star):
            return scope.fields
        qualifier = star_qualifier(item)
        if qualifier is not None:
            source = self._find(scope, qualifier)
            if source is None:
                row = item.sql(dialect="trino")
                self.incomplete.append(
                    f"The fields of {row} are not known: it has no column lineage."
                )
            return source.fields if source is not None else []
        bases = self._bases(item, scope, ctes)
        for window in item.find_all(exp.Window):
            bases |= self._named_window(window, scope, ctes, windows)
        return [(output_name(item) or f"_col{position}", bases)]

    def _named_window(
        self,
        window: exp.Expr,
        scope: Scope,
        ctes: Mapping[str, Outputs],
        windows: Mapping[str, exp.Expr],
    ) -> frozenset[Base]:
        """
        What the window behind OVER depends on, through the windows that it is built on.
        """
        bases: frozenset[Base] = frozenset()
        seen: set[str] = set()
        while True:
            name = str(window.args.get("alias") or "").strip('"').lower()
            if name not in windows or name in seen:
                return bases
            seen.add(name)
            window = windows[name]
            bases |= self._bases(window, scope, ctes)

    def _set_operation(
        self, node: exp.Expr, outer: Scope | None, ctes: Mapping[str, Outputs]
    ) -> Outputs:
        """
        By position, from the left-most query to the right; a chain of a thousand UNIONs is no depth.
        """
        parts: list[exp.Expr] = []
        left: exp.Expr = node
        while isinstance(left, exp.SetOperation):
            parts.append(left.expression)
            left = left.this
            if isinstance(left, exp.SetOperation) and left.args.get("with_"):
                break
        outputs = self.query(left, outer, ctes)
        for part in reversed(parts):
            outputs = self._united(outputs, self.query(part, outer, ctes))
        return outputs

    def _united(self, left: Outputs, right: Outputs) -> Outputs:
        united: Outputs = []
        for position, (name, bases) in enumerate(left):
            other = right[position] if position < len(right) else ("", frozenset())
            if (name == OPEN) != (other[0] == OPEN):
                self._say_open(bases if name == OPEN else other[1])
                return [*united, *left[position:]]
            united.append((name, bases | other[1]))
        return united

    def _values(self, node: exp.Expr, outer: Scope | None, ctes: Mapping[str, Outputs]) -> Outputs:
        scope = Scope(parent=outer)
        outputs: dict[int, frozenset[Base]] = {}
        for row in node.expressions:
            for position, value in enumerate(getattr(row, "expressions", None) or [row]):
                outputs[position] = outputs.get(position, frozenset()) | self._bases(
                    value, scope, ctes
                )
        return [(f"_col{position}", bases) for position, bases in outputs.items()]
