"""
What an OpenMetadata server lists: services, their databases and schemas, and everything below one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fusion_magic.openmetadata.client import segment
from fusion_magic.openmetadata.messages import Asset
from fusion_magic.sql.fqn import format_fqn
from fusion_magic.sql.trino_names import TABLE_PARTS

if TYPE_CHECKING:
    from fusion_magic.metadata.openmetadata.server import OpenMetadataServer

DATABASE_SERVICES, STORAGE_SERVICES = "services/databaseServices", "services/storageServices"
# In every version since 1.5; what came later is asked for by those that have it.
TABLE_FIELDS = ("columns", "tags", "owners", "extension")
CONTAINER_FIELDS = ("dataModel", "tags", "owners", "extension")


class Lists:
    """
    Lists of one server. Safe to use from several threads.
    """

    def __init__(self, server: OpenMetadataServer) -> None:
        self._server = server

    def services(self) -> list[Asset]:
        """
        The services that have tables or containers.
        """
        lists = self._server.side_by_side(self.of_kind, (DATABASE_SERVICES, STORAGE_SERVICES))
        return [service for found in lists for service in found]

    def of_kind(self, path: str) -> list[Asset]:
        """
        Everything of one kind, by the path of its list.
        """
        return self._server.listed(path)

    def databases(self, service: str) -> list[Asset]:
        """
        The databases of a service, with the properties that somebody gave them.
        """
        return self._server.listed("databases", {"service": service, "fields": "extension"})

    def schemas(self, database: str) -> list[Asset]:
        """
        The schemas of a database.
        """
        return self._server.listed("databaseSchemas", {"database": database})

    def schema(self, fqn: str) -> Asset | None:
        """
        The schema with that FQN.
        """
        return self._server.get(f"databaseSchemas/name/{segment(fqn)}", Asset)

    def pages_below(self, parts: Sequence[str]) -> Iterator[list[Asset]]:
        """
        All tables of a service, a database or a schema, or all containers below a service or a container, page by page and in order.

        The lists take no service for tables (1.6 ignores it in silence), so that they are asked for by database.
        """
        start = format_fqn(parts)
        databases = [d.fully_qualified_name for d in self.databases(format_fqn(parts[:1]))]
        if not databases:
            query = {"service": format_fqn(parts[:1]), "fields": ",".join(CONTAINER_FIELDS)}
            for page in self._server.pages("containers", query):
                yield [a for a in page if _is_below(a.fully_qualified_name, start)]
            return
        which = "databaseSchema" if len(parts) == TABLE_PARTS - 1 else "database"
        for place in sorted(databases) if len(parts) == 1 else [start]:
            yield from self._server.pages(
                "tables", {which: place, "fields": ",".join(TABLE_FIELDS)}
            )


def _is_below(fqn: str, start: str) -> bool:
    return fqn.startswith(f"{start}.")
