"""
Questions to OpenMetadata's search index, and what of its answers can be believed.

A filter that the server cannot read is ignored in silence and everything comes back, so that each find is checked. Values are in
lower case, as the index keeps them; whoever asks compares the case.

Source: a real server of 1.6 and the source of ``SearchResource`` and the index's mappings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

PATH = "search/query"
INDEX = "dataAsset"  # an alias over tables, containers and others; names of single indexes differ between versions
TYPES = ("table", "container")
Question = dict[str, "str | int | Sequence[str] | None"]
# What an entity is made of, so that an answer does not carry suggestions and lineage.
FIELDS = (
    *(
        "id",
        "name",
        "fullyQualifiedName",
        "entityType",
        "displayName",
        "description",
        "service",
        "serviceType",
    ),
    *(
        "database",
        "databaseSchema",
        "tableType",
        "columns",
        "dataModel",
        "fullPath",
        "fileFormats",
        "owners",
    ),
    *("tags", "tier", "extension", "entityStatus", "deleted", "updatedAt", "updatedBy", "version"),
)


def named(fqns: Sequence[str]) -> Question:
    """
    Asks for the tables and containers with these FQNs, whatever their case; several of one name differ in it.
    """
    names = sorted({fqn.lower() for fqn in fqns})
    return _question([{"terms": {"fullyQualifiedName": names}}], size=4 * len(names) + 10)


def below(prefix: str, *, size: int) -> Question:
    """
    Asks for the FQNs that begin with *prefix*.
    """
    question = _question([{"prefix": {"fullyQualifiedName": prefix.lower()}}], size=size)
    return question | {
        "include_source_fields": ("fullyQualifiedName", "entityType", "deleted", "id"),
        "sort_field": "fullyQualifiedName",
        "sort_order": "asc",
    }


def counted(service: str) -> Question:
    """
    Asks how many tables and containers a service has.
    """
    prefix = {"prefix": {"fullyQualifiedName": f"{service.lower()}."}}
    return _question([prefix], size=0) | {"track_total_hits": "true"}


def words(text: str, *, size: int, skip: int = 0) -> Question:
    """
    Asks for what *text* describes, best first by the server's own ranking.
    """
    return _question([], text=text, size=size) | {"from": skip}


def last_parts(names: Iterable[str]) -> Question:
    """
    Asks for the tables and containers with one of these names, the last part of their FQNs.
    """
    wanted = sorted({name.lower() for name in names})
    return _question([{"terms": {"name.keyword": wanted}}], size=10 * len(wanted) + 50)


def batches(items: Sequence[str], fits: Callable[[Sequence[str]], bool]) -> Iterator[list[str]]:
    """
    *items* in order, in as few pieces as each *fits* into one request; an item too long for any is a piece by itself.
    """
    start = 0
    while start < len(items):
        # The most that fit are found by halving, since each look makes the whole address.
        low, high = 1, len(items) - start
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(items[start : start + middle]) else (low, middle - 1)
        yield list(items[start : start + low])
        start += low


def _question(must: list[dict[str, Any]], *, size: int, text: str = "") -> Question:
    wanted = [*must, {"terms": {"entityType": TYPES}}, {"term": {"deleted": False}}]
    query = json.dumps(
        {"query": {"bool": {"must": wanted}}}, separators=(",", ":"), ensure_ascii=False
    )
    return {
        "q": text,
        "index": INDEX,
        "size": size,
        "query_filter": query,
        "include_source_fields": FIELDS,
    }
