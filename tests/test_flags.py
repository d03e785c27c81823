"""
An option is declared once: what is added to ``RunOptions`` is there for every front end, for workers and for use cases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import connect
from fusion_magic.cli import DONE, main
from fusion_magic.commands import all_commands
from fusion_magic.errors import InvalidArgument
from fusion_magic.flags import Flag, argument, choice, number, option, parse_line, switch, usage
from fusion_magic.jobs import options as job_options
from fusion_magic.jobs import run as job_run
from fusion_magic.notebook.arguments import help_text, parse_cell_line
from fusion_magic.processes.payload import from_payload


@dataclass(frozen=True, kw_only=True)
class WithColour(job_options.RunOptions):
    colour: str = option("--colour", metavar="NAME", help="in which colour", default="grey")


@pytest.fixture
def _one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_options, "RunOptions", WithColour)


@pytest.mark.usefixtures("_one_more")
def test_a_new_option_of_a_cell_is_one_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    It is in both helps, in a background job's payload, and where a use case reads it.
    """
    _, parsed = parse_cell_line("--colour red -n 3")
    assert main(["run", "--help"]) == DONE
    printed = capsys.readouterr().out
    seen: list[Any] = []
    finish = job_run.Run._finish

    def spied(self: job_run.Run, *given: Any) -> Any:
        seen.append(self.options)
        return finish(self, *given)

    monkeypatch.setattr(job_run.Run, "_finish", spied)
    with connect(data_dir=str(tmp_path), worker_start="never") as fusion:
        fusion.run("SELECT 1 AS x", **vars(parsed))
        fusion.submit("SELECT 1 AS x", colour="blue")
        [task] = fusion.store.tasks.claim("w", engine_url=fusion.wiring.engine_key, lease_s=60)

    assert "--colour NAME" in help_text(all_commands().values())
    assert "--colour" in printed
    assert [(o.colour, o.limit) for o in seen] == [("red", 3)]
    assert json.loads(task.payload)["options"]["colour"] == "blue"
    sent: Any = from_payload(task).request.options
    assert sent.colour == "blue"


def test_an_option_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with (
        connect(data_dir=str(tmp_path)) as fusion,
        pytest.raises(InvalidArgument, match="colour") as caught,
    ):
        fusion.run("SELECT 1", colour="red")

    assert "limit" in (caught.value.hint or "")


@dataclass(frozen=True, kw_only=True)
class Sample:
    name: str = argument("NAME", help="its name", needs="a name")
    count: int = option("-n", "--count", metavar="N", help="how many", default=1, read=number("x"))
    tags: tuple[str, ...] = option("--tag", metavar="T", help="its tags", kept="all")
    pairs: dict[str, str] = option("-p", metavar="K=V", help="pairs", kept="pairs")
    quick: bool = switch("--quick", help="quickly")
    way: str = choice(
        "up",
        Flag(names=("--left",), help="to the left", value="left"),
        Flag(names=("--right",), help="to the right", value="right"),
    )
    where: str | None = option("--where", metavar="C", help="a condition", takes_rest=True)


def sample(*words: str) -> Sample:
    parsed: Sample = parse_line(words, Sample, of="sample", hint="the hint", unquotes=True)[0]
    return parsed


def test_a_line_is_read_into_fields() -> None:
    found = sample("'a b'", "-n", "3", "--tag=x", "--tag", "y", "-p", "k=v=w", "--quick", "--left")

    assert found == Sample(
        name="a b", count=3, tags=("x", "y"), pairs={"k": "v=w"}, quick=True, way="left"
    )


def test_a_condition_takes_the_rest_of_the_line_as_it_is() -> None:
    assert sample("n", "--where", "a", ">", "'x y'", "--quick").where == "a > 'x y' --quick"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "needs a name"),
        (("n", "m"), "one word too many"),
        (("n", "-n"), "needs a value"),
        (("n", "-n", "x"), "a number of x"),
        (("n", "--quick=yes"), "takes no value"),
        (("n", "--left", "--right"), "exclude each other"),
        (("n", "--tga", "x"), "no option --tga of sample"),
        (("n", "-p", "kv"), "NAME=VALUE"),
        (("n", "--where"), "needs a value"),
    ],
)
def test_a_mistake_says_what_is_wrong_and_what_there_is(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said) as caught:
        sample(*words)

    assert caught.value.hint


def test_usage_tells_what_is_required_from_what_is_not() -> None:
    assert usage(Sample) == (
        "NAME [--count N] [--tag T …] [-p K=V] [--quick] [--left] [--right] [--where C]"
    )
