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

from fusion_magic.sql.edits import Edit, apply_edits, mark_edits, without_overlaps
from fusion_magic.sql.parameters import find_placeholders
from fusion_magic.sql.references import Reference, find_references
from fusion_magic.sql.sqlglot_compat import readable_edits
from fusion_magic.sql.statement import Statement, parse_statement

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

    readable = readable_edits(statement)
    placeholders = [Edit(p.span, "NULL") for p in find_placeholders(statement)]
    edits = [*mark_edits(statement.text), *readable, *without_overlaps(placeholders, readable)]
    text = apply_edits(statement.text, edits)
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
_OPEN = (
    "*"  # the name of all columns of tables whose columns are not known, in outputs and in bases
)
_NO_COLUMNS = frozenset(
    {"current_path", "current_schema", "current_role"}
)  # sqlglot takes them for columns


@dataclass(slots=True)
class _Source:
    """
    What stands under one alias: a base table, or the columns of a query; neither for a table function.
    """

    table: str | None = None
    outputs: _Outputs | None = None
    columns: tuple[str, ...] | None = None

    @property
    def fields(self) -> _Outputs:
        """
        Its columns, as a star gives them.
        """
        if self.outputs is not None:
            return self.outputs
        if self.table is None:
            return []
        if self.columns is None:
            return [(_OPEN, frozenset({(self.table, _OPEN)}))]
        return [(column, frozenset({(self.table, column)})) for column in self.columns]

    @property
    def is_open(self) -> bool:
        """
        Whether it may have columns that are not known.
        """
        if self.outputs is not None:
            return any(name == _OPEN for name, _ in self.outputs)
        return self.columns is None


@dataclass(slots=True)
class _Scope:
    """
    What a query's expressions see.

    Attributes:
        sources: Names in lower case and what stands under them, in the order of FROM.
        fields: What ``*`` gives: the columns that USING has made one come first.
        using: Those columns, by their names in lower case.
        has_variables: Whether an unknown qualifier is a row pattern's variable.
    """

    sources: list[tuple[str, _Source]] = field(default_factory=list)
    parent: _Scope | None = None
    fields: _Outputs = field(default_factory=list)
    using: dict[str, frozenset[_Base]] = field(default_factory=dict)
    has_variables: bool = False

    def add(self, name: str, source: _Source) -> None:
        self.sources.append((name, source))
        self.fields = [*self.fields, *source.fields]


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
        if not names:
            self.incomplete.append(f"The columns of {self.target} that INSERT fills are not known.")
        for name, value in zip(names, node.expression.expressions, strict=False):
            self._emit_bases(name, self._bases(value, scope, {}))

    def _emit(self, outputs: _Outputs, names: list[str] | None) -> None:
        for position, (name, bases) in enumerate(outputs):
            if name == _OPEN:
                self._say_open(bases)
                if names:
                    return
                continue
            renamed = names[position] if names and position < len(names) else name
            self._emit_bases(renamed, bases)

    def _say_open(self, bases: frozenset[_Base]) -> None:
        self.incomplete.extend(
            f"The columns of {table} are not known, so that its star has no column lineage."
            for table, _ in sorted(bases)
        )

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
                return scope.fields
            return []
        finally:
            self.depth -= 1

    def _with(
        self, node: object, ctes: Mapping[str, _Outputs], outer: _Scope | None
    ) -> Mapping[str, _Outputs]:
        with_ = node.args.get("with_") or node.args.get("with")  # type: ignore[attr-defined]
        if with_ is None:
            return ctes
        visible = dict(ctes)
        for cte in with_.expressions:
            names = [_identifier(column) for column in cte.args["alias"].args.get("columns") or ()]
            name = cte.alias.lower()
            if with_.args.get("recursive") and _names_table(cte.this, name):
                visible[name] = self._recursive(cte.this, names, visible, name, outer)
            else:
                visible[name] = self._renamed(self.query(cte.this, outer, visible), names)
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
            grown = self._renamed(self.query(body, outer, {**visible, name: outputs}), names)
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
        self._add_joins(scope, select.args.get("joins"), ctes)
        for lateral in select.args.get("laterals") or ():
            self._add_source(scope, lateral, ctes)
        if select.args.get("match") is not None:
            scope = self._match(select.args["match"], scope, ctes)
        windows = {w.name.lower(): w for w in select.args.get("windows") or ()}
        outputs: _Outputs = []
        for item in select.expressions:
            outputs += self._item(item, len(outputs), scope, ctes, windows)
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
            return scope.fields
        qualifier = _star_qualifier(item)
        if qualifier is not None:
            source = self._find(scope, qualifier)
            return source.fields if source is not None else []
        bases = self._bases(item, scope, ctes)
        for window in item.find_all(exp.Window):  # type: ignore[attr-defined]
            bases |= self._named_window(window, scope, ctes, windows)
        return [(_output_name(item) or f"_col{position}", bases)]

    def _named_window(
        self,
        window: object,
        scope: _Scope,
        ctes: Mapping[str, _Outputs],
        windows: Mapping[str, object],
    ) -> frozenset[_Base]:
        """
        What the window behind OVER depends on, through the windows that it is built on.
        """
        bases: frozenset[_Base] = frozenset()
        seen: set[str] = set()
        while True:
            name = str(window.args.get("alias") or "").strip('"').lower()  # type: ignore[attr-defined]
            if name not in windows or name in seen:
                return bases
            seen.add(name)
            window = windows[name]
            bases |= self._bases(window, scope, ctes)

    def _match(self, node: object, scope: _Scope, ctes: Mapping[str, _Outputs]) -> _Scope:
        """
        What MATCH_RECOGNIZE gives: its partition's columns, every column where all rows are shown, its measures.
        """
        scope.has_variables = True
        args = node.args  # type: ignore[attr-defined]
        outputs: _Outputs = [
            (_output_name(column) or "", self._bases(column, scope, ctes))
            for column in args.get("partition_by") or ()
        ]
        if "ALL ROWS" in str(args.get("rows") or "").upper():
            outputs = list(scope.fields)
        for measure in args.get("measures") or ():
            outputs.append(
                (_output_name(measure.this) or "", self._bases(measure.this, scope, ctes))
            )
        alias = args.get("alias")
        matched = _Scope(parent=scope.parent)
        name = alias.name.lower() if alias is not None else scope.sources[-1][0]
        names = [_identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        matched.add(name, _Source(outputs=self._renamed(outputs, names)))
        return matched

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
            outputs = self._united(outputs, self.query(part, outer, ctes))
        return outputs

    def _united(self, left: _Outputs, right: _Outputs) -> _Outputs:
        united: _Outputs = []
        for position, (name, bases) in enumerate(left):
            other = right[position] if position < len(right) else ("", frozenset())
            if (name == _OPEN) != (other[0] == _OPEN):
                self._say_open(bases if name == _OPEN else other[1])
                return [*united, *left[position:]]
            united.append((name, bases | other[1]))
        return united

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
            self._add_joins(scope, node.args.get("joins"), ctes)
        elif isinstance(node, exp.Subquery) and _is_join(node):
            self._add_brackets(scope, node, ctes)
            self._add_joins(scope, node.args.get("joins"), ctes)
        elif isinstance(node, (exp.Subquery, exp.Lateral, exp.Values)):
            self._add_derived(scope, node, ctes)
        elif isinstance(node, exp.Unnest):
            self._add_unnest(scope, node, ctes)
        elif node is not None:
            self._add_opaque(scope, node)

    def _add_brackets(self, scope: _Scope, node: object, ctes: Mapping[str, _Outputs]) -> None:
        """
        A join in brackets; with an alias, its columns are seen under that alone.
        """
        alias = node.args.get("alias")  # type: ignore[attr-defined]
        if alias is None:
            self._add_source(scope, node.this, ctes)  # type: ignore[attr-defined]
            return
        inner = _Scope(parent=scope.parent)
        self._add_source(inner, node.this, ctes)  # type: ignore[attr-defined]
        names = [_identifier(c) for c in alias.args.get("columns") or ()]
        scope.add(alias.name.lower(), _Source(outputs=self._renamed(inner.fields, names)))

    def _add_opaque(self, scope: _Scope, node: object) -> None:
        alias = node.args.get("alias")  # type: ignore[attr-defined]
        scope.add(alias.name.lower() if alias else "", _Source())
        self.incomplete.append("Column lineage leaves out a table function.")

    def _add_joins(self, scope: _Scope, joins: object, ctes: Mapping[str, _Outputs]) -> None:
        for join in joins or ():  # type: ignore[attr-defined]
            before = len(scope.sources)
            fields = scope.fields
            self._add_source(scope, join.this, ctes)
            names = [_identifier(name) for name in join.args.get("using") or ()]
            added = scope.fields[len(fields) :]
            if join.args.get("method") == "NATURAL":
                own = {name.lower() for name, _ in added}
                names = [name for name, _ in fields if name.lower() in own and name != _OPEN]
            if names:
                self._unite_columns(scope, names, before)

    def _unite_columns(self, scope: _Scope, names: list[str], before: int) -> None:
        """
        USING makes one column of two, which ``*`` gives first; the value may be of either.
        """
        left = [source for _, source in scope.sources[:before]]
        right = [source for _, source in scope.sources[before:]]
        united = []
        for name in names:
            bases = scope.using.get(name.lower()) or self._one_of(left, name)
            scope.using[name.lower()] = bases | self._one_of(right, name)
            united.append((name, scope.using[name.lower()]))
        gone = {name.lower() for name in names}
        scope.fields = [*united, *(f for f in scope.fields if f[0].lower() not in gone)]

    def _one_of(self, sources: list[_Source], name: str) -> frozenset[_Base]:
        """
        The base columns of the column *name*, which one of *sources* has.
        """
        known = [source for source in sources if _has(source, name)]
        if known:
            return frozenset().union(*(_of(source, name) for source in known))
        unknown = [source for source in sources if source.is_open]
        bases = [_of(source, name) for source in unknown]
        if len(unknown) == 1:
            return bases[0]
        if unknown:
            tables = sorted({table for found in bases for table, _ in found})
            self.incomplete.append(
                f"Whether the column {name} is of {' or '.join(tables)} is not known."
            )
        return frozenset()

    def _add_derived(self, scope: _Scope, node: object, ctes: Mapping[str, _Outputs]) -> None:
        from sqlglot import exp

        inner = node.this if not isinstance(node, exp.Values) else node  # type: ignore[attr-defined]
        if isinstance(inner, exp.Unnest):
            self._add_unnest(scope, inner, ctes)
            return
        if not isinstance(inner, (exp.Query, exp.Values)):
            self._add_opaque(scope, node)
            return
        alias = node.args.get("alias")  # type: ignore[attr-defined]
        names = [_identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        # LATERAL sees the tables before it; another sub-query sees those around the whole query.
        outer = scope if isinstance(node, exp.Lateral) else scope.parent
        outputs = self._renamed(self.query(inner, outer, ctes), names)
        scope.add(alias.name.lower() if alias else "", _Source(outputs=outputs))
        self._add_joins(scope, node.args.get("joins"), ctes)  # type: ignore[attr-defined]

    def _add_unnest(self, scope: _Scope, node: object, ctes: Mapping[str, _Outputs]) -> None:
        from sqlglot import exp

        unnest: object = node
        alias = unnest.args.get("alias")  # type: ignore[attr-defined]
        bases = [self._bases(e, scope, ctes) for e in unnest.expressions]  # type: ignore[attr-defined]
        everything = frozenset().union(*bases) if bases else frozenset()
        names = [_identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        exact = len(names) == len(bases)
        outputs = [(n, bases[i] if exact else everything) for i, n in enumerate(names)]
        ordinality = unnest.args.get("offset")  # type: ignore[attr-defined]
        if isinstance(ordinality, exp.Identifier):
            outputs.append((_identifier(ordinality), frozenset()))
        scope.add(alias.name.lower() if alias else "", _Source(outputs=outputs))

    def _add_table(self, scope: _Scope, node: object, ctes: Mapping[str, _Outputs]) -> None:
        from sqlglot import exp

        if not isinstance(node.this, (exp.Identifier, exp.Dot)):  # type: ignore[attr-defined]
            self._add_opaque(scope, node)
            return
        parts = _parts(node)
        alias = node.args.get("alias")  # type: ignore[attr-defined]
        name = (alias.name if alias else parts[-1]).lower()
        names = [_identifier(c) for c in alias.args.get("columns") or ()] if alias else []
        if len(parts) == 1 and parts[0].lower() in ctes:
            source = _Source(outputs=ctes[parts[0].lower()])
        else:
            table = ".".join(parts)
            source = _Source(table=table, columns=self.schema.get(table.lower()))
        if names:
            source = _Source(outputs=self._renamed(source.fields, names), table=source.table)
        scope.add(name, source)

    def _renamed(self, outputs: _Outputs, names: list[str]) -> _Outputs:
        """
        *outputs* with a list of names put on them, as far as the columns before are known.
        """
        if not names:
            return outputs
        for position, (name, bases) in enumerate(outputs):
            if name == _OPEN:
                self._say_open(bases)
                hidden: _Outputs = [(other, frozenset()) for other in names[position:]]
                return [*self._renamed(outputs[:position], names[:position]), *hidden]
        return [
            (names[i] if i < len(names) else name, bases) for i, (name, bases) in enumerate(outputs)
        ]

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
                for name, bases in self.query(part, scope, ctes):
                    if name == _OPEN:
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
            waiting += [(child, bound) for child in _children(part)]
        return frozenset(found)

    def _long_column(self, node: object, scope: _Scope) -> frozenset[_Base] | None:
        """
        A column behind a name of four parts, which sqlglot reads as fields of a column.
        """
        parts = _dotted(node)
        for length in range(len(parts) - 1, 2, -1):
            source = self._find(scope, ".".join(parts[:length]))
            if source is not None:
                return _of(source, parts[length])
        return None

    def _column(self, node: object, scope: _Scope) -> frozenset[_Base]:
        name = _identifier(node)
        qualifier = _qualifier(node)
        if qualifier is None:
            return frozenset() if name in _NO_COLUMNS else self._unqualified(name, scope)
        source = self._find(scope, qualifier)
        if source is not None:
            return _of(source, name)
        # A field of a row: the qualifier, or its end, is the column.
        parts = qualifier.split(".")
        for length in range(len(parts) - 1, 0, -1):
            source = self._find(scope, ".".join(parts[:length]))
            if source is not None:
                return _of(source, parts[length])
        return self._unqualified(name if scope.has_variables else parts[0], scope)

    def _unqualified(self, name: str, scope: _Scope) -> frozenset[_Base]:
        where: _Scope | None = scope
        while where is not None:
            if name.lower() in where.using:
                return where.using[name.lower()]
            sources = [source for _, source in where.sources]
            if any(_has(source, name) or source.is_open for source in sources):
                return self._one_of(sources, name)
            where = where.parent
        return frozenset()

    def _find(self, scope: _Scope, qualifier: str) -> _Source | None:
        """
        What the nearest scope has under *qualifier*: an alias, or the end of a table's name.
        """
        wanted = qualifier.lower()
        where: _Scope | None = scope
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


def _children(node: object) -> Iterator[object]:
    for key, value in node.args.items():  # type: ignore[attr-defined]
        if key in {"from_", "where", "joins"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if hasattr(child, "args"):
                yield child


def _of(source: _Source, name: str) -> frozenset[_Base]:
    """
    The base columns of one column; of a star whose columns are not known, the columns of that name.
    """
    if source.outputs is None:
        return frozenset() if source.table is None else frozenset({(source.table, name)})
    matching = [bases for column, bases in source.outputs if column.lower() == name.lower()]
    if matching:
        return frozenset().union(*matching)
    through = [bases for column, bases in source.outputs if column == _OPEN]
    return frozenset((table, name) for bases in through for table, _ in bases)


def _has(source: _Source, name: str) -> bool:
    if source.outputs is not None:
        return any(column.lower() == name.lower() for column, _ in source.outputs)
    return source.columns is not None and name.lower() in {c.lower() for c in source.columns}


def _is_join(node: object) -> bool:
    """
    Whether brackets in FROM hold a table or a join of them, and no query.
    """
    from sqlglot import exp

    while isinstance(node, exp.Subquery):
        node = node.this
    return not isinstance(node, exp.Query)


def _names_table(node: object, name: str) -> bool:
    from sqlglot import exp

    tables = node.find_all(exp.Table)  # type: ignore[attr-defined]
    return any(table.name.lower() == name for table in tables)


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


def _output_name(item: object) -> str | None:
    """
    The name of a selected column, None where SQL gives it none.
    """
    from sqlglot import exp

    while isinstance(item, exp.Paren):
        item = item.this
    if isinstance(item, exp.Alias):
        return _identifier(item.args["alias"])
    if isinstance(item, exp.Column):
        return _identifier(item)
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Identifier):
        return _identifier(item.expression)
    return None


def _star_qualifier(item: object) -> str | None:
    """
    What stands before a star: the table of ``t.*``; None for anything else.
    """
    from sqlglot import exp

    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        return _qualifier(item)
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
        return ".".join(_dotted(item.this))
    return None


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
