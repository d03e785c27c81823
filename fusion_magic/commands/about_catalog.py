"""
Commands about tables and files: ``search``, ``describe``, ``lineage``, ``recommend``, ``catalogs``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fusion_magic.commands.command import Command
from fusion_magic.flags import argument, number, option, switch
from fusion_magic.lineage_graph.graph import DEPTH
from fusion_magic.present import Answer
from fusion_magic.present.tables import Table, count

if TYPE_CHECKING:
    from fusion_magic.commands.command import NoOptions
    from fusion_magic.fusion import Fusion


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """
    What is looked for.
    """

    text: str = argument(
        "TEXT", help="words of a name or a description", needs="some text", takes_rest=True
    )


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """
    Which table.
    """

    fqn: str = argument(
        "FQN",
        help="the name of a table or a file",
        needs="a table's name",
        completes="fqn",
        takes_rest=True,
    )


@dataclass(frozen=True, kw_only=True)
class LineageOptions:
    """
    Which table, and how far to look.
    """

    fqn: str = argument(
        "FQN", help="the name of a table or a file", needs="a table's name", completes="fqn"
    )
    depth: int = option(
        "--depth",
        metavar="N",
        help="look at most N hops around",
        default=DEPTH,
        read=number("hops"),
    )
    up: bool = switch("--up", help="only what it was made from")
    down: bool = switch("--down", help="only what it goes into")
    columns: bool = switch("--columns", help="column by column too")
    column: str | None = option(
        "--column", metavar="NAME", help="only what this column comes from and goes into"
    )


def search(fusion: Fusion, options: SearchOptions) -> Answer:
    """
    Tables and files that the words describe, best first.
    """
    found = fusion.search(options.text)
    rows = [(e.fqn, e.kind, " ".join((e.description or "").split())) for e in found]
    columns = ("Name", "Kind", "Description") if rows else ()
    table = Table(columns, rows, caption=count(len(rows), "name"))
    return Answer(shown=table, data=[asdict(entity) for entity in found], cut=("Description",))


def describe(fusion: Fusion, options: TableOptions) -> Answer:
    """
    What is known of one table.
    """
    entity = fusion.describe(options.fqn)
    details = fusion.metadata.details(entity)
    rows = [[c.name, c.type or "", c.description or "", ", ".join(c.tags)] for c in entity.columns]
    heads = ["Column", "Type", "Description", "Tags"]
    if details.columns:
        heads.append("Data")
        rows = [[*row, details.columns.get(row[0], "")] for row in rows]
    facts = (
        entity.description or "",
        f"Owners: {', '.join(entity.owners)}" if entity.owners else "",
        f"Tags: {', '.join(entity.tags)}" if entity.tags else "",
        f"Deprecated: {entity.deprecated}" if entity.deprecated else "",
        *(f"{heading}: {text}" for heading, text in details.facts),
        details.page,
    )
    table = Table(
        heads,
        rows,
        caption=count(len(rows), "column"),
        notes=(entity.fqn, *filter(None, facts)),
    )
    data = asdict(entity) | {"details": asdict(details)}
    return Answer(shown=table, data=data, cut=("Type", "Description"))


def lineage(fusion: Fusion, options: LineageOptions) -> Answer:
    """
    A drawing of what a table was made from and goes into.
    """
    graph = fusion.lineage(
        options.fqn,
        depth=options.depth,
        # One side alone leaves the other out.
        up=options.up or not options.down,
        down=options.down or not options.up,
        columns=options.columns,
        column=options.column,
    )
    return Answer(shown=graph, data=graph.json())


def recommend(fusion: Fusion, options: TableOptions) -> Answer:
    """
    The tables that finished jobs use together with one, or that the metadata knows to be joined with it, and by which columns.
    """
    jobs = dict(fusion.recommend(options.fqn))
    known = fusion.metadata.find_by_fqn([options.fqn])
    joins = [join for entity in known.values() for join in fusion.metadata.joins(entity)]
    names = list(dict.fromkeys([*jobs, *(join.other_fqn for join in joins)]))
    rows, data = [], []
    for name in names:
        joined = [join for join in joins if join.other_fqn == name]
        how = [f"{join.column} = {join.other_column}" for join in joined]
        rows.append((name, jobs.get(name, 0), ", ".join(how)))
        data.append({"name": name, "jobs": jobs.get(name, 0), "joins": list(map(asdict, joined))})
    heads = ("Used together with it", "Jobs", "Joined on")
    # A catalog file knows of no joins.
    width = 3 if joins else 2
    table = Table(
        heads[:width] if rows else (),
        [row[:width] for row in rows],
        caption=count(len(rows), "name"),
    )
    return Answer(shown=table, data=data)


def catalogs(fusion: Fusion, _: NoOptions) -> Answer:
    """
    The services that names start with, and the engine's catalogs.
    """
    services, known = fusion.catalogs()
    rows = [
        *(("service", name, number) for name, number in services.items()),
        *(("engine's catalog", name, None) for name in sorted(known)),
    ]
    table = Table(("", "Name", "Tables"), rows, caption=count(len(rows), "name"))
    return Answer(shown=table, data={"services": dict(services), "catalogs": sorted(known)})


COMMANDS = (
    Command(name="search", help="Finds tables and files.", answer=search, options=SearchOptions),
    Command(
        name="describe",
        help="Shows what is known of a table: columns, owners, tags.",
        answer=describe,
        options=TableOptions,
    ),
    Command(
        name="lineage",
        help="Shows what a table was made from and goes into.",
        answer=lineage,
        options=LineageOptions,
    ),
    Command(
        name="recommend",
        help="Shows the tables that jobs use together with one.",
        answer=recommend,
        options=TableOptions,
    ),
    Command(
        name="catalogs",
        help="Lists the services that names start with, and the engine's catalogs.",
        answer=catalogs,
    ),
    Command(
        name="catalog",
        help="Lists them too; below it stand commands about catalogs and catalog files.",
        answer=catalogs,
    ),
)
