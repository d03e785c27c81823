"""
A catalogue of names: a Python dictionary. ``metadata.url = "dictionary://"``.
"""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

from fusion_magic.config import Settings
from fusion_magic.metadata import Column, Entity
from fusion_magic.metadata.base import ListedMetadata

# FQN: its source, its description and its columns.
TABLES: dict[str, tuple[str, str, dict[str, str]]] = {
    "zoo.park.public.animals": (
        "sqlite:zoo.db#animals",
        "One row per animal.",
        {"id": "bigint", "name": "varchar", "keeper": "bigint"},
    ),
    'zoo.park."public.old".Keepers': ("sqlite:zoo.db#keepers", "Who feeds them.", {"id": "bigint"}),
}


def open_metadata(_settings: Settings) -> ListedMetadata:
    """
    What the entry point names: the catalogue for the program's settings.
    """
    return ListedMetadata(entities, where="the dictionary of fusion_example")


def entities() -> list[Entity]:
    """
    The tables as entities.
    """
    return [
        Entity(
            id=str(uuid5(NAMESPACE_URL, fqn)),
            fqn=fqn,
            kind="table",
            trino_parts=("zoo", "public", fqn.rpartition(".")[2].lower()),
            source=source,
            description=description,
            columns=tuple(Column(name, kind) for name, kind in columns.items()),
        )
        for fqn, (source, description, columns) in TABLES.items()
    ]
