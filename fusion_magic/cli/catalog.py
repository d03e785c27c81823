"""
``fusion search``, ``describe``, ``lineage``, ``recommend`` and ``catalogs``: what is known of names.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from fusion_magic.cli import options
from fusion_magic.cli.output import print_json, print_rows


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module.
    """
    for command in (search, describe, lineage, recommend, catalogs):
        app.command()(command)


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="words of a name or a description")],
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Find tables and files.
    """
    with options.open_fusion(profile) as fusion:
        found = fusion.search(text)
    if as_json:
        print_json([asdict(entity) for entity in found])
        return
    rows = [(entity.fqn, entity.kind, entity.description or "") for entity in found]
    print_rows(("Name", "Kind", "Description"), rows, "name", cut=("Description",))


def describe(
    fqn: options.Fqn, profile: options.Profile = None, as_json: options.Json = False
) -> None:
    """
    Print what is known of a table.
    """
    with options.open_fusion(profile) as fusion:
        entity = fusion.describe(fqn)
    if as_json:
        print_json(asdict(entity))
        return
    rows = [(c.name, c.type or "", c.description or "", ", ".join(c.tags)) for c in entity.columns]
    print_rows(
        ("Column", "Type", "Description", "Tags"), rows, "column", cut=("Type", "Description")
    )


def lineage(
    fqn: options.Fqn,
    depth: Annotated[int, typer.Option(metavar="N", min=1, help="hops to look around")] = 3,
    up: Annotated[
        bool, typer.Option("--up", metavar="", help="only what it was made from")
    ] = False,
    down: Annotated[
        bool, typer.Option("--down", metavar="", help="only what it goes into")
    ] = False,
    columns: Annotated[
        bool, typer.Option("--columns", metavar="", help="column by column too")
    ] = False,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="only what this column comes from and goes into"),
    ] = None,
    profile: options.Profile = None,
    as_json: options.Json = False,
) -> None:
    """
    Print what a table was made from and goes into.
    """
    with options.open_fusion(profile) as fusion:
        graph = fusion.lineage(
            fqn,
            depth=depth,
            up=up or not down,
            down=down or not up,
            columns=columns,
            column=column,
        )
    if as_json:
        print_json(graph.json())
    else:
        print(graph.text())


def recommend(
    fqn: options.Fqn, profile: options.Profile = None, as_json: options.Json = False
) -> None:
    """
    Print the tables that jobs use together with one.
    """
    with options.open_fusion(profile) as fusion:
        found = fusion.recommend(fqn)
    if as_json:
        print_json([{"name": name, "jobs": number} for name, number in found])
    else:
        print_rows(("Used together with it", "Jobs"), found, "name")


def catalogs(profile: options.Profile = None, as_json: options.Json = False) -> None:
    """
    Print the services that names start with, and the engine's catalogs.
    """
    with options.open_fusion(profile) as fusion:
        services, known = fusion.catalogs()
    if as_json:
        print_json({"services": dict(services), "catalogs": sorted(known)})
        return
    rows = [
        *(("service", name, number) for name, number in services.items()),
        *(("engine's catalog", name, None) for name in sorted(known)),
    ]
    print_rows(("", "Name", "Tables"), rows, "name")
