"""
Entities as they are kept between two runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_magic.errors import InvalidFqn
from fusion_magic.metadata import Column, Entity, FileSet
from fusion_magic.sql.fqn import parse_fqn

_QUOTED_OR_DOT = re.compile(r'"(?:[^"]|"")*(?:"|$)|\.')


def decode_entity(body: str) -> Entity:
    """
    The entity that *body*, the JSON of its fields, describes.
    """
    values = json.loads(body)
    columns = tuple(
        Column(c["name"], c["type"], c["description"], tuple(c["tags"])) for c in values["columns"]
    )
    for name in ("trino_parts", "owners", "tags", "alerts"):
        values[name] = tuple(values.get(name, ()))
    return Entity(**{**values, "columns": columns, "files": decode_files(values.get("files"))})


def decode_files(told: Mapping[str, Any] | None) -> FileSet | None:
    """
    The files that the JSON of an entity's fields describes.
    """
    return FileSet(**{**told, "formats": tuple(told["formats"])}) if told else None


def trino_key(parts: Sequence[str]) -> str:
    """
    A Trino name as an index finds it, whatever its case.
    """
    return "\0".join(part.lower() for part in parts)


def complete_parts(prefix: str) -> tuple[str, ...]:
    """
    The parts of *prefix*, the beginning of an FQN, that are complete: those with a dot behind them.

    >>> complete_parts("shop.pub"), complete_parts('s3."raw.events".')
    (('shop',), ('s3', 'raw.events'))
    """
    dots = [match.start() for match in _QUOTED_OR_DOT.finditer(prefix) if match[0] == "."]
    if not dots:
        return ()
    try:
        return parse_fqn(prefix[: dots[-1]]).parts
    except InvalidFqn:
        return ()
