"""
The views that jobs of a store have made, as far as no later job has dropped or renamed them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fusion_magic.jobs.options import WriteTarget
from fusion_magic.sql.edits import format_trino_name
from fusion_magic.sql.references import find_references
from fusion_magic.sql.statement import VIEW_MAKERS, parse_statement
from fusion_magic.store import Job, JobFilter, JobStatus, ModelRow, Store

MOST_JOBS = 1_000  # the newest, among which views are looked for
_ENDING = frozenset(
    {"DROP VIEW", "DROP MATERIALIZED VIEW", "ALTER VIEW", "ALTER MATERIALIZED VIEW"}
)
_FINISHED = frozenset({JobStatus.FINISHED})


@dataclass(frozen=True, slots=True)
class MadeView:
    """
    A view, and the job that made it last.

    Attributes:
        made: ``VIEW`` or ``MATERIALIZED VIEW``.
    """

    model: ModelRow
    made: str
    job: Job

    @property
    def fqn(self) -> str:
        """
        Its FQN, or its Trino name where it has none.
        """
        return self.model.fully_qualified_name or self.model.trino_model_name


def list_views(store: Store, engine: str) -> list[MadeView]:
    """
    The views that jobs have made on *engine*, by name.
    """
    where = JobFilter(statuses=_FINISHED, sent="VIEW")
    return sorted(_standing(store, where, engine), key=lambda view: view.fqn)


def find_view(store: Store, name: str, engine: str) -> MadeView | None:
    """
    The view of that FQN or Trino name, or None where no job has made it on *engine*.
    """
    where = JobFilter(statuses=_FINISHED, sent="VIEW", named=name)
    views = _standing(store, where, engine)
    return next((v for v in views if name in {v.fqn, v.model.trino_model_name}), None)


def replacing_own(target: WriteTarget | None, store: Store, engine: str) -> WriteTarget | None:
    """
    *target*, which replaces a view where a job has made it: it is the same cell, run again.
    """
    if target is None or target.made == "TABLE" or target.if_exists != "fail":
        return target
    is_own = find_view(store, target.table, engine) is not None
    return replace(target, if_exists="replace") if is_own else target


def _standing(store: Store, where: JobFilter, engine: str) -> Iterator[MadeView]:
    """
    The newest job on a name tells whether there is a view.
    """
    decided: set[str] = set()
    for job in store.jobs.list(where, limit=MOST_JOBS):
        if job.engine != engine or not job.converted_query:
            continue
        statement = parse_statement(job.converted_query)
        if statement.kind not in VIEW_MAKERS | _ENDING:
            continue
        name = format_trino_name(find_references(statement)[0].parts).lower()
        if name in decided:
            continue
        models = [m for m in store.models.of_job(job.id) if m.trino_model_name.lower() == name]
        if not models:
            continue
        decided.add(name)
        if statement.kind in VIEW_MAKERS:
            yield MadeView(models[0], statement.kind.removeprefix("CREATE "), job)
