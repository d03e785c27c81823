"""
``fusion worker`` and ``scheduler``: what works beside the notebooks.
"""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from fusion_magic.cli.parameters import Profile, open_fusion


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module.
    """
    app.command()(worker)
    app.command()(scheduler)


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
    profile: Profile = None,
) -> None:
    """
    Runs background jobs until it is stopped.
    """
    from fusion_magic.processes.launch import serve

    _log_to_standard_error()
    with open_fusion(profile) as fusion:
        wiring = fusion.wiring
        serving = wiring.open_worker(concurrency=concurrency, is_embedded=embedded)
        serve(serving, wiring.open_scheduler() if embedded else None)


def scheduler(
    events: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="listen there for the messages of OpenMetadata's webhook"
        ),
    ] = None,
    profile: Profile = None,
) -> None:
    """
    Delivers queued lineage until it is stopped, and hears of changes in OpenMetadata.
    """
    from fusion_magic.processes.launch import stop_on_signals

    _log_to_standard_error()
    with open_fusion(profile) as fusion:
        delivering = fusion.wiring.open_scheduler(events=events)
        stop_on_signals(delivering.stop)
        delivering.run()


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
