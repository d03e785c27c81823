"""
A magic's line to options. Pure.

    %%fusion -o df -n 10 -p day=2024-01-31 --ref o=shop_pg.shop.public.orders
    %%fusion df <<                                  the same as -o df
"""

from __future__ import annotations

import ast
import datetime as dt
import difflib
import shlex
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal

from fusion_magic.errors import InvalidArgument

HELP = """\
%%fusion [OPTIONS]            run the cell's SQL, its tables named by their OpenMetadata names
%%fusion NAME << [OPTIONS]    the same, and keep the result as NAME

  -o, --out NAME        keep the (last) result as a variable: .df() .polars() .arrow() …
  -n, --limit N         give at most N rows
  -p, --param K=V       a value for :K; without it, :K takes the variable K of the notebook
      --ref ALIAS=FQN   a short name for a table
      --async           hand it to a worker and go on; the value is a handle of the job
      --name RESULT     store the rows under this name, for later SQL and other notebooks
      --into TABLE      let the engine write the rows to this table
      --append          where that table exists: add the rows to it
      --replace         where that table exists: put the rows in its place
      --cache AGE       give the rows again that the same query has stored within 15min, 1h, 7d …
      --profile P       settings of [profiles.P] in fusion.toml
      --dry-run         show names, converted query and lineage; run nothing
      --explain         show the engine's plan and estimates; run nothing
      --no-lineage      record no lineage
  -q, --quiet           show nothing
  -h, --help            this text

A value V is a number, true, false, null, an ISO date or time, or text; quotes make it text.

%fusion COMMAND
  jobs [STATUS …] [--owner NAME] [--text TEXT] [-n N]  jobs clean --older AGE [--dry-run]
  job ID  cancel ID|all  wait [ID]  result NAME [-o VARIABLE] [--version N] [--columns A,B] [--where C]
  lineage FQN [--depth N] [--up] [--down] [--columns] [--column NAME]
  models [ID]  search TEXT  describe FQN  recommend FQN  catalogs  profile  doctor  help"""

_FLAGS = {
    "--dry-run": "is_dry_run",
    "--explain": "is_explain",
    "--no-lineage": "no_lineage",
    "--async": "is_async",
    "--append": "is_append",
    "--replace": "is_replace",
    "-q": "is_quiet",
    "--quiet": "is_quiet",
    "-h": "is_help",
    "--help": "is_help",
}
_VALUES = {
    "-o": "out",
    "--out": "out",
    "-n": "limit",
    "--limit": "limit",
    "-p": "params",
    "--param": "params",
    "--ref": "refs",
    "--profile": "profile",
    "--name": "name",
    "--into": "into",
    "--cache": "cache",
}


@dataclass(slots=True)
class Arguments:
    """
    The options of one cell.
    """

    out: str | None = None
    limit: int | None = None
    params: dict[str, object] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    profile: str | None = None
    name: str | None = None
    into: str | None = None
    cache: str | None = None
    is_append: bool = False
    is_replace: bool = False
    is_async: bool = False
    is_dry_run: bool = False
    is_explain: bool = False
    no_lineage: bool = False
    is_quiet: bool = False
    is_help: bool = False

    @property
    def if_exists(self) -> str:
        """
        What happens where the table of ``--into`` exists.
        """
        return "append" if self.is_append else "replace" if self.is_replace else "fail"


def parse_arguments(line: str) -> Arguments:
    """
    The options of a ``%%fusion`` line.

    Raises:
        InvalidArgument: An unknown option, one without its value, or a value that it cannot take.
    """
    words = _split(line)
    arguments = Arguments()
    if len(words) > 1 and words[1] == "<<":
        arguments.out = _variable(words[0])
        words = words[2:]
    while words:
        option, is_joined, value = words.pop(0).partition("=")
        if option in _FLAGS and not is_joined:
            setattr(arguments, _FLAGS[option], True)
        elif option in _VALUES:
            if not is_joined:
                if not words:
                    raise InvalidArgument(f"The option {option} needs a value.", hint=_hint())
                value = words.pop(0)
            _set(arguments, _VALUES[option], option, value)
        else:
            raise _unknown(option)
    if arguments.is_append and arguments.is_replace:
        raise InvalidArgument(
            "Rows are added to a table, or put in its place.", hint="Give --append or --replace."
        )
    if (arguments.is_append or arguments.is_replace) and arguments.into is None:
        raise InvalidArgument(
            "--append and --replace say what --into does.", hint="--into TABLE --append"
        )
    return arguments


def _split(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    # Quotes inside FQNs and values belong to them, so that only whole words are unquoted.
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


def _set(arguments: Arguments, name: str, option: str, value: str) -> None:
    if name == "limit":
        if not value.isdigit():
            raise InvalidArgument(f"{option} takes a number of rows, not {value!r}.")
        arguments.limit = int(value)
    elif name == "out":
        arguments.out = _variable(value)
    elif name in {"params", "refs"}:
        key, mark, text = value.partition("=")
        if not mark or not key.isidentifier():
            raise InvalidArgument(f"{option} takes NAME=VALUE, not {value!r}.")
        if name == "refs":
            arguments.refs[key] = text
        else:
            arguments.params[key] = parse_value(text)
    else:
        setattr(arguments, name, value)


@dataclass(frozen=True, slots=True)
class ResultArguments:
    """
    The options of ``%fusion result``.
    """

    name: str
    out: str | None = None
    version: int | None = None
    columns: tuple[str, ...] = ()
    where: str | None = None


def parse_result_arguments(line: str) -> ResultArguments:
    """
    The options of ``%fusion result NAME [-o VARIABLE] [--version N] [--columns A,B] [--where CONDITION]``.

    Raises:
        InvalidArgument: No name, an unknown option, or a value that it cannot take.
    """
    given, names = _given(line, "result", {"--out", "--version", "--columns"}, last="--where")
    if len(names) != 1:
        raise InvalidArgument("This command needs a result's name.", hint="%fusion result NAME")
    version = given.get("--version")
    if version is not None and not version.isdigit():
        raise InvalidArgument(f"--version takes a number, not {version!r}.")
    return ResultArguments(
        names[0],
        out=_variable(given["--out"]) if "--out" in given else None,
        version=int(version) if version else None,
        columns=tuple(filter(None, given.get("--columns", "").split(","))),
        where=given.get("--where"),
    )


@dataclass(frozen=True, slots=True)
class LineageArguments:
    """
    The options of ``%fusion lineage``: keywords of ``Fusion.lineage``.
    """

    fqn: str
    options: dict[str, object]


def parse_lineage_arguments(line: str) -> LineageArguments:
    """
    The options of ``%fusion lineage FQN [--depth N] [--up] [--down] [--columns] [--column NAME]``.

    ``--up`` or ``--down`` alone leaves the other side out.

    Raises:
        InvalidArgument: No name, an unknown option, or a value that it cannot take.
    """
    given, names = _given(line, "lineage", {"--depth", "--column"}, {"--up", "--down", "--columns"})
    depth = given.get("--depth", "")
    if len(names) != 1:
        raise InvalidArgument("This command needs one table's name.", hint="%fusion lineage FQN")
    if depth and not depth.isdecimal():
        raise InvalidArgument(f"--depth takes a number of hops, not {depth!r}.")
    options: dict[str, object] = {
        "up": "--up" in given or "--down" not in given,
        "down": "--down" in given or "--up" not in given,
        "columns": "--columns" in given,
        "column": given.get("--column"),
    }
    return LineageArguments(names[0], options | ({"depth": int(depth)} if depth else {}))


@dataclass(frozen=True, slots=True)
class JobsArguments:
    """
    The options of ``%fusion jobs``.
    """

    statuses: tuple[str, ...] = ()
    owner: str | None = None
    text: str | None = None
    limit: int = 50


def parse_jobs_arguments(line: str) -> JobsArguments:
    """
    The options of ``%fusion jobs [STATUS …] [--owner NAME] [--text TEXT] [-n N]``.

    Raises:
        InvalidArgument: An unknown option, or a value that it cannot take.
    """
    given, words = _given(line, "jobs", {"--owner", "--text", "--limit"})
    limit = given.get("--limit", "50")
    if not limit.isdigit():
        raise InvalidArgument(f"-n takes a number of jobs, not {limit!r}.")
    return JobsArguments(
        statuses=tuple(words),
        owner=given.get("--owner"),
        text=given.get("--text"),
        limit=int(limit),
    )


@dataclass(frozen=True, slots=True)
class CleanArguments:
    """
    The options of ``%fusion jobs clean``.
    """

    older: str
    is_dry_run: bool = False


def parse_clean_arguments(line: str) -> CleanArguments:
    """
    The options of ``%fusion jobs clean --older AGE [--dry-run]``.

    Raises:
        InvalidArgument: No age, or something else.
    """
    given, words = _given(line, "jobs clean", {"--older"}, {"--dry-run"})
    if words or "--older" not in given:
        raise InvalidArgument(
            "jobs clean needs an age.", hint="%fusion jobs clean --older 30d --dry-run"
        )
    return CleanArguments(given["--older"], is_dry_run="--dry-run" in given)


def _given(
    line: str,
    command: str,
    options: AbstractSet[str],
    flags: AbstractSet[str] = frozenset(),
    *,
    last: str = "",
) -> tuple[dict[str, str], list[str]]:
    """
    The options of a command and their values, without quotes, and the other words.

    Args:
        last: An option that takes the rest of the line as it is: a condition has spaces and quotes of its own.
    """
    given: dict[str, str] = {}
    others = []
    words = _split(line)
    while words:
        word, is_joined, value = words.pop(0).partition("=")
        option = {"-n": "--limit", "-o": "--out"}.get(word, word)
        if option in flags and not is_joined:
            given[option] = ""
        elif option == last:
            given[option] = " ".join((value, *words) if is_joined else words)
            break
        elif option in options:
            if not is_joined and not words:
                raise InvalidArgument(f"The option {word} needs a value.")
            given[option] = _unquoted(value if is_joined else words.pop(0))
        elif word.startswith("-"):
            raise InvalidArgument(f"There is no option {word} of {command}.", hint=_hint())
        else:
            others.append(word)
    return given, others


def _unquoted(word: str) -> str:
    is_quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "'\""
    return word[1:-1] if is_quoted else word


def parse_value(text: str) -> object:
    """
    The Python value that a ``-p`` text stands for.

    >>> parse_value("3"), parse_value("1.50"), parse_value("2024-01-31"), parse_value("'3'"), parse_value("abc")
    (3, Decimal('1.50'), datetime.date(2024, 1, 31), '3', 'abc')
    """
    word = text.lower()
    if word in {"true", "false"}:
        return word == "true"
    if word in {"null", "none"}:
        return None
    for read in (int, Decimal, dt.date.fromisoformat, dt.datetime.fromisoformat, _literal):
        try:
            value = read(text)
        except (ValueError, ArithmeticError, SyntaxError):
            continue
        if not (isinstance(value, Decimal) and not value.is_finite()):
            return value
    return text


def _literal(text: str) -> object:
    if text[:1] not in "'\"[(":
        raise ValueError
    return ast.literal_eval(text)


def _variable(name: str) -> str:
    if not name.isidentifier():
        raise InvalidArgument(f"{name!r} is no name of a variable.")
    return name


def _unknown(option: str) -> InvalidArgument:
    close = difflib.get_close_matches(option, [*_FLAGS, *_VALUES], n=1)
    hint = f"Did you mean {close[0]}?" if close else _hint()
    return InvalidArgument(f"There is no option {option}.", hint=hint)


def _hint() -> str:
    return "`%%fusion --help` lists the options."
