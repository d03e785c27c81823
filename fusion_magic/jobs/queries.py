"""
Questions about jobs and lineage, as people ask them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from fusion_magic.errors import InvalidArgument, NotAllowed, UnknownFqn, UnknownJob
from fusion_magic.jobs.resolve import find_entity
from fusion_magic.lineage_graph import LineageGraph, Walk, build_graph, trace
from fusion_magic.sql.fqn import parse_fqn
from fusion_magic.store import Job, JobFilter, JobStatus, Store

if TYPE_CHECKING:
    from fusion_magic.metadata import Metadata

MOST_OPEN = 10_000


def job_filter(
    status: str | Sequence[str] | None, owner: str | None, text: str | None
) -> JobFilter:
    """
    The filter for a list of jobs; statuses in any case.

    Raises:
        InvalidArgument: A status that does not exist.
    """
    wanted = [status] if isinstance(status, str) else list(status or ())
    try:
        statuses = frozenset(JobStatus(word.upper()) for word in wanted)
    except ValueError:
        raise InvalidArgument(
            f"{', '.join(wanted)} is no status of a job.",
            hint=f"The statuses are {', '.join(JobStatus)}.",
        ) from None
    return JobFilter(statuses=statuses, owner=owner, text=text)


def open_jobs(store: Store, owner: str) -> list[Job]:
    """
    The jobs of *owner* that have not ended, oldest first.
    """
    statuses = frozenset(status for status in JobStatus if not status.is_final)
    found = store.jobs.list(JobFilter(statuses=statuses, owner=owner), limit=MOST_OPEN)
    return list(reversed(found))


def require_own(job: Job, owner: str) -> None:
    """
    Raises:
        NotAllowed: The job is somebody else's.
    """
    if job.owner and job.owner != owner:
        raise NotAllowed(
            f"Job {str(job.id)[:8]} is {job.owner}'s, not {owner}'s.",
            hint="Its owner can do that; so can everybody where jobs.cancel_others is yes.",
        )


def cancel(store: Store, job: Job, *, owner: str, cancels_others: bool) -> JobStatus:
    """
    Ask for the end of a job; its status then: final at once, or RUNNING until who runs it has stopped it.

    Raises:
        NotAllowed: It is somebody else's, and *owner* may not cancel those.
    """
    if not cancels_others:
        require_own(job, owner)
    return store.jobs.want_cancel(job.id)


def find_job(store: Store, job_id: str | UUID) -> Job:
    """
    The job with that id, or with the only id that starts so.

    Raises:
        UnknownJob: There is none, or there are several.
    """
    found = store.jobs.find_by_prefix(str(job_id).strip().lower())
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(str(job.id)[:13] for job in found)
        raise UnknownJob(f"Several jobs' ids start with {job_id}: {ids}.")
    raise UnknownJob(f"There is no job {job_id}.", hint="`%fusion jobs` lists the newest.")


def find_lineage(
    store: Store,
    metadata: Metadata,
    fqn: str,
    walk: Walk,
    *,
    has_columns: bool = False,
    column: str | None = None,
) -> LineageGraph:
    """
    What a table was made from and goes into, as far as *walk* leads.

    Args:
        has_columns: Whether to give the column edges too.

        column: Only what this column comes from and goes into.

    Raises:
        UnknownFqn: Nothing has that name.
        InvalidArgument: The column has no lineage.
    """
    edges = store.lineage
    graph = build_graph(
        known_fqn(store, metadata, fqn),
        walk,
        lambda names, is_up: edges.edges(names, is_upstream=is_up),
    )
    if has_columns or column is not None:
        graph = replace(graph, columns=tuple(edges.columns(graph.edges)))
    return trace(graph, column) if column is not None else graph


def known_fqn(store: Store, metadata: Metadata, fqn: str) -> str:
    """
    *fqn* as the metadata writes it, or as lineage knows it.

    Raises:
        UnknownFqn: Neither does.
    """
    canonical = str(parse_fqn(fqn))
    try:
        return find_entity(metadata, canonical).fqn
    except UnknownFqn:
        if any(store.lineage.edges([canonical], is_upstream=is_up) for is_up in (True, False)):
            return canonical
        raise
