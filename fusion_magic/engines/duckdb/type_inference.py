"""
The kinds of expressions, as far as a statement's text and its tables' columns tell: enough to pick the right arithmetic.

    whole  decimal with its scale  double  date  text        or None where it is not known

Decimals follow Trino's rules: a sum has the larger scale, a product both scales together, a quotient the larger.
Source: Trino 476, "Decimal functions and operators", https://trino.io/docs/476/functions/decimal.html
No scopes are followed: a name has a kind when everything of that name in the statement has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlglot import exp


class ValueType(NamedTuple):
    """
    A kind, and for a decimal the digits after its point.
    """

    name: str
    scale: int = 0


WHOLE, DOUBLE, DATE, TEXT = (
    ValueType("whole"),
    ValueType("double"),
    ValueType("date"),
    ValueType("text"),
)
DECIMAL = "decimal"
MOST_DIGITS = 38
_Type = exp.DataType.Type
_OF_TYPE: Mapping[object, ValueType] = {
    _Type.TINYINT: WHOLE,
    _Type.SMALLINT: WHOLE,
    _Type.INT: WHOLE,
    _Type.BIGINT: WHOLE,
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


class ValueTypes:
    """
    The kinds of one statement's expressions.

    Args:
        columns: Names in lower case and the kinds of the tables' columns that have them.
    """

    def __init__(self, tree: exp.Expr, columns: Iterable[tuple[str, ValueType]]) -> None:
        self._names: dict[str, ValueType | None] = dict(columns)
        for alias in reversed(list(tree.find_all(exp.Alias))):
            self._note(alias.alias.lower(), self.of(alias.this))
        for table in tree.find_all(exp.TableAlias):
            for column in table.args.get("columns") or ():
                self._note(column.name.lower(), None)

    def _note(self, name: str, kind: ValueType | None) -> None:
        self._names[name] = kind if self._names.get(name, kind) == kind else None

    def of(self, node: exp.Expr | None) -> ValueType | None:
        """
        The kind of one expression.
        """
        if isinstance(node, exp.Column):
            return self._names.get(node.name.lower())
        if isinstance(node, exp.Literal):
            return _of_literal(node)
        if isinstance(node, (exp.Cast, exp.TryCast)):
            return _of_type(node.to)
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

    def _of_operand(self, node: exp.Expr) -> ValueType | None:
        kind = self.of(node.this)
        is_date_function = isinstance(node, _OF_THIS_DATE)
        return kind if not is_date_function or kind == DATE else None

    def _of_arithmetic(self, node: exp.Binary) -> ValueType | None:
        left, right = self.of(node.left), self.of(node.right)
        if left == DATE and isinstance(node.right, exp.Interval):
            return DATE
        if isinstance(node, exp.Mul) and left is not None and right is not None:
            return _product(left, right)
        return _promoted(left, right)

    def _common(self, nodes: Iterable[exp.Expr | None]) -> ValueType | None:
        kinds = {
            self.of(node) for node in nodes if node is not None and not isinstance(node, exp.Null)
        }
        if len(kinds) == 1:
            return kinds.pop()
        found: ValueType | None = None
        for place, kind in enumerate(kinds):
            found = kind if place == 0 else _promoted(found, kind)
        return found


def value_type_of(duckdb_type: str) -> ValueType | None:
    """
    The kind of a column of that type of DuckDB's.

    >>> value_type_of("DECIMAL(15,2)"), value_type_of("HUGEINT"), value_type_of("BLOB")
    (ValueType(name='decimal', scale=2), ValueType(name='whole', scale=0), None)
    """
    decimal = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", duckdb_type)
    if decimal is not None:
        return ValueType(DECIMAL, int(decimal[1]))
    if duckdb_type in {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}:
        return WHOLE
    return {"DOUBLE": DOUBLE, "FLOAT": DOUBLE, "DATE": DATE, "VARCHAR": TEXT}.get(duckdb_type)


def _of_type(kind: exp.DataType) -> ValueType | None:
    if kind.this != _Type.DECIMAL:
        return _OF_TYPE.get(kind.this)
    numbers = [int(str(parameter.this.this)) for parameter in kind.expressions]
    return ValueType(DECIMAL, numbers[1] if len(numbers) > 1 else 0)


def _of_literal(node: exp.Literal) -> ValueType:
    text = str(node.this).lower()
    if node.is_string:
        return TEXT
    if "e" in text:
        return DOUBLE
    return ValueType(DECIMAL, len(text.partition(".")[2])) if "." in text else WHOLE


def _promoted(left: ValueType | None, right: ValueType | None) -> ValueType | None:
    if left is None or right is None or DATE in (left, right) or TEXT in (left, right):
        return None
    if DOUBLE in (left, right):
        return DOUBLE
    if left == right == WHOLE:
        return WHOLE
    return ValueType(DECIMAL, max(left.scale, right.scale))


def _product(left: ValueType, right: ValueType) -> ValueType | None:
    kind = _promoted(left, right)
    if kind is None or kind.name != DECIMAL:
        return kind
    scale = left.scale + right.scale
    return ValueType(DECIMAL, scale) if scale <= MOST_DIGITS else None
