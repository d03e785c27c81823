"""
Create messages: what is refused, where the entity goes, and what of the message is stored.

What is peculiar to a property or to a kind is a function in ``CLEAN`` or ``PLACE``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import connections, tags
from .answers import Json, bad_request, not_found, unrecognized
from .columns import check_columns
from .kinds import Kind
from .names import LONGEST_FQN, check_name, child_fqn
from .routing import Request
from .state import Entity
from .versions import select


@dataclass
class Message:
    """
    A create message that was found good.

    Attributes:
        data: What is stored of it.
    """

    kind: Kind
    name: str
    parent: Entity | None
    data: Json

    @property
    def fqn(self) -> str:
        """
        The entity's FQN.
        """
        above = self.data.get("entityFQN") or (self.parent.fqn if self.parent else None)
        return child_fqn(above, self.name)


Clean = Callable[[Request, Kind, Any], Any]
Place = Callable[[Request, Json], tuple[str, Entity | None]]


def read(request: Request, kind: Kind, body: Any) -> Message:
    """
    The message in *body*.

    Raises:
        Refusal: It has an unknown property, lacks one, or names what is not there.
    """
    check_properties(request, kind, body)
    if kind.path.startswith("services/") and "serviceType" in body:
        connections.check_service(kind.type, body, request.version)
    body = dict(body)
    _check_values(request, kind, body)
    place = PLACE.get(kind.type) or partial(_place, kind)
    name, parent = place(request, body)
    check_name(name, request.version)
    left = {key: value for key, value in body.items() if key not in {"name", kind.parent_key}}
    data = clean(request, kind, left)
    if isinstance(data.get("connection"), dict) and "serviceType" in data:
        data["connection"] = connections.completed(data)
    message = Message(kind, name, parent, data)
    if len(message.fqn) > LONGEST_FQN:
        raise bad_request(f"[fullyQualifiedName size must be between 1 and {LONGEST_FQN}]")
    return message


def check_properties(request: Request, kind: Kind, body: Any) -> None:
    """
    Refuse what is no message of that *kind*.

    Raises:
        Refusal: See ``read`` (400).
    """
    if not isinstance(body, dict):
        raise bad_request("Unable to process JSON")
    known = kind.properties(request.version)
    for key in body:
        if key not in known:
            raise unrecognized(key, kind.message, known)
    missing = [key for key in kind.required.split() if body.get(key) is None]
    if missing:
        raise bad_request(f"[{', '.join(f'{key} must not be null' for key in missing)}]")


# Properties that hold one of a few words, or a list of these.
_VALUES = {
    ("container", "fileFormats"): "zip gz zstd csv tsv json parquet avro MF4>=1.8",
    (
        "table",
        "tableType",
    ): "Regular External Dynamic View SecureView MaterializedView Iceberg Local Partitioned Foreign "
    "Transient Stream>=1.7 Stage>=1.11 SemanticView>=2.0",
}


def _check_values(request: Request, kind: Kind, body: Json) -> None:
    for name, given in body.items():
        legal = _VALUES.get((kind.type, name))
        for one in given if isinstance(given, list) else [given]:
            if legal is not None and one is not None and one not in select(legal, request.version):
                raise bad_request(
                    f"Cannot construct instance of `org.openmetadata.schema.type.{name[0].upper()}{name[1:]}`, problem: {one}"
                )


def clean(request: Request, kind: Kind, given: Json) -> Json:
    """
    Properties as they are stored; those that are null are not there.
    """
    return {
        key: CLEAN[key](request, kind, value) if key in CLEAN else value
        for key, value in given.items()
        if value is not None
    }


def _place(kind: Kind, request: Request, body: Json) -> tuple[str, Entity | None]:
    name = body["name"]
    if not kind.parent:
        return name, None
    return name, request.state.named(kind.parent, body[kind.parent_key])


def _place_container(request: Request, body: Json) -> tuple[str, Entity | None]:
    service = request.state.named("storageService", body["service"])
    parent = body.pop("parent", None)
    above = request.state.get("container", parent["id"]) if parent else service
    return body["name"], above


def _place_user(_request: Request, body: Json) -> tuple[str, Entity | None]:
    if "@" not in body["email"]:
        raise bad_request("[email must be a well-formed email address]")
    return body["name"].lower(), None


def references(request: Request, _kind: Kind, given: Any) -> list[Json]:
    """
    References as they are stored: id and type.

    Raises:
        Refusal: One is not there (404).
    """
    found = []
    for one in given:
        if one["id"] not in request.state.by_id:
            raise not_found(one.get("type", "entity"), one["id"])
        found.append({"id": one["id"], "type": request.state.by_id[one["id"]].kind.type})
    return found


def _data_model(request: Request, _kind: Kind, given: Any) -> Any:
    if isinstance(given.get("columns"), list):
        return {**given, "columns": check_columns(given["columns"], request.version)}
    return given


def _domain(request: Request, _kind: Kind, given: Any) -> Any:
    name = given["fullyQualifiedName"] if isinstance(given, dict) else given
    return request.state.named("domain", name).fqn


def _extension(request: Request, kind: Kind, given: Any) -> Any:
    known = {one["name"] for one in request.state.custom_properties.get(kind.type, ())}
    for name in given:
        if name not in known:
            raise bad_request(f"Unknown custom field {name}")
    return given


def _tasks(_request: Request, _kind: Kind, given: Any) -> Any:
    return [
        {key: value for key, value in one.items() if key != "fullyQualifiedName"} for one in given
    ]


CLEAN: dict[str, Clean] = {
    "columns": lambda request, _kind, given: check_columns(given, request.version),
    "dataModel": _data_model,
    "tags": lambda request, _kind, given: tags.labels(request.state, given),
    "owners": references,
    "domain": _domain,
    "domains": lambda request, kind, given: [_domain(request, kind, one) for one in given],
    "extension": _extension,
    "tasks": _tasks,
}
PLACE: dict[str, Place] = {
    "container": _place_container,
    "user": _place_user,
}
