"""
JSON Patch (RFC 6902) on plain JSON values.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from .answers import unhandled


def apply_patch(document: Any, operations: Sequence[Any]) -> Any:
    """
    *document* after *operations*; the one given stays as it is.

    Args:
        document: A JSON value.

        operations: As RFC 6902 has them; ``move`` and ``copy`` with ``from``.

    Returns:
        A new value.

    Raises:
        Refusal: A path is not there, or a ``test`` fails; a real server answers both with 500.
    """
    root = {"": copy.deepcopy(document)}
    for operation in operations:
        path = ["", *_parts(operation["path"])]
        match operation["op"]:
            case "add":
                _add(root, path, operation.get("value"))
            case "remove":
                _remove(root, path)
            case "replace":
                _replace(root, path, operation.get("value"))
            case "test":
                if _find(root, path) != operation.get("value"):
                    raise unhandled(f"The JSON Patch operation 'test' failed for path {path}")
            case "move" | "copy" as name:
                _move(root, ["", *_parts(operation["from"])], path, is_copy=name == "copy")
            case other:
                raise unhandled(f"Illegal value for the op member of the JSON Patch: '{other}'")
    return root[""]


def _parts(pointer: str) -> list[str]:
    return [one.replace("~1", "/").replace("~0", "~") for one in pointer.split("/")[1:]]


def _step(value: Any, part: str) -> Any:
    try:
        return value[int(part)] if isinstance(value, list) else value[part]
    except (KeyError, IndexError, ValueError, TypeError):
        raise unhandled(f"The JSON Pointer part '{part}' was not found") from None


def _find(root: Any, path: Sequence[str]) -> Any:
    for part in path:
        root = _step(root, part)
    return root


def _add(root: Any, path: Sequence[str], value: Any) -> None:
    parent, last = _find(root, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
        return
    if not isinstance(parent, list):
        raise unhandled(f"The JSON Pointer part '{last}' was not found")
    at = len(parent) if last == "-" else _index(last)
    if at > len(parent):
        raise unhandled(f"Array index {at} out of bounds")
    parent.insert(at, value)


def _index(part: str) -> int:
    if not part.isdigit():
        raise unhandled(f"Illegal array index '{part}'")
    return int(part)


def _remove(root: Any, path: Sequence[str]) -> Any:
    found = _find(root, path)
    parent, last = _find(root, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
    return found


def _replace(root: Any, path: Sequence[str], value: Any) -> None:
    _find(root, path)
    parent, last = _find(root, path[:-1]), path[-1]
    parent[int(last) if isinstance(parent, list) else last] = value


def _move(root: Any, source: Sequence[str], target: Sequence[str], *, is_copy: bool) -> None:
    value = copy.deepcopy(_find(root, source)) if is_copy else _remove(root, source)
    _add(root, target, value)
