"""
All commands, and what becomes of their errors: one short text, and an exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fusion_magic.cli import answers, demo, run, services
from fusion_magic.cli.exit_codes import DONE, INTERRUPTED, UNAVAILABLE, UNREAD, WRONG
from fusion_magic.cli.output import print_error
from fusion_magic.errors import EngineUnavailable, FusionError, MetadataError, StoreError


def is_away(error: FusionError) -> bool:
    """
    Whether something does not answer that may answer later, where another try can help.
    """
    return isinstance(error, (EngineUnavailable, StoreError, MetadataError))


def command_line() -> Any:
    """
    The commands, to be run by their ``main``. Help is laid out for a person where one reads it.
    """
    is_read = sys.stdout.isatty() and sys.stderr.isatty()
    app = typer.Typer(
        cls=_Commands,
        help="SQL over OpenMetadata's names: each statement a durable job.",
        no_args_is_help=True,
        rich_markup_mode="rich" if is_read else None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for module in (run, answers, services, demo):
        module.register(app)
    return typer.main.get_command(app)


def _version(is_wanted: bool) -> None:
    if is_wanted:
        from fusion_magic import __version__

        print(f"fusion-magic {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", callback=_version, is_eager=True, help="print the version"
        ),
    ] = False,
) -> None:
    pass


class _Commands(TyperGroup):
    """
    The group of all commands: what one of them raises ends here.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """
        The commands' names as they are registered, but jobs, which typer puts last since it has a command of its own.
        """
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: name not in {"run", "submit", "translate", "jobs"})

    def invoke(self, ctx: Any) -> Any:
        """
        Run the command that the line names; a number that it gives is the exit code.
        """
        with _ended_well():
            code = super().invoke(ctx)
            sys.stdout.flush()
        raise typer.Exit(code if isinstance(code, int) else DONE)


@contextmanager
def _ended_well() -> Iterator[None]:
    try:
        yield
    except FusionError as error:
        print_error(error)
        raise typer.Exit(UNAVAILABLE if is_away(error) else WRONG) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # The interpreter flushes once more when it ends; that must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(UNREAD) from None
