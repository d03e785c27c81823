"""
What our own names are in OpenMetadata, and what a job tells of itself there. Pure.

    fusion.notebooks."spend.ipynb"     the pipeline "spend.ipynb" of the pipeline service fusion
    fusion.results.daily               of ana: the container fusion.results.ana.daily of the storage service fusion
"""

from __future__ import annotations

import hashlib
from typing import Any

from fusion_magic.delivery.openmetadata.columns import LONGEST_NAME, stored_name
from fusion_magic.delivery.openmetadata.edges import OWN_SERVICE
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.masking import disclosed
from fusion_magic.store import Job

NOTEBOOKS, RESULTS = "notebooks", "results"
CONSOLE = "console"
_PARTS = 3
_TITLE = 80


def own_part(fqn: str, room: str) -> str | None:
    """
    The last part of a name of ours, or None for another's.

    >>> own_part('fusion.notebooks."a.ipynb"', NOTEBOOKS)
    'a.ipynb'
    """
    parts = parse_fqn(fqn).parts
    return parts[-1] if len(parts) == _PARTS and parts[:2] == (OWN_SERVICE, room) else None


def own_fqn(room: str, name: str) -> str:
    """
    The name of ours with that last part.
    """
    return format_fqn((OWN_SERVICE, room, name))


def asset_name(name: str) -> str:
    """
    *name* as OpenMetadata takes it: without what it refuses, and not too long.
    """
    stored = stored_name("".join(max(sign, " ") for sign in name)) or CONSOLE
    if len(stored) <= LONGEST_NAME:
        return stored
    # Two long names that begin alike are two.
    return stored[: LONGEST_NAME - 17] + "-" + hashlib.sha256(name.encode()).hexdigest()[:16]


def task_of(job: Job, how: str) -> dict[str, Any]:
    """
    A job's statement as a task of its notebook's pipeline. The same statement again is the same task, whatever its literals where
    they are masked.

    Args:
        how: What is told of SQL.
    """
    shown = disclosed(job.user_query, how)
    known_by = shown if shown is not None else disclosed(job.user_query, "masked") or str(job.id)
    task = {
        "name": f"cell-{hashlib.sha256(known_by.encode()).hexdigest()[:16]}",
        "taskType": "SQL",
    }
    if shown is None:
        return task
    title = " ".join(shown.split())[:_TITLE]
    return {**task, "displayName": title, "taskSQL": shown} if title else task


def run_of(job: Job, task: str) -> dict[str, Any]:
    """
    A finished job as a run of its notebook's pipeline.
    """
    begun = milliseconds(job)
    ended = round((job.finished or job.updated).timestamp() * 1000)
    one = {"name": task, "executionStatus": "Successful", "startTime": begun, "endTime": ended}
    return {"timestamp": begun, "executionStatus": "Successful", "taskStatus": [one]}


def milliseconds(job: Job) -> int:
    """
    When the job began, in milliseconds since 1970.
    """
    return round((job.started or job.created).timestamp() * 1000)
