"""
What a write changes: what survives it, the next version, and the description of the change.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from . import tags
from .answers import Json
from .columns import carry
from .routing import Request
from .state import Entity

# A change by the same person within this time is counted into the last version.
SESSION_MS = 10 * 60 * 1000
_KEPT_FROM_BOTS = ("description", "displayName", "domain", "domains")


def merged(request: Request, entity: Entity, new: Json) -> tuple[Json, bool]:
    """
    What is stored when *new* is put over *entity*.

    Returns:
        The data, and whether a column is gone, which is a major change.
    """
    old, is_bot = entity.data, request.principal.is_bot
    data = dict(new)
    for name in _KEPT_FROM_BOTS if is_bot else ("domain", "domains"):
        if old.get(name):
            data[name] = old[name]
    if is_bot and "extension" in old:
        data["extension"] = old["extension"]
    for name in ("owners", "lifeCycle", "certification"):
        if old.get(name) and not data.get(name):
            data[name] = old[name]
    _merge_tags(request, entity, data)
    _merge_tasks(old, data, is_bot=is_bot)
    return data, _merge_columns(old, data, is_bot=is_bot)


def _merge_tags(request: Request, entity: Entity, data: Json) -> None:
    old = entity.data.get("tags")
    if old or data.get("tags"):
        both = tags.merged(old or [], data.get("tags") or [])
        try:
            tags.check_exclusive(request.state, both)
        except Exception:
            # A real server has taken the old ones away and written the owners before it looks.
            entity.data = {key: value for key, value in entity.data.items() if key != "tags"}
            entity.data.update({key: data[key] for key in ("owners",) if key in data})
            raise
        data["tags"] = both


def _merge_tasks(old: Json, data: Json, *, is_bot: bool) -> None:
    before = {one["name"]: one for one in old.get("tasks", ())}
    for task in data.get("tasks", ()):
        known = before.get(task["name"], {})
        if is_bot and known.get("description"):
            task["description"] = known["description"]


def _merge_columns(old: Json, data: Json, *, is_bot: bool) -> bool:
    def merge(before: Json, after: Json) -> None:
        for name in ("description", "displayName"):
            if before.get(name) and is_bot:
                after[name] = before[name]
        if before.get("tags") or after.get("tags"):
            after["tags"] = tags.merged(before.get("tags", ()), after.get("tags", ()))

    return carry(_columns(old), _columns(data), merge)


def _columns(data: Json) -> Sequence[Json]:
    found = data.get("columns") or (data.get("dataModel") or {}).get("columns") or ()
    return found if isinstance(found, list) else ()


def describe(old: Json, new: Json) -> Json:
    """
    What differs between *old* and *new*: fields that were added, updated and deleted.
    """
    found: Json = {"fieldsAdded": [], "fieldsUpdated": [], "fieldsDeleted": []}
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after or (not before and not after):
            continue
        if name == "columns":
            _describe_columns(before or [], after or [], found)
        elif isinstance(before or after, list):
            _describe_list(name, before or [], after or [], found)
        else:
            _describe_value(name, before, after, found)
    return found


def _describe_value(name: str, before: Any, after: Any, found: Json) -> None:
    if before is None:
        found["fieldsAdded"].append({"name": name, "newValue": after})
    elif after is None:
        found["fieldsDeleted"].append({"name": name, "oldValue": before})
    else:
        found["fieldsUpdated"].append({"name": name, "oldValue": before, "newValue": after})


def _describe_list(name: str, before: list[Any], after: list[Any], found: Json) -> None:
    added = [one for one in after if one not in before]
    gone = [one for one in before if one not in after]
    if added:
        found["fieldsAdded"].append({"name": name, "newValue": json.dumps(added)})
    if gone:
        found["fieldsDeleted"].append({"name": name, "oldValue": json.dumps(gone)})


def _key(column: Json) -> tuple[str, str, str | None]:
    return column["name"].lower(), column["dataType"], column.get("arrayDataType")


def _describe_columns(before: list[Json], after: list[Json], found: Json) -> None:
    old, new = {_key(one): one for one in before}, {_key(one): one for one in after}
    added = [one for at, one in new.items() if at not in old]
    gone = [one for at, one in old.items() if at not in new]
    if added:
        found["fieldsAdded"].append({"name": "columns", "newValue": json.dumps(added)})
    if gone:
        found["fieldsDeleted"].append({"name": "columns", "oldValue": json.dumps(gone)})
    for at in new.keys() & old.keys():
        one, other = old[at], new[at]
        for name in sorted((one.keys() | other.keys()) - {"name", "dataType"}):
            if one.get(name) != other.get(name):
                _describe_value(
                    f"columns.{other['name']}.{name}", one.get(name), other.get(name), found
                )


def is_change(description: Json) -> bool:
    """
    Whether anything differs.
    """
    return any(description[name] for name in ("fieldsAdded", "fieldsUpdated", "fieldsDeleted"))


def next_version(
    entity: Entity, principal: str, now: int, *, is_major: bool, is_patch: bool
) -> float:
    """
    The version after a change; one that a person makes soon after another of their own has the same.
    """
    if (
        is_patch
        and entity.version > 0.1
        and entity.updated_by == principal
        and now - entity.updated_at <= SESSION_MS
        and not entity.is_deleted
    ):
        return entity.version
    return round(entity.version + (1.0 if is_major else 0.1), 1)
