"""
What all kinds of entities answer alike: create, put, patch, get, list, versions, delete and restore.
"""

from __future__ import annotations

import base64
import json
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from . import changes, events, messages
from .answers import (
    Answer,
    Json,
    Refusal,
    bad_request,
    conflict,
    not_found,
    unhandled,
    unrecognized,
)
from .json_patch import apply_patch
from .kinds import KINDS, Kind
from .messages import Message
from .present import fields_of, present
from .routing import ROUTER, Request
from .state import Entity, new_id
from .versions import words

LONGEST_LIST = 1_000_000

# What a list is cut down by, for the kinds that know the parameter; a table's ``service`` is not among them.
Filter = Callable[[Request, Entity], bool]
FILTERS: dict[tuple[str, str], Filter] = {}
# What happens besides, when an entity of that kind was written.
WRITTEN: dict[str, Callable[[Request, Entity], None]] = {}
# What a PUT over an entity of that kind must not lack.
CHECKS: dict[str, Callable[[Request, Entity, Json], None]] = {}
# The fields that the answer to a write has.
_WRITE_FIELDS = words(
    "owners extension tasks domain domains users usedBy queryUsedIn schemaDefinition tableConstraints dataModel parent"
)


def create(request: Request, message: Message) -> Entity:
    """
    Make the entity of *message*.
    """
    state = request.state
    entity = Entity(
        message.kind, new_id(), message.name, message.fqn, message.parent, message.data, state.now(),
        request.principal.name,
    )  # fmt: skip
    state.add(entity)
    _written(request, entity)
    events.record(request, "entityCreated", entity)
    return entity


def _written(request: Request, entity: Entity) -> None:
    if entity.kind.type in WRITTEN:
        WRITTEN[entity.kind.type](request, entity)


def written_answer(request: Request, entity: Entity) -> Json:
    """
    *entity* as the answer to a write has it.
    """
    more = {"testDefinition", "testSuite"} if entity.kind.type == "testCase" else set()
    return present(request, entity, _WRITE_FIELDS | more)


def _post(kind: Kind, request: Request) -> Answer:
    request.principal.demand("Create")
    message = messages.read(request, kind, request.json())
    if request.state.find(kind.type, message.fqn) is not None:
        raise conflict()
    entity = create(request, message)
    return Answer(201, written_answer(request, entity))


def _put(kind: Kind, request: Request) -> Answer:
    status, entity = put(request, kind, request.json())
    return Answer(status, written_answer(request, entity))


def put(request: Request, kind: Kind, body: Any) -> tuple[int, Entity]:
    """
    Create or update from *body*.

    Returns:
        201 or 200, and the entity.
    """
    message = messages.read(request, kind, body)
    entity = request.state.find(kind.type, message.fqn)
    if entity is None:
        request.principal.demand("Create")
        return 201, create(request, message)
    request.principal.demand("EditAll")
    if kind.type in CHECKS:
        CHECKS[kind.type](request, entity, message.data)
    data, is_major = changes.merged(request, entity, message.data)
    was_deleted = entity.is_deleted
    if was_deleted:
        _set_deleted(request, entity, is_deleted=False)
    store(request, entity, data, is_major=is_major, is_restored=was_deleted)
    return 200, entity


def store(
    request: Request,
    entity: Entity,
    data: Json,
    *,
    is_major: bool = False,
    is_patch: bool = False,
    is_restored: bool = False,
) -> None:
    """
    Let *entity* hold *data*, with the next version where that is a change.
    """
    change = changes.describe(entity.data, data)
    if is_restored:
        change["fieldsUpdated"].append({"name": "deleted", "oldValue": True, "newValue": False})
    request.state.touch(entity)
    if not changes.is_change(change):
        events.record(request, "entityNoChange", entity)
        return
    _keep_version(request, entity)
    now, user = request.state.now(), request.principal.name
    change["previousVersion"] = entity.version
    entity.version = changes.next_version(entity, user, now, is_major=is_major, is_patch=is_patch)
    entity.data, entity.change = data, change
    entity.updated_at, entity.updated_by = now, user
    _written(request, entity)
    events.record(request, "entityUpdated", entity)


def _keep_version(request: Request, entity: Entity) -> None:
    if entity.history is None:
        entity.history = []
    entity.history.append(
        present(request, entity, entity.kind.fields(request.version) & {"owners", "tags"})
    )


def by_id(request: Request, kind: Kind, entity_id: str) -> Entity:
    """
    The entity that a path names by id, as ``include`` allows.
    """
    check_id(entity_id)
    found = request.state.by_id.get(entity_id)
    return _included(request, kind, found, entity_id)


def check_id(text: str) -> None:
    """
    Refuse what is no UUID, as a route that is not there.

    Raises:
        Refusal: It is none.
    """
    try:
        uuid.UUID(text)
    except ValueError:
        raise unhandled("HTTP 404 Not Found") from None


def by_name(request: Request, kind: Kind, fqn: str) -> Entity:
    """
    The entity that a path names by FQN, as ``include`` allows.
    """
    return _included(request, kind, request.state.find(kind.type, fqn), fqn)


def _included(request: Request, kind: Kind, found: Entity | None, name: str) -> Entity:
    include = request.one("include", "non-deleted")
    if found is None or found.kind is not kind or not _is_included(found, include):
        raise not_found(kind.type, name)
    return found


def _is_included(entity: Entity, include: str) -> bool:
    return include == "all" or entity.is_deleted == (include == "deleted")


Finder = Callable[[Request, Kind, str], Entity]


def _get(kind: Kind, find: Finder, request: Request, name: str) -> Answer:
    request.principal.demand("ViewBasic")
    fields = fields_of(request, kind)
    entity = find(request, kind, name)
    return tagged(request, entity, present(request, entity, fields))


def tagged(request: Request, entity: Entity, body: Json) -> Answer:
    """
    An answer with the ETag that newer servers give.
    """
    if request.version < (1, 9):
        return Answer(200, body)
    tag = f'W/"{entity.version}"'
    if request.version >= (2, 0) and request.header("If-None-Match") == tag:
        return Answer(304, None, {"ETag": tag, "Cache-Control": "no-store"})
    return Answer(200, body, {"ETag": tag})


def _list(kind: Kind, request: Request) -> Answer:
    request.principal.demand("ViewBasic")
    fields = fields_of(request, kind)
    limit = request.number("limit", 10)
    if not 0 <= limit <= LONGEST_LIST:
        side = (
            "greater than or equal to 0" if limit < 0 else f"less than or equal to {LONGEST_LIST}"
        )
        raise bad_request(f"[query param limit must be {side}]")
    found = list(_filtered(request, kind))
    return Answer(200, page(found, limit, request, lambda one: present(request, one, fields)))


def page(found: list[Entity], limit: int, request: Request, show: Callable[[Entity], Json]) -> Json:
    """
    One page of *found*, which is in order.
    """
    if request.one("after") and request.one("before"):
        raise bad_request("Only one of before or after query parameter allowed")
    start = _after(found, request.one("after")) if request.one("after") else 0
    if request.one("before"):
        start = max(0, _after(found, request.one("before")) - 1 - limit)
    shown = found[start : start + limit]
    paging: Json = {"total": len(found)}
    if start + limit < len(found) and shown:
        paging["after"] = _cursor(shown[-1])
    if start and shown:
        paging["before"] = _cursor(shown[0])
    return {"data": [show(one) for one in shown], "paging": paging}


def _cursor(entity: Entity) -> str:
    text = json.dumps({"name": entity.name, "id": entity.id})
    return base64.b64encode(text.encode()).decode()


def _after(found: list[Entity], cursor: str) -> int:
    try:
        last = json.loads(base64.b64decode(cursor, validate=True))
        key = (last["name"], last["id"])
    except (ValueError, KeyError, TypeError):
        raise Refusal(
            500,
            "An exception with message [Failed to process JSON ] was thrown while processing request.",
        ) from None
    return bisect_right(found, key, key=lambda one: (one.name, one.id))


def _filtered(request: Request, kind: Kind) -> Iterator[Entity]:
    include = request.one("include", "non-deleted")
    tests = [FILTERS[kind.type, name] for name in request.query if (kind.type, name) in FILTERS]
    for entity in _candidates(request, kind):
        if _is_included(entity, include) and all(test(request, entity) for test in tests):
            yield entity


def _candidates(request: Request, kind: Kind) -> Iterable[Entity]:
    """
    Those below the named schema or database, so that a list of few does not walk through many.
    """
    for above in ("databaseSchema", "database"):
        if above in request.query and kind.parent:
            parent = request.state.find(above, request.one(above))
            below = _below(parent, kind) if parent else ()
            return sorted(below, key=lambda one: (one.name, one.id))
    return request.state.of_kind(kind.type)


def _below(entity: Entity, kind: Kind) -> Iterator[Entity]:
    for child in (entity.children or {}).values():
        if child.kind is kind:
            yield child
        yield from _below(child, kind)


def _by_service(request: Request, entity: Entity) -> bool:
    above = entity.parent
    while above is not None and above.parent is not None:
        above = above.parent
    return above is not None and above.fqn == request.one("service")


for _kind in (
    "database",
    "databaseSchema",
    "container",
    "pipeline",
    "dashboard",
    "ingestionPipeline",
):
    FILTERS[_kind, "service"] = _by_service
FILTERS["container", "root"] = lambda request, entity: (
    not request.flag("root") or entity.parent is None or entity.parent.kind.type == "storageService"
)


def _patch(kind: Kind, find: Finder, request: Request, name: str) -> Answer:
    entity = find(request, kind, name)
    operations = request.json()
    for operation in _needed(operations):
        request.principal.demand(operation)
    _check_match(request, entity)
    fields = kind.fields(request.version)
    before = present(request, entity, fields)
    after = apply_patch(before, operations)
    _patched(request, entity, before, after)
    # What a person sees masked must not hide what they may see otherwise.
    shown = fields - {"usageSummary", "joins", "testSuite", "children"}
    return tagged(request, entity, present(request, entity, shown))


def _patched(request: Request, entity: Entity, before: Json, after: Any) -> None:
    legal = entity.kind.fields(request.version)
    for name in after:
        if name not in legal:
            raise unrecognized(name, f"entity.data.{entity.kind.type.capitalize()}", legal)
    settable = (legal & entity.kind.properties(request.version)) | {
        "certification",
        "pipelineStatus",
    }
    changed = {
        name: after.get(name)
        for name in (before.keys() | after.keys()) & settable - {"name", entity.kind.parent_key}
        if before.get(name) != after.get(name)
    }
    data = {name: value for name, value in entity.data.items() if name not in changed}
    data.update(messages.clean(request, entity.kind, changed))
    gone = (
        changes.merged(request, entity, {"columns": data["columns"]})[1]
        if "columns" in changed
        else False
    )
    store(request, entity, data, is_major=gone, is_patch=True)


_PATCH_RIGHTS = {
    "description": "EditDescription",
    "displayName": "EditDisplayName",
    "tags": "EditTags",
    "owners": "EditOwners",
    "extension": "EditCustomFields",
}


def _needed(operations: Any) -> list[str]:
    """
    The rights that a patch needs, by what its paths change; columns' paths name it last.
    """
    if not isinstance(operations, list):
        raise bad_request("Unable to process JSON")
    found = set()
    for one in operations:
        parts = str(one.get("path", "")).split("/")
        names = [part for part in parts if part in _PATCH_RIGHTS]
        found.add(_PATCH_RIGHTS[names[0]] if names else "EditAll")
    return sorted(found)


def _check_match(request: Request, entity: Entity) -> None:
    wanted = request.header("If-Match")
    if wanted and request.version >= (1, 9) and wanted != f'W/"{entity.version}"':
        raise Refusal(412, "The entity was changed by somebody else. Read it again.")


def _delete(kind: Kind, find: Finder, request: Request, name: str) -> Answer:
    request.principal.demand("Delete")
    is_hard = request.flag("hardDelete") or not kind.is_soft
    found = request.state.by_id.get(name) if find is by_id else request.state.find(kind.type, name)
    if found is None or found.kind is not kind:
        raise not_found(kind.type, name)
    if not request.flag("recursive") and any(
        not one.is_deleted or is_hard for one in (found.children or {}).values()
    ):
        raise bad_request(f"{kind.type} is not empty")
    delete(request, found, is_hard=is_hard)
    return Answer(200, present(request, found, ("owners",)))


def delete(request: Request, entity: Entity, *, is_hard: bool) -> None:
    """
    Mark *entity* and what is below it as deleted, or forget them.
    """
    if is_hard:
        events.record(request, "entityDeleted", entity)
        _forget(request, entity)
    else:
        _keep_version(request, entity)
        _set_deleted(request, entity, is_deleted=True)
        change = {"name": "deleted", "oldValue": False, "newValue": True}
        entity.change = {
            "fieldsAdded": [], "fieldsUpdated": [change], "fieldsDeleted": [], "previousVersion": entity.version,
        }  # fmt: skip
        entity.version = round(entity.version + 0.1, 1)
        events.record(request, "entitySoftDeleted", entity)


def _forget(request: Request, entity: Entity) -> None:
    for child in list((entity.children or {}).values()):
        _forget(request, child)
    request.state.remove(entity)
    entity.is_deleted = True


def _set_deleted(request: Request, entity: Entity, *, is_deleted: bool) -> None:
    for child in (entity.children or {}).values():
        _set_deleted(request, child, is_deleted=is_deleted)
    if entity.is_deleted != is_deleted:
        request.state.touch(entity)
        entity.is_deleted = is_deleted
        entity.updated_at, entity.updated_by = request.state.now(), request.principal.name


def _restore(kind: Kind, request: Request) -> Answer:
    request.principal.demand("EditAll")
    entity = request.state.get(kind.type, request.json()["id"], is_any=True)
    if not entity.is_deleted:
        raise unhandled('Cannot invoke "PutResponse.getEntity()" because "response" is null')
    _set_deleted(request, entity, is_deleted=False)
    store(request, entity, entity.data, is_restored=True)
    events.rename_last(request, "entityRestored")
    return Answer(200, present(request, entity, ("owners",)))


def _versions(kind: Kind, request: Request, entity_id: str) -> Answer:
    entity = request.state.get(kind.type, entity_id, is_any=True)
    found = [present(request, entity, ("owners", "tags")), *reversed(entity.history or [])]
    return Answer(200, {"entityType": kind.type, "versions": [json.dumps(one) for one in found]})


def _version(kind: Kind, request: Request, entity_id: str, version: str) -> Answer:
    entity = request.state.get(kind.type, entity_id, is_any=True)
    found = [present(request, entity, ("owners", "tags")), *reversed(entity.history or [])]
    for one in found:
        if str(one["version"]) == version:
            return Answer(200, one)
    raise Refusal(404, f"{kind.type} instance for {entity_id} and version {version} not found")


def _bulk(kind: Kind, request: Request) -> Answer:
    done, failed = [], []
    for body in request.json():
        try:
            status, entity = put(request, kind, body)
            done.append({"request": entity.fqn, "status": status})
        except Refusal as error:
            failed.append(
                {"request": body.get("name"), "message": str(error), "status": error.status}
            )
    outcome = "success" if not failed else "partialSuccess" if done else "failure"
    counts = {
        "numberOfRowsProcessed": len(done) + len(failed), "numberOfRowsPassed": len(done), "numberOfRowsFailed": len(failed),
    }  # fmt: skip
    return Answer(
        200,
        {
            "dryRun": False,
            "status": outcome,
            **counts,
            "successRequest": done,
            "failedRequest": failed,
        },
    )


def register(kind: Kind) -> None:
    """
    Let the routes of that *kind* be answered.
    """
    path = kind.path
    ROUTER.on("GET", path)(partial(_list, kind))
    ROUTER.on("POST", path)(partial(_post, kind))
    ROUTER.on("PUT", path)(partial(_put, kind))
    ROUTER.on("GET", f"{path}/{{}}")(partial(_get, kind, by_id))
    ROUTER.on("GET", f"{path}/name/{{}}")(partial(_get, kind, by_name))
    ROUTER.on("PATCH", f"{path}/{{}}")(partial(_patch, kind, by_id))
    ROUTER.on("PATCH", f"{path}/name/{{}}")(partial(_patch, kind, by_name))
    ROUTER.on("DELETE", f"{path}/{{}}")(partial(_delete, kind, by_id))
    ROUTER.on("DELETE", f"{path}/name/{{}}")(partial(_delete, kind, by_name))
    ROUTER.on("GET", f"{path}/{{}}/versions")(partial(_versions, kind))
    ROUTER.on("GET", f"{path}/{{}}/versions/{{}}")(partial(_version, kind))
    if kind.is_soft:
        ROUTER.on("PUT", f"{path}/restore")(partial(_restore, kind))
    ROUTER.on("PUT", f"{path}/bulk", since=(1, 11))(partial(_bulk, kind))


for _each in KINDS:
    register(_each)
