"""
``fusion run``, ``submit`` and ``translate``: statements.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_magic.cli import options
from fusion_magic.cli.output import print_json, print_result, print_rows

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion
    from fusion_magic.jobs.translate import Translation

LEAST_PREVIEW_ROWS = 100


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module.
    """
    app.command()(run)
    app.command()(submit)
    app.command()(translate)


def run(
    sql: options.Sql = None,
    file: options.File = None,
    limit: options.MostRows = None,
    param: options.Params = None,
    ref: options.Refs = None,
    name: options.Name = None,
    into: options.Into = None,
    append: options.Append = False,
    replace: options.Replace = False,
    cache: options.Cache = None,
    no_lineage: options.NoLineage = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", metavar="", help="print names and converted query; run nothing"),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", metavar="", help="print the engine's plan; run nothing")
    ] = False,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Run statements, each as a job, and print their rows.
    """
    text = options.read_sql(sql, file)
    worded = {
        **options.wording(param, ref),
        "limit": limit,
        "into": into,
        "if_exists": options.if_exists(append, replace),
    }
    with options.open_fusion(profile) as fusion:
        if dry_run:
            _print_translations(fusion, text, worded, as_json=as_json)
        elif explain:
            _print_plans(fusion, text, options.wording(param, ref), as_json=as_json)
        else:
            given = {**worded, "name": name, "cache": cache, "lineage": not no_lineage}
            _run(fusion, text, given, preview_rows=limit or 0, as_json=as_json)


def submit(
    sql: options.Sql = None,
    file: options.File = None,
    limit: options.MostRows = None,
    param: options.Params = None,
    ref: options.Refs = None,
    name: options.Name = None,
    into: options.Into = None,
    append: options.Append = False,
    replace: options.Replace = False,
    cache: options.Cache = None,
    no_lineage: options.NoLineage = False,
    priority: Annotated[int, typer.Option(metavar="N", help="higher goes first")] = 0,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Hand statements to a worker and print their jobs.
    """
    given = {
        **options.wording(param, ref),
        "limit": limit,
        "name": name,
        "into": into,
        "if_exists": options.if_exists(append, replace),
        "cache": cache,
        "lineage": not no_lineage,
        "priority": priority,
        "origin": "command line",
    }
    text = options.read_sql(sql, file)
    with options.open_fusion(profile) as fusion:
        handles = list(fusion.submit_script(text, **given))
    if as_json:
        print_json([{"job": handle.id} for handle in handles])
    else:
        print_rows(("Job",), [(handle.id,) for handle in handles], "job")


def translate(
    sql: options.Sql = None,
    file: options.File = None,
    param: options.Params = None,
    ref: options.Refs = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Print what the engine would be sent.
    """
    text = options.read_sql(sql, file)
    with options.open_fusion(profile) as fusion:
        translation = fusion.prepare(text, **options.wording(param, ref))
    if as_json:
        print_json(_translation_data(translation))
    else:
        print(translation.converted_query)


def _run(
    fusion: Fusion, text: str, given: dict[str, Any], *, preview_rows: int, as_json: bool
) -> None:
    from fusion_magic.notebook.progress import ProgressLine

    progress = ProgressLine(None)
    results = fusion.run_script(text, **given, origin="command line", on_progress=progress.update)
    try:
        for result in results:
            progress.close()
            print_result(
                result, preview_rows=max(LEAST_PREVIEW_ROWS, preview_rows), as_json=as_json
            )
    except KeyboardInterrupt:
        progress.close()
        print("Interrupted: the query was stopped on the engine.", file=sys.stderr)
        raise
    finally:
        progress.close()


def _print_translations(
    fusion: Fusion, text: str, worded: dict[str, Any], *, as_json: bool
) -> None:
    from fusion_magic.sql.statement import split_statements

    for statement in split_statements(text):
        translation = fusion.prepare(statement.text, **worded)
        if as_json:
            print_json(_translation_data(translation))
            continue
        print(translation.converted_query)
        names = [(m.fully_qualified_name, m.trino_model_name) for m in translation.models]
        print_rows(("Name", "Trino name"), names, "name")
        edges = [
            (f"{source}.{column}", f"{target}.{made}".lstrip("."))
            for source, column, target, made in translation.lineage.columns
        ]
        print_rows(
            ("Source column", "Target column"), edges, "edge", notes=translation.lineage.incomplete
        )


def _print_plans(fusion: Fusion, text: str, wording: dict[str, Any], *, as_json: bool) -> None:
    from fusion_magic.sql.statement import split_statements

    for statement in split_statements(text):
        plan = fusion.explain(statement.text, **wording)
        if as_json:
            print_json(asdict(plan))
        else:
            print(plan.text)


def _translation_data(translation: Translation) -> dict[str, Any]:
    return {
        "converted_query": translation.converted_query,
        "limit": translation.limit,
        "offset": translation.offset,
        "models": [asdict(model) for model in translation.models],
    }
