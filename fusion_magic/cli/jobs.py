"""
``fusion jobs``, ``job`` and ``cancel``; ``fusion jobs clean`` removes old ones.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_magic.cli import completion, options
from fusion_magic.cli.output import print_json, print_rows
from fusion_magic.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fusion_magic.store import Job


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module.
    """
    listing = typer.Typer(
        invoke_without_command=True, help="List the newest jobs; clean removes old ones."
    )
    listing.callback()(jobs)
    listing.command()(clean)
    app.add_typer(listing, name="jobs")
    app.command()(job)
    app.command()(cancel)
    app.command()(models)


def jobs(
    context: typer.Context,
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS",
            help="only jobs in this status; may be given again",
            autocompletion=completion.statuses,
        ),
    ] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="NAME", help="only this person's jobs")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="only jobs with this text in their query, in any case"),
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", metavar="N", min=0, help="most jobs")] = 50,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    List the newest jobs; clean removes old ones.
    """
    if context.invoked_subcommand is not None:
        return
    with options.open_fusion(profile) as fusion:
        found = fusion.jobs(status=status or None, owner=owner, text=text, limit=limit)
    _print_jobs(found, as_json=as_json)


def clean(
    older: Annotated[str, typer.Option(metavar="AGE", help="that ended longer ago: 30d, 12h, 2w")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="only say which they are")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", metavar="", help="remove them without asking")
    ] = False,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Remove your old jobs, with their stored rows.

    The newest result of each name stays, and so does what lineage mentions.
    """
    with options.open_fusion(profile) as fusion:
        found = fusion.clean(older, is_dry_run=True)
        if dry_run or not found:
            _print_jobs(found, as_json=as_json)
            return
        if not yes:
            _ask(found, older)
        _print_jobs(fusion.clean(older), as_json=as_json, what="removed job")


def job(
    id: Annotated[  # noqa: A002 - the argument's name
        str,
        typer.Argument(
            metavar="ID", help="its id, or the start of it", autocompletion=completion.job_ids
        ),
    ],
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Print one job, its names and its lineage.
    """
    with options.open_fusion(profile) as fusion:
        facts = asdict(fusion.job(id))
        names = [asdict(model) for model in fusion.models(id)]
        queue = [asdict(row) for _, row in fusion.queued(id)]
    if as_json:
        print_json({**facts, "models": names, "queue": queue})
        return
    for key, value in facts.items():
        if value not in (None, "", {}, ()):
            print(f"{key.strip('_')}: {value}")
    for model in names:
        print(f"name: {model['fully_qualified_name']} → {model['trino_model_name']}")
    for row in queue:
        print(f"queued: {row['command']} {row['from_fqn'] or ''} → {row['model_name_fqn']}")


def cancel(
    id: Annotated[  # noqa: A002 - the argument's name
        str,
        typer.Argument(
            metavar="ID",
            help="its id, or the start of it; all: every open job of yours",
            autocompletion=completion.open_job_ids,
        ),
    ],
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Stop a job on the engine.
    """
    with options.open_fusion(profile) as fusion:
        found = fusion.open_jobs() if id == "all" else [fusion.job(id)]
        rows = [(str(job.id), fusion.cancel(job.id)) for job in found]
    if as_json:
        print_json([{"job": job_id, "status": status} for job_id, status in rows])
    else:
        print_rows(("Job", "Status"), rows, "job")


def models(
    id: Annotated[  # noqa: A002 - the argument's name
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="a job's id; the newest without it",
            autocompletion=completion.job_ids,
        ),
    ] = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Print the names that a job used.
    """
    with options.open_fusion(profile) as fusion:
        newest = fusion.jobs(limit=1)
        if id is None and not newest:
            raise InvalidArgument("There is no job yet.")
        found = fusion.models(id or newest[0].id)
    if as_json:
        print_json([asdict(model) for model in found])
        return
    rows = [(model.fully_qualified_name, model.trino_model_name) for model in found]
    print_rows(("Name", "Trino name"), rows, "name")


def _print_jobs(found: Sequence[Job], *, as_json: bool, what: str = "job") -> None:
    if as_json:
        print_json([asdict(job) for job in found])
        return
    rows: list[tuple[Any, ...]] = [
        (str(job.id)[:8], job.status.value, job.rows, " ".join(job.user_query.split()))
        for job in found
    ]
    print_rows(("Job", "Status", "Rows", "Query"), rows, what, cut=("Query",))


def _ask(found: Sequence[Job], older: str) -> None:
    """
    Let a person agree to the removal; a script that did not say ``--yes`` removes nothing.
    """
    if not sys.stdin.isatty():
        raise InvalidArgument(
            f"Jobs that ended more than {older} ago: {len(found):,}. Nothing was removed.",
            hint="--yes removes them, --dry-run lists them.",
        )
    _print_jobs(found, as_json=False)
    typer.confirm("Remove them, with their stored rows?", abort=True, err=True)
