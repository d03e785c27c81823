"""
``fusion doctor``: every configured part, examined.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from fusion_magic.cli import DONE, UNAVAILABLE, WRONG, options
from fusion_magic.cli.output import print_json
from fusion_magic.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fusion_magic.doctor import Check

STYLES = {"ok": "green", "wrong": "bold red", "not used": "dim", "not checked": "yellow"}


def register(app: typer.Typer) -> None:
    """
    Add the command of this module.
    """
    app.command()(doctor)


def doctor(profile: options.Profile = None, as_json: options.Json = False) -> int:
    """
    Check every configured part, and say how to mend what is wrong.
    """
    checks = _examined(profile)
    if as_json:
        print_json([_data(check) for check in checks])
    else:
        _print(checks)
    found_wrong = [check for check in checks if check.state == "wrong"]
    if not found_wrong:
        return DONE
    return UNAVAILABLE if all(check.is_away for check in found_wrong) else WRONG


def _examined(profile: str | None) -> list[Check]:
    from fusion_magic.doctor import wrong

    try:
        fusion = options.open_fusion(profile)
    except InvalidSettings as error:
        return [wrong("settings", error)]
    checks = fusion.doctor()
    fusion.close()
    return checks


def _data(check: Check) -> dict[str, object]:
    data = asdict(check)
    del data["is_away"]
    return data


def _print(checks: Sequence[Check]) -> None:
    """
    A line for each part, and below it what is wrong; the terminal wraps what is too long for it.
    """
    lines = [
        (check.state if number == 0 else "", check.part if number == 0 else "", text)
        for check in checks
        for number, text in enumerate(check.lines() or [""])
    ]
    if not sys.stdout.isatty():
        for state, part, text in lines:
            print(f"{state:<11}  {part:<9}  {text}".rstrip())
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for state, part, text in lines:
        line = Text(f"{state:<11}  ", style=STYLES.get(state, "")).append(f"{part:<9}  ", "bold")
        console.print(line.append(text, "not bold default"), soft_wrap=True)
