"""
Commands that freeze a server's names into a catalog file, and compare the two: ``catalog pull``, ``catalog diff``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fusion_magic.commands.command import Command
from fusion_magic.errors import InvalidArgument
from fusion_magic.flags import argument, option
from fusion_magic.present import Answer
from fusion_magic.present.tables import Table, count
from fusion_magic.sql.fqn import parse_fqn

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion
    from fusion_magic.metadata import Entity

HEAD = "Made by `fusion catalog pull`; `fusion catalog diff` says what has changed since."


@dataclass(frozen=True, kw_only=True)
class PullOptions:
    """
    Which names are frozen, and where to.
    """

    below: tuple[str, ...] = option(
        "--service",
        "--schema",
        metavar="FQN",
        help="everything of this service, database or schema; may be given again. Without it, what finished jobs have named",
        kept="all",
        completes="fqn",
    )
    out: str = option(
        "-o",
        "--out",
        metavar="FILE",
        help="the file to write; its sources stay",
        default="catalog.yaml",
    )


@dataclass(frozen=True, kw_only=True)
class DiffOptions:
    """
    Which file is compared.
    """

    file: str = argument(
        "FILE", help="the catalog file; catalog.yaml without it", default="catalog.yaml"
    )


def pull(fusion: Fusion, options: PullOptions) -> Answer:
    """
    The names that were written.
    """
    from fusion_magic.metadata.catalog_file.reader import read_catalog
    from fusion_magic.metadata.catalog_file.writer import entry_of, relative_source, write_catalog

    path = Path(options.out).absolute()
    _is_another(fusion, path)
    known = {entity.fqn: entity for entity in read_catalog(path)} if path.exists() else {}
    sources = {fqn: relative_source(entity.source, path) for fqn, entity in known.items()}
    found, twins = _one_a_trino_name(_wanted(fusion, options.below))
    entries = {entity.fqn: entry_of(entity, source=sources.get(entity.fqn)) for entity in found}
    write_catalog(path, entries, head=HEAD)
    rows = [(entity.fqn, len(entity.columns)) for entity in found]
    table = Table(
        ("Name", "Columns") if rows else (),
        rows,
        caption=f"{count(len(rows), 'name')} in {options.out}",
        notes=[f"{twin} is left out: {fqn} has the same Trino name." for twin, fqn in twins],
    )
    return Answer(shown=table, data={"file": str(path), "names": [fqn for fqn, _ in rows]})


def diff(fusion: Fusion, options: DiffOptions) -> Answer:
    """
    What has changed since a file was written; something is wrong where something has.
    """
    from fusion_magic.metadata.catalog_file.reader import read_catalog
    from fusion_magic.metadata.catalog_file.writer import differences

    path = Path(options.file).absolute()
    _is_another(fusion, path)
    before = read_catalog(path)
    now = fusion.metadata.find_by_fqn([entity.fqn for entity in before])
    rows = differences(before, now)
    caption = f"{count(len(rows), 'change')} in {count(len(before), 'name')}"
    table = Table(("Name", "What has changed") if rows else (), rows, caption=caption)
    data = [{"name": fqn, "change": change} for fqn, change in rows]
    return Answer(shown=table, data=data, is_wrong=bool(rows))


def _wanted(fusion: Fusion, below: tuple[str, ...]) -> Iterable[Entity]:
    if not below:
        named = fusion.store.models.fqns()
        found = fusion.metadata.find_by_fqn(named)
        return [found[fqn] for fqn in named if fqn in found and not found[fqn].deleted]
    listed = {
        e.fqn: e for fqn in below for e in fusion.metadata.entities_below(str(parse_fqn(fqn)))
    }
    if not listed:
        raise InvalidArgument(
            f"Nothing is known below {', '.join(below)}.",
            hint="`fusion catalogs` lists the services.",
        )
    return listed.values()


def _one_a_trino_name(
    entities: Iterable[Entity],
) -> tuple[list[Entity], list[tuple[str, str]]]:
    """
    *entities* without those whose Trino name another has, which a catalog file cannot hold: what is left out, and for which.

    Trino's names have no case, so that what is written in lower case is what they mean.
    """
    first: dict[tuple[str, ...], Entity] = {}
    by_case = sorted(entities, key=lambda entity: entity.fqn != entity.fqn.lower())
    twins = []
    for entity in by_case:
        kept = first.setdefault(entity.trino_parts, entity)
        if kept is not entity:
            twins.append((entity.fqn, kept.fqn))
    return sorted(first.values(), key=lambda entity: entity.fqn), twins


def _is_another(fusion: Fusion, path: Path) -> None:
    """
    A file that names are read from cannot be frozen from itself.
    """
    if Path(fusion.settings.metadata_url or "catalog.yaml").absolute() == path and "://" not in (
        fusion.settings.metadata_url
    ):
        raise InvalidArgument(
            f"Names are read from {path.name} itself.",
            hint="Let metadata.url name a server: FUSION_METADATA_URL=https://openmetadata.example/api",
        )


COMMANDS = (
    Command(
        name="catalog pull",
        help="Writes names of the metadata server to a catalog file, with which a test suite needs no server.",
        answer=pull,
        options=PullOptions,
    ),
    Command(
        name="catalog diff",
        help="Says what has changed on the metadata server since a catalog file was written.",
        answer=diff,
        options=DiffOptions,
    ),
)
