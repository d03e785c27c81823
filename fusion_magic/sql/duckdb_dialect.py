"""
Trino's SQL in DuckDB's words, or a refusal that names what DuckDB would do differently.

sqlglot rewrites syntax and most functions. What is decided here:

    a / b               integers are cut towards zero (DuckDB's setting integer_division), decimals are rounded
                        to the larger scale, and a division by zero is an error, all as in Trino
    avg(decimal)        rounded to the decimal's scale
    cast as varchar(n)  cuts to n characters
    regexp_replace      every match; groups are \\1 instead of $1
    unknown functions   refused: a function of the same name may mean something else

Pure: knows nothing of a connection but the macros and settings that it must have.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from fusion_magic.errors import InvalidSql, UnsupportedSql

# What every connection is given before the first query.
PREPARATION = (
    "SET integer_division = true",
    "SET ieee_floating_point_ops = true",
    "SET python_enable_replacements = false",
    "CREATE TEMP MACRO fusion_scale(t) AS "
    "coalesce(try_cast(regexp_extract(t, '^DECIMAL\\(\\d+,(\\d+)\\)$', 1) AS INTEGER), 0)",
    "CREATE TEMP MACRO fusion_is_float(t) AS t IN ('DOUBLE', 'FLOAT')",
    "CREATE TEMP MACRO fusion_div(a, b) AS CASE "
    "WHEN b = 0 AND NOT fusion_is_float(typeof(a)) AND NOT fusion_is_float(typeof(b)) "
    "THEN error('Division by zero') "
    "WHEN fusion_is_float(typeof(a)) OR fusion_is_float(typeof(b)) THEN a / b "
    "WHEN typeof(a) LIKE 'DECIMAL%' OR typeof(b) LIKE 'DECIMAL%' "
    "THEN round(a / b, greatest(fusion_scale(typeof(a)), fusion_scale(typeof(b)))) ELSE a / b END",
    "CREATE TEMP MACRO fusion_avg(mean, t) AS "
    "CASE WHEN t LIKE 'DECIMAL%' THEN round(mean, fusion_scale(t)) ELSE mean END",
)

# Functions that sqlglot does not know and that DuckDB has with Trino's meaning.
_SAME = frozenset(
    [
        "ABS",
        "ACOS",
        "ASIN",
        "ATAN",
        "ATAN2",
        "CEIL",
        "CEILING",
        "COS",
        "COT",
        "DEGREES",
        "EXP",
        "FLOOR",
        "LN",
        "LOG10",
        "LOG2",
        "MOD",
        "PI",
        "RADIANS",
        "SIN",
        "SQRT",
        "TAN",
        "TRUNC",
        "BIT_COUNT",
        "CARDINALITY",
        "CHR",
        "CODEPOINT",
        "CONCAT",
        "CONTAINS",
        "LENGTH",
        "LOWER",
        "LPAD",
        "LTRIM",
        "REVERSE",
        "RPAD",
        "RTRIM",
        "STARTS_WITH",
        "STRPOS",
        "SUBSTR",
        "SUBSTRING",
        "TRANSLATE",
        "TRIM",
        "UPPER",
        "DAY",
        "DAY_OF_MONTH",
        "DAY_OF_YEAR",
        "HOUR",
        "MINUTE",
        "MONTH",
        "QUARTER",
        "SECOND",
        "YEAR",
        "LAST_DAY_OF_MONTH",
        "ARBITRARY",
        "BOOL_AND",
        "BOOL_OR",
        "COUNT_IF",
        "CORR",
        "COVAR_POP",
        "COVAR_SAMP",
        "REGR_SLOPE",
        "REGR_INTERCEPT",
        "CUME_DIST",
        "PERCENT_RANK",
        "SIGN",
        "LEVENSHTEIN_DISTANCE",
        "SKEWNESS",
        "KURTOSIS",
        "EVERY",
        "RAND",
        "RANDOM",
        "GROUPING",
        "LAST_VALUE",
        "FIRST_VALUE",
        "NTH_VALUE",
        "NTILE",
        "RANK",
        "DENSE_RANK",
        "ROW_NUMBER",
    ]
)
_RENAMED = {
    "CODEPOINT": "unicode",
    "CARDINALITY": "len",
    "DAY_OF_MONTH": "day",
    "DAY_OF_YEAR": "dayofyear",
    "LAST_DAY_OF_MONTH": "last_day",
    "ARBITRARY": "any_value",
    "EVERY": "bool_and",
    "LEVENSHTEIN_DISTANCE": "levenshtein",
    "RAND": "random",
    "CONTAINS": "list_contains",
}
_REFUSED: Mapping[type[exp.Expr], tuple[str, str]] = {
    exp.ApproxDistinct: ("approx_distinct", "its estimate differs; use count(DISTINCT …)"),
    exp.ApproxQuantile: ("approx_percentile", "its estimate differs"),
    exp.AtTimeZone: ("AT TIME ZONE", "DuckDB keeps no zone with a timestamp"),
    exp.Format: ("format", "DuckDB's format has another pattern language"),
    exp.JSONExtract: ("json_extract", "DuckDB's JSON paths and results differ"),
    exp.JSONExtractScalar: (
        "json_extract_scalar",
        "DuckDB gives text for objects where Trino gives NULL",
    ),
    exp.JSONTable: ("JSON_TABLE", "DuckDB has no JSON_TABLE"),
    exp.MatchRecognize: ("MATCH_RECOGNIZE", "DuckDB has no row pattern matching"),
    exp.TableSample: ("TABLESAMPLE", "DuckDB's samples differ"),
    exp.Try: ("TRY", "DuckDB's TRY catches other errors; use try_cast or CASE"),
    exp.UnixToTime: ("from_unixtime", "DuckDB keeps no zone with a timestamp"),
    exp.Command: ("this statement", "DuckDB has no such statement"),
}
_ELSEWHERE = "Run it on Trino (engine.url), or write it in another way."


@lru_cache(maxsize=256)
def to_duckdb(sql: str) -> str:
    """
    One statement of Trino's SQL, with Trino names, in DuckDB's words.

    Raises:
        InvalidSql: sqlglot cannot read it.
        UnsupportedSql: DuckDB cannot run it with Trino's meaning; names the construct and the reason.
    """
    with _quiet():
        try:
            tree = sqlglot.parse_one(sql, read="trino")
        except (SqlglotError, RecursionError) as exc:
            raise InvalidSql(f"This cannot be read as SQL: {_first_line(exc)}.") from exc
        _refuse(tree)
        _name_columns(tree)
        return tree.transform(_rewrite).sql(
            dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """
    sqlglot's warnings are for its own users; what matters is raised here.
    """
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _first_line(exc: BaseException) -> str:
    errors = getattr(exc, "errors", None)
    if errors:
        return f"{str(errors[0].get('description')).rstrip('.')} in line {errors[0].get('line')}"
    return re.sub(r"\x1b\[\d+m", "", str(exc)).partition("\n")[0] or type(exc).__name__


def _refuse(tree: exp.Expr) -> None:
    for node in tree.walk():
        refused = _REFUSED.get(type(node))
        if refused is not None:
            raise UnsupportedSql(
                f"DuckDB cannot run {refused[0]} as Trino does: {refused[1]}.", hint=_ELSEWHERE
            )
        if isinstance(node, exp.Anonymous) and str(node.this).upper() not in _SAME:
            raise UnsupportedSql(
                f"DuckDB has no function {str(node.this).lower()} with Trino's meaning.",
                hint=_ELSEWHERE,
            )
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Func):
            raise UnsupportedSql("DuckDB has none of Trino's table functions.", hint=_ELSEWHERE)


def _name_columns(tree: exp.Expr) -> None:
    """
    Trino calls the n-th column _col<n> where the query gives it no name.
    """
    while isinstance(tree, (exp.SetOperation, exp.Subquery)):
        tree = tree.this
    if not isinstance(tree, exp.Select):
        return
    for position, item in enumerate(tree.expressions):
        if not isinstance(item, (exp.Column, exp.Alias, exp.Star, exp.Dot)):
            item.replace(exp.alias_(item.copy(), f"_col{position}"))


def _rewrite(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous):
        name = _RENAMED.get(str(node.this).upper())
        return exp.Anonymous(this=name, expressions=node.expressions) if name else node
    if isinstance(node, exp.Div):
        return exp.Anonymous(this="fusion_div", expressions=[node.left, node.right])
    if isinstance(node, exp.Avg) and not isinstance(node.parent, (exp.Window, exp.Filter)):
        return _average(node)
    if isinstance(node, exp.Cast):
        return _cast(node)
    if isinstance(node, exp.RegexpReplace):
        return _regexp_replace(node)
    return node


def _average(node: exp.Avg) -> exp.Expr:
    if isinstance(node.parent, exp.Anonymous) and node.parent.this == "fusion_avg":
        return node
    operand = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    type_of = exp.Max(this=exp.Anonymous(this="typeof", expressions=[operand.copy()]))
    return exp.Anonymous(this="fusion_avg", expressions=[node.copy(), type_of])


def _cast(node: exp.Cast) -> exp.Expr:
    to = node.to
    if to.this != exp.DataType.Type.VARCHAR or not to.expressions:
        return node
    plain = node.copy()
    length = plain.to.expressions[0].this
    plain.to.set("expressions", [])
    return exp.Anonymous(this="left", expressions=[plain, length])


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    replacement = node.args.get("replacement")
    if replacement is None or "$" not in replacement.sql():
        return node
    if not isinstance(replacement, exp.Literal):
        raise UnsupportedSql(
            "DuckDB cannot run regexp_replace with a computed replacement as Trino does.",
            hint=_ELSEWHERE,
        )
    text = re.sub(r"\$(\d)", r"\\\1", str(replacement.this))
    node.set("replacement", exp.Literal.string(text))
    return node
