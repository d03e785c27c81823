"""
README.md names everything that a person can set, type or ask for.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer

from fusion_magic.cli.commands import command_line
from fusion_magic.commands import all_commands
from fusion_magic.config import KEYS, SECRETS
from fusion_magic.notebook.arguments import cell_flags, help_text
from tests.distribution import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: Any, *names: str) -> dict[str, Any]:
    """
    Every command of the command line, those below others too, by the words that call it.
    """
    found = {}
    for name, command in group.commands.items():
        words = (*names, name)
        found[" ".join(words)] = command
        if hasattr(command, "commands"):
            found |= commands(command, *words)
    return found


ALL = commands(command_line())
HELP = help_text(all_commands().values())


def is_named(text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(text)}(?![\w-])", README) is not None


@pytest.mark.parametrize("name", ALL)
def test_each_command_has_help_and_stands_in_the_readme(name: str) -> None:
    assert len(ALL[name].help) > 10
    assert is_named(name)


@pytest.mark.parametrize("name", ALL)
def test_each_option_has_help_and_stands_in_the_readme(name: str) -> None:
    for parameter in ALL[name].params:
        assert parameter.help, parameter.name
        for text in parameter.opts:
            if text.startswith("--"):
                assert is_named(text), text


@pytest.mark.parametrize("option", sorted(set(cell_flags())))
def test_each_option_of_the_magic_has_help_and_stands_in_the_readme(option: str) -> None:
    long = {"-o": "--out", "-n": "--limit", "-p": "--param", "-q": "--quiet", "-h": "--help"}

    assert option in HELP
    assert is_named(option) or is_named(long.get(option, option))


@pytest.mark.parametrize("command", [*all_commands(), "help"])
def test_each_command_of_the_magic_has_help_and_stands_in_the_readme(command: str) -> None:
    assert re.search(rf"\b{command}\b", HELP)
    assert is_named(command)


@pytest.mark.parametrize("key", KEYS)
def test_each_setting_stands_in_the_readme(key: str) -> None:
    variable = f"FUSION_{KEYS[key].upper()}"

    assert is_named(variable)
    assert KEYS[key] in SECRETS or is_named(key)


def test_a_name_that_is_not_there_is_found_missing() -> None:
    """
    What these tests look with must be able to fail.
    """
    assert not is_named("--jso")
    assert not is_named("FUSION_ENGINE")
    assert isinstance(command_line(), typer.core.TyperGroup)
