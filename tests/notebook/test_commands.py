"""
``%fusion COMMAND``: which jobs are listed, and which are removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.commands import all_commands
from fusion_magic.errors import FusionError, InvalidArgument
from fusion_magic.notebook.arguments import parse_command_line
from fusion_magic.present.tables import Table


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    with connect(data_dir=str(tmp_path), worker_start="never", owner="ana") as opened:
        opened.run("SELECT 1 AS spend")
        opened.run("SELECT 2 AS other", name="kept")
        with pytest.raises(FusionError):
            opened.run("SELECT spend FROM nowhere.at.all")
        yield opened


def answer(fusion: Fusion, name: str, rest: str) -> Table:
    command = all_commands()[name]
    shown = command.answer(fusion, parse_command_line(command, rest)).shown
    assert isinstance(shown, Table)
    return shown


@pytest.mark.parametrize(
    ("rest", "queries"),
    [
        ("", 3),
        ("FAILED", 1),
        ("finished failed", 3),
        ("--text spend", 2),
        ("FINISHED --text 'SELECT 1'", 1),
        ("--owner ana -n 2", 2),
        ("--owner=bea", 0),
    ],
)
def test_jobs_are_listed_by_state_owner_and_text(fusion: Fusion, rest: str, queries: int) -> None:
    assert len(answer(fusion, "jobs", rest).rows) == queries


def test_old_jobs_are_removed_when_that_is_asked_for(fusion: Fusion) -> None:
    """
    The newest result of a name stays.
    """
    listed = answer(fusion, "jobs clean", "--older 0s --dry-run")
    before = len(fusion.jobs())
    removed = answer(fusion, "jobs clean", "--older 0s")

    assert listed.caption == "2 jobs would be removed"
    assert before == 3
    assert removed.caption == "2 jobs removed"
    assert [job.result_name for job in fusion.jobs()] == ["kept"]


@pytest.mark.parametrize("line", ["--older", "-n x", "--nonsense", "RUNNING --text"])
def test_a_wrong_option_of_jobs_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_command_line(all_commands()["jobs"], line)


@pytest.mark.parametrize("line", ["", "--dry-run", "30d", "--older 30d --force"])
def test_cleaning_needs_an_age_and_nothing_else(line: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_command_line(all_commands()["jobs clean"], line)
