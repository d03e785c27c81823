"""
Options declared once, as fields of a dataclass, and read by every front end.

    @dataclass(frozen=True, kw_only=True)
    class JobsOptions:
        owner: str | None = option("--owner", metavar="NAME", help="only this person's jobs")

A magic's line (``parse_line``) and the command line (``cli.parameters``) make a ``JobsOptions`` of what a person typed, and
help and completion read the same fields. Pure.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from fusion_magic.errors import InvalidArgument

_KEY = "flags"
# How several values of one flag are kept: the last one, a tuple of all, or a dictionary of pairs.
Kept = Literal["last", "all", "pairs"]


def text(_flag: str, value: str) -> str:
    """
    The value as it was typed.
    """
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """
    One way to type a field's value.

    Attributes:
        names: What is typed, the short form first; empty for a word without a name.
        help: What it does, for a person.
        metavar: What its value is called; empty for a switch, which stands for ``value``.
        read: The flag as it was typed and its value's text to the value; raises ``InvalidArgument``.
        kept: What becomes of several values.
        takes_words: In a magic's line, words without a name are values of this flag.
        takes_rest: In a magic's line, everything behind it is its value: a condition has spaces and quotes of its own.
        needs: What is missing where it is required and not given (``a job's id``); empty for an optional one.
        choices: The values that there are; empty for any.
        completes: The kind of values that Tab offers: ``fqn``, ``job``, ``open_job``, ``result``, ``status`` or ``profile``.
        is_for_background: Whether it means something for background jobs only.
    """

    names: tuple[str, ...] = ()
    help: str
    metavar: str = ""
    value: object = True
    read: Callable[[str, str], object] = text
    kept: Kept = "last"
    takes_words: bool = False
    takes_rest: bool = False
    needs: str = ""
    choices: tuple[str, ...] = ()
    completes: str = ""
    is_for_background: bool = False

    @property
    def is_switch(self) -> bool:
        """
        Whether it has no value of its own.
        """
        return not self.metavar

    @property
    def shown(self) -> str:
        """
        How it is typed, for a person: ``-n, --limit N``.
        """
        return " ".join(filter(None, (", ".join(self.names), self.metavar)))


class Given(NamedTuple):
    """
    A flag that somebody typed, for a field; *typed* is its name and *value* its value's text, None for a switch.
    """

    field: str
    flag: Flag
    typed: str
    value: str | None = None


def option(*names: str, help: str, metavar: str, default: object = None, **more: Any) -> Any:  # noqa: A002 - argparse's word
    """
    A field with a value: ``--limit N``. *more* are attributes of ``Flag``.
    """
    flag = Flag(names=names, help=help, metavar=metavar, **more)
    return _field(default, flag)


def argument(metavar: str, *, help: str, default: object = None, **more: Any) -> Any:  # noqa: A002 - argparse's word
    """
    A field whose value is a word without a name: ``describe FQN``.
    """
    return _field(default, Flag(help=help, metavar=metavar, takes_words=True, **more))


def switch(*names: str, help: str, default: object = False, value: object = True) -> Any:  # noqa: A002 - argparse's word
    """
    A field that a word without a value sets: ``--quiet``.
    """
    return _field(default, Flag(names=names, help=help, value=value))


def choice(default: object, *flags: Flag) -> Any:
    """
    A field that one of several switches sets: ``--append`` or ``--replace``.
    """
    return _field(default, *flags)


def _field(default: object, *flags: Flag) -> Any:
    if flags[0].kept == "pairs":
        return dataclasses.field(default_factory=dict, metadata={_KEY: flags})
    start = () if flags[0].kept == "all" else default
    return dataclasses.field(default=start, metadata={_KEY: flags})


@lru_cache(maxsize=64)
def flags_of(options: type) -> tuple[tuple[str, Flag], ...]:
    """
    The fields of *options* and their flags, in order; fields without a flag are left out.
    """
    return tuple(
        (field.name, flag)
        for field in dataclasses.fields(options)
        for flag in field.metadata.get(_KEY, ())
    )


def build(options: type, given: Iterable[Given]) -> Any:
    """
    An instance of *options* from what was typed.

    Raises:
        InvalidArgument: A value cannot be read, two switches exclude each other, or something required is missing.
    """
    own = dict(flags_of(options))
    values: dict[str, Any] = {}
    switched: dict[str, str] = {}
    for field, flag, typed, value in given:
        if field not in own:
            continue
        if value is None:
            _require_one_switch(switched, field, typed)
            values[field] = flag.value
        elif flag.choices and value not in flag.choices:
            raise InvalidArgument(f"{value!r} is none of {', '.join(flag.choices)}.")
        elif flag.kept == "pairs":
            key, read = _pair(flag, typed, value)
            values.setdefault(field, {})[key] = read
        elif flag.kept == "all":
            values[field] = (*values.get(field, ()), flag.read(typed, value))
        else:
            values[field] = flag.read(typed, value)
    for field, flag in flags_of(options):
        if flag.needs and field not in values:
            raise InvalidArgument(f"This command needs {flag.needs}.")
    return options(**values)


def _require_one_switch(switched: dict[str, str], field: str, typed: str) -> None:
    other = switched.setdefault(field, typed)
    if other != typed:
        raise InvalidArgument(f"{other} and {typed} exclude each other.", hint="Give one of them.")


def _pair(flag: Flag, typed: str, value: str) -> tuple[str, object]:
    key, mark, rest = value.partition("=")
    if not mark or not key.isidentifier():
        raise InvalidArgument(f"{typed} takes NAME=VALUE, not {value!r}.")
    return key, flag.read(typed, rest)


def number(what: str) -> Callable[[str, str], int]:
    """
    A reader of whole numbers from 0 on; *what* says of what (``rows``).
    """

    def read(flag: str, value: str) -> int:
        if not (value.isascii() and value.isdigit()):
            raise InvalidArgument(f"{flag or 'It'} takes a number of {what}, not {value!r}.")
        return int(value)

    return read


def variable(_flag: str, value: str) -> str:
    """
    A reader of names of Python variables.
    """
    if not value.isidentifier():
        raise InvalidArgument(f"{value!r} is not a name that a variable can have.")
    return value


def comma_separated(_flag: str, value: str) -> tuple[str, ...]:
    """
    A reader of lists such as ``a,b``.
    """
    return tuple(filter(None, value.split(",")))


# --- a magic's line


def parse_line(
    words: Sequence[str], *classes: type, of: str, hint: str, unquotes: bool = False
) -> tuple[Any, ...]:
    """
    An instance of each of *classes*, which share the flags that a line of *words* gives.

    Args:
        of: What the line belongs to, for messages (``%%fusion``, ``jobs``).

        hint: How a person finds the flags.

        unquotes: Whether quotes around a whole word are taken off. In a cell's line they belong to FQNs and values.

    Raises:
        InvalidArgument: An unknown flag, one without its value, or a value that it cannot take.
    """
    given = list(_given(words, classes, of=of, hint=hint, unquotes=unquotes))
    try:
        return tuple(build(options, given) for options in classes)
    except InvalidArgument as error:
        error.hint = error.hint or hint
        raise


def _given(
    words: Sequence[str], classes: Sequence[type], *, of: str, hint: str, unquotes: bool
) -> Iterable[Given]:
    known = [pair for options in classes for pair in flags_of(options)]
    names = {name: pair for pair in known for name in pair[1].names}
    unnamed = [pair for pair in known if pair[1].takes_words]
    tidy = unquoted if unquotes else str
    waiting = list(words)
    loose: list[str] = []
    while waiting:
        typed, is_joined, value = waiting.pop(0).partition("=")
        if typed not in names:
            word = f"{typed}{is_joined}{value}"
            if typed.startswith("-") or not unnamed:
                raise _unknown(typed, names, of, hint)
            loose.append(tidy(word))
            continue
        field, flag = names[typed]
        if flag.is_switch:
            if is_joined:
                raise InvalidArgument(f"The option {typed} takes no value.", hint=hint)
            yield Given(field, flag, typed)
        elif flag.takes_rest:
            rest = (value, *waiting) if is_joined else tuple(waiting)
            waiting = []
            yield Given(field, flag, typed, _required(typed, " ".join(rest), hint))
        elif is_joined or waiting:
            yield Given(field, flag, typed, tidy(value if is_joined else waiting.pop(0)))
        else:
            raise InvalidArgument(f"The option {typed} needs a value.", hint=hint)
    yield from _of_words(loose, unnamed, hint=hint)


def _required(typed: str, value: str, hint: str) -> str:
    if not value:
        raise InvalidArgument(f"The option {typed} needs a value.", hint=hint)
    return value


def _of_words(
    loose: Sequence[str], unnamed: Sequence[tuple[str, Flag]], *, hint: str
) -> Iterable[Given]:
    """
    Words without a name, for the flags that take them, in order.
    """
    waiting = list(loose)
    for field, flag in unnamed:
        if not waiting:
            return
        if flag.kept == "all":
            yield from (Given(field, flag, "", word) for word in waiting)
            return
        if flag.takes_rest:
            yield Given(field, flag, "", " ".join(waiting))
            return
        yield Given(field, flag, "", waiting.pop(0))
    if waiting:
        raise InvalidArgument(f"{waiting[0]!r} is one word too many.", hint=hint)


def unquoted(word: str) -> str:
    """
    *word* without the quotes around it.

    >>> unquoted("'a b'"), unquoted('a."b"')
    ('a b', 'a."b"')
    """
    is_quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "'\""
    return word[1:-1] if is_quoted else word


def _unknown(typed: str, names: Iterable[str], of: str, hint: str) -> InvalidArgument:
    close = difflib.get_close_matches(typed, list(names), n=1)
    return InvalidArgument(
        f"There is no option {typed} of {of}.", hint=f"Did you mean {close[0]}?" if close else hint
    )


def usage(options: type) -> str:
    """
    The flags of *options* as one line: ``[STATUS …] [--owner NAME]``.
    """
    shown = []
    for _, flag in flags_of(options):
        name = flag.names[-1] if flag.names and not flag.takes_words else ""
        one = " ".join(filter(None, (name, flag.metavar))) or flag.names[-1]
        one += " …" if flag.kept == "all" else ""
        shown.append(one if flag.needs else f"[{one}]")
    return " ".join(shown)


def help_lines(options: type) -> list[str]:
    """
    A line for each flag of *options*: what is typed, and what it does.
    """
    lines = []
    for _, flag in flags_of(options):
        short = flag.names[0] if not flag.names[0].startswith("--") else ""
        long = " ".join(filter(None, (flag.names[-1], flag.metavar)))
        typed = f"{short}, {long}" if short else f"    {long}"
        lines.append(f"  {typed:<21} {flag.help}".rstrip())
    return lines
