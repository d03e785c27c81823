"""
Tags on entities and columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .answers import Json, bad_request
from .state import State


def labels(state: State, given: Any) -> list[Json]:
    """
    Tag labels as they are stored.

    Raises:
        Refusal: A tag is not there (404), or two exclude each other (400).
    """
    found: dict[str, Json] = {}
    for one in given or []:
        source = one.get("source", "Classification")
        kind = "tag" if source == "Classification" else "glossaryTerm"
        tag = state.named(kind, one["tagFQN"])
        found.setdefault(one["tagFQN"], _label(tag.name, one, tag.data.get("description")))
    result = sorted(found.values(), key=lambda label: str(label["tagFQN"]))
    check_exclusive(state, result)
    return result


def _label(name: str, given: Json, description: str | None) -> Json:
    label = {
        "tagFQN": given["tagFQN"],
        "name": name,
        "source": given.get("source", "Classification"),
        "labelType": given.get("labelType", "Manual"),
        "state": given.get("state", "Confirmed"),
    }
    return {**label, **({"description": description} if description else {})}


def check_exclusive(state: State, found: Iterable[Json]) -> None:
    """
    Refuse two tags of one classification that allows one.

    Raises:
        Refusal: There are two (400).
    """
    seen: dict[str, str] = {}
    for label in found:
        tag = label["tagFQN"]
        group = tag.rpartition(".")[0]
        owner = state.find("classification", group)
        if owner is not None and owner.data.get("mutuallyExclusive"):
            if group in seen:
                raise bad_request(
                    f"Tag labels {tag} and {seen[group]} are mutually exclusive and can't be assigned together"
                )
            seen[group] = tag


def merged(old: Iterable[Json], new: Iterable[Json]) -> list[Json]:
    """
    The tags of both.
    """
    found = {one["tagFQN"]: one for one in [*old, *new]}
    return sorted(found.values(), key=lambda label: str(label["tagFQN"]))
