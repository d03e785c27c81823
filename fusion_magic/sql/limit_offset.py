"""
The outermost query's limit and offset: what they are, and Trino's form of the two that Trino lacks.

    LIMIT 10                 OFFSET 5 ROWS LIMIT 10      FETCH FIRST 10 ROWS ONLY     kept as written
    LIMIT 5, 10              LIMIT 10 OFFSET 5                                        OFFSET 5 LIMIT 10

``FETCH FIRST … WITH TIES`` and ``LIMIT ?`` are kept and set nothing; ``LIMIT :rows`` sets what the parameter's value is.
A query in brackets is not outermost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from fusion_magic.errors import InvalidArgument, InvalidParameter, Span
from fusion_magic.sql.edits import Edit
from fusion_magic.sql.parameters import plain_value
from fusion_magic.sql.statement import Statement, integer_value

_NOTHING: Mapping[str, object] = MappingProxyType({})
_LONGEST = 7  # tokens of one clause: FETCH FIRST :n ROWS WITH TIES


@dataclass(frozen=True, slots=True)
class _Clause:
    """
    One clause at the query's end: its keyword, first and last token, and its numbers.

    Attributes:
        is_known: Whether the numbers say all: not with ``?``, a parameter without a value, or ties.
        has_parameter: Whether a number is a parameter's value.
    """

    keyword: str
    first: int
    last: int
    numbers: tuple[int, ...]
    is_known: bool
    has_parameter: bool


@dataclass(frozen=True, slots=True)
class Paging:
    """
    Rows to give and rows to pass over, None where the query does not say, and what must change in the text.
    """

    limit: int | None = None
    offset: int | None = None
    edits: tuple[Edit, ...] = ()
    clauses: tuple[_Clause, ...] = field(default=(), repr=False)


def find_paging(statement: Statement, values: Mapping[str, object] = _NOTHING) -> Paging:
    """
    Limit and offset of the outermost query; of nothing but a query.

    Args:
        statement: The statement.

        values: Of ``:name`` parameters, as far as they are known.

    Raises:
        InvalidParameter: A parameter's value is no number of rows; carries the span.
    """
    if statement.kind != "SELECT":
        return Paging()
    clauses = _clauses_at_end(statement, values)
    limit, offset = _value(clauses, ("LIMIT", "FETCH")), _value(clauses, ("OFFSET",))
    keywords = [clause.keyword for clause in clauses]
    edits: tuple[Edit, ...]
    if keywords == ["LIMIT"] and len(clauses[0].numbers) == 2:
        offset = clauses[0].numbers[0]
        edits = (_replace(statement, clauses, limit, offset),)
    elif keywords == ["LIMIT", "OFFSET"] and all(clause.is_known for clause in clauses):
        edits = (_replace(statement, clauses, limit, offset),)
    else:
        edits = tuple(
            _plain_numbers(statement, clause) for clause in clauses if clause.has_parameter
        )
    return Paging(limit, offset, edits, clauses)


def limit_to(statement: Statement, paging: Paging, rows: int) -> Paging:
    """
    The paging that gives at most *rows* rows; a smaller limit of the user's stays.

    Raises:
        InvalidArgument: *rows* is negative, or the statement is no query whose end can take a limit:
            it writes, it ends in WITH TIES or ``LIMIT ?``, or it is SHOW, DESCRIBE, EXPLAIN.
    """
    if rows < 0:
        raise InvalidArgument(f"A limit cannot be {rows}.", hint="Give a number of rows from 0.")
    if statement.kind != "SELECT":
        raise InvalidArgument(
            f"A limit can be given to a query, not to {statement.kind}.",
            hint="Leave --limit out.",
        )
    if paging.limit is not None and paging.limit <= rows:
        return paging
    clauses = paging.clauses
    kept = [c for c in clauses if c.keyword == "OFFSET"]
    if any(c.keyword != "OFFSET" and not c.is_known for c in clauses):
        raise InvalidArgument(
            "This query's own limit cannot be made smaller: it has no number, or it keeps ties.",
            hint="Change the LIMIT or FETCH clause in the query instead of --limit.",
        )
    if paging.edits or len(kept) != len(clauses):
        return Paging(rows, paging.offset, (_replace(statement, clauses, rows, paging.offset),))
    end = statement.tokens.ends[len(statement.tokens) - 1]
    return Paging(rows, paging.offset, (Edit(Span(end, end), f"\nLIMIT {rows}"),))


def _replace(
    statement: Statement, clauses: Sequence[_Clause], limit: int | None, offset: int | None
) -> Edit:
    text = " ".join(
        f"{word} {number}"
        for word, number in (("OFFSET", offset), ("LIMIT", limit))
        if number is not None
    )
    return Edit(statement.tokens.span(clauses[0].first, clauses[-1].last), text)


def _plain_numbers(statement: Statement, clause: _Clause) -> Edit:
    """
    A clause with its parameter's number as the grammar takes it, which knows no typed literal there.
    """
    tokens = statement.tokens
    colon = tokens.words.index(":", clause.first)
    return Edit(tokens.span(colon, colon + 1), str(clause.numbers[0]))


def _value(clauses: Sequence[_Clause], keywords: tuple[str, ...]) -> int | None:
    for clause in clauses:
        if clause.keyword in keywords and clause.is_known and clause.numbers:
            return clause.numbers[-1]
    return None


def _clauses_at_end(statement: Statement, values: Mapping[str, object]) -> tuple[_Clause, ...]:
    """
    The clauses that end the query, in the order of the text; read backwards, outside of all brackets.
    """
    clauses: list[_Clause] = []
    last = len(statement.tokens) - 1
    while (clause := _clause_before(statement, last, values)) is not None:
        clauses.insert(0, clause)
        last = clause.first - 1
    return tuple(clauses)


def _clause_before(statement: Statement, last: int, values: Mapping[str, object]) -> _Clause | None:
    """
    The clause whose last token is *last*, or None.
    """
    tokens = statement.tokens
    for first in range(last, max(last - _LONGEST, 0), -1):
        if tokens.kinds[first] != "word" or tokens.words[first] not in {"LIMIT", "OFFSET", "FETCH"}:
            continue
        if tokens.words[first - 1] in {"AS", ".", ","}:
            return None
        return _read_clause(statement, first, last, values)
    return None


def _read_clause(
    statement: Statement, first: int, last: int, values: Mapping[str, object]
) -> _Clause | None:
    words = statement.tokens.words
    shape: list[str] = []
    numbers: list[int] = []
    has_parameter = False
    index = first
    while index <= last:
        number = integer_value(words[index])
        if words[index] == ":" and index < last:
            number = _parameter_value(statement, index, values)
            has_parameter = has_parameter or number is not None
            index += 1
            shape.append("?" if number is None else "N")
        else:
            shape.append(words[index] if number is None else "N")
        numbers += [] if number is None else [number]
        index += 1
    match shape:
        case ["FETCH", "FIRST" | "NEXT", "ROW" | "ROWS", *_]:
            numbers = [1]
    is_known = _is_known(shape)
    if is_known is None:
        return None
    return _Clause(words[first], first, last, tuple(numbers), is_known, has_parameter)


def _parameter_value(statement: Statement, colon: int, values: Mapping[str, object]) -> int | None:
    span = statement.tokens.span(colon, colon + 1)
    name = statement.text[span.start + 1 : span.end]
    if name not in values:
        return None
    value = plain_value(values[name])
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise InvalidParameter(
        f"The parameter :{name} is {value!r}, which is no number of rows.",
        hint="Give it a whole number from 0.",
        span=span,
    )


def _is_known(shape: Sequence[str]) -> bool | None:
    """
    Whether a clause of this shape, its numbers written N, says how many rows; None where it is no such clause.
    """
    match shape:
        case (
            ["LIMIT", "N" | "ALL"]
            | ["LIMIT", "N", ",", "N"]
            | ["OFFSET", "N"]
            | ["OFFSET", "N", "ROW" | "ROWS"]
            | ["FETCH", "FIRST" | "NEXT", "ROW" | "ROWS", "ONLY"]
            | ["FETCH", "FIRST" | "NEXT", "N", "ROW" | "ROWS", "ONLY"]
        ):
            return True
        case (
            ["LIMIT" | "OFFSET", "?"]
            | ["OFFSET", "?", "ROW" | "ROWS"]
            | ["FETCH", "FIRST" | "NEXT", *_, "ROW" | "ROWS", "ONLY"]
            | ["FETCH", "FIRST" | "NEXT", *_, "WITH", "TIES"]
        ):
            return False
        case _:
            return None
