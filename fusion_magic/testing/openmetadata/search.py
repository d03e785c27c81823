"""
Search over what the index holds, which may lag behind what is stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .answers import Answer, Json
from .filters import Filters, Test, UnreadableFilter, plain, walk, words_of
from .kinds import BY_TYPE
from .present import present
from .routing import ROUTER, Request
from .state import Entity
from .versions import words

_FIELDS = words(
    "owners tags followers usageSummary extension domain domains certification dataModel tasks schemaDefinition parent"
)
_DATA_ASSETS = (
    "table",
    "container",
    "pipeline",
    "dashboard",
    "query",
    "database",
    "databaseSchema",
)
_BELOW = {
    "database": ("database", "databaseSchema", "table"),
    "databaseSchema": ("databaseSchema", "table"),
}
_INDEX = re.compile(r"^(?P<name>\w+?)_search_index$")
# The first that an index holds by its scheme of 10,000 hits.
WINDOW = 10_000


def kinds_of(index: str) -> tuple[str, ...]:
    """
    The kinds of entities that *index* holds; an alias holds what is below its kind, too.
    """
    if index in {"all", "dataAsset", ""}:
        return _DATA_ASSETS
    found = _INDEX.match(index)
    if found is not None:
        name = re.sub(r"_(\w)", lambda one: one[1].upper(), found["name"])
        return (name,) if name in BY_TYPE else ()
    return _BELOW.get(index, (index,) if index in BY_TYPE else ())


def document(request: Request, entity: Entity) -> Json:
    """
    What the index holds of *entity*.
    """
    found = present(request, entity, _FIELDS & entity.kind.fields(request.version))
    tags = found.get("tags", [])
    tier = next((tag for tag in tags if tag["tagFQN"].startswith("Tier.")), None)
    found["tags"] = [tag for tag in tags if tag is not tier]
    columns = found.get("columns") or (found.get("dataModel") or {}).get("columns") or []
    return {
        **found,
        "entityType": entity.kind.type,
        "columnNames": [column["name"] for column in columns],
        **({"tier": tier} if tier else {}),
    }


@ROUTER.on("GET", "search/query")
def search(request: Request) -> Answer:
    """
    Hits of a text and a filter.
    """
    request.principal.demand("ViewBasic")
    entities = _matching(request)
    score = _scorer(request.one("q") or "*")
    scored = [(points, entity) for entity in entities if (points := score(entity)) > 0]
    ordered = _ordered(request, scored)
    total, shown = len(ordered), _window(request, ordered)
    hits = [_hit(request, points, entity) for points, entity in shown]
    return Answer(200, _result(hits, total, request))


def _matching(request: Request) -> Iterable[Entity]:
    filters = Filters(lambda entity: document(request, entity))
    tests = [_deleted(request)]
    queries = [_query(request.one(name)) for name in ("query_filter", "post_filter")]
    for query in queries:
        try:
            if query is not None:
                tests.append(filters.compile(query))
        except UnreadableFilter:
            continue
    kinds = kinds_of(request.one("index", "table_search_index"))
    named = next((names for query in queries if (names := named_in(query)) is not None), None)
    return [one for one in _indexed(request, kinds, named) if all(test(one) for test in tests)]


def _query(text: str) -> Any:
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return found.get("query") if isinstance(found, dict) else None


def _deleted(request: Request) -> Test:
    """
    Newer servers show the deleted, too, unless they are told not to.
    """
    given = request.one("deleted")
    if not given and request.version >= (1, 8):
        return lambda _entity: True
    return lambda entity: entity.is_deleted == (given.lower() == "true")


def named_in(query: Any) -> list[str] | None:
    """
    The FQNs that *query* is about alone, so that few are found without looking at all.
    """
    if not isinstance(query, dict):
        return None
    for name in ("terms", "term"):
        given = (query.get(name) or {}).get("fullyQualifiedName")
        if given is not None:
            value = given.get("value") if isinstance(given, dict) else given
            return [plain(one) for one in (value if isinstance(value, list) else [value])]
    inside = query.get("bool") or {}
    for one in _listed(inside.get("must")) + _listed(inside.get("filter")):
        found = named_in(one)
        if found is not None:
            return found
    return None


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]


def _indexed(request: Request, kinds: tuple[str, ...], named: list[str] | None) -> Iterator[Entity]:
    state = request.state
    if named is not None and not state.unseen:
        for name in dict.fromkeys(named):
            yield from (one for one in state.by_lower.get(name, ()) if one.kind.type in kinds)
        return
    for kind in kinds:
        for entity in state.of_kind(kind):
            if entity.id not in state.unseen:
                yield entity
    yield from (one for one in state.unseen.values() if one is not None and one.kind.type in kinds)


Scorer = Callable[[Entity], float]


def _scorer(text: str) -> Scorer:
    """
    How well an entity fits *text*: its name above its columns, those above its description.
    """
    wanted = text.strip().lower()
    if wanted in {"*", "**", ""}:
        return lambda _entity: 1.0
    if ":" in wanted:
        return _field_scorer(wanted)
    words = [word.strip("*") for word in wanted.replace('"', " ").split() if word.strip("*")]
    return lambda entity: _points(entity, words)


def _field_scorer(wanted: str) -> Scorer:
    field, _, value = wanted.partition(":")
    test = Filters(lambda entity: entity.data).compile(
        {"wildcard": {field.strip(): value.strip().strip('"')}}
    )
    return lambda entity: float(test(entity))


def _points(entity: Entity, words: list[str]) -> float:
    title = f"{entity.name} {entity.data.get('displayName', '')}".lower()
    columns = " ".join(str(one) for one in walk(entity.data.get("columns", []), ["name"])).lower()
    rest = f"{entity.data.get('description', '')} {entity.fqn}".lower()
    total = 0.0
    for word in words:
        exact = word in words_of(title)
        found = (
            10.0 * exact or 5.0 * (word in title) or 2.0 * (word in columns) or 1.0 * (word in rest)
        )
        total += found
    return total


def _ordered(request: Request, scored: list[tuple[float, Entity]]) -> list[tuple[float, Entity]]:
    field = request.one("sort_field", "_score")
    is_down = request.one("sort_order", "desc") == "desc"
    if field == "_score":
        return sorted(scored, key=lambda one: one[0], reverse=is_down)
    return sorted(scored, key=lambda one: sort_value(one[1], field), reverse=is_down)


def sort_value(entity: Entity, field: str) -> Any:
    """
    What an entity is sorted by.
    """
    match field.removesuffix(".keyword"):
        case "fullyQualifiedName":
            return entity.fqn.lower()
        case "name":
            return entity.name.lower()
        case "updatedAt":
            return entity.updated_at
        case other:
            return str(entity.data.get(other, "")).lower()


def _window(request: Request, ordered: list[tuple[float, Entity]]) -> list[tuple[float, Entity]]:
    start, size = request.number("from", 0), request.number("size", 10)
    if "search_after" in request.query and request.one("search_after"):
        field = request.one("sort_field", "_score")
        last = ",".join(request.query["search_after"])
        is_down = request.one("sort_order", "desc") == "desc"
        values = [str(sort_value(entity, field)) for _, entity in ordered]
        start = sum(value >= last if is_down else value <= last for value in values)
    return ordered[start : start + size]


def _hit(request: Request, points: float, entity: Entity) -> Json:
    field = request.one("sort_field", "_score")
    hit: Json = {
        "_index": re.sub(r"([A-Z])", r"_\1", entity.kind.type).lower() + "_search_index",
        "_id": entity.id,
        "_score": points if field == "_score" else None,
        "_source": _source(request, entity),
    }
    if field != "_score":
        hit["sort"] = [sort_value(entity, field)]
    return hit


def _source(request: Request, entity: Entity) -> Json:
    if request.one("fetch_source", "true").lower() == "false":
        return {}
    wanted = request.query.get("include_source_fields", [])
    if wanted == ["fullyQualifiedName"]:
        return {"fullyQualifiedName": entity.fqn}
    found = document(request, entity)
    unwanted = request.query.get("exclude_source_fields", [])
    return {
        name: value
        for name, value in found.items()
        if (not wanted or name in wanted) and name not in unwanted
    }


def _result(hits: list[Json], total: int, request: Request) -> Json:
    is_counted = request.flag("track_total_hits")
    count = total if is_counted else min(total, WINDOW)
    relation = "eq" if count == total else "gte"
    best = max((hit["_score"] for hit in hits if hit["_score"] is not None), default=None)
    return {
        "took": 1,
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": count, "relation": relation}, "max_score": best, "hits": hits},
        "aggregations": {},
    }


@ROUTER.on("GET", "search/fieldQuery")
def search_field(request: Request) -> Answer:
    """
    The first ten entities whose field fits a value with wildcards.
    """
    filters = Filters(lambda entity: document(request, entity))
    field, value = request.one("fieldName"), request.one("fieldValue")
    tests = [filters.compile({"wildcard": {field: value}}), _deleted(request)]
    kinds = kinds_of(request.one("index", "table_search_index"))
    named = None if "*" in value or field != "fullyQualifiedName" else [value.lower()]
    found = [one for one in _indexed(request, kinds, named) if all(test(one) for test in tests)]
    hits = [_hit(request, 1.0, entity) for entity in found[:10]]
    return Answer(200, _result(hits, len(found), request))
