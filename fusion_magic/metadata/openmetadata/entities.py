"""
What OpenMetadata says of a table or a container, as an ``Entity``.

Source of the types' names: ``dataType`` of a column in openmetadata-ingestion 1.5.15 to 2.0.7; Trino 476, "Data types". A type whose
precision OpenMetadata does not carry, and that connectors of Trino read in different ones, stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fusion_magic.metadata import Column, Entity, EntityKind, FileSet
from fusion_magic.openmetadata.messages import Asset, Reference, TableColumn, Tag
from fusion_magic.sql.edits import format_trino_name
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.trino_names import TABLE_PARTS, TRINO, trino_parts_of

PROPERTY = "trinoCatalog"  # a custom property of a table or a database: the catalog that it lies in
_VIEWS = frozenset({"View", "SecureView", "MaterializedView", "SemanticView"})
_TYPES = {
    "BIGINT": "bigint",
    "BINARY": "varbinary",
    "BLOB": "varbinary",
    "BOOLEAN": "boolean",
    "BYTEA": "varbinary",
    "BYTES": "varbinary",
    "DATE": "date",
    "DOUBLE": "double",
    "FLOAT": "real",
    "INT": "integer",
    "JSON": "json",
    "LONG": "bigint",
    "MEDIUMTEXT": "varchar",
    "SMALLINT": "smallint",
    "STRING": "varchar",
    "TEXT": "varchar",
    "TINYINT": "tinyint",
    "UUID": "uuid",
    "VARBINARY": "varbinary",
}
# OpenMetadata's ingestion writes INT for whole numbers of 64 bits and FLOAT for those of pandas; times have microseconds there.
_OF_FILES = {
    "INT": "bigint",
    "FLOAT": "double",
    "DATETIME": "timestamp(6)",
    "TIMESTAMP": "timestamp(6)",
}


@dataclass(frozen=True, slots=True)
class Places:
    """
    Which catalogs of Trino hold what OpenMetadata lists.

    Attributes:
        named: Catalogs by the FQN of a service or a database, as the settings name them.
        databases: For a service's FQN, its databases' FQNs and the catalog that a property of each names, or empty.
    """

    named: Mapping[str, str]
    databases: Mapping[str, Mapping[str, str]]

    def trino_parts(
        self, parts: Sequence[str], service_type: str, marked: str = ""
    ) -> tuple[str, ...]:
        """
        The Trino name of what has an FQN of these *parts*; *marked* is the catalog that its own property names.
        """
        service, database = format_fqn(parts[:1]), format_fqn(parts[:2])
        known = self.databases.get(service, {})
        catalog = (
            self.named.get(database) or self.named.get(service) or marked or known.get(database, "")
        )
        return trino_parts_of(
            parts,
            service_type=service_type,
            catalog=catalog.lower(),
            is_only_database=len(known) < 2,
        )


def entity_of(asset: Asset, places: Places) -> Entity:
    """
    The entity that the server describes.
    """
    parts = parse_fqn(asset.fully_qualified_name).parts
    service_type = asset.service_type or ""
    is_trino = service_type == TRINO
    is_table = len(parts) == TABLE_PARTS and asset.data_model is None and not is_container(asset)
    listed = asset.columns if is_table else asset.data_model and asset.data_model.columns
    tags = [*(asset.tags or ()), *([asset.tier] if asset.tier else ())]
    return Entity(
        id=asset.id,
        fqn=asset.fully_qualified_name,
        kind=_kind(asset),
        trino_parts=places.trino_parts(parts, service_type, marked_catalog(asset)),
        description=asset.description or None,
        owners=tuple(_name(owner) for owner in asset.owners or ()),
        tags=_tags(tags),
        deprecated=_deprecated(asset),
        columns=tuple(
            _column(column, is_trino=is_trino, is_of_files=not is_table) for column in listed or ()
        ),
        deleted=_deleted(asset),
        alerts=("It is a draft in OpenMetadata.",) if asset.entity_status == "Draft" else (),
        files=_files(asset),
    )


def is_container(asset: Asset) -> bool:
    """
    Whether it is a container of a storage service; tables alone lie in a schema.
    """
    return asset.entity_type == "container" or (
        asset.entity_type is None and asset.database_schema is None
    )


def marked_catalog(asset: Asset) -> str:
    """
    The catalog that a property of its own names; empty for none.
    """
    extension = asset.extension
    found = extension.get(PROPERTY) if isinstance(extension, dict) else None
    return found.strip() if isinstance(found, str) else ""


def _kind(asset: Asset) -> EntityKind:
    if is_container(asset):
        return "container"
    return "view" if asset.table_type in _VIEWS else "table"


def _deprecated(asset: Asset) -> str | None:
    return "OpenMetadata says so." if asset.entity_status == "Deprecated" else None


def _deleted(asset: Asset) -> str | None:
    if not asset.deleted:
        return None
    by = f" by {asset.updated_by}" if asset.updated_by else ""
    at = asset.updated_at
    when = f" on {datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d at %H:%M} UTC" if at else ""
    return f"It was deleted in OpenMetadata{by}{when}."


def _name(reference: Reference) -> str:
    return reference.display_name or reference.name or reference.fully_qualified_name or ""


def _tags(tags: Sequence[Tag] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag.tag_fqn for tag in tags or () if tag.state != "Suggested"))


def _files(asset: Asset) -> FileSet | None:
    if not is_container(asset) or not asset.full_path:
        return None
    is_partitioned = asset.data_model is not None and bool(asset.data_model.is_partitioned)
    return FileSet(asset.full_path, tuple(asset.file_formats or ()), is_partitioned)


def _column(column: TableColumn, *, is_trino: bool, is_of_files: bool) -> Column:
    wider = _OF_FILES.get(column.data_type.upper()) if is_of_files else None
    return Column(
        column.name,
        wider or _type(column, is_trino=is_trino),
        column.description or None,
        _tags(column.tags),
    )


def _type(column: TableColumn, *, is_trino: bool) -> str | None:
    """
    Its type in Trino's words; what OpenMetadata read from Trino itself is shown as Trino writes it.
    """
    if is_trino and column.data_type_display:
        return column.data_type_display.lower()
    kind = column.data_type.upper()
    if kind in {"DECIMAL", "NUMERIC", "NUMBER"} and column.precision:
        return f"decimal({column.precision},{column.scale or 0})"
    if kind in {"VARCHAR", "CHAR"}:
        # OpenMetadata wants a length, so that those who have none write 1 or the most there is.
        return "varchar" if kind == "VARCHAR" else None
    if kind == "ARRAY":
        inner = _TYPES.get((column.array_data_type or "").upper())
        return f"array({inner})" if inner else None
    if kind == "STRUCT":
        fields = [(child.name, _type(child, is_trino=is_trino)) for child in column.children or ()]
        if fields and all(kind for _, kind in fields):
            return (
                f"row({', '.join(f'{format_trino_name([name])} {kind}' for name, kind in fields)})"
            )
        return None
    return _TYPES.get(kind)
