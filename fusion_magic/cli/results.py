"""
``fusion result``: stored rows.
"""

from __future__ import annotations

from typing import Annotated

import typer

from fusion_magic.cli import completion, options
from fusion_magic.cli.output import print_result


def register(app: typer.Typer) -> None:
    """
    Add the command of this module.
    """
    app.command()(result)


def result(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="its name, or its job's id", autocompletion=completion.result_names
        ),
    ],
    version: Annotated[
        int | None, typer.Option(metavar="N", help="which of that name, counted from 1")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="only these, with commas between them")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="CONDITION", help="only rows for which this condition holds"),
    ] = None,
    limit: Annotated[
        int, typer.Option("-n", "--limit", metavar="N", min=0, help="most rows printed")
    ] = 100,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="write to this file: .parquet, .csv, .arrow, .xlsx or .jsonl",
        ),
    ] = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Print a stored result, or write it to a file.
    """
    from fusion_magic.results import Result
    from fusion_magic.results.export import export

    wanted = columns.split(",") if columns else None
    with options.open_fusion(profile) as fusion:
        stored = fusion.result(name, version=version)
        if out:
            print(export(stored, out, columns=wanted, where=where))
            return
        part = stored.part(columns=wanted, where=where, limit=limit)
    print_result(Result(part, job_id=stored.job_id), preview_rows=limit, as_json=as_json)
