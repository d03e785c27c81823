"""
The functions of Trino that DuckDB may run, what each connection must have for them, and why others are refused.
"""

from __future__ import annotations

from sqlglot import exp

from fusion_magic.engines.duckdb.decimals import HALVED
from fusion_magic.errors import Span, UnsupportedSql
from fusion_magic.sql.lexer import QUOTED, WORD, tokenize

ELSEWHERE = "Run it on Trino (engine.url), or write it in another way."
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

# Functions that DuckDB has with Trino's meaning, by itself or as rewritten: tests/fixtures/sql/duckdb compares each with Trino.
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
    """
    all analyze and any array as bernoulli between by case char cross cube dec decimal default distinct else
    end except exists explain filter following from full group groups having in inner intersect interval into
    is join lateral left like limit materialized not numeric offset on or order outer over partition preceding
    precision range recursive right rollup row rows select set sets some system table then time timestamp
    union using values varchar when where window with within
    """.upper().split()
)
# Functions that sqlglot has no class for.
_RENAMED = {
    "CODEPOINT": "unicode",
    "EVERY": "bool_and",
    "IS_FINITE": "isfinite",
    "IS_INFINITE": "isinf",
}
_CONSTANTS = {"INFINITY": "inf", "NAN": "nan", "E": "2.718281828459045"}
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


def refused(what: str, reason: str, span: Span | None = None) -> UnsupportedSql:
    return UnsupportedSql(
        f"DuckDB cannot run {what} as Trino does: {reason}.", hint=ELSEWHERE, span=span
    )


def refuse_functions(sql: str, tree: exp.Expr) -> None:
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
            raise refused(word.lower(), _REASONS[word], span)
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


def renamed_function(node: exp.Anonymous) -> exp.Expr:
    name = str(node.this).upper()
    if name in _CONSTANTS and not node.expressions:
        return exp.cast(exp.Literal.string(_CONSTANTS[name]), "DOUBLE")
    renamed = _RENAMED.get(name)
    return exp.Anonymous(this=renamed, expressions=node.expressions) if renamed else node
