"""
Types of entities and the properties that an installation gives them.
"""

from __future__ import annotations

import uuid

from .answers import Answer, Json, not_found
from .routing import ROUTER, Request
from .state import State

TYPES = ("table", "database", "databaseSchema", "container", "pipeline", "dashboard")
_SPACE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def type_id(name: str) -> str:
    """
    The id of a type, the same on each start.
    """
    return str(uuid.uuid5(_SPACE, name))


def _shown(state: State, name: str, url: str) -> Json:
    return {
        "id": type_id(name),
        "name": name,
        "fullyQualifiedName": name,
        "displayName": name,
        "category": "field" if name not in TYPES else "entity",
        "nameSpace": "data",
        "customProperties": state.custom_properties.get(name, []),
        "version": 0.1,
        "href": f"{url}/v1/metadata/types/{type_id(name)}",
        "schema": "{}",
    }


_FIELDS = ("string", "integer", "markdown", "timestamp", "enum", "entityReference")


@ROUTER.on("GET", "metadata/types/name/{}")
def get_type(request: Request, name: str) -> Answer:
    """
    A type with its properties; services have none.
    """
    if name not in (*TYPES, *_FIELDS):
        raise not_found("type", name)
    return Answer(200, _shown(request.state, name, request.url))


@ROUTER.on("PUT", "metadata/types/{}")
def put_property(request: Request, entity_type: str) -> Answer:
    """
    Give a type one property more.
    """
    request.principal.demand("EditAll")
    name = next((one for one in TYPES if type_id(one) == entity_type), None)
    if name is None:
        raise not_found("type", entity_type)
    body = request.json()
    add_property(
        request.state, name, body["name"], body.get("description", ""), body["propertyType"]
    )
    return Answer(200, _shown(request.state, name, request.url))


def add_property(state: State, entity_type: str, name: str, description: str, kind: Json) -> None:
    """
    Let entities of a type have the property *name*.
    """
    known = state.custom_properties.setdefault(entity_type, [])
    known[:] = [one for one in known if one["name"] != name]
    known.append({"name": name, "description": description, "propertyType": kind})
