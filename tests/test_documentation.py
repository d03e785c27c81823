"""
The reference, which is made from the code, names everything that a person can set, type or ask for.
"""

from __future__ import annotations

import inspect
import re

import pytest
import typer

from docs import reference_pages as reference
from fusion_magic import errors
from fusion_magic.cli.commands import command_line
from fusion_magic.commands import all_commands
from fusion_magic.config import KEYS, SECRETS
from fusion_magic.notebook.arguments import cell_flags, help_text
from fusion_magic.store.sql.tables import metadata
from tests.engines.duckdb.decisions import decisions

ALL = reference.all_commands_of(command_line())
HELP = help_text(all_commands().values())
PAGES = {name: make() for name, make in reference.PAGES.items()}
CLASSES = [
    name
    for name, made in vars(errors).items()
    if inspect.isclass(made) and issubclass(made, errors.FusionError)
]


def section(page: str, heading: str) -> str:
    """
    What stands on a page below a heading, up to the next one; empty where there is no such heading.
    """
    _, _, rest = PAGES[page].partition(f"# {heading}\n")
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def is_named(text: str, where: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(text)}(?![\w-])", where) is not None


@pytest.mark.parametrize("name", ALL)
def test_each_command_has_help_and_a_section(name: str) -> None:
    told = section("commands", f"`fusion {name}`")

    assert len(ALL[name].help) > 10
    assert " ".join(ALL[name].help.split())[:40] in told.replace("\\", "")


@pytest.mark.parametrize("name", ALL)
def test_each_option_of_a_command_has_help_and_stands_in_its_section(name: str) -> None:
    told = section("commands", f"`fusion {name}`")

    for parameter in ALL[name].params:
        assert parameter.help, parameter.name
        for text in parameter.opts:
            if text.startswith("-"):
                assert is_named(text, told), text


@pytest.mark.parametrize("option", sorted(set(cell_flags())))
def test_each_option_of_the_magic_has_help_and_stands_in_its_section(option: str) -> None:
    assert option in HELP
    assert is_named(option, section("options", "`%%fusion`"))


@pytest.mark.parametrize("command", [*all_commands(), "help"])
def test_each_command_of_the_magic_has_help_and_a_section(command: str) -> None:
    assert re.search(rf"\b{command}\b", HELP)
    assert len(section("options", f"`{command}`").strip()) > 10


@pytest.mark.parametrize("key", KEYS)
def test_each_setting_has_a_meaning_and_its_names(key: str) -> None:
    told = section("settings", f"`{key}`")

    assert is_named(f"FUSION_{KEYS[key].upper()}", told)
    assert is_named(KEYS[key], told)
    assert len(told.strip().splitlines()[0]) > 10
    assert KEYS[key] not in SECRETS or is_named(f"{key}_file", told)


@pytest.mark.parametrize("name", CLASSES)
def test_each_error_has_a_section(name: str) -> None:
    assert len(section("errors", f"`{name}`").strip()) > 10


def test_errors_have_their_causes() -> None:
    causes = reference.raised()

    assert ("The file … cannot be read: … (…).", "") in causes["InvalidSettings"]
    assert "cannot be read" in section("errors", "`InvalidSettings`")
    assert sum(map(len, causes.values())) > 150


def test_each_compared_piece_of_sql_stands_in_the_reference() -> None:
    rows = [line for line in PAGES["functions"].splitlines() if line.startswith("| `")]

    assert len(rows) >= len(list(decisions())) * 0.95  # few hold a backtick themselves
    assert "| `7 / 2` | the same |" in PAGES["functions"]


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_each_column_of_the_store_stands_in_the_reference(name: str) -> None:
    told = section("tables", f"`{name}`")

    assert all(f"| `{column.name}` |" in told for column in metadata.tables[name].columns)


def test_a_name_that_is_not_there_is_found_missing() -> None:
    """
    What these tests look with must be able to fail.
    """
    assert section("settings", "`engine`") == ""
    assert not is_named("--jso", PAGES["commands"])
    assert not is_named("FUSION_ENGINE", PAGES["settings"])
    assert isinstance(command_line(), typer.core.TyperGroup)
