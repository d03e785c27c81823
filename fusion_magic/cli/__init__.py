"""
The ``fusion`` command.

Exit codes: 0 done; 1 the statement, a name or a setting is wrong; 2 the command line is wrong; 3 the engine, the
store or the metadata does not answer; 130 interrupted; 141 nobody reads the output any more. An error is one short
text on standard error.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import (
    EngineUnavailable,
    FusionError,
    InvalidArgument,
    MetadataError,
    StoreError,
)

if TYPE_CHECKING:
    from fusion_magic.app import Fusion
    from fusion_magic.results import Result

DONE, WRONG, UNAVAILABLE, INTERRUPTED, UNREAD = 0, 1, 3, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line; the exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        code = int(options.run(options) or DONE)
        sys.stdout.flush()
        return code
    except FusionError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        is_away = isinstance(error, (EngineUnavailable, StoreError, MetadataError))
        return UNAVAILABLE if is_away else WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more when it ends; that must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fusion", description="SQL over OpenMetadata's names.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], Any], text: str) -> Any:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    def add_question(name: str, run: Callable[[argparse.Namespace], Any], text: str) -> Any:
        command = add(name, run, text)
        command.add_argument("--profile", help="settings of [profiles.PROFILE] in fusion.toml")
        command.add_argument("--json", action="store_true", help="print JSON")
        return command

    command = add_question("run", _run, "run statements, each as a job, and print their rows")
    _add_running(command)
    command = add_question("submit", _submit, "hand statements to a worker and print their jobs")
    _add_running(command)
    command.add_argument("--priority", type=int, default=0, help="higher goes first; 0 by default")
    _add_sql(add_question("translate", _translate, "print what the engine would be sent"))
    command = add_question("lineage", _lineage, "print what a table was made from and goes into")
    command.add_argument("fqn")
    command = add_question("jobs", _jobs, "list the newest jobs")
    command.add_argument("--status", help="only jobs in this status")
    command.add_argument("-n", "--limit", type=int, default=50, help="most jobs, 50 by default")
    command = add_question("job", _job, "print one job, its names and its lineage")
    command.add_argument("id", help="its id, or the start of it")
    command = add_question("cancel", _cancel, "stop a job on the engine")
    command.add_argument("id", help="its id, or the start of it; all: every open job of yours")
    command = add_question("result", _result, "print a stored result, or write it to a file")
    command.add_argument("name", help="its name, or its job's id")
    command.add_argument("--version", type=int, help="which of that name, counted from 1")
    command.add_argument("--columns", help="only these, with commas between them")
    command.add_argument("--where", help="only rows for which this condition holds")
    command.add_argument(
        "-n", "--limit", type=int, default=100, help="most rows printed, 100 by default"
    )
    command.add_argument(
        "-o", "--out", help="write to this file: .parquet, .csv, .arrow, .xlsx or .jsonl"
    )
    add_question("search", _search, "find tables and files").add_argument("text")
    add_question("describe", _describe, "print what is known of a table").add_argument("fqn")
    add_question("migrate", _migrate, "bring the job store's schema up to date")
    add_question("doctor", _doctor, "check every configured part")
    command = add("worker", _worker, "run background jobs until stopped")
    command.add_argument("--profile", help="settings of [profiles.PROFILE] in fusion.toml")
    command.add_argument("--concurrency", type=int, help="most jobs at once (worker.concurrency)")
    command.add_argument(
        "--embedded", action="store_true", help="end when idle, or when another is at work here"
    )
    command = add("scheduler", _scheduler, "deliver queued lineage until stopped")
    command.add_argument("--profile", help="settings of [profiles.PROFILE] in fusion.toml")
    command = add_question(
        "queue", _queue, "list queued lineage and dead letters; retry or drop these"
    )
    command.add_argument("action", nargs="?", default="list", choices=("list", "retry", "drop"))
    command.add_argument("id", nargs="?", type=int, help="of a dead letter, for retry and drop")
    add("demo", _demo, "run the quickstart notebook and print what it does")
    add("lab", _lab, "open the quickstart notebook in JupyterLab")
    return parser


def _add_running(command: Any) -> None:
    _add_sql(command)
    command.add_argument("-n", "--limit", type=int, help="at most this many rows")
    command.add_argument("--name", help="store the result under this name")
    command.add_argument("--into", metavar="TABLE", help="let the engine write the rows to it")
    existing = command.add_mutually_exclusive_group()
    for word, help_ in (("append", "add the rows to it"), ("replace", "put them in its place")):
        existing.add_argument(
            f"--{word}",
            dest="if_exists",
            action="store_const",
            const=word,
            default="fail",
            help=f"where that table exists: {help_}",
        )


def _add_sql(command: Any) -> None:
    command.add_argument("sql", help="the SQL; - reads standard input")
    command.add_argument(
        "-p",
        "--param",
        metavar="K=V",
        type=_pair,
        action="append",
        default=[],
        help="a value for :K: a number, true, false, null, an ISO date or time, or text",
    )
    command.add_argument(
        "--ref",
        metavar="ALIAS=FQN",
        type=_pair,
        action="append",
        default=[],
        help="a short name for a table",
    )


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"takes NAME=VALUE, not {text!r}")
    return name, value


def _version() -> str:
    from fusion_magic import __version__

    return f"fusion-magic {__version__}"


def _connect(options: argparse.Namespace) -> Fusion:
    from fusion_magic.app import connect

    return connect(options.profile)


def _print_json(data: Any) -> None:
    print(json.dumps(data, default=str, ensure_ascii=False))


def _print(
    options: argparse.Namespace, data: Any, columns: Sequence[str], rows: Sequence[Any], what: str
) -> None:
    """
    *data* as JSON where that is asked for, else a table that says how many *what* there are.
    """
    if options.json:
        _print_json(data)
        return
    from fusion_magic.notebook.display import Table, count

    shown = columns if rows else ()
    print(Table(shown, [tuple(row) for row in rows], caption=count(len(rows), what)).text())


def _sql(options: argparse.Namespace) -> str:
    return sys.stdin.read() if options.sql == "-" else str(options.sql)


def _statement_options(options: argparse.Namespace) -> dict[str, Any]:
    from fusion_magic.notebook.arguments import parse_value

    params = {name: parse_value(value) for name, value in options.param}
    return {"params": params, "refs": dict(options.ref)}


def _run_options(options: argparse.Namespace) -> dict[str, Any]:
    return {
        **_statement_options(options),
        "limit": options.limit,
        "name": options.name,
        "into": options.into,
        "if_exists": options.if_exists,
        "origin": "command line",
    }


def _run(options: argparse.Namespace) -> None:
    from fusion_magic.notebook.display import result_table

    with _connect(options) as fusion:
        for result in fusion.run_script(_sql(options), **_run_options(options)):
            if options.json:
                _print_json(_result_data(result))
            else:
                print(result_table(result, preview_rows=max(100, options.limit or 0)).text())


def _submit(options: argparse.Namespace) -> None:
    given = {**_run_options(options), "priority": options.priority}
    with _connect(options) as fusion:
        handles = list(fusion.submit_script(_sql(options), **given))
    rows = [(handle.id,) for handle in handles]
    _print(options, [{"job": handle.id} for handle in handles], ("Job",), rows, "job")


def _cancel(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        jobs = fusion.open_jobs() if options.id == "all" else [fusion.job(options.id)]
        rows = [(str(job.id), fusion.cancel(job.id)) for job in jobs]
    data = [{"job": job_id, "status": status} for job_id, status in rows]
    _print(options, data, ("Job", "Status"), rows, "job")


def _result(options: argparse.Namespace) -> None:
    from fusion_magic.notebook.display import result_table
    from fusion_magic.results import Result
    from fusion_magic.results.export import export

    columns = options.columns.split(",") if options.columns else None
    with _connect(options) as fusion:
        stored = fusion.result(options.name, version=options.version)
        if options.out:
            print(export(stored, options.out, columns=columns, where=options.where))
            return
        table = stored.part(columns=columns, where=options.where, limit=options.limit)
        shown = Result(table, job_id=stored.job_id)
        if options.json:
            _print_json(_result_data(shown))
        else:
            print(result_table(shown, preview_rows=options.limit).text())


def _worker(options: argparse.Namespace) -> None:
    from fusion_magic.worker import serve

    _log_to_standard_error()
    with _connect(options) as fusion:
        worker = fusion.worker(concurrency=options.concurrency, is_embedded=options.embedded)
        serve(worker, fusion.scheduler() if options.embedded else None)


def _scheduler(options: argparse.Namespace) -> None:
    from fusion_magic.worker import stop_on_signals

    _log_to_standard_error()
    with _connect(options) as fusion:
        scheduler = fusion.scheduler()
        stop_on_signals(scheduler.stop)
        scheduler.run()


def _queue(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        outbox = fusion.store.outbox
        if options.action != "list":
            change = outbox.revive if options.action == "retry" else outbox.drop
            if options.id is None or not change(options.id):
                raise InvalidArgument(
                    f"There is no dead letter {options.id}.", hint="`fusion queue` lists them."
                )
        pending = [("pending", number, row, "") for number, row in fusion.queued()]
        dead = [("dead", letter.id, letter.row, letter.error) for letter in outbox.dead()]
    data = [
        {"state": state, "id": number, **asdict(row), "error": error}
        for state, number, row, error in (*pending, *dead)
    ]
    columns = ("State", "Id", "Command", "From", "To", "Error")
    rows = [
        (d["state"], d["id"], d["command"], d["from_fqn"], d["model_name_fqn"], d["error"])
        for d in data
    ]
    _print(options, data, columns, rows, "row")


def _log_to_standard_error() -> None:
    import logging

    class Facts(logging.Formatter):
        """
        The message and the facts that go with it.
        """

        def format(self, record: logging.LogRecord) -> str:
            facts = (
                f"{n}={getattr(record, n)}" for n in ("job_id", "attempt") if hasattr(record, n)
            )
            return " ".join((super().format(record), *facts))

    handler = logging.StreamHandler()
    handler.setFormatter(Facts("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger("fusion_magic").addHandler(handler)
    logging.getLogger("fusion_magic").setLevel(logging.INFO)


def _result_data(result: Result) -> dict[str, Any]:
    # Rows are lists, since two columns of a query may have one name.
    return {
        "job": result.job_id,
        "columns": result.columns,
        "types": result.types,
        "rows": [[_json_value(value) for value in row] for row in result],
        "rows_changed": result.rows_changed,
        "warnings": result.warnings,
    }


def _json_value(value: Any) -> Any:
    """
    *value* in what JSON has: bytes in hexadecimal digits, and numbers that it lacks as text.
    """
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _json_value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(inner) for inner in value]
    return value


def _translate(options: argparse.Namespace) -> None:
    given = _statement_options(options)
    with _connect(options) as fusion:
        translation = fusion.prepare(_sql(options), **given)
    if not options.json:
        print(translation.converted_query)
        return
    shown = {
        "converted_query": translation.converted_query,
        "limit": translation.limit,
        "offset": translation.offset,
        "models": [asdict(model) for model in translation.models],
    }
    _print_json(shown)


def _lineage(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        upstream, downstream = fusion.lineage(options.fqn)
    rows = [*(("made from", f) for f in upstream), *(("goes into", f) for f in downstream)]
    _print(options, {"upstream": upstream, "downstream": downstream}, ("", "Name"), rows, "edge")


def _jobs(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        jobs = fusion.jobs(status=options.status, limit=options.limit)
    rows = [
        (
            str(job.id)[:8],
            job.status.value,
            job.rows,
            " ".join(job.user_query.split()),
        )
        for job in jobs
    ]
    _print(options, [asdict(job) for job in jobs], ("Job", "Status", "Rows", "Query"), rows, "job")


def _job(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        job = asdict(fusion.job(options.id))
        models = [asdict(model) for model in fusion.models(options.id)]
        queue = [asdict(row) for _, row in fusion.queued(options.id)]
    if options.json:
        _print_json({**job, "models": models, "queue": queue})
        return
    for key, value in job.items():
        if value not in (None, "", {}, ()):
            print(f"{key.strip('_')}: {value}")
    for model in models:
        print(f"name: {model['fully_qualified_name']} → {model['trino_model_name']}")
    for row in queue:
        print(f"queued: {row['command']} {row['from_fqn'] or ''} → {row['model_name_fqn']}")


def _search(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        found = fusion.search(options.text)
    rows = [(entity.fqn, entity.kind, entity.description or "") for entity in found]
    _print(options, [asdict(e) for e in found], ("Name", "Kind", "Description"), rows, "name")


def _describe(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        entity = fusion.describe(options.fqn)
    rows = [(c.name, c.type or "", c.description or "", ", ".join(c.tags)) for c in entity.columns]
    _print(options, asdict(entity), ("Column", "Type", "Description", "Tags"), rows, "column")


def _migrate(options: argparse.Namespace) -> None:
    with _connect(options) as fusion:
        fusion.store.migrate()
    if options.json:
        _print_json({"migrated": True})
    else:
        print("The job store's schema is up to date.")


def _doctor(options: argparse.Namespace) -> int:
    with _connect(options) as fusion:
        parts = fusion.doctor()
    data = [{"part": part, "what": what, "state": state} for part, what, state in parts]
    _print(options, data, ("Part", "What it is", "State"), parts, "part")
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
