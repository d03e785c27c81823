"""
The kinds of expressions, as far as a statement's text and its tables' columns tell: enough to pick the right arithmetic.

    whole  decimal  double  date  text        or None where it is not known

No scopes are followed: a name has a kind when everything of that name in the statement has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

WHOLE, DECIMAL, DOUBLE, DATE, TEXT = "whole", "decimal", "double", "date", "text"
_Type = exp.DataType.Type
_OF_TYPE: Mapping[object, str] = {
    _Type.TINYINT: WHOLE,
    _Type.SMALLINT: WHOLE,
    _Type.INT: WHOLE,
    _Type.BIGINT: WHOLE,
    _Type.DECIMAL: DECIMAL,
    _Type.DOUBLE: DOUBLE,
    _Type.FLOAT: DOUBLE,
    _Type.DATE: DATE,
    _Type.VARCHAR: TEXT,
}
_SAME_AS_OPERAND = (
    exp.Paren,
    exp.Neg,
    exp.Sum,
    exp.Max,
    exp.Min,
    exp.Abs,
    exp.Distinct,
    exp.Window,
    exp.Filter,
    exp.FirstValue,
    exp.LastValue,
    exp.Lag,
    exp.Lead,
    exp.AnyValue,
)
_COUNTS = (exp.Count, exp.CountIf, exp.Length, exp.RowNumber)
_FLOATS = (
    exp.Stddev,
    exp.StddevPop,
    exp.StddevSamp,
    exp.Variance,
    exp.VariancePop,
    exp.Sqrt,
    exp.Ln,
)
_DATES = (exp.CurrentDate, exp.Date, exp.LastDay, exp.TsOrDsToDate)
_OF_THIS_DATE = (exp.DateAdd, exp.DateTrunc, exp.TimestampTrunc)


class Kinds:
    """
    The kinds of one statement's expressions.

    Args:
        columns: Names in lower case and the kinds of the tables' columns that have them.
    """

    def __init__(self, tree: exp.Expr, columns: Iterable[tuple[str, str]]) -> None:
        self._names: dict[str, str | None] = dict(columns)
        for alias in reversed(list(tree.find_all(exp.Alias))):
            self._note(alias.alias.lower(), self.of(alias.this))
        for table in tree.find_all(exp.TableAlias):
            for column in table.args.get("columns") or ():
                self._note(column.name.lower(), None)

    def _note(self, name: str, kind: str | None) -> None:
        self._names[name] = kind if self._names.get(name, kind) == kind else None

    def of(self, node: exp.Expr | None) -> str | None:
        """
        The kind of one expression.
        """
        if isinstance(node, exp.Column):
            return self._names.get(node.name.lower())
        if isinstance(node, exp.Literal):
            return _of_literal(node)
        if isinstance(node, (exp.Cast, exp.TryCast)):
            return _OF_TYPE.get(node.to.this)
        if isinstance(node, _COUNTS):
            return WHOLE
        if isinstance(node, _FLOATS):
            return DOUBLE
        if isinstance(node, _DATES):
            return DATE
        if isinstance(node, (*_SAME_AS_OPERAND, *_OF_THIS_DATE)):
            return self._of_operand(node)
        if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)):
            return self._of_arithmetic(node)
        if isinstance(node, exp.Avg):
            kind = self.of(node.this)
            return DOUBLE if kind == WHOLE else kind
        if isinstance(node, exp.Coalesce):
            return self._common((node.this, *node.expressions))
        if isinstance(node, exp.Case):
            values = [
                *(branch.args["true"] for branch in node.args["ifs"]),
                node.args.get("default"),
            ]
            return self._common(values)
        return None

    def _of_operand(self, node: exp.Expr) -> str | None:
        kind = self.of(node.this)
        is_date_function = isinstance(node, _OF_THIS_DATE)
        return kind if not is_date_function or kind == DATE else None

    def _of_arithmetic(self, node: exp.Binary) -> str | None:
        left, right = self.of(node.left), self.of(node.right)
        if left == DATE and isinstance(node.right, exp.Interval):
            return DATE
        return _promoted(left, right)

    def _common(self, nodes: Iterable[exp.Expr | None]) -> str | None:
        kinds = {
            self.of(node) for node in nodes if node is not None and not isinstance(node, exp.Null)
        }
        if len(kinds) == 1:
            return kinds.pop()
        found: str | None = None
        for place, kind in enumerate(kinds):
            found = kind if place == 0 else _promoted(found, kind)
        return found


def kind_of_type(duckdb_type: str) -> str | None:
    """
    The kind of a column of that type of DuckDB's.

    >>> kind_of_type("DECIMAL(15,2)"), kind_of_type("HUGEINT"), kind_of_type("BLOB")
    ('decimal', 'whole', None)
    """
    name = duckdb_type.partition("(")[0]
    if name.endswith("INT") or name in {"INTEGER", "TINYINT", "SMALLINT", "BIGINT"}:
        return WHOLE
    return {
        "DECIMAL": DECIMAL,
        "DOUBLE": DOUBLE,
        "FLOAT": DOUBLE,
        "DATE": DATE,
        "VARCHAR": TEXT,
    }.get(name if not duckdb_type.endswith("]") else "")


def _of_literal(node: exp.Literal) -> str:
    text = str(node.this).lower()
    if node.is_string:
        return TEXT
    return DOUBLE if "e" in text else DECIMAL if "." in text else WHOLE


def _promoted(left: str | None, right: str | None) -> str | None:
    if left is None or right is None:
        return None
    for kind in (DOUBLE, DECIMAL, WHOLE):
        if kind in (left, right):
            return kind if {left, right} <= {DOUBLE, DECIMAL, WHOLE} else None
    return None
