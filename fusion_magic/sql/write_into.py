"""
A query whose rows the engine writes to a table itself: what stands before its text.

    fail        CREATE TABLE t AS …                a table of that name is an error
    append      INSERT INTO t …                    its rows are added, by position
    replace     CREATE OR REPLACE TABLE t AS …     what was there is gone, where the connector can do that
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fusion_magic.errors import InvalidArgument, Span
from fusion_magic.sql.edits import Edit, format_trino_name
from fusion_magic.sql.fqn import parse_fqn
from fusion_magic.sql.references import Reference
from fusion_magic.sql.statement import Statement

_BEFORE: Mapping[str, tuple[str, str]] = {
    "fail": ("CREATE TABLE AS", "CREATE TABLE {} AS\n"),
    "append": ("INSERT", "INSERT INTO {}\n"),
    "replace": ("CREATE TABLE AS", "CREATE OR REPLACE TABLE {} AS\n"),
}


def target_reference(table: str) -> Reference:
    """
    *table*, given beside the statement, as if the statement named it.

    Raises:
        InvalidFqn: The text is no name.
    """
    parts = parse_fqn(table).parts
    return Reference(parts, (True,) * len(parts), Span(0, 0), "target")


def writing_kind(if_exists: str) -> str:
    """
    The kind of the statement that writes the rows.

    Raises:
        InvalidArgument: *if_exists* is none of ``fail``, ``append`` and ``replace``.
    """
    if if_exists not in _BEFORE:
        raise InvalidArgument(f"if_exists is {if_exists!r}.", hint="It is fail, append or replace.")
    return _BEFORE[if_exists][0]


def writing_edit(statement: Statement, name: Sequence[str], if_exists: str) -> Edit:
    """
    What makes the query *statement* write its rows to the table of the Trino name *name*.

    Raises:
        InvalidArgument: The statement is no query.
    """
    if statement.kind != "SELECT":
        raise InvalidArgument(
            f"A query's rows can be written to a table; {statement.kind} gives none.",
            hint="Leave --into out.",
        )
    return Edit(Span(0, 0), _BEFORE[if_exists][1].format(format_trino_name(name)))


def writing_hint(message: str) -> str | None:
    """
    What to do about an engine's *message* on writing to a table; None where nothing is known.
    """
    if "already exists" in message:
        return "--append adds the rows to it, --replace puts them in its place."
    if "does not support replacing tables" in message:
        return "DROP TABLE it first, or write to a catalog whose connector can replace tables."
    return None
