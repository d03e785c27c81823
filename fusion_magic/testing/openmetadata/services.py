"""
Services: what a PUT over one must not lack.
"""

from __future__ import annotations

from . import entities
from .answers import Json, bad_request
from .kinds import KINDS
from .routing import Request
from .state import Entity


def _check_connection(request: Request, entity: Entity, data: Json) -> None:
    has_one = (entity.data.get("connection") or {}).get("config") is not None
    if has_one and data.get("connection") is None and request.version < (1, 8):
        raise bad_request(
            'Cannot invoke "DatabaseConnection.getConfig()" because "serviceConnection" is null'
        )


for _kind in KINDS:
    if _kind.type.endswith("Service"):
        entities.CHECKS[_kind.type] = _check_connection
