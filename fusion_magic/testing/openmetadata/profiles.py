"""
What a profiler found in tables and columns.
"""

from __future__ import annotations

from .answers import Answer, Json
from .present import present
from .routing import ROUTER, Request
from .state import Entity


@ROUTER.on("PUT", "tables/{}/tableProfile")
def put(request: Request, table_id: str) -> Answer:
    """
    Keep the figures of a table and its columns.
    """
    table: Entity = request.state.get("table", table_id)
    request.principal.demand("EditDataProfile")
    body = request.json()
    columns = {column["name"]: column for column in body.get("columnProfile", ())}
    table.set_fact("columnProfiles", columns)
    table.set_fact("tableProfile", body["tableProfile"])
    return Answer(200, _profiled(request, table))


@ROUTER.on("GET", "tables/{}/tableProfile/latest")
def latest(request: Request, fqn: str) -> Answer:
    """
    A table with the newest figures of it and of its columns.
    """
    table: Entity = request.state.named("table", fqn)
    found = _profiled(request, table)
    profiles = table.fact("columnProfiles", dict)
    for column in found["columns"]:
        if column["name"] in profiles:
            column["profile"] = profiles[column["name"]]
    return Answer(200, found)


def _profiled(request: Request, table: Entity) -> Json:
    shown = present(request, table, ("columns",))
    profile: Json = table.fact("tableProfile", dict)
    return {**shown, "profile": profile} if profile else shown
