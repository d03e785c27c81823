"""
SQL as text: names, statements, references, translation, paging, lineage. Pure, no I/O.

The public names are loaded when they are first used, because lineage needs a SQL
parser whose import takes longer than a whole cell.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusion_magic.sql.fqn import Fqn as Fqn
    from fusion_magic.sql.fqn import parse_fqn as parse_fqn
    from fusion_magic.sql.lineage import Lineage as Lineage
    from fusion_magic.sql.lineage import extract_lineage as extract_lineage

_HOMES = {
    "Fqn": "fusion_magic.sql.fqn",
    "parse_fqn": "fusion_magic.sql.fqn",
    "Lineage": "fusion_magic.sql.lineage",
    "extract_lineage": "fusion_magic.sql.lineage",
}

__all__ = ["Fqn", "Lineage", "extract_lineage", "parse_fqn"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
