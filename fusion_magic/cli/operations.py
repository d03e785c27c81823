"""
``fusion worker``, ``scheduler``, ``queue`` and ``migrate``: what runs beside notebooks, and what it keeps.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from fusion_magic.cli import options
from fusion_magic.cli.output import print_json, print_rows
from fusion_magic.errors import InvalidArgument


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module.
    """
    for command in (worker, scheduler, queue, migrate):
        app.command()(command)


def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="most jobs at once, instead of worker.concurrency"),
    ] = None,
    embedded: Annotated[
        bool,
        typer.Option(
            "--embedded", metavar="", help="end when idle, or when another is at work here"
        ),
    ] = False,
    profile: options.Profile = None,
) -> None:
    """
    Run background jobs until stopped.
    """
    from fusion_magic.processes.worker import serve

    _log_to_standard_error()
    with options.open_fusion(profile) as fusion:
        serving = fusion.worker(concurrency=concurrency, is_embedded=embedded)
        serve(serving, fusion.scheduler() if embedded else None)


def scheduler(profile: options.Profile = None) -> None:
    """
    Deliver queued lineage until stopped.
    """
    from fusion_magic.processes.worker import stop_on_signals

    _log_to_standard_error()
    with options.open_fusion(profile) as fusion:
        delivering = fusion.scheduler()
        stop_on_signals(delivering.stop)
        delivering.run()


def queue(
    action: Annotated[
        Literal["list", "retry", "drop"],
        typer.Argument(help="list all rows; retry or drop a dead letter"),
    ] = "list",
    id: Annotated[  # noqa: A002 - the argument's name
        int | None, typer.Argument(metavar="[ID]", help="of a dead letter, for retry and drop")
    ] = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    List queued lineage and dead letters; retry or drop these.
    """
    with options.open_fusion(profile) as fusion:
        outbox = fusion.store.outbox
        if action != "list":
            change = outbox.revive if action == "retry" else outbox.drop
            if id is None or not change(id):
                raise InvalidArgument(
                    f"There is no dead letter {id}.", hint="`fusion queue` lists them."
                )
        pending = [("pending", number, row, "") for number, row in fusion.queued()]
        dead = [("dead", letter.id, letter.row, letter.error) for letter in outbox.dead()]
    data = [
        {"state": state, "id": number, **asdict(row), "error": error}
        for state, number, row, error in (*pending, *dead)
    ]
    if as_json:
        print_json(data)
        return
    columns = ("State", "Id", "Command", "From", "To", "Error")
    rows = [
        (d["state"], d["id"], d["command"], d["from_fqn"], d["model_name_fqn"], d["error"])
        for d in data
    ]
    print_rows(columns, rows, "row")


def migrate(profile: options.Profile = None, as_json: options.Json = False) -> None:
    """
    Bring the job store's schema up to date.
    """
    with options.open_fusion(profile) as fusion:
        fusion.store.migrate()
    if as_json:
        print_json({"migrated": True})
    else:
        print("The job store's schema is up to date.")


class _Facts(logging.Formatter):
    """
    The message and the facts that go with it.
    """

    def format(self, record: logging.LogRecord) -> str:
        facts = (f"{n}={getattr(record, n)}" for n in ("job_id", "attempt") if hasattr(record, n))
        return " ".join((super().format(record), *facts))


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Facts("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger("fusion_magic").addHandler(handler)
    logging.getLogger("fusion_magic").setLevel(logging.INFO)
