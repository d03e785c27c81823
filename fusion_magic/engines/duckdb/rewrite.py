"""
Trino's SQL in DuckDB's words, or a refusal that names what DuckDB would do differently.

sqlglot rewrites syntax and most functions. What is decided here:

    functions           those of ``ALLOWED``, each compared with Trino's by the tests; every other is refused
    a / b, avg          integers are cut towards zero; decimals are computed exactly and rounded to the larger scale; by zero
                        an error, for floating-point numbers infinity or NaN (an error where their kind is not known)
    casts               to integers round half away from zero; texts are read as Trino reads them; floating-point numbers are
                        never printed, since Trino's form differs; varchar(n) cuts texts and refuses longer numbers
    dates               an interval of days or months added to a date gives a date; date_diff counts whole units
    a[i], m['k']        an error outside of the array or map
    DECIMAL '1.50'      decimal(3, 2), and decimal alone is decimal(38, 0)

Decimals are divided as whole numbers, since DuckDB's own division goes through double. That needs their scale, which
``kinds`` tells; where it cannot, the quotient is a double that is rounded to the larger scale.

Pure: knows nothing of a connection but the macros and settings that it must have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from fusion_magic.engines.duckdb.decimals import HALVED, exact_mean, exact_quotient
from fusion_magic.engines.duckdb.type_inference import (
    DATE,
    DECIMAL,
    DOUBLE,
    TEXT,
    WHOLE,
    Kinds,
    ValueType,
)
from fusion_magic.errors import InvalidSql, Span, UnsupportedSql
from fusion_magic.sql.lexer import QUOTED, STRING, WORD, decode_unicode, tokenize
from fusion_magic.sql.sqlglot_compat import without_warnings

# What every connection is given before the first query.
PREPARATION = (
    "SET integer_division = true",
    "SET ieee_floating_point_ops = true",
    "SET python_enable_replacements = false",
    "CREATE TEMP MACRO fusion_scale(t) AS "
    "coalesce(try_cast(regexp_extract(t, '^DECIMAL\\(\\d+,(\\d+)\\)$', 1) AS INTEGER), 0)",
    "CREATE TEMP MACRO fusion_is_float(t) AS t IN ('DOUBLE', 'FLOAT')",
    HALVED,
    "CREATE TEMP MACRO fusion_float_div(a, b) AS CASE WHEN b <> 0 THEN a / b WHEN a > 0 THEN CAST('inf' AS DOUBLE) "
    "WHEN a < 0 THEN CAST('-inf' AS DOUBLE) WHEN a = 0 AND b = 0 THEN CAST('nan' AS DOUBLE) END",
    "CREATE TEMP MACRO fusion_whole_div(a, b) AS CASE WHEN b = 0 THEN error('Division by zero') ELSE a / b END",
    # Each branch has the type that a / b has, whatever that is.
    "CREATE TEMP MACRO fusion_div(a, b) AS CASE WHEN b = 0 THEN error('Division by zero') "
    "WHEN fusion_is_float(typeof(a)) OR fusion_is_float(typeof(b)) THEN a / b "
    "WHEN typeof(a) LIKE 'DECIMAL%' OR typeof(b) LIKE 'DECIMAL%' "
    "THEN round(a / b, greatest(fusion_scale(typeof(a)), fusion_scale(typeof(b)))) ELSE a / b END",
    "CREATE TEMP MACRO fusion_mod(a, b) AS CASE WHEN b = 0 AND NOT fusion_is_float(typeof(a)) "
    "AND NOT fusion_is_float(typeof(b)) THEN error('Division by zero') ELSE a % b END",
    "CREATE TEMP MACRO fusion_avg(mean, total) AS CASE WHEN typeof(total) LIKE 'DECIMAL%' "
    "THEN round(mean, fusion_scale(typeof(total))) ELSE mean END",
    "CREATE TEMP MACRO fusion_substr(t, p) AS CASE WHEN p = 0 OR -p > length(t) THEN '' ELSE substr(t, p) END",
    "CREATE TEMP MACRO fusion_substr_for(t, p, n) AS CASE WHEN p = 0 OR -p > length(t) OR n <= 0 THEN '' "
    "ELSE substr(t, p, n) END",
    "CREATE TEMP MACRO fusion_split_part(t, d, n) AS CASE WHEN n > len(string_split(t, d)) THEN NULL "
    "ELSE split_part(t, d, n) END",
    "CREATE TEMP MACRO fusion_at(a, i) AS CASE WHEN a IS NULL OR i IS NULL OR i BETWEEN 1 AND len(a) THEN a[i] "
    "ELSE error('Array subscript ' || i || ' is outside of the array of length ' || len(a)) END",
    "CREATE TEMP MACRO fusion_of(m, k) AS CASE WHEN m IS NULL OR map_contains(m, k) THEN m[k] "
    "ELSE error('Key not present in map: ' || k) END",
    "CREATE TEMP MACRO fusion_has_null(a) AS len(list_filter(a, lambda x: x IS NULL)) > 0",
    "CREATE TEMP MACRO fusion_contains(a, v) AS CASE WHEN list_contains(a, v) THEN true "
    "WHEN v IS NULL OR a IS NULL OR fusion_has_null(a) THEN NULL ELSE false END",
    "CREATE TEMP MACRO fusion_distinct(a) AS "
    "list_filter(a, lambda x, i: coalesce(list_position(a, x), i) = i)",
    "CREATE TEMP MACRO fusion_list_max(a) AS CASE WHEN fusion_has_null(a) THEN NULL ELSE list_max(a) END",
    "CREATE TEMP MACRO fusion_list_min(a) AS CASE WHEN fusion_has_null(a) THEN NULL ELSE list_min(a) END",
    "CREATE TEMP MACRO fusion_position(a, v) AS CASE WHEN a IS NULL OR v IS NULL THEN NULL "
    "ELSE CAST(coalesce(list_position(a, v), 0) AS BIGINT) END",
    "CREATE TEMP MACRO fusion_slice(a, p, n) AS CASE WHEN p = 0 THEN error('SQL array indices start at 1') "
    "WHEN n = 0 OR -p > len(a) THEN a[1:0] WHEN p > 0 THEN a[p:p + n - 1] ELSE a[len(a) + p + 1:len(a) + p + n] END",
    "CREATE TEMP MACRO fusion_sequence(a, b) AS CASE WHEN a <= b THEN generate_series(a, b) "
    "ELSE generate_series(a, b, -1) END",
)

# Functions that DuckDB has with Trino's meaning, by itself or as rewritten here: tests/fixtures/sql/duckdb compares each with Trino.
ALLOWED = frozenset(
    """
    abs acos asin atan atan2 cbrt ceil ceiling cos cosh degrees exp floor greatest least ln log log10 log2 mod pi pow power
    radians rand random round sign sin sinh sqrt tan tanh truncate bitwise_and bitwise_not bitwise_or bitwise_xor
    is_nan is_infinite is_finite infinity nan e
    coalesce if nullif try_cast cast
    chr codepoint concat concat_ws length levenshtein_distance lower lpad ltrim position replace reverse rpad rtrim split
    split_part starts_with strpos substr substring translate trim upper
    from_base64 from_hex from_utf8 md5 sha1 sha256 to_base64 to_hex to_utf8
    regexp_count regexp_extract regexp_extract_all regexp_like regexp_replace regexp_split
    date date_add date_diff date_format date_parse date_trunc day day_of_month day_of_week day_of_year dow doy extract
    from_iso8601_date hour last_day_of_month localtimestamp minute month now quarter second to_unixtime week week_of_year year
    year_of_week current_date current_timestamp
    any_value arbitrary array_agg avg bitwise_and_agg bitwise_or_agg bool_and bool_or corr count count_if covar_pop
    covar_samp every grouping listagg max max_by min min_by kurtosis regr_intercept regr_slope stddev stddev_pop
    stddev_samp sum var_pop var_samp variance
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    array_distinct array_except array_intersect array_join array_max array_min array_position array_remove array_sort
    cardinality contains element_at filter flatten map map_from_entries map_keys reduce sequence slice transform
    unnest uuid version
    """.upper().split()
)
# Words before a bracket that call no function.
_SYNTAX = frozenset(
    [
        "ALL",
        "AND",
        "ANY",
        "ARRAY",
        "AS",
        "BETWEEN",
        "BY",
        "CASE",
        "CHAR",
        "CROSS",
        "CUBE",
        "DECIMAL",
        "DISTINCT",
        "ELSE",
        "END",
        "EXCEPT",
        "EXISTS",
        "FILTER",
        "FOLLOWING",
        "FROM",
        "FULL",
        "GROUP",
        "GROUPS",
        "HAVING",
        "IN",
        "INNER",
        "INTERSECT",
        "INTERVAL",
        "INTO",
        "IS",
        "JOIN",
        "LATERAL",
        "LEFT",
        "LIKE",
        "LIMIT",
        "NOT",
        "NUMERIC",
        "OFFSET",
        "ON",
        "OR",
        "ORDER",
        "OUTER",
        "OVER",
        "PARTITION",
        "PRECEDING",
        "PRECISION",
        "RANGE",
        "RECURSIVE",
        "RIGHT",
        "ROLLUP",
        "ROW",
        "ROWS",
        "SELECT",
        "SET",
        "SETS",
        "SOME",
        "THEN",
        "TIME",
        "TIMESTAMP",
        "UNION",
        "USING",
        "VALUES",
        "VARCHAR",
        "WHEN",
        "WHERE",
        "WINDOW",
        "WITH",
        "WITHIN",
        "MATERIALIZED",
        "EXPLAIN",
        "ANALYZE",
        "BERNOULLI",
        "SYSTEM",
        "TABLE",
        "DEFAULT",
        "DEC",
    ]
)
# Functions that sqlglot has no class for.
_RENAMED = {
    "CODEPOINT": "unicode",
    "EVERY": "bool_and",
    "IS_FINITE": "isfinite",
    "IS_INFINITE": "isinf",
}
_CONSTANTS = {"INFINITY": "inf", "NAN": "nan", "E": "2.718281828459045"}
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
_REASONS = {
    "APPROX_DISTINCT": "its estimate differs; use count(DISTINCT …)",
    "APPROX_PERCENTILE": "its estimate differs",
    "FORMAT": "DuckDB's format has another pattern language",
    "FORMAT_DATETIME": "DuckDB has no Joda patterns; use date_format",
    "PARSE_DATETIME": "DuckDB has no Joda patterns; use date_parse",
    "FROM_UNIXTIME": "DuckDB keeps no zone with a timestamp",
    "TRY": "DuckDB's TRY catches other errors; use try_cast or CASE",
    "TYPEOF": "DuckDB's types have other names",
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
_EXPECTED = re.compile(r"Expect(?:ing|ed) (\)|\(|\w+)(?: after \w+)?$")
_FILE_NAME = re.compile(
    r"[/\\*?\[]|\.(csv|tsv|txt|parquet|pq|json|jsonl|ndjson|geojson|xlsx|db|duckdb|avro|shp|gpkg|vortex)"
    r"(\.\w+)?$",
    re.IGNORECASE,
)
_LITERAL_TYPES = frozenset({"IPADDRESS", "CHAR", "JSON"})
ELSEWHERE = "Run it on Trino (engine.url), or write it in another way."
_WHOLE = (
    exp.DataType.Type.TINYINT,
    exp.DataType.Type.SMALLINT,
    exp.DataType.Type.INT,
    exp.DataType.Type.BIGINT,
)
_DIVISIONS: Mapping[ValueType | None, str] = {WHOLE: "fusion_whole_div", DOUBLE: "fusion_float_div"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between, exp.In)
_COMPARED: Mapping[type[exp.Expr], tuple[str, ...]] = {
    exp.Between: ("low", "high"),
    exp.In: ("expressions",),
}
_TYPED = (exp.Div, exp.Avg, exp.Add, exp.Sub, exp.DateAdd, exp.DateTrunc, exp.TimestampTrunc)
_NAMED = (exp.Column, exp.Alias, exp.Star, exp.Dot)


@lru_cache(maxsize=256)
def to_duckdb(
    sql: str,
    columns: frozenset[tuple[str, ValueType]] = frozenset(),
    tables: frozenset[tuple[str, ...]] = frozenset(),
) -> str:
    """
    One statement of Trino's SQL, with Trino names, in DuckDB's words.

    Args:
        columns: Names, in lower case, of the tables' columns, with their kinds (see ``kinds``).

        tables: The Trino names, in lower case, that stand for tables even where they look like files.

    Raises:
        InvalidSql: sqlglot cannot read it.
        UnsupportedSql: DuckDB cannot run it with Trino's meaning; names the construct and the reason.
    """
    text = _with_decimals(sql)
    with without_warnings():
        try:
            tree = sqlglot.parse_one(text, read="trino")
        except (SqlglotError, RecursionError) as exc:
            raise _unreadable(text, exc, is_as_written=text == sql) from exc
        _refuse(tree)
        _refuse_files(tree, tables)
        _refuse_functions(sql, tree)
        kinds = Kinds(tree, columns)
        _refuse_comparisons(tree, kinds)
        tree = _with_values(tree)
        _name_columns(tree)
        rewritten = _Rewriting(kinds).apply(tree)
        return rewritten.sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)


def _with_decimals(sql: str) -> str:
    """
    ``DECIMAL '1.50'`` with its own precision and scale, which a parser's tree does not tell from a cast.
    """
    if "decimal" not in sql.lower():
        return sql
    tokens = tokenize(sql)
    pieces, position = [], 0
    for place in range(1, len(tokens)):
        if tokens.words[place - 1] != "DECIMAL" or tokens.kinds[place] != STRING:
            continue
        digits = tokens.words[place].strip("'").strip().lstrip("+-").lstrip("0")
        whole, _, fraction = digits.partition(".")
        precision = max(1, len(whole) + len(fraction))
        pieces.append(sql[position : tokens.starts[place - 1]])
        pieces.append(f"CAST({tokens.words[place]} AS DECIMAL({precision}, {len(fraction)}))")
        position = tokens.ends[place]
    return "".join((*pieces, sql[position:]))


def _unreadable(text: str, exc: Exception, *, is_as_written: bool) -> InvalidSql:
    """
    Where the parser stopped. Its own words speak of its classes, so that only short ones are given on.
    """
    errors = getattr(exc, "errors", None)
    if not errors:
        return InvalidSql("This cannot be read as SQL.")
    first = errors[0]
    word, description = str(first["highlight"]), str(first["description"])
    if match := _EXPECTED.match(description):
        reason = f"{match[1]} is expected behind {word}"
    elif description.startswith("Invalid expression"):
        reason = f"{word} is not expected here"
    else:
        reason = f"more is expected behind {word}"
    lines = text.split("\n")[: first["line"] - 1]
    end = sum(len(line) + 1 for line in lines) + first["col"]
    span = Span(end - len(word), end) if is_as_written else None
    return InvalidSql(f"This cannot be read as SQL: {reason}.", span=span)


def _refused(what: str, reason: str, span: Span | None = None) -> UnsupportedSql:
    return UnsupportedSql(
        f"DuckDB cannot run {what} as Trino does: {reason}.", hint=ELSEWHERE, span=span
    )


def _refuse_files(tree: exp.Expr, tables: frozenset[tuple[str, ...]]) -> None:
    """
    DuckDB reads a file where a table is missing whose name, its parts joined by dots, is a file's.
    """
    for table in tree.find_all(exp.Table):
        parts = tuple(part.name for part in table.parts)
        is_text = isinstance(table.this, exp.Literal)
        is_known = tuple(part.lower() for part in parts) in tables
        if is_text or (not is_known and _FILE_NAME.search(".".join(parts))):
            raise _refused("a file's name in FROM", "there it would read the file")


def _refuse(tree: exp.Expr) -> None:
    if not isinstance(tree, _STATEMENTS):
        raise _refused("this statement", "DuckDB has no such statement")
    for node in tree.walk():
        refused = _REFUSED.get(type(node))
        if refused is not None:
            raise _refused(*refused)
        if isinstance(node, exp.Fetch) and "TIES" in node.sql(dialect="trino").upper():
            raise _refused("FETCH FIRST … WITH TIES", "DuckDB leaves the ties out")
        if isinstance(node, exp.Join) and node.args.get("method") == "NATURAL":
            raise UnsupportedSql("Trino has no NATURAL JOIN.", hint="Name the columns with USING.")
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Func):
            raise UnsupportedSql("DuckDB has none of Trino's table functions.", hint=ELSEWHERE)
        if isinstance(node, exp.Unnest) and len(node.expressions) > 1:
            raise _refused("UNNEST of several arrays", "DuckDB takes one")
        if (
            isinstance(node, exp.DataType)
            and node.sql(dialect="trino").partition("(")[0] in _LITERAL_TYPES
        ):
            raise _refused(
                f"the type {node.sql(dialect='trino').lower()}", "DuckDB has no such type"
            )
        if isinstance(node, (exp.ArgMax, exp.ArgMin)) and node.args.get("count") is not None:
            raise _refused("max_by and min_by of several rows", "DuckDB leaves NULLs out")


def _refuse_comparisons(tree: exp.Expr, kinds: Kinds) -> None:
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


def _refuse_functions(sql: str, tree: exp.Expr) -> None:
    """
    Functions are looked for in the text: the tree no longer tells what sqlglot took for another name of the same.
    """
    tokens = tokenize(sql)
    named: frozenset[str] | None = None
    for place in range(len(tokens) - 1):
        if tokens.words[place + 1] != "(" or tokens.kinds[place] not in {WORD, QUOTED}:
            continue
        word = tokens.words[place].strip('"').upper()
        if word in ALLOWED or word in _SYNTAX:
            continue
        named = _named(tree) if named is None else named
        if word in named or tokens.words[place - 1] in {".", "INTO"}:
            continue
        span = tokens.span(place, place)
        if word in _REASONS:
            raise _refused(word.lower(), _REASONS[word], span)
        raise UnsupportedSql(
            f"DuckDB has no function {word.lower()} with Trino's meaning.",
            hint=ELSEWHERE,
            span=span,
        )


def _named(tree: exp.Expr) -> frozenset[str]:
    """
    What stands before a list of columns: aliases, CTEs, tables and windows.
    """
    found = {alias.name for alias in tree.find_all(exp.TableAlias)}
    found |= {table.name for table in tree.find_all(exp.Table)}
    return frozenset(name.upper() for name in found)


def _with_values(tree: exp.Expr) -> exp.Expr:
    """
    A bare VALUES, whose columns Trino names _col0, _col1 …
    """
    if not isinstance(tree, exp.Values) or tree.args.get("alias"):
        return tree
    first = tree.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    names = [exp.to_identifier(f"_col{place}") for place in range(width)]
    tree.set("alias", exp.TableAlias(this=exp.to_identifier("t"), columns=names))
    return exp.select("*").from_(tree)


def _name_columns(tree: exp.Expr) -> None:
    """
    Trino calls the n-th column _col<n> where the query gives it no name.
    """
    while isinstance(tree, (exp.SetOperation, exp.Subquery)):
        tree = tree.this
    if not isinstance(tree, exp.Select):
        return
    for position, item in enumerate(tree.expressions):
        if not isinstance(item, _NAMED):
            item.replace(exp.alias_(item.copy(), f"_col{position}"))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


class _Rewriting:
    """
    One walk over a tree, children first, by the rule of each node's class.
    """

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._rules: Mapping[type[exp.Expr], Callable[..., exp.Expr]] = {
            exp.Anonymous: _anonymous,
            exp.Div: self._division,
            exp.Mod: lambda node: _call("fusion_mod", node.left, node.right),
            exp.Avg: lambda node: node if _is_wrapped(node) else self._average(node, node),
            exp.Window: self._wrapped_average,
            exp.Filter: self._wrapped_average,
            exp.Cast: _cast,
            exp.TryCast: _cast,
            exp.RegexpReplace: _regexp_replace,
            exp.RegexpExtract: _regexp_extract,
            exp.Substring: _substring,
            exp.Split: _split,
            exp.SHA: lambda node: _call("unhex", _call("sha1", node.this)),
            exp.Extract: _extract,
            exp.DateDiff: _date_diff,
            exp.Add: self._dated,
            exp.Sub: self._dated,
            exp.DateAdd: self._dated,
            exp.DateTrunc: self._dated,
            exp.TimestampTrunc: self._dated,
            exp.Bracket: _bracket,
            exp.GenerateSeries: _sequence,
            exp.ArraySlice: lambda node: _call(
                "fusion_slice", node.this, node.args["start"], node.args["end"]
            ),
            exp.ArrayContains: lambda node: _call("fusion_contains", node.this, node.expression),
            exp.ArrayDistinct: lambda node: _call("fusion_distinct", node.this),
            exp.ArrayMax: lambda node: _call("fusion_list_max", node.this),
            exp.ArrayMin: lambda node: _call("fusion_list_min", node.this),
            exp.ArrayPosition: lambda node: _call("fusion_position", node.this, node.expression),
            exp.SplitPart: lambda node: _call(
                "fusion_split_part", node.this, node.args["delimiter"], node.args["part_index"]
            ),
            exp.Struct: _row,
            exp.Tuple: _row,
            exp.UnicodeString: _unicode_text,
        }

    def apply(self, tree: exp.Expr) -> exp.Expr:
        nodes = list(tree.walk())
        # Kinds are asked for by what the user wrote, so before anything is rewritten.
        self._known = {id(node): self._kinds.of(node) for node in nodes if isinstance(node, _TYPED)}
        self._scales = {
            id(node): (self._scale_of(node.left), self._scale_of(node.right))
            for node in nodes
            if isinstance(node, exp.Div)
        }
        for node in reversed(nodes):
            rule = self._rules.get(type(node))
            new = rule(node) if rule is not None else node
            if new is node:
                continue
            if node is tree:
                tree = new
            else:
                node.replace(new)
        return tree

    def _scale_of(self, node: exp.Expr) -> int:
        kind = self._kinds.of(node)
        return kind.scale if kind is not None else 0

    def _division(self, node: exp.Div) -> exp.Expr:
        kind = self._known[id(node)]
        if kind is not None and kind.name == DECIMAL:
            return exact_quotient(node.left, node.right, self._scales[id(node)])
        return _call(_DIVISIONS.get(kind, "fusion_div"), node.left, node.right)

    def _wrapped_average(self, node: exp.Window | exp.Filter) -> exp.Expr:
        inner: exp.Expr = node
        while isinstance(inner, (exp.Window, exp.Filter)):
            inner = inner.this
        if not isinstance(inner, exp.Avg) or _is_wrapped(node):
            return node
        return self._average(node, inner)

    def _average(self, whole: exp.Expr, average: exp.Avg) -> exp.Expr:
        """
        *whole* is *average* itself, or what says over which rows it goes.
        """
        kind = self._known[id(average)]
        if kind == DOUBLE:
            return whole
        total = _with_aggregate(whole, average, exp.Sum)
        if kind is None or kind.name != DECIMAL:
            return _call("fusion_avg", whole.copy(), total)
        number = _with_aggregate(whole, average, exp.Count)
        return exact_mean(total, number, kind.scale)

    def _dated(self, node: exp.Expr) -> exp.Expr:
        """
        A date stays a date where DuckDB makes a timestamp of it.
        """
        if isinstance(node, exp.Sub) and self._is_between_dates(node):
            raise _refused("a date minus a date", "DuckDB gives a number; use date_diff")
        if self._known[id(node)] != DATE or isinstance(node.parent, exp.Cast):
            return node
        return exp.cast(node.copy(), "DATE")

    def _is_between_dates(self, node: exp.Sub) -> bool:
        return self._kinds.of(node.left) == DATE and self._kinds.of(node.right) == DATE


def _anonymous(node: exp.Anonymous) -> exp.Expr:
    name = str(node.this).upper()
    if name in _CONSTANTS and not node.expressions:
        return exp.cast(exp.Literal.string(_CONSTANTS[name]), "DOUBLE")
    renamed = _RENAMED.get(name)
    return exp.Anonymous(this=renamed, expressions=node.expressions) if renamed else node


def _is_wrapped(node: exp.Expr) -> bool:
    return isinstance(node.parent, (exp.Window, exp.Filter))


def _with_aggregate(whole: exp.Expr, average: exp.Avg, kind: type[exp.Expr]) -> exp.Expr:
    """
    *whole* with another aggregate in the place of its average.
    """
    aggregate = kind(this=average.this.copy())
    if whole is average:
        return aggregate
    copy = whole.copy()
    inner = copy
    while not isinstance(inner, exp.Avg):
        inner = inner.this
    inner.replace(aggregate)
    return copy


def _unicode_text(node: exp.UnicodeString) -> exp.Expr:
    """
    U&'a\\0000b', whose NUL would end the text of DuckDB's statement.
    """
    text = decode_unicode(str(node.this))
    if "\0" not in text or node.args.get("escape"):
        return node
    first, *others = (exp.Literal.string(part) for part in text.split("\0"))
    joined: exp.Expr = first
    for other in others:
        nul = _call("chr", exp.Literal.number(0))
        joined = exp.DPipe(this=exp.DPipe(this=joined, expression=nul), expression=other)
    return exp.paren(joined, copy=False)


def _cast(node: exp.Cast) -> exp.Expr:
    kind, source = node.to.this, node.this
    if kind in _WHOLE:
        return _cast_to_whole(node)
    if kind == exp.DataType.Type.DECIMAL:
        if not node.to.expressions:
            node.to.set(
                "expressions", [exp.DataTypeParam(this=exp.Literal.number(n)) for n in (38, 0)]
            )
        if isinstance(source, exp.Literal) and "e" not in str(source.this).lower():
            return node
        through_text = node.copy()
        through_text.set("this", exp.cast(source.copy(), "VARCHAR"))
        return exp.case().when(_is_float(source), through_text).else_(node.copy())
    if kind == exp.DataType.Type.BOOLEAN and source.is_string:
        return _cast_text(node, "(?i)(true|t|1|false|f|0)")
    if kind == exp.DataType.Type.VARCHAR:
        return _cast_to_text(node)
    return node


def _is_float(node: exp.Expr) -> exp.Expr:
    return _call("fusion_is_float", _call("typeof", node.copy()))


def _is_text(node: exp.Expr) -> exp.Expr:
    return exp.EQ(this=_call("typeof", node.copy()), expression=exp.Literal.string("VARCHAR"))


def _cast_to_whole(node: exp.Cast) -> exp.Expr:
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        rounded = node.copy()
        rounded.set("this", _call("round", node.this.copy()))
        return rounded
    rounded = node.copy()
    rounded.set(
        "this", _call("round", exp.TryCast(this=node.this.copy(), to=exp.DataType.build("DOUBLE")))
    )
    checked = _cast_text(node, r"\s*[+-]?[0-9]+\s*")
    return exp.case().when(_is_float(node.this), rounded).else_(checked)


def _cast_text(node: exp.Cast, pattern: str) -> exp.Expr:
    """
    A cast that takes a text only where it has the form that Trino reads.
    """
    text = exp.cast(node.this.copy(), "VARCHAR")
    fits = _call("regexp_full_match", text, exp.Literal.string(pattern))
    message = f"Cannot cast a text to {node.to.sql(dialect='trino').lower()}: "
    otherwise: exp.Expr = (
        exp.Null()
        if isinstance(node, exp.TryCast)
        else _call("error", exp.DPipe(this=exp.Literal.string(message), expression=text.copy()))
    )
    is_wrong = exp.and_(_is_text(node.this), exp.Not(this=fits))
    return exp.case().when(is_wrong, otherwise).else_(node.copy())


def _cast_to_text(node: exp.Cast) -> exp.Expr:
    if isinstance(node.this, exp.Literal) and node.this.is_string and not node.to.expressions:
        return node
    plain = node.copy()
    plain.to.set("expressions", [])
    message = "DuckDB prints floating-point numbers otherwise than Trino; round and cast to a decimal first."
    result = exp.case().when(_is_float(node.this), _call("error", exp.Literal.string(message)))
    if not node.to.expressions:
        return result.else_(plain)
    length = node.to.expressions[0].this
    too_long = exp.GT(this=_call("length", plain.copy()), expression=length.copy())
    result = result.when(_is_text(node.this), _call("left", plain.copy(), length.copy()))
    return result.when(
        too_long, _call("error", exp.Literal.string("Value cannot be represented as varchar"))
    ).else_(plain)


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    replacement = node.args.get("replacement")
    if replacement is None or "$" not in replacement.sql():
        return node
    if not isinstance(replacement, exp.Literal):
        raise _refused(
            "regexp_replace with a computed replacement", "DuckDB writes groups otherwise"
        )
    text = re.sub(r"\$(\d)", r"\\\1", str(replacement.this))
    node.set("replacement", exp.Literal.string(text))
    return node


def _regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    """
    NULL where nothing matches; DuckDB gives an empty text, also for a group that took no part.
    """
    pattern = node.expression
    if node.args.get("group") is not None and (
        not isinstance(pattern, exp.Literal) or re.search(r"\||\)[?*{]", str(pattern.this))
    ):
        raise _refused(
            "a group of regexp_extract that may take no part", "DuckDB gives '' instead of NULL"
        )
    matches = _call("regexp_matches", node.this.copy(), pattern.copy())
    return exp.case().when(matches, node.copy())


def _substring(node: exp.Substring) -> exp.Expr:
    start, length = node.args.get("start"), node.args.get("length")
    if start is None or (
        isinstance(start, exp.Literal) and int(str(start.this)) > 0 and length is None
    ):
        return node
    if length is None:
        return _call("fusion_substr", node.this, start)
    return _call("fusion_substr_for", node.this, start, length)


def _split(node: exp.Split) -> exp.Expr:
    if node.args.get("limit") is not None:
        raise _refused("split with a limit", "DuckDB has none")
    return node


def _extract(node: exp.Extract) -> exp.Expr:
    if node.name.upper() in {"DOW", "DAY_OF_WEEK"}:
        return _call("isodow", node.expression)
    return node


def _date_diff(node: exp.DateDiff) -> exp.Expr:
    unit = node.args.get("unit")
    name = unit.name if unit is not None else "DAY"
    return _call("date_sub", exp.Literal.string(name.lower()), node.expression, node.this)


def _bracket(node: exp.Bracket) -> exp.Expr:
    [index] = node.expressions
    if node.args.get("safe"):
        return node
    return _call("fusion_of" if index.is_string else "fusion_at", node.this, _from_one(node, index))


def _from_one(node: exp.Bracket, index: exp.Expr) -> exp.Expr:
    """
    sqlglot counts from 0 inside a tree.
    """
    offset = node.args.get("offset") or 0
    if index.is_string or offset == 1:
        return index
    if isinstance(index, exp.Literal):
        return exp.Literal.number(int(str(index.this)) + 1 - int(offset))
    return index


def _sequence(node: exp.GenerateSeries) -> exp.Expr:
    if node.args.get("step") is not None:
        return node
    return _call("fusion_sequence", node.args["start"], node.args["end"])


def _row(node: exp.Struct | exp.Tuple) -> exp.Expr:
    """
    Trino's nameless fields are field0, field1 … in results here, whichever engine gave them.
    """
    if isinstance(node, exp.Tuple) and not isinstance(node.parent, (exp.Select, exp.Alias)):
        return node
    if isinstance(node.parent, exp.Cast) or any(
        isinstance(item, (exp.PropertyEQ, exp.Alias)) for item in node.expressions
    ):
        return node
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(f"field{place}"), expression=item.copy())
        for place, item in enumerate(node.expressions)
    ]
    return exp.Struct(expressions=fields)
