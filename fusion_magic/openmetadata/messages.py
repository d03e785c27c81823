"""
The messages of OpenMetadata's REST API that we read, by its own names. What we do not use of them is left out.

Source: the models of openmetadata-ingestion 1.5.15 to 2.0.7 and a real server of 1.6. A list that is absent in one version is null or
empty in another, so that each is all three here.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Message(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """
    Base of all: ``fully_qualified_name`` is ``fullyQualifiedName``.
    """


class Reference(Message, frozen=True):
    """
    A pointer to an entity.
    """

    id: str
    type: str = ""
    name: str | None = None
    display_name: str | None = None
    fully_qualified_name: str | None = None
    deleted: bool | None = None


class Tag(Message, frozen=True):
    """
    A tag on an entity or a column.
    """

    tag_fqn: str = msgspec.field(name="tagFQN")
    state: str | None = None


class TableColumn(Message, frozen=True):
    """
    A column; its children are the fields of a struct.
    """

    name: str
    data_type: str = "UNKNOWN"
    array_data_type: str | None = None
    data_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    data_type_display: str | None = None
    description: str | None = None
    fully_qualified_name: str | None = None
    tags: list[Tag] | None = None
    children: list[TableColumn] | None = None


class Model(Message, frozen=True):
    """
    What a container's files hold.
    """

    columns: list[TableColumn] | None = None
    is_partitioned: bool | None = None


class Asset(Message, frozen=True):
    """
    A table, a container or what they lie in. Search gives one as its document, which carries ``entity_type``.
    """

    id: str
    name: str = ""
    fully_qualified_name: str = ""
    entity_type: str | None = None
    display_name: str | None = None
    description: str | None = None
    service: Reference | None = None
    service_type: str | None = None
    database: Reference | None = None
    database_schema: Reference | None = None
    table_type: str | None = None
    schema_definition: str | None = None
    columns: list[TableColumn] | None = None
    data_model: Model | None = None
    full_path: str | None = None
    file_formats: list[str] | None = None
    owners: list[Reference] | None = None
    tags: list[Tag] | None = None
    tier: Tag | None = None
    extension: Any = None
    entity_status: str | None = None
    deleted: bool | None = None
    updated_at: int | None = None
    updated_by: str | None = None
    version: float | None = None


class Paging(Message, frozen=True):
    """
    Where a list goes on.
    """

    total: int = 0
    after: str | None = None


class AssetList(Message, frozen=True):
    """
    A page of a list.
    """

    data: list[Asset]
    paging: Paging = Paging()


class Hit(Message, frozen=True):
    """
    One find of a search.
    """

    source: Asset | None = msgspec.field(name="_source", default=None)
    sort: list[Any] | None = None


class Total(Message, frozen=True):
    """
    How many there are.
    """

    value: int = 0


class Hits(Message, frozen=True):
    """
    The finds of a search, best first.
    """

    hits: list[Hit] = msgspec.field(default_factory=list)
    total: Total | None = None


class Found(Message, frozen=True):
    """
    The answer of a search.
    """

    hits: Hits


class Version(Message, frozen=True):
    """
    ``/system/version``, which wants no token.
    """

    version: str


class User(Message, frozen=True):
    """
    A person or a bot.
    """

    id: str
    name: str
    is_bot: bool | None = None
    is_admin: bool | None = None
