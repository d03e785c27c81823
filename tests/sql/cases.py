"""
The SQL fixtures: cases of a title, facts about them, a statement, and what is expected of it.

    -- title: LIMIT with a comma
    -- sets: limit 10 offset 5
    SELECT * FROM shop.db.public.orders LIMIT 5, 10
    -- becomes
    SELECT * FROM tpch.tiny.orders OFFSET 5 LIMIT 10
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sql"
_FACT = re.compile(r"-- (\w+): (.*)\n")


@dataclass(frozen=True)
class Case:
    """
    One case of a fixture file.

    Attributes:
        facts: The lines ``-- word: text`` behind the title.
        given: The statement.
        expected: What stands behind the line ``-- becomes``.
    """

    title: str
    facts: dict[str, str]
    given: str
    expected: str


def read_cases(path: Path, *, separator: str = "-- becomes") -> list[Case]:
    """
    The cases of a file. With the fact ``escaped`` both texts have Python's escapes (``\\r``, ``\\ufeff``).
    """
    found = []
    for block in re.split(r"(?m)^-- title: ", path.read_text(encoding="utf-8"))[1:]:
        title, _, body = block.partition("\n")
        facts = {}
        while match := _FACT.match(body):
            facts[match[1]] = match[2]
            body = body[match.end() :]
        given, _, expected = body.partition(f"\n{separator}\n")
        texts = [given, expected.rstrip("\n")]
        if "escaped" in facts:
            texts = [re.sub(r"\\(r|n|t|u[0-9a-f]{4})", _unescaped, text) for text in texts]
        found.append(Case(title, facts, *texts))
    return found


def _unescaped(match: re.Match[str]) -> str:
    return match[0].encode("ascii").decode("unicode_escape")
