"""
A translated request as JSON and back: what a worker must know of a job beside its row.

The translation itself travels, so that a worker runs what was checked and shown, whatever the catalog says by then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fusion_magic.errors import Span
from fusion_magic.jobs import options
from fusion_magic.jobs.resolve import ResolvedName
from fusion_magic.jobs.submit import Request, Submitted
from fusion_magic.jobs.translate import Translation, with_target
from fusion_magic.metadata import Column, Entity
from fusion_magic.metadata.encoding import decode_files
from fusion_magic.sql.analysis import analyse
from fusion_magic.sql.edits import Edit
from fusion_magic.store import Task


def to_payload(
    request: Request, translation: Translation, *, session: Mapping[str, str] | None = None
) -> str:
    """
    What a worker needs, as JSON; *session* is what the engine gave for another process. It holds no parameter but those that stand in the converted query anyway.
    """
    data = {
        "options": request.options.to_json(),
        "session": dict(session or {}),
        "profile": request.profile,
        "limit": translation.limit,
        "offset": translation.offset,
        "edits": [[*edit.span, edit.text] for edit in translation.edits],
        "resolved": [
            {
                "trino": resolved.trino_parts,
                "fqn": resolved.fqn,
                "is_rewritten": resolved.is_rewritten,
                "entity": asdict(resolved.entity) if resolved.entity else None,
            }
            for resolved in translation.resolved
        ],
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def from_payload(task: Task) -> Submitted:
    """
    The job that *task* stands for, as it was submitted.
    """
    data: dict[str, Any] = json.loads(task.payload)
    analysis = analyse(task.user_query)
    wanted = options.RunOptions.from_json(data.get("options") or _of_an_older_version(data, task))
    into = wanted.target
    translation = Translation(
        statement=analysis.statement,
        references=with_target(analysis.references, into),
        resolved=tuple(_resolved(value) for value in data["resolved"]),
        converted_query=task.converted_query,
        models=(),
        limit=data["limit"],
        offset=data["offset"],
        edits=tuple(Edit(Span(start, end), text) for start, end, text in data["edits"]),
        writing=into.kind if into is not None else "",
        session=data.get("session", {}),
    )
    request = Request(
        text=task.user_query,
        options=wanted,
        owner=task.owner,
        profile=data["profile"],
    )
    return Submitted(task.job_id, request, translation)


def _of_an_older_version(data: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """
    The options of a job that was submitted before they travelled as one value.
    """
    into = data.get("into") or {}
    return {
        "name": data["name"] or None,
        "into": into.get("table"),
        "if_exists": into.get("if_exists", "fail"),
        "cache": f"{data['reuse_s']}s" if data.get("reuse_s") is not None else None,
        "lineage": data["has_lineage"],
        "origin": task.origin,
    }


def _resolved(value: dict[str, Any]) -> ResolvedName:
    return ResolvedName(
        trino_parts=tuple(value["trino"]),
        entity=_entity(value["entity"]) if value["entity"] else None,
        fqn=value["fqn"],
        is_rewritten=value["is_rewritten"],
    )


def _entity(value: dict[str, Any]) -> Entity:
    columns = tuple(Column(**{**c, "tags": tuple(c["tags"])}) for c in value["columns"])
    texts = {name: tuple(value[name]) for name in ("trino_parts", "owners", "tags")}
    files = decode_files(value.get("files"))
    return Entity(**{**value, **texts, "columns": columns, "files": files})
