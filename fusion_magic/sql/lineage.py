"""
Which tables a statement reads and writes, and which columns each column is computed from.

Tables come from ``sql.references``, for every statement that Trino has. Column edges come from sqlglot's tree,
walked once: a query's columns are a list of names, each with the set of base columns that its value
depends on, and a query above it only looks them up.

An edge is there for each column that a value is computed from, a window's PARTITION BY and ORDER BY and the
conditions of CASE included; filters, join conditions and ``count(*)`` make none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fusion_magic.sql.parameters import find_placeholders
from fusion_magic.sql.references import Reference, find_references
from fusion_magic.sql.statement import Statement, parse_statement
from fusion_magic.sql.translation import Edit, apply_edits

MAX_DEPTH = 150  # nested queries; deeper ones have no column lineage

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


class ColumnPair(NamedTuple):
    """
    One edge: a column of a base table, and the column of the target that depends on it.
    """

    source_table: str
    source_column: str
    target_table: str
    target_column: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """
    Tables by the names that the SQL wrote: parts unquoted and joined by dots, unquoted ones in lower case.

    Attributes:
        sources: Tables whose rows are read, sorted.
        targets: Tables that the statement writes or makes, sorted; empty for a query.
        columns: The column edges, sorted; the target table is ``""`` where there is none.
        incomplete: What could not be had, one sentence each.
    """

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    columns: tuple[ColumnPair, ...] = ()
    incomplete: tuple[str, ...] = ()


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
    columns, incomplete = _columns(statement, schema or {}, targets)
    return Lineage(sources, targets, columns, incomplete)


def _written(reference: Reference) -> str:
    return ".".join(
        part if quoted else part.lower()
        for part, quoted in zip(reference.parts, reference.quoted, strict=True)
    )


def _columns(
    statement: Statement, schema: Mapping[str, Mapping[str, str]], targets: tuple[str, ...]
) -> tuple[tuple[ColumnPair, ...], tuple[str, ...]]:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    text = apply_edits(statement.text, [Edit(p.span, "NULL") for p in find_placeholders(statement)])
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        tree = sqlglot.parse_one(text, read="trino")
        if isinstance(tree, exp.Command):
            return (), ("This statement has no column lineage: its columns cannot be read.",)
        walk = _Walk(schema, targets[0] if targets else "")
        walk.statement(tree)
        return tuple(sorted(walk.edges)), tuple(dict.fromkeys(walk.incomplete))
    except (SqlglotError, RecursionError):
        return (), ("This statement has no column lineage: its columns cannot be read.",)
    finally:
        logger.setLevel(level)


_Base = tuple[str, str]  # table and column
_Outputs = list[tuple[str, frozenset[_Base]]]


@dataclass(slots=True)
class _Source:
    """
    What stands under one alias: a base table, or the columns of a query.
    """

    table: str | None = None
    outputs: _Outputs | None = None
    columns: tuple[str, ...] | None = None


@dataclass(slots=True)
class _Scope:
    sources: dict[str, _Source] = field(default_factory=dict)
    parent: _Scope | None = None


class _Walk:
    """
    One statement's tree, walked once.
    """

    def __init__(self, schema: Mapping[str, Mapping[str, str]], target: str) -> None:
        self.schema = {
            table.lower(): tuple(column for column in columns) for table, columns in schema.items()
        }
        self.target = target
        self.edges: set[ColumnPair] = set()
        self.incomplete: list[str] = []
        self.depth = 0

    def statement(self, tree: object) -> None:
        from sqlglot import exp

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

    # --- statements

    def _insert(self, tree: object) -> None:
        from sqlglot import exp

        node: exp.Insert = tree  # type: ignore[assignment]
        names = None
        if isinstance(node.this, exp.Schema):
            names = [_identifier(column) for column in node.this.expressions]
        elif self.target.lower() in self.schema:
            names = list(self.schema[self.target.lower()])
        ctes = self._with(node, {}, None)
        if isinstance(node.expression, exp.Query):
            self._emit(self.query(node.expression, None, ctes), names)

    def _create(self, tree: object) -> None:
        from sqlglot import exp

        node: exp.Create = tree  # type: ignore[assignment]
        names = None
        if isinstance(node.this, exp.Schema):
            names = [_identifier(column) for column in node.this.expressions]
        if isinstance(node.expression, exp.Query):
            self._emit(self.query(node.expression, None, self._with(node, {}, None)), names)

    def _update(self, tree: object) -> None:
        from sqlglot import exp

        node: exp.Update = tree  # type: ignore[assignment]
        scope = _Scope()
        if isinstance(node.this, exp.Table):
            self._add_table(scope, node.this, {})
        for assignment in node.expressions:
            if isinstance(assignment, exp.EQ):
                self._emit_one(assignment.this, self._bases(assignment.expression, scope, {}))

    def _merge(self, tree: object) -> None:
        from sqlglot import exp

        node: exp.Merge = tree  # type: ignore[assignment]
        scope = _Scope()
        for part in (node.this, node.args.get("using")):
            self._add_source(scope, part, {})
        whens = node.args.get("whens")
        for when in whens.expressions if whens is not None else node.expressions:
            then = when.args.get("then")
            if isinstance(then, exp.Update):
                for assignment in then.expressions:
                    bases = self._bases(assignment.expression, scope, {})
                    self._emit_one(assignment.this, bases)
            elif isinstance(then, exp.Insert) and isinstance(then.expression, exp.Tuple):
                self._merge_insert(then, scope)

    def _merge_insert(self, then: object, scope: _Scope) -> None:
        from sqlglot import exp

        node: exp.Insert = then  # type: ignore[assignment]
        names: list[str] = []
        if isinstance(node.this, (exp.Tuple, exp.Schema)):
            names = [_identifier(column) for column in node.this.expressions]
        names = names or list(self.schema.get(self.target.lower(), ()))
        for name, value in zip(names, node.expression.expressions, strict=False):
            self._emit_bases(name, self._bases(value, scope, {}))

    def _emit(self, outputs: _Outputs, names: list[str] | None) -> None:
        for position, (name, bases) in enumerate(outputs):
            renamed = names[position] if names and position < len(names) else name
            self._emit_bases(renamed, bases)

    def _emit_one(self, column: object, bases: frozenset[_Base]) -> None:
        self._emit_bases(_identifier(column), bases)

    def _emit_bases(self, name: str, bases: frozenset[_Base]) -> None:
        self.edges.update(ColumnPair(table, column, self.target, name) for table, column in bases)

    # --- queries

    def query(self, node: object, outer: _Scope | None, ctes: Mapping[str, _Outputs]) -> _Outputs:
        """
        The output columns of a query, each with the base columns that it depends on.
        """
        from sqlglot import exp

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
                scope = _Scope(parent=outer)
                self._add_table(scope, node, visible)
                return self._star(scope, None)
            return []
        finally:
            self.depth -= 1

    def _with(
        self, node: object, ctes: Mapping[str, _Outputs], outer: _Scope | None
    ) -> dict[str, _Outputs]:
        visible = dict(ctes)
        with_ = node.args.get("with_") or node.args.get("with")  # type: ignore[attr-defined]
        if with_ is None:
            return visible
        for cte in with_.expressions:
            names = [_identifier(column) for column in cte.args["alias"].args.get("columns") or ()]
            name = cte.alias.lower()
            if with_.args.get("recursive"):
                visible[name] = self._recursive(cte.this, names, visible, name, outer)
            else:
                visible[name] = _renamed(self.query(cte.this, outer, visible), names)
        return visible

    def _recursive(
        self,
        body: object,
        names: list[str],
        visible: Mapping[str, _Outputs],
        name: str,
        outer: _Scope | None,
    ) -> _Outputs:
        """
        Rounds until the columns' sources stop growing: a step may move one column into the next.
        """
        outputs: _Outputs = [(column, frozenset()) for column in names]
        while True:
            grown = _renamed(self.query(body, outer, {**visible, name: outputs}), names)
            if grown == outputs:
                return outputs
            outputs = grown

    def _select(self, node: object, outer: _Scope | None, ctes: Mapping[str, _Outputs]) -> _Outputs:
        from sqlglot import exp

        select: exp.Select = node  # type: ignore[assignment]
        scope = _Scope(parent=outer)
        from_ = select.args.get("from_") or select.args.get("from")
        if from_ is not None:
            self._add_source(scope, from_.this, ctes)
        for join in select.args.get("joins") or ():
            self._add_source(scope, join.this, ctes)
        for lateral in select.args.get("laterals") or ():
            self._add_source(scope, lateral, ctes)
        windows = {w.name.lower(): w for w in select.args.get("windows") or ()}
        outputs: _Outputs = []
        for position, item in enumerate(select.expressions):
            outputs += self._item(item, position, scope, ctes, windows)
        return outputs

    def _item(
        self,
        item: object,
        position: int,
        scope: _Scope,
        ctes: Mapping[str, _Outputs],
        windows: Mapping[str, object],
    ) -> _Outputs:
        from sqlglot import exp

        if isinstance(item, exp.Star):
            return self._star(scope, None)
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            return self._star(scope, _qualifier(item))
        name = item.alias_or_name or f"_col{position}"  # type: ignore[attr-defined]
        if not isinstance(item, (exp.Alias, exp.Column)):
            name = f"_col{position}"
        elif isinstance(item, exp.Column) or item.args.get("alias"):
            name = _alias_name(item)
        bases = self._bases(item, scope, ctes)
        for window in item.find_all(exp.Window):  # type: ignore[attr-defined]
            named = windows.get(str(window.args.get("alias") or "").lower())
            if named is not None:
                bases |= self._bases(named, scope, ctes)
        return [(name, bases)]

    def _set_operation(
        self, node: object, outer: _Scope | None, ctes: Mapping[str, _Outputs]
    ) -> _Outputs:
        """
        By position, from the left-most query to the right; a chain of a thousand UNIONs is no depth.
        """
        from sqlglot import exp

        parts: list[object] = []
        left: object = node
        while isinstance(left, exp.SetOperation):
            parts.append(left.expression)
            left = left.this
            if isinstance(left, exp.SetOperation) and left.args.get("with_"):
                break
        outputs = self.query(left, outer, ctes)
        for part in reversed(parts):
            other = self.query(part, outer, ctes)
            outputs = [
                (name, bases | (other[position][1] if position < len(other) else frozenset()))
                for position, (name, bases) in enumerate(outputs)
            ]
        return outputs

    def _values(self, node: object, outer: _Scope | None, ctes: Mapping[str, _Outputs]) -> _Outputs:
        scope = _Scope(parent=outer)
        outputs: dict[int, frozenset[_Base]] = {}
        for row in node.expressions:  # type: ignore[attr-defined]
            for position, value in enumerate(getattr(row, "expressions", None) or [row]):
                outputs[position] = outputs.get(position, frozenset()) | self._bases(
                    value, scope, ctes
                )
        return [(f"_col{position}", bases) for position, bases in outputs.items()]

    # --- sources

    def _add_source(self, scope: _Scope, node: object, ctes: Mapping[str, _Outputs]) -> None:
        from sqlglot import exp

        if isinstance(node, exp.Table):
            self._add_table(scope, node, ctes)
            for join in node.args.get("joins") or ():
                self._add_source(scope, join.this, ctes)
        elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Query):
            self._add_source(scope, node.this, ctes)
        elif isinstance(node, (exp.Subquery, exp.Lateral, exp.Values)):
            self._add_derived(scope, node, ctes)
        elif isinstance(node, exp.Unnest):
            self._add_unnest(scope, node, ctes)
        elif node is not None:
            self.incomplete.append("Column lineage leaves out a table function.")

    def _add_derived(self, scope: _Scope, node: object, ctes: Mapping[str, _Outputs]) -> None:
        from sqlglot import exp

        inner = node.this if not isinstance(node, exp.Values) else node  # type: ignore[attr-defined]
        if isinstance(inner, exp.Subquery):
            inner = inner.this
        if isinstance(inner, exp.Unnest):
            self._add_unnest(scope, inner, ctes)
            return
        if not isinstance(inner, (exp.Query, exp.Values)):
            self.incomplete.append("Column lineage leaves out a table function.")
            return
        alias = node.args.get("alias")  # type: ignore[attr-defined]
        names = [_identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        # LATERAL sees the tables before it; another sub-query sees those around the whole query.
        outer = scope if isinstance(node, exp.Lateral) else scope.parent
        outputs = _renamed(self.query(inner, outer, ctes), names)
        name = alias.name.lower() if alias else f" {len(scope.sources)}"
        scope.sources[name] = _Source(outputs=outputs)
        for join in node.args.get("joins") or ():  # type: ignore[attr-defined]
            self._add_source(scope, join.this, ctes)

    def _add_unnest(self, scope: _Scope, node: object, ctes: Mapping[str, _Outputs]) -> None:
        unnest: object = node
        alias = unnest.args.get("alias")  # type: ignore[attr-defined]
        bases = [self._bases(e, scope, ctes) for e in unnest.expressions]  # type: ignore[attr-defined]
        everything = frozenset().union(*bases) if bases else frozenset()
        names = [_identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        exact = len(names) == len(bases)
        outputs = [(n, bases[i] if exact else everything) for i, n in enumerate(names)]
        name = alias.name.lower() if alias and alias.name else f" {len(scope.sources)}"
        scope.sources[name] = _Source(outputs=outputs)

    def _add_table(self, scope: _Scope, node: object, ctes: Mapping[str, _Outputs]) -> None:
        parts = _parts(node)
        alias = node.args.get("alias")  # type: ignore[attr-defined]
        name = (alias.name if alias else parts[-1]).lower()
        names = [_identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        if len(parts) == 1 and parts[0].lower() in ctes:
            scope.sources[name] = _Source(outputs=_renamed(ctes[parts[0].lower()], names))
            return
        table = ".".join(parts)
        columns = self.schema.get(table.lower())
        if names and columns is not None:
            outputs = [(n, frozenset({(table, c)})) for n, c in zip(names, columns, strict=False)]
            scope.sources[name] = _Source(outputs=outputs)
            return
        scope.sources[name] = _Source(table=table, columns=columns)

    def _star(self, scope: _Scope, qualifier: str | None) -> _Outputs:
        outputs: _Outputs = []
        wanted = self._find(scope, qualifier) if qualifier else None
        for source in [wanted] if wanted is not None else list(scope.sources.values()):
            if source.outputs is not None:
                outputs += source.outputs
            elif source.columns is not None:
                outputs += [(c, frozenset({(source.table or "", c)})) for c in source.columns]
            else:
                self.incomplete.append(
                    f"The columns of {source.table} are not known, so that its star has no column lineage."
                )
        return outputs

    # --- columns

    def _bases(self, node: object, scope: _Scope, ctes: Mapping[str, _Outputs]) -> frozenset[_Base]:
        """
        The base columns that the value of *node* depends on.
        """
        from sqlglot import exp

        found: set[_Base] = set()
        waiting: list[tuple[object, frozenset[str]]] = [(node, frozenset())]
        while waiting:
            part, bound = waiting.pop()
            if isinstance(part, (exp.Subquery, exp.Query)):
                outputs = self.query(part, scope, ctes)
                # IN and EXISTS compare; the value of a scalar sub-query is its only column.
                found.update(base for _, bases in outputs for base in bases)
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
            waiting += [(child, bound) for child in _children(part)]
        return frozenset(found)

    def _long_column(self, node: object, scope: _Scope) -> frozenset[_Base] | None:
        """
        A column behind a name of four parts, which sqlglot reads as fields of a column.
        """
        parts = _dotted(node)
        for length in range(len(parts) - 1, 2, -1):
            table = ".".join(parts[:length]).lower()
            where: _Scope | None = scope
            while where is not None:
                for source in where.sources.values():
                    if source.table is not None and source.table.lower() == table:
                        return frozenset({(source.table, parts[length].lower())})
                where = where.parent
        return None

    def _column(self, node: object, scope: _Scope) -> frozenset[_Base]:
        name = _identifier(node)
        qualifier = _qualifier(node)
        if qualifier is not None:
            source = self._find(scope, qualifier)
            if source is not None:
                return _of(source, name)
            # A field of a row: the qualifier is the column.
            first = qualifier.split(".")
            source = self._find(scope, first[0]) if len(first) > 1 else None
            if source is not None:
                return _of(source, first[1])
            return self._unqualified(first[0], scope)
        return self._unqualified(name, scope)

    def _unqualified(self, name: str, scope: _Scope) -> frozenset[_Base]:
        where: _Scope | None = scope
        while where is not None:
            known = [s for s in where.sources.values() if _has(s, name)]
            if known:
                # USING makes one column of two.
                return frozenset().union(*(_of(source, name) for source in known))
            unknown = [
                s for s in where.sources.values() if s.table is not None and s.columns is None
            ]
            if len(unknown) == 1:
                return _of(unknown[0], name)
            if unknown:
                tables = " or ".join(str(source.table) for source in unknown)
                self.incomplete.append(f"Whether the column {name} is of {tables} is not known.")
                return frozenset()
            where = where.parent
        return frozenset()

    def _find(self, scope: _Scope, qualifier: str | None) -> _Source | None:
        wanted = (qualifier or "").lower()
        where: _Scope | None = scope
        while where is not None:
            if wanted in where.sources:
                return where.sources[wanted]
            for source in where.sources.values():
                table = (source.table or "").lower()
                if "." in wanted and (table == wanted or table.endswith(f".{wanted}")):
                    return source
            where = where.parent
        return None


def _children(node: object) -> Iterator[object]:
    for key, value in node.args.items():  # type: ignore[attr-defined]
        if key in {"from_", "where", "joins"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if hasattr(child, "args"):
                yield child


def _renamed(outputs: _Outputs, names: list[str]) -> _Outputs:
    if not names:
        return outputs
    return [
        (names[i] if i < len(names) else name, bases) for i, (name, bases) in enumerate(outputs)
    ]


def _of(source: _Source, name: str) -> frozenset[_Base]:
    if source.outputs is not None:
        matching = [bases for column, bases in source.outputs if column.lower() == name.lower()]
        return frozenset().union(*matching) if matching else frozenset()
    return frozenset({(source.table or "", name)})


def _has(source: _Source, name: str) -> bool:
    if source.outputs is not None:
        return any(column.lower() == name.lower() for column, _ in source.outputs)
    return source.columns is not None and name.lower() in {c.lower() for c in source.columns}


def _identifier(node: object) -> str:
    """
    A column's name: lower case, or as written where it was quoted.
    """
    from sqlglot import exp

    identifier = node if isinstance(node, exp.Identifier) else node.this  # type: ignore[attr-defined]
    while not isinstance(identifier, exp.Identifier) and hasattr(identifier, "this"):
        identifier = identifier.this
    if not isinstance(identifier, exp.Identifier):
        return str(identifier).lower()
    return str(identifier.this) if identifier.args.get("quoted") else str(identifier.this).lower()


def _alias_name(node: object) -> str:
    from sqlglot import exp

    if isinstance(node, exp.Alias):
        return _identifier(node.args["alias"])
    return _identifier(node)


def _parts(node: object) -> list[str]:
    """
    A table's parts, however sqlglot has hung them.
    """
    parts = []
    for part in node.parts:  # type: ignore[attr-defined]
        parts += _dotted(part)
    return parts


def _dotted(node: object) -> list[str]:
    from sqlglot import exp

    if isinstance(node, exp.Dot):
        return [*_dotted(node.this), *_dotted(node.expression)]
    if isinstance(node, exp.Column):
        return [_identifier(part) for part in node.parts]
    return [_identifier(node)]


def _qualifier(node: object) -> str | None:
    parts = [_identifier(part) for part in node.parts[:-1]]  # type: ignore[attr-defined]
    return ".".join(parts) or None
