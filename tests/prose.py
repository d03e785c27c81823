"""
Markdown files of the project, and the code in them.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.distribution import ROOT

TOP = tuple(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))


def pages() -> list[Path]:
    """
    The documentation's pages as they are written.
    """
    made = {"_build", "generated"}
    found = (ROOT / "docs").rglob("*.md")
    return sorted(path for path in found if not made & set(path.parts))


def blocks_of(path: Path) -> list[tuple[str, str]]:
    """
    Language and text of each code block, in order; ``{code-cell}`` for one that runs when the page is built.
    """
    text = path.read_text("utf-8")
    found = re.findall(r"^ *```([\w{}-]+)[^\n]*\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [(language, re.sub(r"\A(:tags:[^\n]*\n)?\n?", "", code)) for language, code in found]
