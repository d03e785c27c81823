"""
Columns in expressions, each traced to the base columns that it means.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from fusion_magic.sql.lineage.model import ColumnPair
from fusion_magic.sql.lineage.nodes import children, dotted, identifier, qualifier_of
from fusion_magic.sql.lineage.scopes import OPEN, Base, Outputs, Scope, Source, bases_of, has_column

# sqlglot takes them for columns.
_NO_COLUMNS = frozenset({"current_path", "current_schema", "current_role"})


class ColumnWalk:
    """
    What one walk knows and has found, and how it looks a column up.
    """

    def __init__(self, schema: Mapping[str, Mapping[str, str]], target: str) -> None:
        self.schema = {
            table.lower(): tuple(column for column in columns) for table, columns in schema.items()
        }
        self.target = target
        self.edges: set[ColumnPair] = set()
        self.joins: set[tuple[Base, Base]] = set()
        self.incomplete: list[str] = []
        self.depth = 0

    def query(self, node: exp.Expr, outer: Scope | None, ctes: Mapping[str, Outputs]) -> Outputs:
        """
        The output columns of a query, each with the base columns that it depends on. ``QueryWalk`` reads it.
        """
        raise NotImplementedError

    def _bases(self, node: exp.Expr, scope: Scope, ctes: Mapping[str, Outputs]) -> frozenset[Base]:
        """
        The base columns that the value of *node* depends on.
        """
        found: set[Base] = set()
        waiting: list[tuple[exp.Expr, frozenset[str]]] = [(node, frozenset())]
        while waiting:
            part, bound = waiting.pop()
            if isinstance(part, (exp.Subquery, exp.Query)):
                for name, bases in self.query(part, scope, ctes):
                    if name == OPEN:
                        self._say_open(bases)
                    else:
                        found |= bases
                continue
            if isinstance(part, exp.Lambda):
                bound |= {p.name.lower() for p in part.expressions}
                waiting.append((part.this, bound))
                continue
            if isinstance(part, exp.Column):
                if not (not part.args.get("table") and part.name.lower() in bound):
                    found |= self._column(part, scope)
                continue
            if isinstance(part, exp.Dot):
                column = self._long_column(part, scope)
                if column is not None:
                    found |= column
                    continue
            if isinstance(part, exp.Exists):
                continue
            waiting += [(child, bound) for child in children(part)]
        return frozenset(found)

    def _long_column(self, node: exp.Expr, scope: Scope) -> frozenset[Base] | None:
        """
        A column behind a name of four parts, which sqlglot reads as fields of a column.
        """
        parts = dotted(node)
        for length in range(len(parts) - 1, 2, -1):
            source = self._find(scope, ".".join(parts[:length]))
            if source is not None:
                return bases_of(source, parts[length])
        return None

    def _column(self, node: exp.Column, scope: Scope) -> frozenset[Base]:
        name = identifier(node)
        qualifier = qualifier_of(node)
        if qualifier is None:
            return frozenset() if name in _NO_COLUMNS else self._unqualified(name, scope)
        source = self._find(scope, qualifier)
        if source is not None:
            return bases_of(source, name)
        # A field of a row: the qualifier, or its end, is the column.
        parts = qualifier.split(".")
        for length in range(len(parts) - 1, 0, -1):
            source = self._find(scope, ".".join(parts[:length]))
            if source is not None:
                return bases_of(source, parts[length])
        return self._unqualified(name if scope.has_variables else parts[0], scope)

    def _unqualified(self, name: str, scope: Scope) -> frozenset[Base]:
        where: Scope | None = scope
        while where is not None:
            if name.lower() in where.using:
                return where.using[name.lower()]
            sources = [source for _, source in where.sources]
            if any(has_column(source, name) or source.is_open for source in sources):
                return self._one_of(sources, name)
            where = where.parent
        return frozenset()

    def _find(self, scope: Scope, qualifier: str) -> Source | None:
        """
        What the nearest scope has under *qualifier*: an alias, or the end of a table's name.
        """
        wanted = qualifier.lower()
        where: Scope | None = scope
        while where is not None:
            for name, source in where.sources:
                if name == wanted:
                    return source
            for _, source in where.sources:
                table = (source.table or "").lower()
                if "." in wanted and (table == wanted or table.endswith(f".{wanted}")):
                    return source
            where = where.parent
        return None

    def _one_of(self, sources: list[Source], name: str) -> frozenset[Base]:
        """
        The base columns of the column *name*, which one of *sources* has.
        """
        known = [source for source in sources if has_column(source, name)]
        if known:
            return frozenset().union(*(bases_of(source, name) for source in known))
        unknown = [source for source in sources if source.is_open]
        bases = [bases_of(source, name) for source in unknown]
        if len(unknown) == 1:
            return bases[0]
        if unknown:
            tables = sorted({table for found in bases for table, _ in found})
            self.incomplete.append(
                f"Whether the column {name} is of {' or '.join(tables)} is not known."
            )
        return frozenset()

    def _equate(
        self, condition: exp.Expr | None, scope: Scope, ctes: Mapping[str, Outputs]
    ) -> None:
        """
        Note which columns of two tables a condition of ON or WHERE holds equal, each of its AND.
        """
        said, waiting = len(self.incomplete), [condition]
        while waiting:
            part = waiting.pop()
            if isinstance(part, exp.And):
                waiting += [part.this, part.expression]
            elif isinstance(part, (exp.Paren, exp.Where)):
                waiting.append(part.this)
            elif isinstance(part, exp.EQ) and all(map(_is_column, (part.this, part.expression))):
                sides = (self._bases(side, scope, ctes) for side in (part.this, part.expression))
                self._note_join(*sides)
        # A column of a condition that is not known costs no lineage.
        del self.incomplete[said:]

    def _note_join(self, left: frozenset[Base], right: frozenset[Base]) -> None:
        if len(left) == len(right) == 1:
            (one,), (other,) = left, right
            if one[0] != other[0] and OPEN not in {one[1], other[1]}:
                self.joins.add((min(one, other), max(one, other)))

    def _say_open(self, bases: frozenset[Base]) -> None:
        self.incomplete.extend(
            f"The columns of {table} are not known, so that its star has no column lineage."
            for table, _ in sorted(bases)
        )

    def _renamed(self, outputs: Outputs, names: list[str]) -> Outputs:
        """
        *outputs* with a list of names put on them, as far as the columns before are known.
        """
        if not names:
            return outputs
        for position, (name, bases) in enumerate(outputs):
            if name == OPEN:
                self._say_open(bases)
                hidden: Outputs = [(other, frozenset()) for other in names[position:]]
                return [*self._renamed(outputs[:position], names[:position]), *hidden]
        return [
            (names[i] if i < len(names) else name, bases) for i, (name, bases) in enumerate(outputs)
        ]


def _is_column(node: exp.Expr) -> bool:
    return isinstance(node, (exp.Column, exp.Dot))
