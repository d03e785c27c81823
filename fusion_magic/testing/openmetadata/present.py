"""
Entities as answers: references filled in, fields that were asked for, secrets masked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from .answers import Json, bad_request
from .columns import present_columns
from .connections import masked
from .kinds import ASKED, EMPTY_LISTS, REFERENCES, Kind
from .names import child_fqn
from .routing import Request
from .state import Entity, State

_VOTES: Json = {"upVotes": 0, "downVotes": 0, "upVoters": [], "downVoters": []}
_SERVICES = ("databaseService", "storageService", "pipelineService", "dashboardService")


def reference(entity: Entity, url: str = "") -> Json:
    """
    How others name *entity*.
    """
    found: Json = {
        "id": entity.id,
        "type": entity.kind.type,
        "name": entity.name,
        "fullyQualifiedName": entity.fqn,
        "deleted": entity.is_deleted,
    }
    for name in ("description", "displayName"):
        if entity.data.get(name):
            found[name] = entity.data[name]
    # References show the name twice where there is no other.
    found.setdefault("displayName", entity.name)
    if url:
        found["href"] = href(entity, url)
    return found


def href(entity: Entity, url: str) -> str:
    return f"{url}/v1/{entity.kind.path}/{entity.id}"


# What the right to see an entity alone does not show.
_RIGHTS = {"usageSummary": "ViewUsage", "testSuite": "ViewTests"}


def fields_of(request: Request, kind: Kind) -> frozenset[str]:
    """
    The fields that are asked for.

    Raises:
        Refusal: This version's entity has no such field (400), or who asks may not see it (403).
    """
    legal = kind.fields(request.version)
    asked = [name.strip() for name in request.one("fields").split(",") if name.strip()]
    if "*" in asked:
        return legal
    for name in asked:
        if name not in legal:
            raise bad_request(f"Invalid field name {name}")
    for name in asked:
        if name in _RIGHTS:
            request.principal.demand(_RIGHTS[name])
    return frozenset(asked)


def present(request: Request, entity: Entity, fields: Collection[str] = ()) -> Json:
    """
    *entity* as an answer.

    Args:
        request: What is answered; it tells who asks and where the server is.

        entity: What is shown.

        fields: What is shown besides that which always is.
    """
    legal = entity.kind.fields(request.version)
    shown = {
        **heading(entity, request.url),
        **ancestors(entity, request.url, fields),
        **_own(request, entity, fields),
    }
    for name in fields:
        if name in ASKED and name in legal and name not in shown:
            value = _asked(request, entity, name)
            if value is not None:
                shown[name] = value
    return shown


def heading(entity: Entity, url: str) -> Json:
    """
    What every entity has.
    """
    found = {
        "id": entity.id,
        "name": entity.name,
        "fullyQualifiedName": entity.fqn,
        "version": entity.version,
        "updatedAt": entity.updated_at,
        "updatedBy": entity.updated_by,
        "href": href(entity, url),
        "deleted": entity.is_deleted,
    }
    if entity.kind.type in {"query", "eventsubscription"}:
        del found["deleted"]
    if entity.kind.type == "database":
        found["default"] = False
    if entity.change is not None:
        found["changeDescription"] = entity.change
    return found


def ancestors(entity: Entity, url: str, fields: Collection[str] = ()) -> Json:
    """
    References to what is above *entity*.
    """
    found: Json = {}
    above = entity.parent
    while above is not None:
        kind = above.kind.type
        if kind in _SERVICES:
            found["service"] = reference(above, url)
            if entity.kind.type not in {"query", "ingestionPipeline"}:
                found["serviceType"] = above.data["serviceType"]
        elif kind in {entity.kind.type, "tag"}:
            if "parent" in fields:
                found.setdefault("parent", reference(above, url))
        else:
            found.setdefault(kind, reference(above, url))
        above = above.parent
    return found


def _own(request: Request, entity: Entity, fields: Collection[str]) -> Json:
    shown: Json = {}
    for name, value in entity.data.items():
        if name in ASKED and name not in fields:
            continue
        shown[name] = _value(request, entity, name, value, fields)
    return {name: value for name, value in shown.items() if value is not None}


def _value(request: Request, entity: Entity, name: str, value: Any, fields: Collection[str]) -> Any:
    if name in REFERENCES:
        return [expanded(request.state, one, request.url) for one in value]
    if name == "columns":
        columns = present_columns(value, entity.fqn, with_tags="tags" in fields)
        return [{"dataTypeDisplay": one["dataType"].lower(), **one} for one in columns]
    if name == "dataModel" and isinstance(value.get("columns"), list):
        columns = present_columns(value["columns"], entity.fqn, with_tags="tags" in fields)
        return {**value, "columns": columns}
    if name == "tasks":
        return [{**one, "fullyQualifiedName": child_fqn(entity.fqn, one["name"])} for one in value]
    if name == "connection":
        return value if request.principal.is_bot else masked(value)
    return _reference_value(request, name, value)


def _reference_value(request: Request, name: str, value: Any) -> Any:
    if name == "domain" and isinstance(value, str):
        found = request.state.find("domain", value)
        return reference(found, request.url) if found else None
    if name == "domains":
        found_all = [request.state.find("domain", one) for one in value]
        return [reference(one, request.url) for one in found_all if one]
    if isinstance(value, dict) and set(value) == {"id", "type"}:
        return expanded(request.state, value, request.url)
    return value


def expanded(state: State, given: Json, url: str) -> Json:
    """
    A reference of id and type with the rest.
    """
    found = state.by_id.get(given["id"])
    return reference(found, url) if found else given


def _asked(request: Request, entity: Entity, name: str) -> Any:
    if name in {"children", "tables", "databaseSchemas"}:
        return [reference(one, request.url) for one in (entity.children or {}).values()]
    if name in {"owners", "domain", "domains"}:
        return _inherited(request, entity, name)
    if name == "votes":
        return dict(_VOTES)
    value = (entity.facts or {}).get(name)
    if value is not None:
        return value() if callable(value) else value
    if name in {"usageSummary", "joins"}:
        return _no_usage() if name == "usageSummary" else _no_joins()
    return [] if name in EMPTY_LISTS else None


def _inherited(request: Request, entity: Entity, name: str) -> Any:
    above = entity.parent
    while above is not None:
        value = above.data.get(name)
        if value:
            shown = _value(request, above, name, value, ())
            many = shown if isinstance(shown, list) else [shown]
            marked = [{**one, "inherited": True} for one in many]
            return marked if isinstance(shown, list) else marked[0]
        above = above.parent
    return [] if name in EMPTY_LISTS else None


def _no_usage() -> Json:
    none = {"count": 0, "percentileRank": 0.0}
    return {
        "dailyStats": none,
        "weeklyStats": none,
        "monthlyStats": none,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def _no_joins() -> Json:
    first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=30)
    return {
        "startDate": first.isoformat(),
        "dayCount": 30,
        "columnJoins": [],
        "directTableJoins": [],
    }
