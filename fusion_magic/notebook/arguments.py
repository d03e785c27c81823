"""
A magic's line to options. Pure.

    %%fusion -o df -n 10 -p day=2024-01-31 --ref o=shop_pg.shop.public.orders
    %%fusion df <<                                  the same as -o df
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from fusion_magic.commands import Command
from fusion_magic.errors import InvalidArgument
from fusion_magic.flags import flags_of, help_lines, option, parse_line, switch, usage, variable
from fusion_magic.jobs import options as job_options

CELL_HINT = "`%%fusion --help` lists the options."
_HEAD = """\
%%fusion [OPTIONS]            run the cell's SQL, its tables named by their OpenMetadata names
%%fusion NAME << [OPTIONS]    the same, and keep the result as NAME
"""


@dataclass(frozen=True, kw_only=True)
class CellOptions:
    """
    What a cell's line says of the notebook's side: ``RunOptions`` has what it says of the statement.
    """

    out: str | None = option(
        "-o",
        "--out",
        metavar="NAME",
        help="keep the (last) result as a variable: .df() .polars() .arrow() …",
        read=variable,
    )
    is_async: bool = switch(
        "--async", help="run it in the background; the value is a handle of the job"
    )
    profile: str | None = option(
        "--profile",
        metavar="P",
        help="settings of [profiles.P] in fusion.toml",
        completes="profile",
    )
    is_dry_run: bool = switch(
        "--dry-run", help="show names, converted query and lineage; run nothing"
    )
    is_explain: bool = switch("--explain", help="show the engine's plan and estimates; run nothing")
    is_quiet: bool = switch("-q", "--quiet", help="show nothing")
    is_help: bool = switch("-h", "--help", help="this text")


def parse_cell_line(line: str) -> tuple[CellOptions, job_options.RunOptions]:
    """
    The options of a ``%%fusion`` line.

    Raises:
        InvalidArgument: An unknown option, one without its value, or a value that it cannot take.
    """
    words = split_words(line)
    if len(words) > 1 and words[1] == "<<":
        words = ["-o", words[0], *words[2:]]
    cell, run = parse_line(
        words, CellOptions, job_options.RunOptions, of="%%fusion", hint=CELL_HINT
    )
    return cell, run


def parse_command_line(command: Command, rest: str) -> object:
    """
    The options of ``%fusion COMMAND`` from what stands behind the command.

    Raises:
        InvalidArgument: As ``parse_cell_line``, or something required is missing.
    """
    hint = f"%fusion {command.name} {usage(command.options)}".rstrip()
    words = split_words(rest)
    return parse_line(words, command.options, of=command.name, hint=hint, unquotes=True)[0]


def cell_flags() -> list[str]:
    """
    Every option of a cell's line as it is typed.
    """
    classes = (CellOptions, job_options.RunOptions)
    return [name for options in classes for _, flag in flags_of(options) for name in flag.names]


def help_text(commands: Iterable[Command]) -> str:
    """
    What ``%%fusion --help`` and ``%fusion help`` show.
    """
    lines = [_HEAD, *help_lines(CellOptions), *help_lines(job_options.RunOptions)]
    lines += ["", "%fusion COMMAND"]
    for command in commands:
        lines.append(f"  {command.name} {usage(command.options)}".rstrip())
        lines.append(f"      {command.help}")
    return "\n".join((*lines, "  help"))


def split_words(line: str) -> list[str]:
    """
    The words of a line; quotes inside FQNs and values stay, and hold words together.

    Raises:
        InvalidArgument: A quote is not closed.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.quotes = ""
    lexer.escape = ""
    try:
        return _join_quoted(list(lexer), line)
    except ValueError as exc:
        raise InvalidArgument(f"The line {line!r} cannot be read: {exc}.") from None


def _join_quoted(words: list[str], line: str) -> list[str]:
    """
    Words with an open quote continue to the one that closes it.
    """
    joined: list[str] = []
    open_: str | None = None
    for word in words:
        if open_ is not None:
            joined[-1] += " " + word
        else:
            joined.append(word)
        for character in word:
            if open_ is None and character in "'\"":
                open_ = character
            elif character == open_:
                open_ = None
    if open_ is not None:
        raise InvalidArgument(f"The quote {open_} is not closed in: {line.strip()}")
    return joined
