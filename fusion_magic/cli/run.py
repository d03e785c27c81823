"""
``fusion run``, ``submit`` and ``translate``: statements.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from fusion_magic.cli.output import print_answer, print_json, print_result, print_rows
from fusion_magic.cli.parameters import File, Json, Profile, Sql, open_fusion, read_sql, with_flags
from fusion_magic.flags import switch
from fusion_magic.jobs import options as job_options

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion
    from fusion_magic.present import Answer

LEAST_PREVIEW_ROWS = 100
ORIGIN = "command line"


@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """
    What is to be shown instead of rows.
    """

    is_dry_run: bool = switch(
        "--dry-run", help="print names, converted query and lineage; run nothing"
    )
    is_explain: bool = switch(
        "--explain", help="print the engine's plan and estimates; run nothing"
    )


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module. The options are looked up now, so that one that is added counts.
    """
    app.command()(with_flags([job_options.RunOptions, RunFlags])(run))
    app.command()(with_flags([job_options.RunOptions], is_background=True)(submit))
    app.command()(with_flags([job_options.RunOptions])(translate))


def run(
    options: job_options.RunOptions,
    flags: RunFlags,
    *,
    sql: Sql = None,
    file: File = None,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """
    Runs statements, each as a job, and prints their rows.
    """
    text, given = read_sql(sql, file), vars(options)
    with open_fusion(profile) as fusion:
        if flags.is_dry_run or flags.is_explain:
            from fusion_magic.commands.statements import dry_run, explained

            answers = dry_run if flags.is_dry_run else explained
            _print_answers(answers(fusion, text, **given), as_json=as_json)
        else:
            rows = max(LEAST_PREVIEW_ROWS, options.limit or 0)
            _run(fusion, text, given, preview_rows=rows, as_json=as_json)


def submit(
    options: job_options.RunOptions,
    *,
    sql: Sql = None,
    file: File = None,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """
    Runs statements in the background and prints their jobs.
    """
    text, given = read_sql(sql, file), {**vars(options), "origin": ORIGIN}
    with open_fusion(profile) as fusion:
        handles = list(fusion.submit_script(text, **given))
    if as_json:
        print_json([{"job": handle.id} for handle in handles])
    else:
        print_rows(("Job",), [(handle.id,) for handle in handles], "job")


def translate(
    options: job_options.RunOptions,
    *,
    sql: Sql = None,
    file: File = None,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """
    Prints what the engine would be sent.
    """
    from fusion_magic.commands.statements import translated

    text = read_sql(sql, file)
    with open_fusion(profile) as fusion:
        _print_answers([translated(fusion, text, **vars(options))], as_json=as_json)


def _print_answers(answers: Iterable[Answer], *, as_json: bool) -> None:
    for answer in answers:
        if not as_json or answer.data is not None:
            print_answer(answer, as_json=as_json)


def _run(
    fusion: Fusion, text: str, given: dict[str, Any], *, preview_rows: int, as_json: bool
) -> None:
    from fusion_magic.present.progress import ProgressLine

    progress = ProgressLine(None)
    results = fusion.run_script(text, **{**given, "origin": ORIGIN}, on_progress=progress.update)
    try:
        for result in results:
            progress.close()
            print_result(result, preview_rows=preview_rows, as_json=as_json)
    except KeyboardInterrupt:
        progress.close()
        print("Interrupted: the query was stopped on the engine.", file=sys.stderr)
        raise
    finally:
        progress.close()
