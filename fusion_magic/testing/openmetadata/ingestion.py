"""
Ingestion pipelines: deployed, triggered, watched. What a run does is the test's own function.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from . import entities, events
from .answers import Answer, Json, Refusal, bad_request, unhandled
from .messages import PLACE
from .routing import ROUTER, Request
from .state import Entity, new_id

_AIRFLOW = {
    "pausePipeline": False, "concurrency": 1, "pipelineTimezone": "UTC", "retries": 0, "retryDelay": 300,
    "pipelineCatchup": False, "maxActiveRuns": 1, "workflowDefaultView": "tree", "workflowDefaultViewOrientation": "LR",
}  # fmt: skip
_KIND = "ingestionPipeline"
# In 2.0 the field holds the last ones.
_SHOWN = 5


def _place(request: Request, body: Json) -> tuple[str, Entity | None]:
    given = body["service"]
    body["airflowConfig"] = {**_AIRFLOW, **body["airflowConfig"]}
    body.setdefault("enabled", True)
    body.setdefault("loggerLevel", "INFO")
    body.setdefault("provider", "user")
    body["deployed"] = False
    return body["name"], request.state.get(given["type"], given["id"])


def _keep_deployed(_request: Request, entity: Entity, data: Json) -> None:
    data["deployed"] = entity.data["deployed"]


def _by_type(request: Request, entity: Entity) -> bool:
    return bool(entity.data["pipelineType"] in request.one("pipelineType").split(","))


def _by_service_type(request: Request, entity: Entity) -> bool:
    return entity.parent is not None and entity.parent.kind.type == request.one("serviceType")


PLACE[_KIND] = _place
entities.CHECKS[_KIND] = _keep_deployed
entities.FILTERS[_KIND, "pipelineType"] = _by_type
entities.FILTERS[_KIND, "serviceType"] = _by_service_type


def _answer(told: str, **more: Any) -> Answer:
    body = {"code": 200, "reason": told, "platform": "Airflow", "version": "2.9.1", **more}
    return Answer(200, body)


@ROUTER.on("GET", "services/ingestionPipelines/status")
def runner(request: Request) -> Answer:
    """
    Whether there is something that runs pipelines.
    """
    if request.on_trigger is None:
        return Answer(200, {"code": 200, "platform": "disabled", "version": "disabled"})
    return _answer("")


def _pipeline(request: Request, entity_id: str) -> Entity:
    return request.state.get(_KIND, entity_id)


@ROUTER.on("POST", "services/ingestionPipelines/deploy/{}")
def deploy(request: Request, entity_id: str) -> Answer:
    """
    Let the runner know the pipeline.
    """
    request.principal.demand(
        "Deploy" if request.version >= (1, 8) and request.principal.may("Deploy") else "EditAll"
    )
    pipeline = _pipeline(request, entity_id)
    if request.on_trigger is None:
        raise bad_request(f"Failed to deploy pipeline [{pipeline.name}] due to [null].")
    entities.store(request, pipeline, {**pipeline.data, "deployed": True})
    return _answer(f"Workflow [{pipeline.name}] has been created")


@ROUTER.on("POST", "services/ingestionPipelines/trigger/{}")
def trigger(request: Request, entity_id: str) -> Answer:
    """
    Begin a run, which goes on after the answer.
    """
    pipeline = _pipeline(request, entity_id)
    if request.version >= (1, 12):
        request.principal.demand("Trigger")
    if request.on_trigger is None:
        raise bad_request(f"Failed to deploy pipeline [{pipeline.name}] due to [null].")
    if not pipeline.data.get("deployed"):
        raise bad_request(
            f"Failed to trigger workflow [{pipeline.name}] due to [Workflow not found]."
        )
    run_id = new_id()
    _keep(
        pipeline,
        request,
        {"runId": run_id, "pipelineState": "queued", "startDate": request.state.now()},
    )
    run = request.on_trigger
    thread = threading.Thread(target=_run, args=(request, pipeline, run_id, run), daemon=True)
    request.after.append(thread.start)
    more = {"runId": run_id} if request.version >= (2, 0) else {}
    return _answer(f"Workflow [{pipeline.name}] has been triggered", **more)


def _run(request: Request, pipeline: Entity, run_id: str, run: Callable[[str], None]) -> None:
    def told(state: str, **more: Any) -> None:
        with request.state.lock:
            _keep(pipeline, request, {"runId": run_id, "pipelineState": state, **more})

    told("running")
    try:
        run(pipeline.fqn)
    except Exception:  # noqa: BLE001 - whatever happens in a run is a failed run
        told("failed", endDate=request.state.now())
    else:
        told("success", endDate=request.state.now())


def _keep(pipeline: Entity, request: Request, status: Json) -> None:
    runs: dict[str, Json] = pipeline.fact("runs", dict)
    known = runs.get(status["runId"], {"timestamp": request.state.now(), "status": []})
    runs[status["runId"]] = {**known, **status}
    ordered = sorted(runs.values(), key=lambda one: int(one["timestamp"]))
    pipeline.set_fact(
        "pipelineStatuses", ordered[-_SHOWN:] if request.version >= (2, 0) else ordered[-1]
    )


@ROUTER.on("POST", "services/ingestionPipelines/kill/{}")
def kill(request: Request, entity_id: str) -> Answer:
    """
    Say that what runs has failed.
    """
    request.principal.demand("EditAll")
    pipeline = _pipeline(request, entity_id)
    if request.on_trigger is None:
        raise bad_request("Pipeline Exception [Failed to kill running workflows] due to [null].")
    for one in list(pipeline.fact("runs", dict).values()):
        if one["pipelineState"] in {"queued", "running"}:
            _keep(pipeline, request, {"runId": one["runId"], "pipelineState": "failed"})
    return _answer(f"Workflow [{pipeline.name}] has been killed")


@ROUTER.on("PUT", "services/ingestionPipelines/{}/pipelineStatus")
def put_status(request: Request, fqn: str) -> Answer:
    """
    What a runner says of its run.
    """
    request.principal.demand("EditAll")
    pipeline = request.state.named(_KIND, fqn)
    status = request.json()
    _keep(pipeline, request, {"timestamp": request.state.now(), **status})
    return Answer(201, events.event(request, "entityUpdated", pipeline))


@ROUTER.on("GET", "services/ingestionPipelines/{}/pipelineStatus")
def list_statuses(request: Request, fqn: str) -> Answer:
    """
    The runs between two times, newest first.
    """
    pipeline = request.state.named(_KIND, fqn)
    for name in ("startTs", "endTs"):
        if name not in request.query:
            raise unhandled(f"{name} is marked non-null but is null")
    start, end = request.number("startTs", 0), request.number("endTs", 0)
    runs: list[Json] = list(pipeline.fact("runs", dict).values())
    found = [one for one in runs if start <= one["timestamp"] <= end]
    found.sort(key=lambda one: -int(one["timestamp"]))
    return Answer(200, {"data": found, "paging": {"total": len(found)}})


@ROUTER.on("GET", "services/ingestionPipelines/{}/pipelineStatus/{}")
def get_status(request: Request, fqn: str, run_id: str) -> Answer:
    """
    One run.
    """
    pipeline = request.state.named(_KIND, fqn)
    found = pipeline.fact("runs", dict).get(run_id)
    if found is None:
        raise Refusal(404, f"pipelineStatus instance for {run_id} not found")
    return Answer(200, found)
