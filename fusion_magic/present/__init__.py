"""
How answers are laid out, once for all front ends: tables, progress, and what a command answers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fusion_magic.handle import JobHandle
    from fusion_magic.results import Result


class Shown(Protocol):
    """
    Something laid out: as text, and as HTML for a notebook.
    """

    def text(self) -> str:
        """
        What a terminal or a pipe shows.
        """
        ...

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What a command answers.

    Attributes:
        shown: Laid out for a person.
        data: For a program, as values that JSON has or that have a plain text.
        cut: Columns of which a line of a terminal holds the beginning; all others are shown whole.
        job: The job that it is about, where a notebook can follow it.
        result: The rows that it is about, where a notebook can keep them or scroll in them.
        keeps_as: The variable, or the file, that the rows go to; empty for none.
        most_rows: Most of those rows that are shown; None for as many as the front end shows.
        asked: What a person is asked to agree to, in one sentence.
        question: How they are asked.
        is_wrong: Whether a script must not go on: the command found something wrong; ``is_away`` where it may pass by itself.
    """

    shown: Shown
    data: Any = None
    cut: Collection[str] = ()
    job: JobHandle | None = None
    result: Result | None = None
    keeps_as: str = ""
    most_rows: int | None = None
    asked: str = ""
    question: str = "Remove them, with their stored rows?"
    is_wrong: bool = False
    is_away: bool = False


class Text(str):
    """
    Text that shows as it is, without quotes.
    """

    __slots__ = ()

    def text(self) -> str:
        """
        The text itself.
        """
        return str(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": str(self)}
