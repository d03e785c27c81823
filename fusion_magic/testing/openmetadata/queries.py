"""
Queries: found by the text they have, and who used them on what.
"""

from __future__ import annotations

import hashlib
from typing import Any

from . import entities
from .answers import Answer, Json, bad_request, conflict, unhandled
from .kinds import BY_TYPE, Kind
from .messages import CLEAN, PLACE, references
from .present import present
from .routing import ROUTER, Request
from .state import Entity, new_id


def checksum(text: str) -> str:
    """
    The name of a query without one.
    """
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _place(request: Request, body: Json) -> tuple[str, Entity | None]:
    service = request.state.named("databaseService", body["service"])
    digest = checksum(body["query"])
    name = body.get("name") or digest
    body |= {"checksum": digest, "processedLineage": bool(body.get("processedLineage"))}
    fqn = f"{service.fqn}.{name}"
    for other in request.state.of_kind("query"):
        if other.data["checksum"] == digest and other.fqn != fqn:
            raise conflict()
    return name, service


def _users(request: Request, _kind: Kind, given: Any) -> Any:
    # Names in a message, references in what was read before.
    names = [one["name"] if isinstance(one, dict) else one for one in given]
    found = [request.state.named("user", name) for name in names]
    return [{"id": one.id, "type": "user"} for one in found]


def _on_table(request: Request, entity: Entity) -> bool:
    wanted = request.one("entityId")
    return any(one["id"] == wanted for one in entity.data.get("queryUsedIn", ()))


PLACE["query"] = _place


def _no_used_by(_request: Request, _kind: Kind, _given: Any) -> Any:
    # What a message says of it is not kept; ``/usedBy`` adds to it.
    return []


def _check_users(_request: Request, entity: Entity, data: Json) -> None:
    if entity.data.get("users") and data.get("users") is None:
        entity.data = {**entity.data, "users": []}
        raise unhandled(
            'Cannot invoke "java.util.List.iterator()" because "updatedFromRefs" is null'
        )
    data.setdefault("usedBy", [])


entities.CHECKS["query"] = _check_users
CLEAN["usedBy"] = _no_used_by
CLEAN["users"] = _users
CLEAN["queryUsedIn"] = references
entities.FILTERS["query", "entityId"] = _on_table
entities.FILTERS["query", "service"] = lambda request, entity: (
    entity.parent is not None and entity.parent.fqn == request.one("service")
)


@ROUTER.on("PUT", "queries/{}/usage")
def add_usage(request: Request, query_id: str) -> Answer:
    """
    Say that the query was used on more entities.
    """
    return _added(
        request, query_id, "queryUsedIn", references(request, BY_TYPE["query"], request.json())
    )


@ROUTER.on("PUT", "queries/{}/users")
def add_users(request: Request, query_id: str) -> Answer:
    """
    Say that more users ran the query.
    """
    return _added(request, query_id, "users", _users(request, BY_TYPE["query"], request.json()))


@ROUTER.on("PUT", "queries/{}/usedBy")
def add_used_by(request: Request, query_id: str) -> Answer:
    """
    Say who else ran the query, by texts.
    """
    given = request.json()
    if not isinstance(given, list):
        raise bad_request("Unable to process JSON")
    return _added(request, query_id, "usedBy", given)


def _added(request: Request, query_id: str, name: str, more: list[Any]) -> Answer:
    request.principal.demand("EditAll")
    query = request.state.get("query", query_id)
    before = query.data.get(name, [])
    data = {**query.data, name: [*before, *(one for one in more if one not in before)]}
    entities.store(request, query, data)
    event: Json = {
        "id": new_id(),
        "eventType": "entityUpdated",
        "entityType": "query",
        "entityId": query.id,
        "entityFullyQualifiedName": query.fqn,
        "previousVersion": query.version,
        "currentVersion": query.version,
        "userName": request.principal.name,
        "timestamp": query.updated_at,
        "entity": present(request, query, (name,)),
    }
    return Answer(201, event)
