"""
Pipelines' runs.
"""

from __future__ import annotations

from .answers import Answer, Json, bad_request, unhandled
from .present import present
from .routing import ROUTER, Request
from .state import Entity
from .versions import select

_STATUS = (
    "timestamp executionStatus taskStatus executionId>=1.10 endTime>=1.10 parameters>=1.10 error>=1.10 inputs>=1.10 "
    "outputs>=1.10 metrics>=1.10"
)
_STATES = frozenset({"Successful", "Failed", "Pending", "Skipped"})


@ROUTER.on("PUT", "pipelines/{}/status")
def put_status(request: Request, fqn: str) -> Answer:
    """
    Keep one run of a pipeline; the same time again replaces it.
    """
    request.principal.demand("EditStatus")
    pipeline = request.state.named("pipeline", fqn)
    _keep(request, pipeline, request.json())
    return Answer(200, present(request, pipeline, ("pipelineStatus", "tasks")))


@ROUTER.on("PUT", "pipelines/{}/status/bulk", since=(2, 0))
def put_statuses(request: Request, fqn: str) -> Answer:
    """
    Keep several runs.
    """
    request.principal.demand("EditStatus")
    pipeline = request.state.named("pipeline", fqn)
    for one in request.json():
        _keep(request, pipeline, one)
    return Answer(200, present(request, pipeline, ("pipelineStatus", "tasks")))


def _keep(request: Request, pipeline: Entity, status: Json) -> None:
    known = select(_STATUS, request.version)
    for name in status:
        if name not in known:
            raise bad_request(
                f'Unrecognized field "{name}" (class org.openmetadata.schema.entity.data.PipelineStatus)'
            )
    if status.get("executionStatus") not in _STATES:
        raise bad_request("Cannot construct instance of `org.openmetadata.schema.type.StatusType`")
    if status.get("taskStatus") is None:
        raise unhandled(
            'Cannot invoke "java.util.List.iterator()" because the return value is null'
        )
    names = {task["name"] for task in pipeline.data.get("tasks", ())}
    for task in status["taskStatus"]:
        if task["name"] not in names:
            raise bad_request(f"Invalid task name {task['name']}")
    runs = pipeline.fact("runs", dict)
    runs[status["timestamp"]] = status
    pipeline.set_fact("pipelineStatus", runs[max(runs)])


@ROUTER.on("GET", "pipelines/{}/status")
def list_statuses(request: Request, fqn: str) -> Answer:
    """
    The runs between two times, newest first.
    """
    pipeline = request.state.named("pipeline", fqn)
    missing = [name for name in ("endTs", "startTs") if name not in request.query]
    if missing:
        raise bad_request(
            f"[{', '.join(f'query param {name} must not be null' for name in missing)}]"
        )
    start, end = request.number("startTs", 0), request.number("endTs", 0)
    runs: dict[int, Json] = pipeline.fact("runs", dict)
    found = [runs[at] for at in sorted(runs, reverse=True) if start <= at <= end]
    return Answer(200, {"data": found, "paging": {"total": len(found)}})
