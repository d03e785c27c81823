"""
``%fusion COMMAND``: questions about jobs, names and parts, each answered with a table, and lineage with a drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fusion_magic.config import without_secret
from fusion_magic.errors import InvalidArgument
from fusion_magic.notebook.arguments import (
    parse_clean_arguments,
    parse_jobs_arguments,
    parse_lineage_arguments,
)
from fusion_magic.notebook.display import Table, count

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion
    from fusion_magic.lineage_graph import LineageGraph
    from fusion_magic.store import Job


def _jobs(fusion: Fusion, rest: str) -> Table:
    if rest.partition(" ")[0] == "clean":
        wanted = parse_clean_arguments(rest.removeprefix("clean"))
        cleaned = fusion.clean(wanted.older, is_dry_run=wanted.is_dry_run)
        what = "would be removed" if wanted.is_dry_run else "removed"
        return _jobs_table(cleaned, f"{count(len(cleaned), 'job')} {what}")
    listed = parse_jobs_arguments(rest)
    jobs = fusion.jobs(
        status=listed.statuses, owner=listed.owner, text=listed.text, limit=listed.limit
    )
    return _jobs_table(jobs, count(len(jobs), "job"))


def _jobs_table(jobs: Sequence[Job], caption: str) -> Table:
    rows = [
        (
            str(job.id)[:8],
            job.status.value,
            job.created.strftime("%Y-%m-%d %H:%M:%S"),
            job.rows,
            _one_line(job.user_query),
        )
        for job in jobs
    ]
    return Table(("Job", "Status", "Created (UTC)", "Rows", "Query"), rows, caption=caption)


def _job(fusion: Fusion, rest: str) -> Table:
    job = fusion.job(_required(rest, "a job's id"))
    shown = {
        "id": job.id,
        "status": job.status.value,
        "owner": job.owner,
        "engine": job.engine,
        "query id": job.query_id,
        "created": job.created,
        "finished": job.finished,
        "rows": job.row_count,
        "query": job.user_query,
        "converted query": job.converted_query,
        "error": job.error,
        "hint": job.hint,
    }
    return Table(
        ("", "Job"), [(key, str(value)) for key, value in shown.items() if value is not None]
    )


def _cancel(fusion: Fusion, rest: str) -> Table:
    word = _required(rest, "a job's id, or all")
    jobs = fusion.open_jobs() if word == "all" else [fusion.job(word)]
    rows = [(str(job.id)[:8], fusion.cancel(job.id)) for job in jobs]
    return Table(("Job", "Status"), rows, caption=count(len(rows), "job"))


def _wait(fusion: Fusion, rest: str) -> Table:
    waited = [fusion.job(rest)] if rest else fusion.open_jobs()
    jobs = [fusion.handle(job.id).wait() for job in waited]
    rows = [(str(job.id)[:8], job.status.value, job.row_count, job.error) for job in jobs]
    return Table(("Job", "Status", "Rows", "Error"), rows, caption=count(len(rows), "job"))


def _models(fusion: Fusion, rest: str) -> Table:
    jobs = fusion.jobs(limit=1)
    if not rest and not jobs:
        raise InvalidArgument("There is no job yet.")
    models = fusion.models(rest or jobs[0].id)
    rows = [(m.fully_qualified_name, m.trino_model_name) for m in models]
    return Table(("Name", "Trino name"), rows, caption=count(len(rows), "name"))


def _search(fusion: Fusion, rest: str) -> Table:
    found = fusion.search(_required(rest, "some text"))
    rows = [(entity.fqn, entity.kind, _one_line(entity.description or "")) for entity in found]
    return Table(("Name", "Kind", "Description"), rows, caption=count(len(rows), "name"))


def _describe(fusion: Fusion, rest: str) -> Table:
    entity = fusion.describe(_required(rest, "a table's name"))
    rows = [(c.name, c.type or "", c.description or "", ", ".join(c.tags)) for c in entity.columns]
    facts = (
        entity.description or "",
        f"Owners: {', '.join(entity.owners)}" if entity.owners else "",
        f"Tags: {', '.join(entity.tags)}" if entity.tags else "",
        f"Deprecated: {entity.deprecated}" if entity.deprecated else "",
    )
    notes = (entity.fqn, *filter(None, facts))
    return Table(("Column", "Type", "Description", "Tags"), rows, notes=notes)


def _lineage(fusion: Fusion, rest: str) -> LineageGraph:
    wanted = parse_lineage_arguments(rest)
    return fusion.lineage(wanted.fqn, **wanted.options)  # type: ignore[arg-type]


def _recommend(fusion: Fusion, rest: str) -> Table:
    rows = fusion.recommend(_required(rest, "a table's name"))
    return Table(("Used together with it", "Jobs"), rows, caption=count(len(rows), "name"))


def _catalogs(fusion: Fusion, rest: str) -> Table:
    services, catalogs = fusion.catalogs()
    rows = [
        *(("service", name, number) for name, number in services.items()),
        *(("engine's catalog", name, None) for name in sorted(catalogs)),
    ]
    return Table(("", "Name", "Tables"), rows)


def _profile(fusion: Fusion, rest: str) -> Table:
    settings = fusion.settings
    keys = (
        "profile",
        "engine_url",
        "store_url",
        "metadata_url",
        "results_url",
        "data_dir",
        "owner",
    )
    rows = [(key.replace("_", ".", 1), without_secret(str(getattr(settings, key)))) for key in keys]
    return Table(("Setting", "Value"), rows)


def _doctor(fusion: Fusion, rest: str) -> Table:
    checks = fusion.doctor()
    notes = [f"{c.part}: {line}" for c in checks if c.problem for line in c.lines()]
    return Table(
        ("Part", "State", "What it is"), [(c.part, c.state, c.what) for c in checks], notes=notes
    )


COMMANDS: Mapping[str, Callable[[Any, str], Table | LineageGraph]] = {
    "jobs": _jobs,
    "job": _job,
    "cancel": _cancel,
    "wait": _wait,
    "models": _models,
    "search": _search,
    "describe": _describe,
    "lineage": _lineage,
    "recommend": _recommend,
    "catalogs": _catalogs,
    "profile": _profile,
    "doctor": _doctor,
}


def _required(rest: str, what: str) -> str:
    if not rest:
        raise InvalidArgument(
            f"This command needs {what}.", hint="`%fusion help` lists the commands."
        )
    return rest


def _one_line(text: str) -> str:
    return " ".join(text.split())
