"""
What a person can ask for beside a statement's text: the one place where an option of a cell is declared.

``%%fusion``, ``fusion run``, ``fusion submit`` and ``connect().run()`` all make a ``RunOptions``; it travels with a background
job, and the use cases read it. A new option is a new field with its flag.
"""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Self

from fusion_magic.errors import InvalidArgument
from fusion_magic.flags import Flag, choice, number, option, switch
from fusion_magic.sql.write_into import writing_kind
from fusion_magic.units import parse_age

Parameters = Mapping[str, object] | Callable[[str], object]
# What the converted query holds already, or nobody asks for in another process.
_NOT_SENT = frozenset({"params", "refs", "limit", "priority", "create_catalogs"})
# In a cell of several statements these belong to the last one.
_OF_THE_LAST = ("name", "into", "view", "materialized", "if_exists", "cache")


@dataclass(frozen=True, slots=True)
class WriteTarget:
    """
    The table that a query's rows are written to by the engine, or the view that it becomes, and what happens where it exists.

    Attributes:
        table: Its FQN, or a Trino name.
        if_exists: ``fail``, ``append`` or ``replace``.
        made: ``TABLE``, ``VIEW`` or ``MATERIALIZED VIEW``.
    """

    table: str
    if_exists: str = "fail"
    made: str = "TABLE"

    @property
    def kind(self) -> str:
        """
        The kind of the statement that the engine is given.
        """
        return writing_kind(self.if_exists, self.made)


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


def _integer(flag: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidArgument(f"{flag} takes a whole number, not {text!r}.") from None


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """
    The options of one statement.

    Attributes:
        params: Values for ``:name`` placeholders, or a function from name to value that raises ``KeyError``.
        refs: Aliases for FQNs.
        limit: Most rows wanted.
        name: Stores the rows under this name, from where other notebooks and later SQL read them.
        into: Lets the engine write the rows to this table, named by an FQN, instead of returning them.
        view: Makes this view of the query, named by an FQN, instead of running it. One that a job of this store has made is
            replaced.
        materialized: Whether the view keeps its rows.
        if_exists: What happens where that table or view exists: ``fail``, ``append`` the rows or ``replace`` it.
        cache: An age such as ``1h``: reuses the stored result of the same query of yours if it is younger and its tables have
            not changed.
        acknowledge: Why the statement may read what ``governance.refuse`` names; kept with the job.
        create_catalogs: Makes the catalogs that the statement's names need and the engine lacks, where
            ``engine.create_catalogs`` is ``ask``.
        lineage: Whether what OpenMetadata must learn is queued.
        priority: Background jobs of a higher one run first.
        origin: The notebook or script, which counts as the target of a query's rows.

    Raises:
        InvalidArgument: A value is wrong, or two of them exclude each other.
    """

    limit: int | None = option(
        "-n", "--limit", metavar="N", help="return at most N rows", read=number("rows")
    )
    params: Parameters = option(
        "-p",
        "--param",
        metavar="K=V",
        help="a value for :K: a number, true, false, null, an ISO date or time, or text; quotes make it text",
        kept="pairs",
        read=lambda _, text: parse_value(text),
    )
    refs: Mapping[str, str] = option(
        "--ref", metavar="ALIAS=FQN", help="a short name for a table", kept="pairs"
    )
    name: str | None = option(
        "--name",
        metavar="RESULT",
        help="store the rows under this name, for later SQL and other notebooks",
    )
    into: str | None = option(
        "--into", metavar="TABLE", help="let the engine write the rows to this table"
    )
    view: str | None = option(
        "--view", metavar="VIEW", help="make this view of the query instead of running it"
    )
    materialized: bool = switch("--materialized", help="let that view keep its rows")
    if_exists: str = choice(
        "fail",
        Flag(names=("--append",), help="add the rows to that table if it exists", value="append"),
        Flag(names=("--replace",), help="replace that table or view if it exists", value="replace"),
    )
    cache: str | None = option(
        "--cache",
        metavar="AGE",
        help="reuse the stored result of the same query if it is younger than 15min, 1h, 7d … and its tables have not changed",
    )
    acknowledge: str | None = option(
        "--acknowledge",
        metavar="REASON",
        help="why this may read what governance.refuse names; kept with the job",
    )
    create_catalogs: bool = switch(
        "--create-catalogs",
        help="make the catalogs that the tables need and the engine lacks (engine.create_catalogs = ask)",
    )
    lineage: bool = switch("--no-lineage", help="record no lineage", default=True, value=False)
    priority: int = option(
        "--priority",
        metavar="N",
        help="run before background jobs of a lower priority; 0 as a rule",
        default=0,
        read=_integer,
        is_for_background=True,
    )
    origin: str = ""

    def __post_init__(self) -> None:
        self._check_target()
        if self.name is not None:
            from fusion_magic.results.storage import check_name

            check_name(self.name)
        if self.cache is not None:
            parse_age(self.cache)
        if self.acknowledge is not None and not self.acknowledge.strip():
            raise InvalidArgument(
                "--acknowledge wants a reason.", hint="--acknowledge 'ticket 4711'"
            )

    def _check_target(self) -> None:
        writing_kind(self.if_exists, self.target.made if self.target is not None else "TABLE")
        if self.target is None and self.if_exists != "fail":
            raise InvalidArgument(
                "--append and --replace say what --into and --view do.",
                hint="--into TABLE --append",
            )
        if self.materialized and self.view is None:
            raise InvalidArgument(
                "--materialized says how a view is made.", hint="--view VIEW --materialized"
            )
        if [self.name, self.into, self.view].count(None) < 2:
            raise InvalidArgument(
                "Rows are stored under a name, written to a table by the engine, or are a view: one of these.",
                hint="Give --name, --into or --view.",
            )

    @property
    def target(self) -> WriteTarget | None:
        """
        Where the engine writes the rows, or the view that it makes; None where they are returned.
        """
        if self.view is not None:
            made = "MATERIALIZED VIEW" if self.materialized else "VIEW"
            return WriteTarget(self.view, self.if_exists, made)
        return WriteTarget(self.into, self.if_exists) if self.into is not None else None

    @property
    def reuse_s(self) -> float | None:
        """
        Seconds within which rows that the same query has stored are reused; None for never.
        """
        return parse_age(self.cache) if self.cache is not None else None

    def to_json(self) -> dict[str, Any]:
        """
        What a worker must know of them, as JSON's values.
        """
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_SENT}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """
        Those that ``to_json`` gave; what another version sent beside them is left out.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


def make_options(given: Mapping[str, Any]) -> RunOptions:
    """
    The keywords of ``Fusion.run`` as options.

    Raises:
        InvalidArgument: One of them does not exist, or its value is wrong.
    """
    known = [field.name for field in fields(RunOptions)]
    for name in given:
        if name not in known:
            raise InvalidArgument(
                f"There is no option {name!r}.", hint=f"The options are {', '.join(known)}."
            )
    return RunOptions(**{name: value for name, value in given.items() if value is not None})


def of_an_earlier_statement(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    The keywords that hold for a statement before the last one of a cell.
    """
    return {name: value for name, value in given.items() if name not in _OF_THE_LAST}
