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
from collections.abc import Callable, Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from fusion_magic.engines.duckdb.decimals import exact_mean, exact_quotient
from fusion_magic.engines.duckdb.functions import (
    refuse_functions,
    refused,
    renamed_function,
)
from fusion_magic.engines.duckdb.refusals import refuse_comparisons, refuse_constructs, refuse_files
from fusion_magic.engines.duckdb.type_inference import (
    DATE,
    DECIMAL,
    DOUBLE,
    WHOLE,
    ValueType,
    ValueTypes,
)
from fusion_magic.errors import InvalidSql, Span
from fusion_magic.sql.lexer import STRING, decode_unicode, tokenize
from fusion_magic.sql.sqlglot_compat import without_warnings

_EXPECTED = re.compile(r"Expect(?:ing|ed) (\)|\(|\w+)(?: after \w+)?$")
_WHOLE = (
    exp.DataType.Type.TINYINT,
    exp.DataType.Type.SMALLINT,
    exp.DataType.Type.INT,
    exp.DataType.Type.BIGINT,
)
_DIVISIONS: Mapping[ValueType | None, str] = {WHOLE: "fusion_whole_div", DOUBLE: "fusion_float_div"}
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
        refuse_constructs(tree)
        refuse_files(tree, tables)
        refuse_functions(sql, tree)
        kinds = ValueTypes(tree, columns)
        refuse_comparisons(tree, kinds)
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

    def __init__(self, kinds: ValueTypes) -> None:
        self._kinds = kinds
        self._rules: Mapping[type[exp.Expr], Callable[..., exp.Expr]] = {
            exp.Anonymous: renamed_function,
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
        # ValueTypes are asked for by what the user wrote, so before anything is rewritten.
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
            raise refused("a date minus a date", "DuckDB gives a number; use date_diff")
        if self._known[id(node)] != DATE or isinstance(node.parent, exp.Cast):
            return node
        return exp.cast(node.copy(), "DATE")

    def _is_between_dates(self, node: exp.Sub) -> bool:
        return self._kinds.of(node.left) == DATE and self._kinds.of(node.right) == DATE


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
        raise refused(
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
        raise refused(
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
        raise refused("split with a limit", "DuckDB has none")
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
