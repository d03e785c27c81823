"""
Commands about jobs and stored results: ``jobs``, ``jobs clean``, ``job``, ``cancel``, ``wait``, ``models``, ``result``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from fusion_magic.commands.command import Command
from fusion_magic.errors import InvalidArgument
from fusion_magic.flags import argument, comma_separated, number, option, switch
from fusion_magic.present import Answer
from fusion_magic.present.tables import Table, count, result_table

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion
    from fusion_magic.handle import JobHandle
    from fusion_magic.store import Job


@dataclass(frozen=True, kw_only=True)
class JobsOptions:
    """
    Which jobs are listed.
    """

    status: tuple[str, ...] = option(
        "--status",
        metavar="STATUS",
        help="only jobs in this status; may be given again",
        kept="all",
        takes_words=True,
        completes="status",
    )
    owner: str | None = option("--owner", metavar="NAME", help="only this person's jobs")
    text: str | None = option(
        "--text", metavar="TEXT", help="only jobs with this text in their query, in any case"
    )
    limit: int = option(
        "-n", "--limit", metavar="N", help="at most N jobs", default=50, read=number("jobs")
    )


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """
    Which jobs are removed.
    """

    older: str = option(
        "--older",
        metavar="AGE",
        help="those that ended longer ago: 30d, 12h, 2w",
        needs="an age: --older 30d",
    )
    is_dry_run: bool = switch("--dry-run", help="list them and remove nothing")


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """
    Which job.
    """

    id: str = argument(
        "ID", help="the job's id, or the start of it", needs="a job's id", completes="job"
    )


@dataclass(frozen=True, kw_only=True)
class CancelOptions:
    """
    Which job, or all.
    """

    id: str = argument(
        "ID",
        help="the job's id, or the start of it; all: every running job of yours",
        needs="a job's id, or all",
        completes="open_job",
    )


@dataclass(frozen=True, kw_only=True)
class WaitOptions:
    """
    Which job, or all.
    """

    id: str | None = argument(
        "ID", help="the job's id; every running job of yours without it", completes="open_job"
    )


@dataclass(frozen=True, kw_only=True)
class ModelsOptions:
    """
    Of which job.
    """

    id: str | None = argument("ID", help="the job's id; the newest job without it", completes="job")


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """
    Which stored rows, and where they go.
    """

    name: str = argument(
        "NAME", help="its name, or its job's id", needs="a result's name", completes="result"
    )
    version: int | None = option(
        "--version", metavar="N", help="which of that name, counted from 1", read=number("versions")
    )
    columns: tuple[str, ...] = option(
        "--columns",
        metavar="A,B",
        help="only these columns, with commas between them",
        default=(),
        read=comma_separated,
    )
    limit: int | None = option(
        "-n", "--limit", metavar="N", help="show at most N rows", read=number("rows")
    )
    keeps_as: str = option(
        "-o",
        "--out",
        metavar="OUT",
        help="a file to write: .parquet, .csv, .arrow, .xlsx or .jsonl; in a notebook also a variable's name",
        default="",
    )
    where: str | None = option(
        "--where",
        metavar="CONDITION",
        help="only rows for which this condition holds",
        takes_rest=True,
    )


def jobs(fusion: Fusion, options: JobsOptions) -> Answer:
    """
    The newest jobs.
    """
    found = fusion.jobs(
        status=options.status or None,
        owner=options.owner,
        text=options.text,
        limit=options.limit,
    )
    return _listed(found, count(len(found), "job"))


def clean(fusion: Fusion, options: CleanOptions) -> Answer:
    """
    The jobs that were removed, or would be.
    """
    found = fusion.clean(options.older, is_dry_run=options.is_dry_run)
    what = "would be removed" if options.is_dry_run else "removed"
    return _listed(found, f"{count(len(found), 'job')} {what}")


def would_clean(fusion: Fusion, options: CleanOptions) -> Answer | None:
    """
    The jobs that ``clean`` would remove; None where nobody has to be asked.
    """
    if options.is_dry_run:
        return None
    found = fusion.clean(options.older, is_dry_run=True)
    ended = f"{count(len(found), 'job')} of yours ended more than {options.older} ago"
    return replace(_listed(found, ended), asked=ended) if found else None


def job(fusion: Fusion, options: JobOptions) -> Answer:
    """
    One job, the names that it used, and what OpenMetadata has not been told of it.
    """
    handle = fusion.job(options.id)
    facts = asdict(handle.job)
    names = [asdict(model) for model in handle.models()]
    queue = [asdict(row) for row in handle.queued()]
    rows = [
        *((key.strip("_").replace("_", " "), _fact(value)) for key, value in facts.items()),
        *(("name", f"{n['fully_qualified_name']} → {n['trino_model_name']}") for n in names),
        *(("queued", _queued(row)) for row in queue),
    ]
    table = Table(("", "Job"), [(key, text) for key, text in rows if text])
    return Answer(shown=table, data={**facts, "models": names, "queue": queue}, job=handle)


def cancel(fusion: Fusion, options: CancelOptions) -> Answer:
    """
    The status of each job whose end was asked for.
    """
    handles = fusion.open_jobs() if options.id == "all" else [fusion.job(options.id)]
    rows = [(handle.id, handle.cancel()) for handle in handles]
    table = Table(("Job", "Status"), rows, caption=count(len(rows), "job"))
    return Answer(shown=table, data=[{"job": id_, "status": status} for id_, status in rows])


def wait(fusion: Fusion, options: WaitOptions) -> Answer:
    """
    The status of each job that has ended meanwhile.
    """
    handles: Sequence[JobHandle] = [fusion.job(options.id)] if options.id else fusion.open_jobs()
    ended = [handle.wait() for handle in handles]
    rows = [(str(job.id)[:8], job.status.value, job.row_count, job.error) for job in ended]
    table = Table(("Job", "Status", "Rows", "Error"), rows, caption=count(len(rows), "job"))
    return Answer(shown=table, data=[asdict(job) for job in ended])


def models(fusion: Fusion, options: ModelsOptions) -> Answer:
    """
    The names that a job used, and what they are on the engine.
    """
    newest = fusion.jobs(limit=1)
    if options.id is None and not newest:
        raise InvalidArgument("There is no job yet.")
    found = fusion.job(options.id or newest[0].id).models()
    rows = [(model.fully_qualified_name, model.trino_model_name) for model in found]
    table = Table(("Name", "Trino name"), rows, caption=count(len(rows), "name"))
    return Answer(shown=table, data=[asdict(model) for model in found])


def result(fusion: Fusion, options: ResultOptions) -> Answer:
    """
    Rows that were stored under a name, or a part of them.
    """
    from fusion_magic.results import Result

    stored: Result = fusion.result(options.name, version=options.version)
    if options.columns or options.where:
        part = fusion.result(options.name, version=options.version).part(
            columns=list(options.columns) or None, where=options.where
        )
        stored = Result(part, job_id=stored.job_id)
    table = result_table(stored, preview_rows=options.limit or 0)
    return Answer(shown=table, result=stored, keeps_as=options.keeps_as, most_rows=options.limit)


def _listed(found: Sequence[Job], caption: str) -> Answer:
    rows = [
        (
            str(job.id)[:8],
            job.status.value,
            job.created.strftime("%Y-%m-%d %H:%M:%S"),
            job.rows,
            " ".join(job.user_query.split()),
        )
        for job in found
    ]
    columns = ("Job", "Status", "Created (UTC)", "Rows", "Query") if rows else ()
    table = Table(columns, rows, caption=caption)
    return Answer(shown=table, data=[asdict(job) for job in found], cut=("Query",))


def _fact(value: Any) -> str:
    return "" if value in (None, "", {}, ()) else str(getattr(value, "value", value))


def _queued(row: dict[str, Any]) -> str:
    return f"{row['command']} {row['from_fqn'] or ''} → {row['model_name_fqn']}"


COMMANDS = (
    Command(name="jobs", help="Lists the newest jobs.", answer=jobs, options=JobsOptions),
    Command(
        name="jobs clean",
        help="Removes your old jobs with their stored rows. The newest result of each name stays, and so does what lineage mentions.",
        answer=clean,
        options=CleanOptions,
        consent=would_clean,
    ),
    Command(name="job", help="Shows one job.", answer=job, options=JobOptions),
    Command(
        name="cancel",
        help="Cancels a job (all: every running job of yours).",
        answer=cancel,
        options=CancelOptions,
    ),
    Command(
        name="wait",
        help="Waits until a job, or every running job of yours, has ended.",
        answer=wait,
        options=WaitOptions,
    ),
    Command(
        name="models",
        help="Shows the names that a job used.",
        answer=models,
        options=ModelsOptions,
    ),
    Command(
        name="result",
        help="Shows a stored result, keeps it as a variable or writes it to a file.",
        answer=result,
        options=ResultOptions,
    ),
)
