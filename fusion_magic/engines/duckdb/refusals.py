"""
What DuckDB would do differently, or cannot do, refused by name before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from fusion_magic.engines.duckdb.functions import ELSEWHERE, refused
from fusion_magic.engines.duckdb.type_inference import DATE, TEXT, ValueTypes
from fusion_magic.errors import InvalidSql, UnsupportedSql

_REFUSED: Mapping[type[exp.Expr], tuple[str, str]] = {
    exp.AtTimeZone: ("AT TIME ZONE", "DuckDB keeps no zone with a timestamp"),
    exp.JSONExtract: ("JSON paths", "DuckDB's JSON paths and results differ"),
    exp.JSONExtractScalar: ("JSON paths", "DuckDB's JSON paths and results differ"),
    exp.JSONObject: ("JSON_OBJECT", "DuckDB's JSON differs"),
    exp.JSONTable: ("JSON_TABLE", "DuckDB has no JSON_TABLE"),
    exp.MatchRecognize: ("MATCH_RECOGNIZE", "DuckDB has no row pattern matching"),
    exp.TableSample: ("TABLESAMPLE", "DuckDB's samples differ"),
    exp.Version: ("time travel", "DuckDB keeps no older versions of a table"),
    exp.Command: ("this statement", "DuckDB has no such statement"),
}
# Statements that are run; COPY, ATTACH, PRAGMA, SET and the like reach files and settings.
_STATEMENTS = (
    exp.Query,
    exp.Values,
    exp.Create,
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Drop,
    exp.Alter,
    exp.TruncateTable,
)
_FILE_NAME = re.compile(
    r"[/\\*?\[]|\.(csv|tsv|txt|parquet|pq|json|jsonl|ndjson|geojson|xlsx|db|duckdb|avro|shp|gpkg|vortex)"
    r"(\.\w+)?$",
    re.IGNORECASE,
)
_LITERAL_TYPES = frozenset({"IPADDRESS", "CHAR", "JSON"})
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In)
_COMPARED: Mapping[type[exp.Expr], tuple[str, ...]] = {
    exp.Between: ("low", "high"),
    exp.In: ("expressions",),
}


def refuse_files(tree: exp.Expr, tables: frozenset[tuple[str, ...]]) -> None:
    """
    DuckDB reads a file where a table is missing whose name, its parts joined by dots, is a file's.
    """
    for table in tree.find_all(exp.Table):
        parts = tuple(part.name for part in table.parts)
        is_text = isinstance(table.this, exp.Literal)
        is_known = tuple(part.lower() for part in parts) in tables
        if is_text or (not is_known and _FILE_NAME.search(".".join(parts))):
            raise refused("a file's name in FROM", "there it would read the file")


def refuse_constructs(tree: exp.Expr) -> None:
    """
    Refuse the statement, or the first thing in it, that DuckDB has not or has with another meaning.
    """
    if not isinstance(tree, _STATEMENTS):
        raise refused("this statement", "DuckDB has no such statement")
    for node in tree.walk():
        if (named := _REFUSED.get(type(node))) is not None:
            raise refused(*named)
        if (check := _CHECKS.get(type(node))) is not None:
            check(node)
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Func):
            raise UnsupportedSql("DuckDB has none of Trino's table functions.", hint=ELSEWHERE)


def _refuse_ties(node: exp.Expr) -> None:
    if "TIES" in node.sql(dialect="trino").upper():
        raise refused("FETCH FIRST … WITH TIES", "DuckDB leaves the ties out")


def _refuse_natural_join(node: exp.Expr) -> None:
    if node.args.get("method") == "NATURAL":
        raise UnsupportedSql("Trino has no NATURAL JOIN.", hint="Name the columns with USING.")


def _refuse_materialized(node: exp.Expr) -> None:
    if node.find(exp.MaterializedProperty) or node.args.get("materialized"):
        raise refused("materialized views", "DuckDB would make a plain view")


def _refuse_several_arrays(node: exp.Expr) -> None:
    if len(node.expressions) > 1:
        raise refused("UNNEST of several arrays", "DuckDB takes one")


def _refuse_type(node: exp.Expr) -> None:
    name = node.sql(dialect="trino")
    if name.partition("(")[0] in _LITERAL_TYPES:
        raise refused(f"the type {name.lower()}", "DuckDB has no such type")


def _refuse_several_rows(node: exp.Expr) -> None:
    if node.args.get("count") is not None:
        raise refused("max_by and min_by of several rows", "DuckDB leaves NULLs out")


_CHECKS: Mapping[type[exp.Expr], Callable[[exp.Expr], None]] = {
    exp.Create: _refuse_materialized,
    exp.Drop: _refuse_materialized,
    exp.Fetch: _refuse_ties,
    exp.Join: _refuse_natural_join,
    exp.Unnest: _refuse_several_arrays,
    exp.DataType: _refuse_type,
    exp.ArgMax: _refuse_several_rows,
    exp.ArgMin: _refuse_several_rows,
}


def refuse_comparisons(tree: exp.Expr, kinds: ValueTypes) -> None:
    """
    DuckDB reads a text as a date or a number where it is compared with one; Trino refuses that.
    """
    for node in tree.find_all(*_COMPARISONS):
        left = kinds.of(node.this)
        for other in _compared(node):
            right = kinds.of(other)
            if left is not None and right is not None and (left == TEXT) != (right == TEXT):
                what = "date" if DATE in (left, right) else "number"
                raise InvalidSql(
                    f"A text is compared with a {what}: "
                    f"{node.this.sql(dialect='trino')} and {other.sql(dialect='trino')}.",
                    hint="Write a date as DATE '2026-01-31', a number without quotes, or use CAST.",
                )


def _compared(node: exp.Expr) -> Iterator[exp.Expr]:
    """
    What *node* compares its operand with.
    """
    for name in _COMPARED.get(type(node), ("expression",)):
        value = node.args.get(name)
        yield from value if isinstance(value, list) else filter(None, (value,))
