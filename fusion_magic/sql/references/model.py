"""
What a scan for references finds, and what it keeps on its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fusion_magic.errors import Span

Role = Literal["source", "target", "other"]


@dataclass(frozen=True, slots=True)
class Reference:
    """
    One place where a statement names a table.

    Attributes:
        parts: The name's parts, unquoted, as written.
        quoted: Whether each part was quoted.
        span: The name in the statement's text.
        role: ``target`` where rows are written to it or it is made from a query, ``source`` where its
            rows are read, ``other`` where it is only named (DROP, DESCRIBE, GRANT …).
        column_spans: The table's part of each qualified column that means this reference.
        alias_at: Where an alias can be put, a place in the text; None where the user gave one or
            the grammar allows none.
        alias: The text of the alias that the user gave, as written, or None.
    """

    parts: tuple[str, ...]
    quoted: tuple[bool, ...]
    span: Span
    role: Role
    column_spans: tuple[Span, ...] = ()
    alias_at: int | None = None
    alias: str | None = None

    @property
    def place(self) -> Span | None:
        """
        Where an error about the name points; None for a name that was given beside the text.
        """
        return self.span if self.span.end > self.span.start else None


@dataclass(slots=True)
class Scope:
    """
    What is visible at one SELECT: its tables, and those of the queries around it.

    Attributes:
        tables: Places in the list of what was found.
        common: The names under which common table expressions are seen.
        visible: What can stand before a column, and the table that it means; made when it is first asked for.
    """

    parent: Scope | None
    tables: list[int] = field(default_factory=list)
    common: list[str] = field(default_factory=list)
    visible: dict[tuple[str, ...], FoundTable] | None = None


@dataclass(slots=True)
class FoundTable:
    """
    A table on its way to a ``Reference``, of which its alias and its columns are found later.
    """

    parts: tuple[str, ...]
    quoted: tuple[bool, ...]
    span: Span
    role: Role
    alias_at: int | None = None
    alias: str | None = None
    alias_name: str | None = None
    column_spans: list[Span] = field(default_factory=list)


@dataclass(slots=True)
class Frame:
    """
    One bracket, or the statement itself.

    Attributes:
        end: The token that closes it.
        is_query: Whether FROM starts a clause here.
        clause: ``with``, ``select``, ``from``, ``tail`` …: where in the query the scan is.
        expects_table: Whether a name here is a table.
        ctes: The names that WITH has made visible so far, lower case; shared by inner frames through ``outer``.
        pending: The CTE whose body is being read.
        begin: The first token of the query, where alone WITH starts a list of CTEs.
    """

    end: int
    scope: Scope
    outer: Frame | None
    is_query: bool
    clause: str = "select"
    expects_table: bool = False
    ctes: set[str] = field(default_factory=set)
    pending: str | None = None
    is_recursive: bool = False
    begin: int = 0

    def hides(self, name: str) -> bool:
        """
        Whether a CTE of that name, in lower case, is visible here.
        """
        frame: Frame | None = self
        while frame is not None:
            if name in frame.ctes:
                return True
            frame = frame.outer
        return False


@dataclass(frozen=True, slots=True)
class DottedName:
    """
    A dotted name: the tokens of its parts, and the token behind it.
    """

    parts: tuple[int, ...]
    after: int
    has_star: bool = False
