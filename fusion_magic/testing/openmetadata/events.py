"""
Change events: what happened, oldest first, and who is told.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from .answers import Answer, Json
from .present import present
from .routing import ROUTER, Request
from .state import Entity, new_id

_PARAMETERS = {
    "entityCreated": {"entityCreated"},
    "entityUpdated": {"entityUpdated"},
    "entityRestored": {"entityRestored"},
    "entityDeleted": {"entityDeleted", "entitySoftDeleted"},
}


def record(request: Request, event_type: str, entity: Entity) -> None:
    """
    Keep that *entity* was written, and tell the subscriptions when the answer is on its way.
    """
    if event_type == "entityNoChange" or entity.kind.type == "query":
        return
    told = event(request, event_type, entity)
    request.state.events.append(told)
    request.after += [partial(listener, told) for listener in request.state.listeners]


def event(request: Request, event_type: str, entity: Entity) -> Json:
    """
    The change event of *entity*, which is not kept.
    """
    before = (entity.change or {}).get("previousVersion", entity.version)
    # A hard delete bears the time of the last change before it.
    found: Json = {
        "id": new_id(),
        "eventType": event_type,
        "entityType": entity.kind.type,
        "entityId": entity.id,
        "previousVersion": before,
        "currentVersion": entity.version,
        "userName": request.principal.name,
        "timestamp": entity.updated_at,
        "entity": json.dumps(present(request, entity, ("owners", "tags"))),
    }
    if request.version >= (1, 8):
        found["entityFullyQualifiedName"] = entity.fqn
    if entity.change is not None and event_type != "entityCreated":
        found["changeDescription"] = entity.change
    return found


def rename_last(request: Request, event_type: str) -> None:
    """
    Call what was recorded last by another name: a restore is an update that is told as itself.
    """
    request.state.events[-1]["eventType"] = event_type


@ROUTER.on("GET", "events")
def list_events(request: Request) -> Answer:
    """
    The events of the asked kinds, since the given time.
    """
    since = request.number("timestamp", 0)
    found = [one for one in request.state.events if _is_asked(request, one, since)]
    return Answer(200, {"data": found, "paging": {"total": len(found)}})


def _is_asked(request: Request, told: Json, since: int) -> bool:
    return told["timestamp"] >= since and any(
        told["eventType"] in types and _names(request, parameter, told["entityType"])
        for parameter, types in _PARAMETERS.items()
    )


def _names(request: Request, parameter: str, kind: Any) -> bool:
    asked = request.one(parameter).split(",")
    return "*" in asked or kind in asked
