"""
Tables that are there while one query runs: stored results, and files by their names in OpenMetadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from fusion_magic.engines import EngineQuery
from fusion_magic.errors import InvalidSettings

if TYPE_CHECKING:
    from fusion_magic.config import Settings
    from fusion_magic.engines.trino.file_tables import FileTables
    from fusion_magic.engines.trino.hive_tables import ResultTables
    from fusion_magic.metadata import Entity

Tables = Mapping[tuple[str, ...], "Entity"]


class TableKind(Protocol):
    """
    How one kind of table is made and dropped.
    """

    def owns(self, parts: tuple[str, ...], entity: Entity) -> bool:
        """
        Whether the table with that Trino name, which stands for *entity*, is of this kind.
        """
        ...

    def make(self, tables: Tables) -> dict[str, str]:
        """
        Make *tables*, all of this kind; session properties without which their values would be rounded.
        """
        ...

    def drop(self, tables: Tables) -> None:
        """
        Drop *tables*, all of this kind.
        """
        ...


class QueryTables:
    """
    All kinds of an engine.
    """

    def __init__(self, kinds: Sequence[TableKind]) -> None:
        self._kinds = kinds

    def used_by(self, query: EngineQuery) -> dict[tuple[str, ...], Entity]:
        """
        The tables of *query* that must be there while it runs, and what they stand for.
        """
        return {
            parts: entity
            for parts, entity in query.entities.items()
            if any(kind.owns(parts, entity) for kind in self._kinds)
        }

    def make(self, tables: Tables) -> dict[str, str]:
        """
        Make *tables*: all, or none and an error.

        Returns:
            Session properties without which their values would be rounded.
        """
        properties: dict[str, str] = {}
        try:
            for kind in self._kinds:
                # What an earlier kind wants is at least as fine.
                properties = kind.make(_of(kind, tables)) | properties
        except BaseException:
            self.drop(tables)
            raise
        return properties

    def drop(self, tables: Tables) -> None:
        """
        Drop *tables*; what they stand for stays.
        """
        for kind in self._kinds:
            kind.drop(_of(kind, tables))


def _of(kind: TableKind, tables: Tables) -> Tables:
    return {parts: entity for parts, entity in tables.items() if kind.owns(parts, entity)}


def file_tables(settings: Settings) -> Callable[..., FileTables] | None:
    """
    What reads files, but for what runs its statements; None where no setting names a place for it.
    """
    from fusion_magic.engines.trino.file_tables import FileTables

    if not settings.files_trino_schema:
        return None
    schema = _schema_of(settings.files_trino_schema, "files.trino_schema")
    return partial(FileTables, schema=schema, places=settings.trino_places)


def _schema_of(text: str, setting: str) -> tuple[str, str]:
    catalog, _, schema = text.partition(".")
    if not catalog or not schema or "." in schema:
        raise InvalidSettings(
            f"{setting} is {text!r}.",
            hint="It names a catalog of Trino's Hive connector and a schema in it: hive.fusion",
        )
    return catalog, schema


def result_tables(settings: Settings) -> Callable[..., ResultTables] | None:
    """
    What reads stored results, but for what runs its statements; None where no setting names a place for it.
    """
    from fusion_magic.engines.trino.hive_tables import ResultTables

    if not settings.results_trino_schema:
        return None
    schema = _schema_of(settings.results_trino_schema, "results.trino_schema")
    trino_root = settings.results_trino_url or settings.results_url
    if "://" not in trino_root:
        raise InvalidSettings(
            f"Results are stored in the folder {trino_root}, and how Trino names it is not known.",
            hint="Set results.trino_url, for example to local:///results, or keep results in s3://.",
        )
    return partial(
        ResultTables,
        schema=schema,
        root=settings.results_url.rstrip("/"),
        trino_root=trino_root.rstrip("/"),
    )
