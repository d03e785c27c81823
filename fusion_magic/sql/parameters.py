"""
``:name`` placeholders, and Python values as typed literals of Trino's SQL.

A value never becomes text of the statement as it is: each type has one form, and a string's
quotes are doubled, so that whatever it holds stays inside the literal.

A placeholder is a colon with a name directly behind it. ``:name`` in a string, a comment, behind
another colon (``x::date``) or behind a name, a literal or a bracket (``a[1:n]``, ``JSON_OBJECT('k':v)``) is none.

Source: Trino 476, documentation, "Language reference: Data types"; ``SqlBase.g4``, rule ``literal``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from uuid import UUID

from fusion_magic.errors import InvalidParameter, Span
from fusion_magic.sql.edits import Edit
from fusion_magic.sql.lexer import NUMBER, QUOTED, STRING, SYMBOL, WORD
from fusion_magic.sql.statement import Statement

MAX_DECIMAL_DIGITS = 38
_BEFORE_VALUES = frozenset(
    ["AND", "BETWEEN", "BY", "ELSE", "FROM", "IN", "LIKE", "NOT", "ON", "OR", "SELECT", "THEN", "VALUES", "WHEN", "WHERE"]
)  # fmt: skip
_BIGINT = range(-(2**63), 2**63)
_INTEGER = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """
    One ``:name``; the span holds the colon.

    Attributes:
        is_list: Whether it stands behind IN, where a list is its values.
        has_brackets: Whether it stands in IN's brackets, and ``is_alone`` whether nothing else does.
    """

    name: str
    span: Span
    is_list: bool = False
    has_brackets: bool = False
    is_alone: bool = True


def find_placeholders(statement: Statement) -> tuple[Placeholder, ...]:
    """
    Every placeholder of *statement*, in the order of the text.
    """
    tokens = statement.tokens
    found = []
    open_: list[int] = []
    for index, word in enumerate(tokens.words[:-1]):
        if tokens.kinds[index] != SYMBOL:
            continue
        if word in {"(", "["}:
            open_.append(index)
        elif word in {")", "]"} and open_:
            open_.pop()
        elif word == ":" and _is_placeholder(statement, index):
            found.append(_placeholder(statement, index, open_[-1] if open_ else None))
    return tuple(found)


def _is_placeholder(statement: Statement, colon: int) -> bool:
    tokens = statement.tokens
    name = colon + 1
    is_apart = tokens.ends[colon] != tokens.starts[name]
    is_word = tokens.kinds[name] == WORD and not tokens.words[name][0].isdigit()
    return is_word and not is_apart and not _follows_operand(statement, colon)


def _placeholder(statement: Statement, colon: int, opening: int | None) -> Placeholder:
    tokens = statement.tokens
    words = tokens.words
    span = tokens.span(colon, colon + 1)
    around = {words[colon - 1] if colon else "", *words[colon + 2 : colon + 3]}
    in_brackets = opening is not None and words[opening - 1 : opening] == ["IN"]
    has_brackets = in_brackets and around <= {"(", ",", ")"}
    return Placeholder(
        name=statement.text[span.start + 1 : span.end],
        span=span,
        is_list=has_brackets or words[colon - 1 : colon] == ["IN"],
        has_brackets=has_brackets,
        is_alone="," not in around,
    )


def _follows_operand(statement: Statement, index: int) -> bool:
    """
    Whether the colon directly follows a name, a literal or a bracket: then it is a slice's, a type's or JSON_OBJECT's.
    """
    tokens = statement.tokens
    if index == 0 or tokens.ends[index - 1] != tokens.starts[index]:
        return False
    word = tokens.words[index - 1]
    if tokens.kinds[index - 1] == WORD:
        return word not in _BEFORE_VALUES
    return tokens.kinds[index - 1] in {QUOTED, NUMBER, STRING} or word in {":", "]", ")"}


def parameter_edits(statement: Statement, values: Mapping[str, object]) -> tuple[Edit, ...]:
    """
    The literals in place of the placeholders.

    Raises:
        InvalidParameter: A name without a value, or a value without a literal; carries the span.
    """
    edits = []
    for placeholder in find_placeholders(statement):
        if placeholder.name not in values:
            raise InvalidParameter(
                f"The parameter :{placeholder.name} has no value.",
                hint=f"Give it with -p {placeholder.name}=… or as a variable of that name.",
                span=placeholder.span,
            )
        try:
            text = _in_place(placeholder, values[placeholder.name])
        except InvalidParameter as error:
            error.span = placeholder.span
            raise
        edits.append(Edit(placeholder.span, text))
    return tuple(edits)


def _in_place(placeholder: Placeholder, value: object) -> str:
    value = plain_value(value)
    if (
        not placeholder.is_list
        or isinstance(value, str)
        or not isinstance(value, (list, tuple, set, frozenset))
    ):
        text = format_literal(value)
        return f"({text})" if placeholder.is_list and not placeholder.has_brackets else text
    if not value and not placeholder.is_alone:
        raise InvalidParameter(
            f"The list :{placeholder.name} is empty, and stands beside other values.",
            hint="Give it at least one value, or let it stand alone behind IN.",
        )
    if not value:
        # An empty list fits nothing; NULL IN (…) would make the negation unknown as well.
        text = "SELECT NULL WHERE false"
    else:
        text = ", ".join(format_literal(item) for item in value)
    return text if placeholder.has_brackets else f"({text})"


def format_literal(value: object) -> str:
    """
    A typed literal that Trino reads back as *value*.

    >>> format_literal("it's")
    "'it''s'"
    >>> format_literal(2**40)
    "BIGINT '1099511627776'"

    Raises:
        InvalidParameter: The type has no literal, or the value does not fit one (39 digits, a lone surrogate).
    """
    value = plain_value(value)
    if value is None:
        return "NULL"
    for types, form in _FORMS:
        if isinstance(value, types):
            return form(value)
    raise InvalidParameter(
        f"A value of type {type(value).__name__} has no SQL literal.",
        hint="Use text, numbers, booleans, dates, times, UUIDs, bytes, lists of them, or None.",
    )


def plain_value(value: object) -> object:
    """
    The Python value behind an enum's member, or a scalar or an array of numpy or pandas, which are not imported for it.
    """
    if isinstance(value, Enum):
        value = value.value
    module = type(value).__module__.partition(".")[0]
    if module not in {"numpy", "pandas", "pyarrow", "polars"}:
        return value
    kind = type(value).__name__
    if kind in {"NaTType", "NAType"}:
        return None
    if kind in {"datetime64", "timedelta64"}:
        return _plain_moment(value)
    for method in ("to_pydatetime", "to_pytimedelta", "as_py", "tolist", "to_list", "item"):
        convert = getattr(value, method, None)
        if convert is not None:
            _refuse_nanoseconds(value)
            return convert()
    return value


def _plain_moment(value: object) -> object:
    """
    A ``datetime64`` or ``timedelta64`` as a date, a datetime or a timedelta; None for NaT.
    """
    if str(value) == "NaT":
        return None
    kind, _, unit = str(value.dtype).partition("[")  # type: ignore[attr-defined] # NumPy's, which is not imported for it
    if kind == "datetime64" and unit in {"D]", "W]", "M]", "Y]"}:
        return value.astype("datetime64[D]").item()  # type: ignore[attr-defined] # NumPy's, which is not imported for it
    exact = value.astype(f"{kind}[us]")  # type: ignore[attr-defined] # NumPy's, which is not imported for it
    if exact != value:
        raise InvalidParameter(f"{value} has nanoseconds, which Python's {kind[:-2]} lacks.")
    return exact.item()


def _refuse_nanoseconds(value: object) -> None:
    if getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0):
        raise InvalidParameter(
            f"{value} has nanoseconds, which would be lost.", hint="Give it as text and CAST it."
        )


def _text(value: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidParameter(
            "The text holds half of a surrogate pair, which is no character."
        ) from None
    quoted = value.replace("'", "''")
    if value.isprintable() or not any(ord(c) < 32 or ord(c) == 127 for c in value):
        return f"'{quoted}'"
    escaped = "".join(
        f"\\{ord(c):04X}" if ord(c) < 32 or ord(c) == 127 else c
        for c in quoted.replace("\\", "\\\\")
    )
    return f"U&'{escaped}'"


def _integer(value: int) -> str:
    if value in _INTEGER:
        return f"({value})" if value < 0 else str(value)
    if value in _BIGINT:
        return f"BIGINT '{value}'"
    return _decimal(Decimal(value))


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise InvalidParameter(
            f"The decimal {value} has no SQL literal.", hint="Use a float instead."
        )
    text = f"{value:f}"
    digits = len(text.lstrip("-").replace(".", "").lstrip("0"))
    if max(digits, len(text.partition(".")[2])) > MAX_DECIMAL_DIGITS:
        raise InvalidParameter(f"{text} has more than {MAX_DECIMAL_DIGITS} digits.")
    return f"DECIMAL '{text}'"


def _float(value: float) -> str:
    if math.isnan(value):
        return "nan()"
    if math.isinf(value):
        return "infinity()" if value > 0 else "(-infinity())"
    return f"DOUBLE '{value!r}'"


def _datetime(value: dt.datetime) -> str:
    text = value.replace(tzinfo=None).isoformat(" ", timespec="microseconds")
    if value.tzinfo is None:
        return f"TIMESTAMP '{text}'"
    return f"TIMESTAMP '{text}{_zone(value)}'"


def _zone(value: dt.datetime) -> str:
    """
    The offset, always: a named zone's local time occurs twice an hour a year.
    """
    offset = value.utcoffset() or dt.timedelta()
    seconds = int(offset.total_seconds())
    if offset.microseconds or seconds % 60 or abs(seconds) > 14 * 3600:
        raise InvalidParameter(f"{value} has an offset that Trino does not know.")
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"


def _time(value: dt.time) -> str:
    text = value.replace(tzinfo=None).isoformat(timespec="microseconds")
    if value.tzinfo is None:
        return f"TIME '{text}'"
    moment = dt.datetime.combine(dt.date(2000, 1, 1), value)
    return f"TIME '{text}{_zone(moment)}'"


def _interval(value: dt.timedelta) -> str:
    microseconds = value // dt.timedelta(microseconds=1)
    if microseconds % 1000:
        raise InvalidParameter(f"{value} has microseconds, which Trino's intervals lack.")
    sign = "-" if microseconds < 0 else ""
    seconds, milliseconds = divmod(abs(microseconds) // 1000, 1000)
    return f"INTERVAL {sign}'{seconds}.{milliseconds:03}' SECOND"


def _array(value: Sequence[object]) -> str:
    return f"ARRAY[{', '.join(format_literal(item) for item in value)}]"


# The order matters: a bool is an int, and a datetime is a date.
_FORMS: tuple[tuple[type | tuple[type, ...], Callable[..., str]], ...] = (
    (str, _text),
    (bool, lambda value: "true" if value else "false"),
    (int, _integer),
    (float, _float),
    (Decimal, _decimal),
    (dt.datetime, _datetime),
    (dt.date, lambda value: f"DATE '{value.isoformat()}'"),
    (dt.time, _time),
    (dt.timedelta, _interval),
    (UUID, lambda value: f"UUID '{value}'"),
    ((bytes, bytearray, memoryview), lambda value: f"X'{bytes(value).hex().upper()}'"),
    ((list, tuple), _array),
)
