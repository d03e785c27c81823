"""
Shell completion, by the protocol that each shell speaks; bash itself completes where it is there.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from fusion_magic import connect
from fusion_magic.cli import main
from tests.cli.conftest import CATALOG

ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[2])}


def fusion(*arguments: str, **environment: str) -> str:
    """
    What the command prints in this process, told so by a shell's variables.
    """
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        for name, value in environment.items():
            patch.setenv(name, value)
        main(arguments)
    return printed.getvalue()


def as_zsh(line: str) -> list[str]:
    said = fusion(_FUSION_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)
    words = said.removeprefix("_arguments '*: :((").removesuffix("))'\n").splitlines()
    return [word.split('"')[1] for word in words if word.startswith('"')]


def as_fish(line: str) -> list[str]:
    said = fusion(
        _FUSION_COMPLETE="complete_fish",
        _TYPER_COMPLETE_ARGS=line,
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    return [word.partition("\t")[0] for word in said.split("\n") if word]


def as_bash(line: str) -> list[str]:
    """
    Bash itself: the script is sourced, and its function called as bash calls it.
    """
    bash = shutil.which("bash")
    assert bash is not None
    words = line.split(" ")
    script = fusion("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    quoted = " ".join(f"'{word}'" for word in words)
    command = (
        f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
        '_fusion_completion fusion; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [bash, "--norc", "-c", command],
        env={**os.environ, **ENVIRONMENT, "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.split()


Complete = Callable[[str], list[str]]
SHELLS = pytest.mark.parametrize("complete", [as_bash, as_zsh, as_fish])


@SHELLS
def test_commands_and_options_are_completed(complete: Complete) -> None:
    assert set(complete("fusion sea")) == {"search"}
    assert {"--status", "--owner", "--text"} <= set(complete("fusion jobs --"))


def test_what_stands_below_a_command_is_completed() -> None:
    assert as_fish("fusion jobs cl") == ["clean"]
    assert as_fish("fusion queue ") == ["list", "retry", "drop", "forget"]


def test_values_come_from_the_store_and_the_settings(folder: Path) -> None:
    (folder / "fusion.toml").write_text("[profiles.prod]\n[profiles.test]\n")
    with connect(worker_start="never") as opened:
        done = opened.run("SELECT 1", name="daily_spend").job_id
        waiting = opened.submit("SELECT 2").id
    complete = as_fish

    assert set(complete("fusion jobs --profile ")) == {"prod", "test"}
    assert {done, waiting} <= set(complete("fusion job "))
    assert set(complete("fusion cancel ")) == {waiting, "all"}
    assert complete(f"fusion cancel {waiting[:5]}") == [waiting]
    assert complete("fusion result d") == ["daily_spend"]
    assert complete("fusion jobs --status CAN") == ["CANCELED"]


@pytest.mark.parametrize("complete", [as_zsh, as_fish])
def test_names_are_completed_as_far_as_there_is_no_choice(complete: Complete, folder: Path) -> None:
    (folder / "catalog.yaml").write_text(f"{CATALOG}  shop.db.public.customers: {{}}\n")

    both = {"shop.db.public.orders", "shop.db.public.customers"}
    assert set(complete("fusion describe sh")) == both
    assert complete("fusion lineage shop.db.public.o") == ["shop.db.public.orders"]


@pytest.mark.parametrize("complete", [as_bash, as_zsh])
def test_a_hostile_name_is_not_offered_to_a_shell(complete: Complete, folder: Path) -> None:
    """
    zsh evaluates what it is told, so that a table's name would run as a command.
    """
    made = folder / "made"
    (folder / "catalog.yaml").write_text(
        f"{CATALOG}  'shop.db.public.\"\\$(touch {made})\"': {{}}\n"
    )

    assert complete("fusion describe shop.db.public.") == ["shop.db.public.orders"]
    assert not made.exists()


def test_pressing_tab_makes_no_store_and_says_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUSION_DATA_DIR", str(folder / "none"))

    assert as_fish("fusion job ") == []
    assert not (folder / "none").exists()
    (folder / "fusion.toml").write_text("[engine\n")
    assert as_fish("fusion job ") == []


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/fusion.sh"),
        ("zsh", ".zfunc/_fusion"),
        ("fish", ".config/fish/completions/fusion.fish"),
    ],
)
def test_completion_is_installed_for_a_shell(shell: str, file: str, tmp_path: Path) -> None:
    said = fusion(
        "--install-completion",
        shell,
        HOME=str(tmp_path),
        _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1",
    )

    assert "installed" in said
    assert "_FUSION_COMPLETE" in (tmp_path / file).read_text()
