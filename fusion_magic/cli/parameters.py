"""
Declared options (``fusion_magic.flags``) as parameters of typer's commands, and back.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_magic.cli import completion
from fusion_magic.errors import InvalidArgument
from fusion_magic.flags import Flag, Given, build, flags_of

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


def open_fusion(profile: str | None) -> Fusion:
    """
    A ``Fusion`` with the settings of this folder, the environment and *profile*.
    """
    from fusion_magic.fusion import connect

    return connect(profile)


def with_flags(
    options: Sequence[type], *, is_background: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """
    A decorator: the function's parameters, and before the keyword ``profile`` one for each flag of the dataclasses *options*.

    The function is called with an instance of each as its first arguments, and with its own parameters by name.

    Args:
        is_background: Whether flags are offered that mean something for background jobs only.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        flags = [
            (field, flag)
            for one in options
            for field, flag in flags_of(one)
            if is_background or not flag.is_for_background
        ]
        own = list(inspect.signature(function, eval_str=True).parameters.values())[len(options) :]

        def called(**values: Any) -> Any:
            given = list(_given(flags, values))
            kept = {parameter.name: values[parameter.name] for parameter in own}
            return function(*(_built(one, given) for one in options), **kept)

        before = [p for p in own if p.name in {"sql", "file"}]
        after = [p for p in own if p not in before]
        parameters = [*before, *(_parameter(flag) for _, flag in flags), *after]
        called.__name__ = function.__name__
        called.__doc__ = function.__doc__
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # typer reads it
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        return called

    return decorate


def _built(options: type, given: Sequence[Given]) -> Any:
    try:
        return build(options, given)
    except InvalidArgument as error:
        raise typer.BadParameter(f"{error.message} {error.hint or ''}".rstrip()) from None


def _given(flags: Sequence[tuple[str, Flag]], values: Mapping[str, Any]) -> Iterator[Given]:
    for field, flag in flags:
        value = values[_name(flag)]
        typed = flag.names[-1] if flag.names else ""
        if flag.is_switch:
            if value:
                yield Given(field, flag, typed)
        elif isinstance(value, (list, tuple)):
            yield from (Given(field, flag, typed, text) for text in value)
        elif value is not None:
            yield Given(field, flag, typed, value)


def _name(flag: Flag) -> str:
    text = flag.names[-1].lstrip("-") if flag.names else flag.metavar.lower()
    # A name that Python has for itself could not be one of a parameter.
    return f"{text.replace('-', '_')}_"


def _parameter(flag: Flag) -> inspect.Parameter:
    annotation: Any
    if flag.is_switch:
        annotation = Annotated[bool, typer.Option(*flag.names, metavar="", help=flag.help)]
        default: Any = False
    else:
        annotation = Annotated[_type(flag), _declared(flag)]
        default = inspect.Parameter.empty if flag.needs else None
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(_name(flag), kind, default=default, annotation=annotation)


def _type(flag: Flag) -> Any:
    if flag.kept != "last":
        return list[str] | None
    return str if flag.needs else str | None


def _declared(flag: Flag) -> Any:
    completes = _COMPLETIONS.get(flag.completes)
    if flag.choices:
        completes = _offering(flag.choices)
    if flag.names:
        return typer.Option(
            *flag.names, metavar=flag.metavar, help=flag.help, autocompletion=completes
        )
    metavar = flag.metavar if flag.needs else f"[{flag.metavar}]"
    return typer.Argument(metavar=metavar, help=flag.help, autocompletion=completes)


def _offering(choices: Sequence[str]) -> Callable[[], list[str]]:
    def offered() -> list[str]:
        return list(choices)

    return offered


_COMPLETIONS: Mapping[str, Callable[..., Any]] = {
    "fqn": completion.fqns,
    "job": completion.job_ids,
    "open_job": completion.open_job_ids,
    "result": completion.result_names,
    "status": completion.statuses,
    "profile": completion.profiles,
}


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
