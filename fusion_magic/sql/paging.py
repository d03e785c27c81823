"""
The outermost query's limit and offset: what they are, and Trino's form of the two that Trino lacks.

    LIMIT 10                 OFFSET 5 ROWS LIMIT 10      FETCH FIRST 10 ROWS ONLY     kept as written
    LIMIT 5, 10              LIMIT 10 OFFSET 5                                        OFFSET 5 LIMIT 10

``FETCH FIRST … WITH TIES`` and ``LIMIT ?`` are kept and set nothing. A query in brackets is not outermost.
"""

from __future__ import annotations

from dataclasses import dataclass

from fusion_magic.errors import InvalidArgument, Span
from fusion_magic.sql.statement import Statement, is_plain_integer
from fusion_magic.sql.translation import Edit


@dataclass(frozen=True, slots=True)
class Paging:
    """
    Rows to give and rows to pass over, None where the query does not say, and what must change in the text.
    """

    limit: int | None = None
    offset: int | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class _Clause:
    """
    One clause at the query's end: its keyword, first and last token, and its numbers' tokens.
    """

    keyword: str
    first: int
    last: int
    numbers: tuple[int, ...]


def find_paging(statement: Statement) -> Paging:
    """
    Limit and offset of the outermost query; of nothing but a query.
    """
    if statement.kind != "SELECT":
        return Paging()
    clauses = _clauses_at_end(statement)
    limit, offset = (
        _value(statement, clauses, ("LIMIT", "FETCH")),
        _value(statement, clauses, ("OFFSET",)),
    )
    keywords = [clause.keyword for clause in clauses]
    comma = next((c for c in clauses if c.keyword == "LIMIT" and len(c.numbers) == 2), None)
    if comma is not None and keywords == ["LIMIT"]:
        offset = int(statement.tokens.words[comma.numbers[0]])
        return Paging(limit, offset, (_replace(statement, clauses, limit, offset),))
    if keywords == ["LIMIT", "OFFSET"]:
        return Paging(limit, offset, (_replace(statement, clauses, limit, offset),))
    return Paging(limit, offset)


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
    clauses = _clauses_at_end(statement)
    kept = [c for c in clauses if c.keyword == "OFFSET"]
    if any(c.keyword != "OFFSET" and not _is_understood(statement, c) for c in clauses):
        raise InvalidArgument(
            "This query's own limit cannot be made smaller: it has no number, or it keeps ties.",
            hint="Change the LIMIT or FETCH clause in the query instead of --limit.",
        )
    if paging.edits or len(kept) != len(clauses):
        return Paging(rows, paging.offset, (_replace(statement, clauses, rows, paging.offset),))
    end = statement.tokens.ends[len(statement.tokens) - 1]
    return Paging(rows, paging.offset, (Edit(Span(end, end), f"\nLIMIT {rows}"),))


def _replace(
    statement: Statement, clauses: list[_Clause], limit: int | None, offset: int | None
) -> Edit:
    text = " ".join(
        f"{word} {number}"
        for word, number in (("OFFSET", offset), ("LIMIT", limit))
        if number is not None
    )
    return Edit(statement.tokens.span(clauses[0].first, clauses[-1].last), text)


def _value(statement: Statement, clauses: list[_Clause], keywords: tuple[str, ...]) -> int | None:
    for clause in clauses:
        if clause.keyword in keywords and clause.numbers and _is_understood(statement, clause):
            return int(statement.tokens.words[clause.numbers[-1]])
        if clause.keyword == "FETCH" in keywords and _is_understood(statement, clause):
            return 1
    return None


def _is_understood(statement: Statement, clause: _Clause) -> bool:
    words = statement.tokens.words[clause.first : clause.last + 1]
    return bool(clause.numbers) or words[-1] in {"ALL", "ONLY"}


def _clauses_at_end(statement: Statement) -> list[_Clause]:
    """
    The clauses that end the query, in the order of the text; read backwards, outside of all brackets.
    """
    clauses: list[_Clause] = []
    last = len(statement.tokens) - 1
    while (clause := _clause_before(statement, last)) is not None:
        clauses.insert(0, clause)
        last = clause.first - 1
    return clauses


def _clause_before(statement: Statement, last: int) -> _Clause | None:
    """
    The clause whose last token is *last*, or None.
    """
    words = statement.tokens.words
    for first in range(last, max(last - 6, 0), -1):
        if (
            words[first] not in {"LIMIT", "OFFSET", "FETCH"}
            or statement.tokens.kinds[first] != "word"
        ):
            continue
        numbers = _numbers_of(words[first : last + 1])
        if numbers is None or words[first - 1] in {"AS", ".", ","}:
            return None
        return _Clause(words[first], first, last, tuple(first + n for n in numbers))
    return None


def _numbers_of(words: list[str]) -> tuple[int, ...] | None:
    """
    Where the numbers stand in a clause of these words; None where it is no such clause.
    """
    shape = ["N" if is_plain_integer(word) else word for word in words]
    match shape:
        case ["LIMIT", "N"] | ["OFFSET", "N"] | ["OFFSET", "N", "ROW" | "ROWS"]:
            return (1,)
        case ["LIMIT", "N", ",", "N"]:
            return (1, 3)
        case (
            ["LIMIT", "ALL" | "?"]
            | ["LIMIT", ":", _]
            | ["OFFSET", "?"]
            | ["OFFSET", "?", "ROW" | "ROWS"]
        ):
            return ()
        case ["FETCH", "FIRST" | "NEXT", "N", "ROW" | "ROWS", "ONLY"]:
            return (2,)
        case ["FETCH", "FIRST" | "NEXT", "ROW" | "ROWS", "ONLY"]:
            return ()
        case ["FETCH", "FIRST" | "NEXT", *_, "ROW" | "ROWS", "ONLY"] | [
            "FETCH",
            "FIRST" | "NEXT",
            *_,
            "WITH",
            "TIES",
        ]:
            return ()
        case _:
            return None
