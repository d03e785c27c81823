"""
Whether a query gives the same rows again while its tables stay as they are.

Told by the text alone: a word that is a function or a value of the moment, a sample, a table that shows the engine's
own state, or a table function, of which nobody knows what it does.
"""

from __future__ import annotations

from collections.abc import Iterable

from fusion_magic.sql.statement import Statement

_OF_THE_MOMENT = frozenset(
    [
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "TABLESAMPLE",
    ]
)
_FUNCTIONS = frozenset(["RAND", "RANDOM", "NOW", "UUID", "SHUFFLE"])
_OWN_STATE = frozenset({"system", "jmx", "information_schema", "runtime"})


def find_changing(statement: Statement, names: Iterable[tuple[str, ...]]) -> str | None:
    """
    What in *statement* may give other rows the next time, in the text's words; None where nothing is known to.

    Args:
        statement: A query.

        names: The unquoted Trino names that it reads.
    """
    words = statement.tokens.words
    kinds = statement.tokens.kinds
    for place, word in enumerate(words):
        if kinds[place] != "word" or words[place - 1 : place] == ["."]:
            continue
        following = words[place + 1 : place + 2]
        is_call = following == ["("]
        if word in _OF_THE_MOMENT or (word in _FUNCTIONS and is_call):
            return word.lower()
        if word == "TABLE" and is_call:
            return "a table function"
    for name in names:
        if _OWN_STATE.intersection(part.lower() for part in name[:-1]):
            return ".".join(name)
    return None
