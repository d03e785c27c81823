"""
What an engine says of a table, in the words of the person who wrote the statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def with_written_names(message: str, written: Mapping[tuple[str, ...], str]) -> str:
    """
    An engine's *message* with each table as the statement named it, instead of by the engine's own name.

    Args:
        written: The names in the statement by the unquoted parts of the engine's, catalog, schema and table, of which a message
            may leave the catalog out.

    >>> with_written_names("Table 'lake.crm.t' does not exist", {("lake", "crm", "t"): "lake.dwh.crm.T"})
    "Table 'lake.dwh.crm.T' does not exist"
    """
    names = [parts for parts in written if len(parts) > 1]
    if not names:
        return message
    found = re.compile("|".join(f"({_pattern(parts)})" for parts in names), re.IGNORECASE)
    return found.sub(lambda match: written[names[(match.lastindex or 1) - 1]], message)


def _pattern(parts: Sequence[str]) -> str:
    """
    The name in a text, whole and not as a piece of a longer one; each part may be quoted.
    """
    *catalog, schema, table = (f'"?{re.escape(part)}"?' for part in parts)
    before = "".join(rf"(?:{part}\.)?" for part in catalog)
    return rf'(?<![\w."]){before}{schema}\.{table}(?![\w"]|\.\w)'
