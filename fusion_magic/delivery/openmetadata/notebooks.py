"""
A notebook as a pipeline: a task for each statement, a run for each job.

OpenMetadata replaces a pipeline's tasks, so that those that are there are read and sent again: others', and earlier cells'. The
newest ``MOST_TASKS`` stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fusion_magic.delivery.openmetadata.assets import End
from fusion_magic.delivery.openmetadata.edges import OWN_SERVICE
from fusion_magic.delivery.openmetadata.locks import Locks
from fusion_magic.delivery.openmetadata.own import (
    CONSOLE,
    asset_name,
    milliseconds,
    run_of,
    task_of,
)
from fusion_magic.delivery.openmetadata.recent import Recent
from fusion_magic.delivery.openmetadata.services import require_service
from fusion_magic.errors import DeliveryError, MetadataError
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.sql.fqn import format_fqn
from fusion_magic.store import Job

MOST_TASKS = 200
TURNS = 5
MOST_KEPT = 1_000
MOST_PIPELINES = 100  # with all their tasks
RECENT_S = 60.0
TOLD_S = 3600.0
DAY_MS = 86_400_000
# What a message that leaves it out would take away.
_STAYS = ("displayName", "description", "sourceUrl", "concurrency", "pipelineLocation", "startDate")
_LOCKS = Locks()
Pipeline = dict[str, Any]


def _nothing() -> None:
    return None


class Notebooks:
    """
    The pipelines of our service.

    Args:
        sql: What is told of a statement's text.
    """

    def __init__(self, client: OpenMetadataClient, *, sql: str) -> None:
        self._client = client
        self._sql = sql
        self._told: Recent[UUID, End] = Recent(age_s=TOLD_S, most=MOST_KEPT)
        self._runs: Recent[tuple[str, int], list[dict[str, Any]]] = Recent(
            age_s=RECENT_S, most=MOST_KEPT
        )
        self._pipelines: Recent[str, Pipeline] = Recent(age_s=RECENT_S, most=MOST_PIPELINES)

    def told(self, job: Job, before_run: Callable[[], None] = _nothing) -> End:
        """
        The pipeline of the job's notebook, which has its statement as a task and the job as a run.

        Args:
            before_run: Called where the run is new, before it is written.
        """
        end = self._told.get(job.id)
        if end is not None:
            return end
        return self._told.keep(job.id, self._tell(job, before_run))

    def find(self, job: Job) -> End | None:
        """
        The pipeline of the job's notebook, where there is one.
        """
        found = self._read(_fqn(job))
        return None if found is None else End(found["id"], "pipeline", _fqn(job))

    def expect(self, jobs: Iterable[Job]) -> list[Job]:
        """
        Read at once which of these jobs have a run; those that have none.
        """
        days: dict[tuple[str, int], list[Job]] = {}
        for job in jobs:
            if self._told.get(job.id) is None:
                days.setdefault((_fqn(job), milliseconds(job) // DAY_MS), []).append(job)
        return [job for (fqn, _), some in days.items() for job in self._without_run(fqn, some)]

    def _without_run(self, fqn: str, jobs: Sequence[Job]) -> list[Job]:
        times = [milliseconds(job) for job in jobs]
        found = self._client.get(
            _runs_of(fqn), dict[str, Any], {"startTs": min(times), "endTs": max(times)}
        )
        if found is None:
            return list(jobs)
        tasks: dict[int, list[dict[str, Any]]] = {at: [] for at in times}
        for run in found.get("data") or ():
            tasks.setdefault(run.get("timestamp"), []).extend(run.get("taskStatus") or ())
        for at in times:
            self._runs.keep((fqn, at), tasks[at])
        return [job for job in jobs if not _has(tasks[milliseconds(job)], task_of(job, self._sql))]

    def forget(self, job: Job) -> None:
        """
        Look again what is told of the job.
        """
        self._told.drop(job.id)
        self._pipelines.drop(_fqn(job))

    def _tell(self, job: Job, before_run: Callable[[], None]) -> End:
        task, fqn = task_of(job, self._sql), _fqn(job)
        recent = self._pipelines.get(fqn)
        if recent is not None and task in _tasks(recent, task):
            try:
                return self._with_run(job, recent, task["name"], before_run)
            except MetadataError as error:
                # It went away since.
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
        with _LOCKS.of(self._client.address.url, fqn):
            pipeline = self._pipelines.keep(fqn, self._with_task(job, fqn, task))
        return self._with_run(job, pipeline, task["name"], before_run)

    def _with_run(
        self, job: Job, pipeline: Pipeline, task: str, before_run: Callable[[], None]
    ) -> End:
        fqn = _fqn(job)
        with _LOCKS.of(self._client.address.url, fqn, str(milliseconds(job))):
            self._add_run(job, pipeline, task, before_run)
        return End(pipeline["id"], "pipeline", fqn)

    def _with_task(self, job: Job, fqn: str, task: Mapping[str, Any]) -> Pipeline:
        pipeline = self._read(fqn)
        if pipeline is not None and task in _tasks(pipeline, task):
            return pipeline
        if pipeline is None:
            require_service(self._client, "pipelineServices")
        for _ in range(TURNS):
            body = _message(pipeline or {}, job, task)
            self._client.put("pipelines", body, Pipeline)
            pipeline = self._read(fqn)
            if pipeline is not None and _tasks(pipeline, {"name": task["name"]}):
                return pipeline
        raise DeliveryError(f"The pipeline {fqn} is changed by somebody else at the same time.")

    def _read(self, fqn: str) -> Pipeline | None:
        return self._client.get(f"pipelines/name/{segment(fqn)}", Pipeline, {"fields": "tasks"})

    def _add_run(
        self, job: Job, pipeline: Pipeline, task: str, before_run: Callable[[], None]
    ) -> None:
        """
        The run, once: those of one millisecond are one, whose tasks must be there still.
        """
        fqn, at = _fqn(job), milliseconds(job)
        tasks = self._runs.take((fqn, at))
        if tasks is None:
            tasks = self._read_run(fqn, at)
        if not _has(tasks, {"name": task}):
            before_run()
            known = {one["name"] for one in pipeline["tasks"]}
            run, others = run_of(job, task), [one for one in tasks if one.get("name") in known]
            body = {**run, "taskStatus": [*others, *run["taskStatus"]]}
            self._client.put(_runs_of(fqn), body, Pipeline)

    def _read_run(self, fqn: str, at: int) -> list[dict[str, Any]]:
        found = self._client.get(_runs_of(fqn), dict[str, Any], {"startTs": at, "endTs": at})
        if found is None:
            raise MetadataError(f"The pipeline {fqn} is gone.", status=HTTPStatus.NOT_FOUND)
        return [one for run in found.get("data") or () for one in run.get("taskStatus") or ()]


def _runs_of(fqn: str) -> str:
    return f"pipelines/{segment(fqn)}/status"


def _has(tasks: Sequence[Mapping[str, Any]], task: Mapping[str, Any]) -> bool:
    return any(one.get("name") == task["name"] for one in tasks)


def _tasks(pipeline: Pipeline, like: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    The pipeline's tasks of that name, each with no more than *like* has.
    """
    tasks = [one for one in pipeline.get("tasks") or () if one.get("name") == like["name"]]
    return [{key: one[key] for key in like if key in one} for one in tasks]


def _name(job: Job) -> str:
    return asset_name(job.origin or CONSOLE)


def _fqn(job: Job) -> str:
    return format_fqn((OWN_SERVICE, _name(job)))


def _message(pipeline: Pipeline, job: Job, task: Mapping[str, Any]) -> dict[str, Any]:
    name = _name(job)
    tasks = [one for one in pipeline.get("tasks") or () if one.get("name") != task["name"]]
    stays = {key: pipeline[key] for key in _STAYS if pipeline.get(key) is not None}
    title = {"displayName": job.origin} if job.origin and job.origin != name else {}
    kept = [*tasks, task][-MOST_TASKS:]
    return {**title, **stays, "name": name, "service": OWN_SERVICE, "tasks": kept}
