"""
The ``fusion`` command.

Exit codes: 0 done; 1 the statement, a name or a setting is wrong; 2 the command line is wrong; 3 the engine, the
store or the metadata does not answer; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import EngineUnavailable, FusionError, MetadataError, StoreError

if TYPE_CHECKING:
    from fusion_magic.app import Fusion

DONE, WRONG, UNAVAILABLE, INTERRUPTED = 0, 1, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line; the exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or DONE)
    except FusionError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        is_away = isinstance(error, (EngineUnavailable, StoreError, MetadataError))
        return UNAVAILABLE if is_away else WRONG
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fusion", description="SQL over OpenMetadata's names.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], Any], text: str, **extra: Any) -> Any:
        command = commands.add_parser(name, help=text, description=text, **extra)
        command.add_argument("--profile", help="settings of [profiles.PROFILE] in fusion.toml")
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(run=run)
        return command

    sql = "the SQL; - reads standard input"
    command = add("run", _run, "run statements, each as a job, and print their rows")
    command.add_argument("sql", help=sql)
    command.add_argument("-n", "--limit", type=int, help="at most this many rows")
    add("translate", _translate, "print what the engine would be sent").add_argument(
        "sql", help=sql
    )
    add("lineage", _lineage, "print what a table was made from and goes into").add_argument("fqn")
    command = add("jobs", _jobs, "list the newest jobs")
    command.add_argument("--status", help="only jobs in this status")
    add("job", _job, "print one job").add_argument("id", help="its id, or the start of it")
    add("search", _search, "find tables and files").add_argument("text")
    add("describe", _describe, "print what is known of a table").add_argument("fqn")
    add("migrate", _migrate, "bring the job store's schema up to date")
    add("doctor", _doctor, "check every configured part")
    add("demo", _demo, "run the quickstart notebook and print what it does")
    add("lab", _lab, "open the quickstart notebook in JupyterLab")
    return parser


def _version() -> str:
    from fusion_magic import __version__

    return f"fusion-magic {__version__}"


def _connect(options: argparse.Namespace) -> Fusion:
    from fusion_magic.app import connect

    return connect(options.profile)


def _print(options: argparse.Namespace, data: Any, columns: Sequence[str], rows: Any) -> None:
    if options.json:
        print(json.dumps(data, default=str, ensure_ascii=False))
        return
    from fusion_magic.notebook.display import Table

    print(Table(columns, [tuple(row) for row in rows]).text())


def _sql(options: argparse.Namespace) -> str:
    return sys.stdin.read() if options.sql == "-" else str(options.sql)


def _run(options: argparse.Namespace) -> None:
    from fusion_magic.notebook.display import result_table

    with _connect(options) as fusion:
        for result in fusion.run_script(_sql(options), limit=options.limit, origin="command line"):
            if options.json:
                rows = [dict(zip(result.columns, row, strict=True)) for row in result]
                shown = {"job": result.job_id, "rows": rows, "rows_changed": result.rows_changed}
                print(json.dumps(shown, default=str, ensure_ascii=False))
            else:
                print(result_table(result, preview_rows=max(100, options.limit or 0)).text())


def _translate(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        translation = fusion.translate(_sql(options))
        if not options.json:
            print(translation.converted_query)
            return
        shown = {
            "converted_query": translation.converted_query,
            "limit": translation.limit,
            "offset": translation.offset,
            "models": [asdict(model) for model in translation.models],
        }
        print(json.dumps(shown, ensure_ascii=False))


def _lineage(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        upstream, downstream = fusion.lineage(options.fqn)
    rows = [*(("made from", f) for f in upstream), *(("goes into", f) for f in downstream)]
    _print(options, {"upstream": upstream, "downstream": downstream}, ("", "Name"), rows)


def _jobs(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        jobs = fusion.jobs(status=options.status)
    rows = [(str(j.id)[:8], j.status, j.row_count, " ".join(j.user_query.split())) for j in jobs]
    _print(options, [asdict(job) for job in jobs], ("Job", "Status", "Rows", "Query"), rows)


def _job(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        job = asdict(fusion.job(options.id))
        models = [asdict(model) for model in fusion.models(options.id)]
        queue = [asdict(row) for _, row in fusion.queued(options.id)]
    rows = [(key, str(value)) for key, value in job.items() if value not in (None, "")]
    _print(options, {**job, "models": models, "queue": queue}, ("", "Job"), rows)


def _search(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        found = fusion.search(options.text)
    rows = [(entity.fqn, entity.kind, entity.description or "") for entity in found]
    _print(options, [asdict(e) for e in found], ("Name", "Kind", "Description"), rows)


def _describe(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        entity = fusion.describe(options.fqn)
    rows = [(c.name, c.type or "", c.description or "", ", ".join(c.tags)) for c in entity.columns]
    _print(options, asdict(entity), ("Column", "Type", "Description", "Tags"), rows)


def _migrate(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        fusion.store.migrate()
    _print(options, {"migrated": True}, ("The job store's schema is up to date.",), ())


def _doctor(options: argparse.Namespace) -> int:
    with _connect(options) as fusion:
        parts = fusion.doctor()
    _print(options, parts, ("Part", "What it is", "State"), parts)
    return DONE if all(state == "ok" for _, _, state in parts) else UNAVAILABLE


def _demo(_options: argparse.Namespace) -> None:
    from fusion_magic.cli.demo import run_demo

    run_demo()


def _lab(_options: argparse.Namespace) -> int:
    import subprocess

    from fusion_magic.cli.demo import make_data, notebooks_folder

    folder = notebooks_folder()
    make_data(folder)
    return subprocess.call(  # noqa: S603 - our own interpreter and notebook
        [sys.executable, "-m", "jupyterlab", str(folder / "quickstart.ipynb")]
    )
