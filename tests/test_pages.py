"""
The documentation's pages: what does not run when they are built is at least read by what would read it.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from docs.check_links import broken_links
from fusion_magic.cli.commands import command_line
from fusion_magic.config import load_settings
from fusion_magic.engines.trino.settings import OPTIONS
from fusion_magic.metadata.catalog_file.reader import read_catalog
from fusion_magic.notebook.arguments import parse_cell_line
from tests.distribution import ROOT
from tests.prose import TOP, blocks_of, pages

DECISIONS = sorted((ROOT / "docs" / "contributing" / "decisions").glob("0*.md"))


def blocks(is_wanted: Callable[[str, str], bool]) -> list[Any]:
    """
    Code blocks of all pages as parameters, named by their page.
    """
    return [
        pytest.param(code, id=f"{path.relative_to(ROOT)}:{number}")
        for path in (*TOP, *pages())
        for number, (language, code) in enumerate(blocks_of(path))
        if is_wanted(language, code)
    ]


def lines(beginning: str) -> list[Any]:
    """
    Lines of code of all pages that begin so.
    """
    found = {
        line.removeprefix("!").partition("; echo")[0].partition("#")[0].strip()
        for path in (*TOP, *pages())
        for _, code in blocks_of(path)
        for line in code.splitlines()
        if line.removeprefix("!").startswith(beginning)
    }
    return sorted(found)


@pytest.mark.parametrize("text", blocks(lambda language, _: language == "toml"))
def test_settings_on_a_page_are_read(text: str, tmp_path: Path) -> None:
    # The files that a page names hold a secret here.
    (tmp_path / "secret").write_text("s3cret")
    text = re.sub(r'"/(run|home)/[^"]*"', f'"{tmp_path / "secret"}"', text)
    (tmp_path / "pyproject.toml").write_text(text)
    read = tomllib.loads(text)

    for profile in [None, *read.get("tool", {}).get("fusion", {}).get("profiles", {})]:
        load_settings(profile, folder=tmp_path, environment={})
    assert read


@pytest.mark.parametrize(
    "text", blocks(lambda language, code: language == "yaml" and code.startswith("version:"))
)
def test_a_catalog_on_a_page_is_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(text, "utf-8")

    entities = read_catalog(tmp_path / "catalog.yaml")

    assert entities[0].trino_parts == ("shop_pg", "public", "orders")


@pytest.mark.parametrize("line", lines("fusion "))
def test_a_command_on_a_page_is_one(line: str) -> None:
    """
    Its command and options exist; it is not run.
    """
    command, words = command_line(), shlex.split(line)[1:]
    context = typer.Context(command, info_name="fusion")

    while words and hasattr(command, "get_command"):
        found = command.get_command(context, words[0])
        if words[0].startswith("-"):
            break
        assert found is not None, words[0]
        command, words = found, words[1:]
        context = typer.Context(command, info_name=command.name, parent=context)
    with command.make_context("fusion", words, resilient_parsing=False) as made:
        assert made.command is command


@pytest.mark.parametrize("line", lines("%%fusion"))
def test_a_cell_s_line_on_a_page_is_read(line: str) -> None:
    if "[OPTIONS]" not in line:
        parse_cell_line(line.removeprefix("%%fusion").strip())


def test_each_option_of_trino_s_url_has_its_words() -> None:
    text = (ROOT / "docs" / "guides" / "trino" / "index.md").read_text("utf-8")

    assert all(f"`{name}`" in text for name in OPTIONS)


def links() -> list[Any]:
    """
    Those of the files at the top that stay in the repository.
    """
    return [
        pytest.param(path, target, id=f"{path.name}:{target}")
        for path in TOP
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
        if "://" not in target
    ]


@pytest.mark.parametrize(("path", "target"), links())
def test_a_link_leads_to_a_file_and_a_heading(path: Path, target: str) -> None:
    """
    The site's own links are followed when it is built.
    """
    name, _, anchor = target.partition("#")
    text = (path.parent / name).read_bytes().decode("utf-8", "replace")
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }

    assert not anchor or anchor in headings


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a id="here" href="b.html#x">b</a><a href="#here"></a><a href="c.html"></a><a href="#gone"></a>'
    )
    (tmp_path / "b.html").write_text('<p id="x"></p><a href="https://example.org/">away</a>')

    assert broken_links(tmp_path) == ["a.html: #gone", "a.html: c.html"]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_tells_context_decision_and_consequence(path: Path) -> None:
    heading, *paragraphs = path.read_text("utf-8").strip().split("\n\n")

    assert heading.startswith(f"# {int(path.stem[:4])}. ")
    assert [text.partition(" ")[0] for text in paragraphs] == [
        "**Context.**",
        "**Decision.**",
        "**Consequence.**",
    ]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.stem[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")))
def test_a_workflow_calls_what_a_change_must_pass(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]

    assert workflow[True].keys() >= {"push", "pull_request"}  # YAML 1.1 reads the key "on" so
    assert ".ci/run" in [step.get("run") for step in steps]
    assert all(
        re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in steps if "uses" in step
    )
