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
from uuid import UUID

from fusion_magic.errors import InvalidParameter, Span
from fusion_magic.sql.statement import Statement
from fusion_magic.sql.tokens import NUMBER, QUOTED, STRING, SYMBOL, WORD
from fusion_magic.sql.translation import Edit

MAX_DECIMAL_DIGITS = 38
_BIGINT = range(-(2**63), 2**63)
_INTEGER = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """
    One ``:name``; the span holds the colon. ``is_list`` where it stands behind IN, with or without brackets.
    """

    name: str
    span: Span
    is_list: bool = False
    has_brackets: bool = False


def find_placeholders(statement: Statement) -> tuple[Placeholder, ...]:
    """
    Every placeholder of *statement*, in the order of the text.
    """
    tokens = statement.tokens
    found = []
    for index, word in enumerate(tokens.words[:-1]):
        if word != ":" or tokens.kinds[index] != SYMBOL or tokens.kinds[index + 1] != WORD:
            continue
        start, end = tokens.starts[index], tokens.ends[index + 1]
        is_apart = tokens.ends[index] != tokens.starts[index + 1]
        if is_apart or _follows_operand(statement, index) or tokens.words[index + 1][0].isdigit():
            continue
        before = tokens.words[max(0, index - 2) : index]
        has_brackets = before == ["IN", "("] and tokens.words[index + 2 : index + 3] == [")"]
        is_list = has_brackets or before[-1:] == ["IN"]
        found.append(
            Placeholder(statement.text[start + 1 : end], Span(start, end), is_list, has_brackets)
        )
    return tuple(found)


def _follows_operand(statement: Statement, index: int) -> bool:
    """
    Whether the colon directly follows a name, a literal or a bracket: then it is a slice's, a type's or JSON_OBJECT's.
    """
    tokens = statement.tokens
    if index == 0 or tokens.ends[index - 1] != tokens.starts[index]:
        return False
    return tokens.kinds[index - 1] in {WORD, QUOTED, NUMBER, STRING} or tokens.words[index - 1] in {
        ":",
        "]",
        ")",
    }


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
    The Python value behind a scalar or an array of numpy or pandas, which are not imported for it.
    """
    module = type(value).__module__.partition(".")[0]
    if module not in {"numpy", "pandas", "pyarrow", "polars"}:
        return value
    if type(value).__name__ in {"NaTType", "NAType"}:
        return None
    if type(value).__name__ == "datetime64":
        return _plain_datetime64(value)
    for method in ("to_pydatetime", "as_py", "tolist", "to_list", "item"):
        convert = getattr(value, method, None)
        if convert is not None:
            _refuse_nanoseconds(value)
            return convert()
    return value


def _plain_datetime64(value: object) -> object:
    nanoseconds = int(value.astype("datetime64[ns]").astype("int64"))  # type: ignore[attr-defined]
    if nanoseconds == -(2**63):
        return None
    if nanoseconds % 1000:
        raise InvalidParameter(f"{value} has nanoseconds, which Python's datetime lacks.")
    return dt.datetime.fromisoformat("1970-01-01") + dt.timedelta(microseconds=nanoseconds // 1000)


def _refuse_nanoseconds(value: object) -> None:
    if getattr(value, "nanosecond", 0):
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
    if len(text.lstrip("-").replace(".", "").lstrip("0")) > MAX_DECIMAL_DIGITS:
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
    return f"TIMESTAMP '{text} {_zone(value)}'"


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
    ((bytes, bytearray), lambda value: f"X'{bytes(value).hex().upper()}'"),
    ((list, tuple), _array),
)
