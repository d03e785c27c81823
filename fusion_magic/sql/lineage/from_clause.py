"""
What FROM makes visible: tables, joins, sub-queries, UNNEST, MATCH_RECOGNIZE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from fusion_magic.sql.lineage.columns import ColumnWalk
from fusion_magic.sql.lineage.nodes import identifier, is_join, output_name, table_parts
from fusion_magic.sql.lineage.scopes import OPEN, Outputs, Scope, Source


class FromWalk(ColumnWalk):
    """
    A reader for each kind of source.
    """

    def _add_source(self, scope: Scope, node: exp.Expr | None, ctes: Mapping[str, Outputs]) -> None:
        if isinstance(node, exp.Table):
            self._add_table(scope, node, ctes)
            self._add_joins(scope, node.args.get("joins"), ctes)
        elif isinstance(node, exp.Subquery) and is_join(node):
            self._add_brackets(scope, node, ctes)
            self._add_joins(scope, node.args.get("joins"), ctes)
        elif isinstance(node, (exp.Subquery, exp.Lateral, exp.Values)):
            self._add_derived(scope, node, ctes)
        elif isinstance(node, exp.Unnest):
            self._add_unnest(scope, node, ctes)
        elif node is not None:
            self._add_opaque(scope, node)

    def _add_brackets(self, scope: Scope, node: exp.Expr, ctes: Mapping[str, Outputs]) -> None:
        """
        A join in brackets; with an alias, its columns are seen under that alone.
        """
        alias = node.args.get("alias")
        if alias is None:
            self._add_source(scope, node.this, ctes)
            return
        inner = Scope(parent=scope.parent)
        self._add_source(inner, node.this, ctes)
        names = [identifier(c) for c in alias.args.get("columns") or ()]
        scope.add(alias.name.lower(), Source(outputs=self._renamed(inner.fields, names)))

    def _add_opaque(self, scope: Scope, node: exp.Expr) -> None:
        alias = node.args.get("alias")
        scope.add(alias.name.lower() if alias else "", Source())
        self.incomplete.append("Column lineage leaves out a table function.")

    def _add_joins(
        self, scope: Scope, joins: Iterable[exp.Expr] | None, ctes: Mapping[str, Outputs]
    ) -> None:
        for join in joins or ():
            before = len(scope.sources)
            fields = scope.fields
            self._add_source(scope, join.this, ctes)
            names = [identifier(name) for name in join.args.get("using") or ()]
            added = scope.fields[len(fields) :]
            if join.args.get("method") == "NATURAL":
                own = {name.lower() for name, _ in added}
                names = [name for name, _ in fields if name.lower() in own and name != OPEN]
            if names:
                self._unite_columns(scope, names, before)
            self._equate(join.args.get("on"), scope, ctes)

    def _unite_columns(self, scope: Scope, names: list[str], before: int) -> None:
        """
        USING makes one column of two, which ``*`` gives first; the value may be of either.
        """
        left = [source for _, source in scope.sources[:before]]
        right = [source for _, source in scope.sources[before:]]
        united = []
        for name in names:
            bases = scope.using.get(name.lower()) or self._one_of(left, name)
            others = self._one_of(right, name)
            self._note_join(bases, others)
            scope.using[name.lower()] = bases | others
            united.append((name, scope.using[name.lower()]))
        gone = {name.lower() for name in names}
        scope.fields = [*united, *(f for f in scope.fields if f[0].lower() not in gone)]

    def _add_derived(self, scope: Scope, node: exp.Expr, ctes: Mapping[str, Outputs]) -> None:
        inner = node.this if not isinstance(node, exp.Values) else node
        if isinstance(inner, exp.Unnest):
            self._add_unnest(scope, inner, ctes)
            return
        if not isinstance(inner, (exp.Query, exp.Values)):
            self._add_opaque(scope, node)
            return
        alias = node.args.get("alias")
        names = [identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        # LATERAL sees the tables before it; another sub-query sees those around the whole query.
        outer = scope if isinstance(node, exp.Lateral) else scope.parent
        outputs = self._renamed(self.query(inner, outer, ctes), names)
        scope.add(alias.name.lower() if alias else "", Source(outputs=outputs))
        self._add_joins(scope, node.args.get("joins"), ctes)

    def _add_unnest(self, scope: Scope, node: exp.Expr, ctes: Mapping[str, Outputs]) -> None:
        alias = node.args.get("alias")
        bases = [self._bases(e, scope, ctes) for e in node.expressions]
        everything = frozenset().union(*bases) if bases else frozenset()
        names = [identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        exact = len(names) == len(bases)
        outputs = [(n, bases[i] if exact else everything) for i, n in enumerate(names)]
        ordinality = node.args.get("offset")
        if isinstance(ordinality, exp.Identifier):
            outputs.append((identifier(ordinality), frozenset()))
        scope.add(alias.name.lower() if alias else "", Source(outputs=outputs))

    def _add_table(self, scope: Scope, node: exp.Table, ctes: Mapping[str, Outputs]) -> None:
        if not isinstance(node.this, (exp.Identifier, exp.Dot)):
            self._add_opaque(scope, node)
            return
        parts = table_parts(node)
        alias = node.args.get("alias")
        name = (alias.name if alias else parts[-1]).lower()
        names = [identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        if len(parts) == 1 and parts[0].lower() in ctes:
            source = Source(outputs=ctes[parts[0].lower()])
        else:
            table = ".".join(parts)
            source = Source(table=table, columns=self.schema.get(table.lower()))
        if names:
            source = Source(outputs=self._renamed(source.fields, names), table=source.table)
        scope.add(name, source)

    def _match(self, node: exp.Expr, scope: Scope, ctes: Mapping[str, Outputs]) -> Scope:
        """
        What MATCH_RECOGNIZE gives: its partition's columns, every column where all rows are shown, its measures.
        """
        scope.has_variables = True
        args = node.args
        outputs: Outputs = [
            (output_name(column) or "", self._bases(column, scope, ctes))
            for column in args.get("partition_by") or ()
        ]
        if "ALL ROWS" in str(args.get("rows") or "").upper():
            outputs = list(scope.fields)
        for measure in args.get("measures") or ():
            outputs.append(
                (output_name(measure.this) or "", self._bases(measure.this, scope, ctes))
            )
        alias = args.get("alias")
        matched = Scope(parent=scope.parent)
        name = alias.name.lower() if alias is not None else scope.sources[-1][0]
        names = [identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        matched.add(name, Source(outputs=self._renamed(outputs, names)))
        return matched
