"""
What the doctor found: a line for each part, and below it what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fusion_magic.present.tables import Table

if TYPE_CHECKING:
    from fusion_magic.doctor import Check


class Diagnosis:
    """
    The checks of every part.
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """
        State, part and what is said, line by line; state and part stand on a part's first line alone.
        """
        for check in self._checks:
            for number, text in enumerate(check.lines() or [""]):
                yield (check.state, check.part, text) if number == 0 else ("", "", text)

    def text(self) -> str:
        """
        Aligned lines.
        """
        return "\n".join(f"{s:<11}  {part:<9}  {text}".rstrip() for s, part, text in self.lines())

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        table = Table(
            ("Part", "State", "What it is"),
            [(check.part, check.state, check.what) for check in self._checks],
            notes=[f"{c.part}: {line}" for c in self._checks if c.problem for line in c.lines()],
        )
        return {"text/plain": self.text(), "text/html": table.html()}
