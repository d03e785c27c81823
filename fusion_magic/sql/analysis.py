"""
A statement's text to what it tells by itself, and to the edits that make it the engine's: the one door into this room.

    analyse(text)           the statement, the tables that it names, its limit, its placeholders, what USE sets
    edits_of(analysis, …)   what must change, once the names are resolved

Pure. ``jobs.translate`` asks for the first, resolves names, and asks for the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from fusion_magic.errors import InvalidSql
from fusion_magic.sql.edits import Edit, mark_edits, name_edits, without_overlaps
from fusion_magic.sql.limit_offset import Paging, find_paging, limit_to
from fusion_magic.sql.parameters import Placeholder, find_placeholders, parameter_edits
from fusion_magic.sql.references import Reference, find_long_names, find_references, find_use
from fusion_magic.sql.statement import Statement, parse_statement
from fusion_magic.sql.write_into import Writing, writing_edit


@dataclass(frozen=True, slots=True)
class StatementAnalysis:
    """
    What a statement's text alone tells. Kept for texts seen before, so that it must not change.

    Attributes:
        statement: The text with its tokens and its kind.
        references: Where it names tables, in the order of the text.
        paging: The outermost query's limit and offset.
        placeholders: Its ``:name`` placeholders.
        use: What a USE statement sets; None for another statement.
    """

    statement: Statement
    references: tuple[Reference, ...]
    paging: Paging
    placeholders: tuple[Placeholder, ...]
    use: tuple[str, ...] | None


class StatementEdits(NamedTuple):
    """
    What is replaced in a statement's text, and the limit and offset of its outermost query then.
    """

    edits: tuple[Edit, ...]
    paging: Paging


@lru_cache(maxsize=256)
def analyse(text: str) -> StatementAnalysis:
    """
    Read one statement.

    Raises:
        InvalidSql: It cannot be read, there is none, or there are several; carries the span.
    """
    statement = parse_statement(text)
    references = find_references(statement)
    if statement.kind == "UNKNOWN" and not references:
        _refuse_long_names(statement)
    return StatementAnalysis(
        statement=statement,
        references=references,
        paging=find_paging(statement),
        placeholders=find_placeholders(statement),
        use=find_use(statement),
    )


def edits_of(
    analysis: StatementAnalysis,
    names: Sequence[tuple[str, ...] | None],
    *,
    values: Mapping[str, object],
    limit: int | None = None,
    writing: Writing | None = None,
) -> StatementEdits:
    """
    What must change so that the engine can run the statement.

    Args:
        names: For each reference the unquoted parts of its Trino name; None leaves it as written.

        values: Values of placeholders.

        limit: Most rows that the outermost query may give, or None.

        writing: What becomes of the rows; None where they are returned.

    Raises:
        UsageError: A value has no literal form, or the statement takes no limit or target.
    """
    statement = analysis.statement
    paging = find_paging(statement, values) if values else analysis.paging
    if limit is not None:
        paging = limit_to(statement, paging, limit)
    edits = (
        *name_edits(analysis.references, names),
        *paging.edits,
        *without_overlaps(parameter_edits(statement, values), paging.edits),
        *mark_edits(statement.text),
    )
    if writing is not None:
        edits = (writing_edit(statement, writing), *edits)
    return StatementEdits(edits, paging)


def _refuse_long_names(statement: Statement) -> None:
    for span in find_long_names(statement):
        name = statement.text[span.start : span.end]
        raise InvalidSql(
            f"This statement is of a kind that is not known here, and it names {name}.",
            hint="Names of more than three parts can be translated in the statements of Trino's reference only.",
            span=span,
        )
