"""
A query whose rows the engine writes to a table itself, or that becomes a view: what stands before its text.

    fail        CREATE TABLE t AS …                a table of that name is an error
    append      INSERT INTO t …                    its rows are added, by position
    replace     CREATE OR REPLACE TABLE t AS …     what was there is gone, where the connector can do that

A view, and a materialized one, is made or replaced in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fusion_magic.errors import InvalidArgument, Span
from fusion_magic.sql.edits import Edit, format_trino_name
from fusion_magic.sql.fqn import parse_fqn
from fusion_magic.sql.references import Reference
from fusion_magic.sql.statement import Statement

_TAKEN = re.compile(r"already exists|^Existing object .* is of type")
_TAKEN_BY_OTHERS = re.compile(r"(?i)(line \d+:\d+: )?(column|schema|catalog|function|role)\b")
_MAKERS = frozenset({"CREATE TABLE", "CREATE TABLE AS", "CREATE VIEW", "CREATE MATERIALIZED VIEW"})
_RENAMERS = frozenset({"ALTER TABLE", "ALTER VIEW", "ALTER MATERIALIZED VIEW"})
# What DuckDB and Trino say of what is there.
_EXISTING = re.compile(r"(?i)\b(table|view)\b(?= with name| already exists:|, trying to replace)")
_ELSEWHERE = "Name it in a catalog whose connector"
_BESIDE = "--append adds the rows to it, --replace puts them in its place"
_INSTEAD = {
    "CREATE TABLE AS": "CREATE OR REPLACE TABLE replaces it, INSERT INTO adds rows to it",
    "CREATE TABLE": "CREATE TABLE IF NOT EXISTS keeps it, CREATE OR REPLACE TABLE replaces it",
    "CREATE VIEW": "CREATE OR REPLACE VIEW replaces it",
    "CREATE MATERIALIZED VIEW": "CREATE OR REPLACE MATERIALIZED VIEW replaces it",
}

_BEFORE: Mapping[str, tuple[str, str]] = {
    "fail": ("CREATE TABLE AS", "CREATE TABLE {} AS\n"),
    "append": ("INSERT", "INSERT INTO {}\n"),
    "replace": ("CREATE TABLE AS", "CREATE OR REPLACE TABLE {} AS\n"),
}


@dataclass(frozen=True, slots=True)
class Writing:
    """
    What becomes of a query's rows.

    Attributes:
        name: The Trino name of what is made or written.
        if_exists: ``fail``, ``append`` or ``replace``.
        made: ``TABLE``, ``VIEW`` or ``MATERIALIZED VIEW``.
    """

    name: Sequence[str]
    if_exists: str = "fail"
    made: str = "TABLE"


def target_reference(table: str) -> Reference:
    """
    *table*, given beside the statement, as if the statement named it.

    Raises:
        InvalidFqn: The text is no name.
    """
    parts = parse_fqn(table).parts
    return Reference(parts, (True,) * len(parts), Span(0, 0), "target")


def writing_kind(if_exists: str, made: str = "TABLE") -> str:
    """
    The kind of the statement that writes the rows, or makes the view.

    Raises:
        InvalidArgument: *if_exists* is none of ``fail``, ``append`` and ``replace``, or rows were added to a view.
    """
    if if_exists not in _BEFORE:
        raise InvalidArgument(f"if_exists is {if_exists!r}.", hint="It is fail, append or replace.")
    if made == "TABLE":
        return _BEFORE[if_exists][0]
    if if_exists == "append":
        raise InvalidArgument(
            "A view has no rows of its own to which others could be added.",
            hint="--view VIEW --replace gives it another query.",
        )
    return f"CREATE {made}"


def writing_edit(statement: Statement, writing: Writing) -> Edit:
    """
    What makes the query *statement* write its rows, or become a view.

    Raises:
        InvalidArgument: The statement is no query.
    """
    if statement.kind != "SELECT":
        raise InvalidArgument(
            f"A query's rows can be written to a table, or be a view; {statement.kind} gives none.",
            hint="Leave --into and --view out.",
        )
    before = _BEFORE[writing.if_exists][1]
    if writing.made != "TABLE":
        before = before.replace("TABLE", writing.made)
    return Edit(Span(0, 0), before.format(format_trino_name(writing.name)))


def writing_hint(message: str) -> str | None:
    """
    What to do about an engine's *message* on writing to a table; None where nothing is known.
    """
    if "does not support replacing tables" in message:
        return "DROP TABLE it first, or write to a catalog whose connector can replace tables."
    if "does not support creating views" in message:
        return f"{_ELSEWHERE} has views (hive, iceberg, delta_lake, memory); or write its rows to a table: --into TABLE."
    if "does not support creating materialized views" in message:
        return f"{_ELSEWHERE} has them (iceberg); or leave --materialized out, or write its rows to a table: --into TABLE."
    return None


def is_taken(message: str) -> bool:
    """
    Whether an engine's *message* says that the name of a table or view to be made is in use.

    >>> is_taken("Table 'memory.default.t' already exists"), is_taken("Column 'a' already exists")
    (True, False)
    """
    return _TAKEN.search(message) is not None and _TAKEN_BY_OTHERS.match(message) is None


def taken_reference(statement: Statement, references: Sequence[Reference]) -> int | None:
    """
    Which of *references* is the name that *statement* gives to something new; None where it makes nothing.

    A table that stands beside the statement (``--into``) comes last in *references*, without a place.
    """
    if references and references[-1].place is None:
        return len(references) - 1
    if statement.kind in _MAKERS and references:
        return 0
    # ALTER … RENAME TO names the old and the new table.
    return 1 if statement.kind in _RENAMERS and len(references) == 2 else None


def taken_hint(kind: str, name: str, message: str, *, is_beside: bool) -> str:
    """
    The ways on where the table or view *name* exists already.

    Args:
        kind: The kind of the statement that would make it, in the words of ``Statement.kind``.

        name: As SQL writes it.

        message: The engine's, which may tell whether a table or a view is there.

        is_beside: Whether the name stands beside the statement, in ``--into``.
    """
    found = _EXISTING.search(message)
    made = "VIEW" if "VIEW" in kind else "TABLE"
    existing = found[1].upper() if found else made
    drop = f"choose another name, or run DROP {existing} {name} first."
    if is_beside and made == existing == "VIEW":
        return f"--replace puts this one in its place; or {drop}"
    if existing != made or kind not in _INSTEAD:
        return f"It is a {existing.lower()}: {drop}" if found else f"{drop[0].upper()}{drop[1:]}"
    return f"{_BESIDE if is_beside else _INSTEAD[kind]}; or {drop}"
