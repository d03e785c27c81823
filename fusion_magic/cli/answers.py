"""
The commands that ``%fusion`` has too: each answers, and what it answers is printed, as a table or as JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from fusion_magic.cli.exit_codes import DONE, UNAVAILABLE, WRONG
from fusion_magic.cli.output import print_answer, print_result
from fusion_magic.cli.parameters import Json, Profile, open_fusion, with_flags
from fusion_magic.commands import Command, all_commands
from fusion_magic.errors import InvalidArgument, InvalidSettings
from fusion_magic.present import Answer

MOST_ROWS = 100  # of a stored result, unless --limit says otherwise
Yes = Annotated[bool, typer.Option("--yes", "-y", metavar="", help="do it without asking")]


def register(app: typer.Typer) -> None:
    """
    Add every command of the table; one of two words goes below the one of its first word.
    """
    commands = all_commands()
    for name, command in commands.items():
        below = [other for other in commands.values() if other.name.startswith(f"{name} ")]
        if below:
            app.add_typer(_group(command, below), name=name)
        elif " " not in name:
            app.command(name, help=command.help)(_function(command))


def _group(command: Command, below: Sequence[Command]) -> typer.Typer:
    group = typer.Typer(invoke_without_command=True, help=command.help)
    group.callback(help=command.help)(_function(command, is_group=True))
    for other in below:
        group.command(other.name.partition(" ")[2], help=other.help)(_function(other))
    return group


def _function(command: Command, *, is_group: bool = False) -> Callable[..., Any]:
    def group(
        options: Any, *, context: typer.Context, profile: Profile = None, as_json: Json = False
    ) -> int | None:
        if context.invoked_subcommand is not None:
            return None
        return _run(command, options, profile, as_json=as_json)

    def removing(
        options: Any, *, yes: Yes = False, profile: Profile = None, as_json: Json = False
    ) -> int:
        return _run(command, options, profile, as_json=as_json, is_agreed=yes)

    def plain(options: Any, *, profile: Profile = None, as_json: Json = False) -> int:
        return _run(command, options, profile, as_json=as_json)

    function = group if is_group else removing if command.consent is not None else plain
    return with_flags([command.options])(function)


def _run(
    command: Command, options: Any, profile: str | None, *, as_json: bool, is_agreed: bool = False
) -> int:
    try:
        fusion = open_fusion(profile)
    except InvalidSettings as error:
        if command.without_settings is None:
            raise
        return _printed(command.without_settings(error), as_json=as_json)
    with fusion:
        if command.consent is not None and not is_agreed:
            found = command.consent(fusion, options)
            if found is not None:
                _ask(found)
        return _printed(command.answer(fusion, options), as_json=as_json)


def _printed(answer: Answer, *, as_json: bool) -> int:
    if answer.result is None:
        print_answer(answer, as_json=as_json)
    elif answer.keeps_as:
        from fusion_magic.results.export import export

        print(export(answer.result, answer.keeps_as))
    else:
        print_result(answer.result, preview_rows=answer.most_rows or MOST_ROWS, as_json=as_json)
    if not answer.is_wrong:
        return DONE
    return UNAVAILABLE if answer.is_away else WRONG


def _ask(found: Answer) -> None:
    """
    Let a person agree to what a command removes; a script that did not say ``--yes`` removes nothing.
    """
    if not sys.stdin.isatty():
        raise InvalidArgument(
            f"Nothing was done: {found.asked}.",
            hint="--yes does it, --dry-run lists them.",
        )
    print_answer(found, as_json=False)
    typer.confirm(found.question, abort=True, err=True)
