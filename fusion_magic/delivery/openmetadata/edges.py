"""
What an edge becomes when a job tells of it: others may have written to it, and OpenMetadata replaces all that it holds.

    columns          theirs and ours; those that one of the tables has no more are left out, since one of them makes 1.6 refuse the
                     edge
    source           theirs stays; a new edge's is QueryLineage
    SQL, pipeline    written together, where neither was there or where the pipeline is one of ours; else theirs stay. An edge to a
                     notebook has no pipeline: its source tells whose SQL it is
    all else         theirs stays: the description, functions, and what later versions add

A column's edge stays until one of its columns is gone: nothing tells ours from theirs. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_magic.errors import InvalidFqn
from fusion_magic.sql.fqn import parse_fqn

OWN_SERVICE = "fusion"
SOURCE = "QueryLineage"
Details = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OwnEdge:
    """
    What a job tells of an edge.

    Attributes:
        columns: Each (column of the source, column of the target), by OpenMetadata's FQNs.
        sql: The statement as it may be told, or None.
        pipeline: The id of the notebook's pipeline; None where the notebook is the target.
    """

    columns: Sequence[tuple[str, str]] = ()
    sql: str | None = None
    pipeline: str | None = None


def merge(current: Mapping[str, Any] | None, own: OwnEdge, *, known: Collection[str]) -> Details:
    """
    The details that the edge is to have.

    Args:
        current: Those that it has, or None for no edge.

        known: The FQNs of the columns that the two assets have.
    """
    details = normalized(current or {})
    details.setdefault("source", SOURCE)
    details["columnsLineage"] = _with_columns(_still_there(details["columnsLineage"], known), own)
    if _may_be_ours(current or {}, own):
        details.pop("sqlQuery", None)
        if own.sql is not None:
            details["sqlQuery"] = own.sql
        if own.pipeline is not None:
            details["pipeline"] = {"id": own.pipeline, "type": "pipeline"}
    return details


def is_as_told(current: Mapping[str, Any] | None, own: OwnEdge, *, known: Collection[str]) -> bool:
    """
    Whether there is nothing to write.
    """
    return current is not None and normalized(current) == merge(current, own, known=known)


def normalized(details: Mapping[str, Any]) -> Details:
    """
    Details as they can be sent: without nulls, the pipeline by its id alone, and with a list of columns.
    """
    found = {key: value for key, value in details.items() if value is not None}
    if pipeline := found.get("pipeline"):
        found["pipeline"] = {"id": pipeline["id"], "type": pipeline.get("type", "pipeline")}
    found.setdefault("columnsLineage", [])
    return found


def is_only(details: Mapping[str, Any], own: OwnEdge, *, known: Collection[str]) -> bool:
    """
    Whether an edge says nothing that *own* does not say.

    Args:
        known: The FQNs of the columns that the two assets have; a mapping of others says nothing any more.
    """
    columns = frozenset(own.columns)
    mappings = _still_there(details.get("columnsLineage") or (), known)
    return (
        details.get("source") == SOURCE
        and not details.get("description")
        and bool(details.get("pipeline")) == (own.pipeline is not None)
        and _may_be_ours(details, own)
        and not any(mapping.get("function") for mapping in mappings)
        and all((fqn, m["toColumn"]) in columns for m in mappings for fqn in m["fromColumns"])
    )


def holds(details: Mapping[str, Any] | None, own: OwnEdge) -> bool:
    """
    Whether all columns of *own* are in an edge.
    """
    return details is not None and not _missing(details.get("columnsLineage") or (), own)


def _may_be_ours(details: Mapping[str, Any], own: OwnEdge) -> bool:
    pipeline, is_bare = details.get("pipeline"), not details.get("sqlQuery")
    if own.pipeline is None:
        return is_bare or details.get("source") == SOURCE
    if pipeline is None:
        return is_bare
    try:
        return parse_fqn(pipeline.get("fullyQualifiedName") or "?").parts[0] == OWN_SERVICE
    except InvalidFqn:
        return False


def _still_there(
    mappings: Sequence[Mapping[str, Any]], known: Collection[str]
) -> list[dict[str, Any]]:
    found = []
    for mapping in mappings:
        sources = [fqn for fqn in mapping.get("fromColumns") or () if fqn in known]
        if sources and mapping.get("toColumn") in known:
            found.append({**mapping, "fromColumns": sources})
    return found


def _with_columns(mappings: Sequence[dict[str, Any]], own: OwnEdge) -> list[dict[str, Any]]:
    found = list(mappings)
    for source, target in _missing(mappings, own):
        # What a function was noted for is made of these columns by it, and of no other.
        place = next((n for n, m in enumerate(found) if _is_plain(m, target)), None)
        if place is None:
            found.append({"fromColumns": [source], "toColumn": target})
        else:
            found[place] = {**found[place], "fromColumns": [*found[place]["fromColumns"], source]}
    return found


def _is_plain(mapping: Mapping[str, Any], target: str) -> bool:
    return mapping["toColumn"] == target and not mapping.get("function")


def _missing(mappings: Sequence[Mapping[str, Any]], own: OwnEdge) -> list[tuple[str, str]]:
    there = {(fqn, m.get("toColumn")) for m in mappings for fqn in m.get("fromColumns") or ()}
    return [pair for pair in dict.fromkeys(own.columns) if pair not in there]
