"""
Arguments and options that several commands take, and what they mean.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_magic.cli import completion
from fusion_magic.errors import InvalidArgument

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion

Profile = Annotated[
    str | None,
    typer.Option(
        metavar="PROFILE", help="a profile of fusion.toml", autocompletion=completion.profiles
    ),
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="print JSON")]
Sql = Annotated[str | None, typer.Argument(metavar="SQL", help="the SQL; - reads standard input")]
File = Annotated[
    typer.FileBinaryRead | None,
    typer.Option("-f", "--file", metavar="FILE", help="read the SQL from this file"),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--param",
        metavar="K=V",
        help="a value for :K: a number, true, false, null, an ISO date or time, or text",
    ),
]
Refs = Annotated[
    list[str] | None,
    typer.Option("--ref", metavar="ALIAS=FQN", help="a short name for a table"),
]
Fqn = Annotated[
    str,
    typer.Argument(metavar="FQN", help="the name of a table", autocompletion=completion.fqns),
]
MostRows = Annotated[
    int | None, typer.Option("-n", "--limit", metavar="N", min=0, help="at most this many rows")
]
Name = Annotated[
    str | None, typer.Option(metavar="RESULT", help="store the result under this name")
]
Into = Annotated[
    str | None,
    typer.Option(metavar="TABLE", help="let the engine write the rows to it"),
]
Append = Annotated[
    bool, typer.Option("--append", metavar="", help="where that table exists: add the rows")
]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace", metavar="", help="where that table exists: put the rows in its place"
    ),
]
Cache = Annotated[
    str | None,
    typer.Option(
        metavar="AGE",
        help="give the rows again that the same query of yours stored within 15min, 1h, 7d …",
    ),
]
NoLineage = Annotated[bool, typer.Option("--no-lineage", metavar="", help="record no lineage")]


def open_fusion(profile: str | None) -> Fusion:
    """
    A ``Fusion`` with the settings of this folder, the environment and *profile*.
    """
    from fusion_magic.fusion import connect

    return connect(profile)


def read_sql(sql: str | None, file: typer.FileBinaryRead | None) -> str:
    """
    The SQL that a command was given: as its argument, on standard input, or in a file.

    Raises:
        typer.BadParameter: None of them, or two.
        InvalidArgument: It is not UTF-8.
    """
    if (sql is None) == (file is None):
        raise typer.BadParameter("give it, or its file with -f", param_hint="SQL")
    try:
        if file is not None:
            return file.read().decode("utf-8-sig")
        return sys.stdin.read() if sql == "-" else str(sql)
    except UnicodeDecodeError as exc:
        raise InvalidArgument(f"The SQL is not UTF-8: {exc.reason}.") from None


def wording(params: list[str] | None, refs: list[str] | None) -> dict[str, Any]:
    """
    What ``-p`` and ``--ref`` are to ``Fusion.run``.

    Raises:
        typer.BadParameter: One of them is no NAME=VALUE.
    """
    from fusion_magic.notebook.arguments import parse_value

    values = {name: parse_value(text) for name, text in _pairs(params, "--param")}
    return {"params": values, "refs": dict(_pairs(refs, "--ref"))}


def if_exists(append: bool, replace: bool) -> str:
    """
    What becomes of a table that exists, as ``Fusion.run`` takes it.

    Raises:
        typer.BadParameter: Both were asked for.
    """
    if append and replace:
        raise typer.BadParameter("give one of them", param_hint="--append / --replace")
    return "append" if append else "replace" if replace else "fail"


def _pairs(texts: list[str] | None, option: str) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in texts or ()]
    for name, mark, value in pairs:
        if not mark or not name.isidentifier():
            raise typer.BadParameter(
                f"takes NAME=VALUE, not {name + mark + value!r}", param_hint=option
            )
    return [(name, value) for name, _, value in pairs]
