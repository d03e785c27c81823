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
    profile: ColumnProfile | None = None


class ColumnProfile(Message, frozen=True):
    """
    What the profiler found in a column.
    """

    null_count: float | None = None
    distinct_count: float | None = None
    unique_count: float | None = None
    min: Any = None
    max: Any = None


class TableProfile(Message, frozen=True):
    """
    What the profiler found in a table, and when (milliseconds since 1970).
    """

    timestamp: int | None = None
    row_count: float | None = None
    size_in_byte: float | None = None


class UsageStats(Message, frozen=True):
    """
    How often something was used in some days, and how that ranks.
    """

    count: int = 0
    percentile_rank: float | None = None


class UsageSummary(Message, frozen=True):
    """
    How often something was used.
    """

    weekly_stats: UsageStats | None = None
    date: str | None = None


class DataTestResult(Message, frozen=True):
    """
    How a test of data went last.
    """

    timestamp: int | None = None
    test_case_status: str | None = None
    result: str | None = None


class DataTest(Message, frozen=True):
    """
    A test of a table's or a column's data; its entity link holds the table's FQN.
    """

    name: str
    display_name: str | None = None
    entity_link: str = ""
    test_case_status: str | None = None
    test_case_result: DataTestResult | None = None


class Paging(Message, frozen=True):
    """
    Where a list goes on.
    """

    total: int = 0
    after: str | None = None


class DataTests(Message, frozen=True):
    """
    A page of a list of tests.
    """

    data: list[DataTest]
    paging: Paging | None = None


class Certification(Message, frozen=True):
    """
    A certificate, and until when it holds.
    """

    tag_label: Tag | None = None


class Model(Message, frozen=True):
    """
    What a container's files hold.
    """

    columns: list[TableColumn] | None = None
    is_partitioned: bool | None = None


class JoinedWith(Message, frozen=True):
    """
    The FQN of another table's column, and how many queries joined it.
    """

    fully_qualified_name: str
    join_count: int = 0


class ColumnJoins(Message, frozen=True):
    """
    What a column was joined with.
    """

    column_name: str
    joined_with: list[JoinedWith] = msgspec.field(default_factory=list)


class Joins(Message, frozen=True):
    """
    How a table was joined in the last 30 days.
    """

    column_joins: list[ColumnJoins] | None = None


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
    domain: Reference | None = None
    domains: list[Reference] | None = None
    data_products: list[Reference] | None = None
    certification: Certification | None = None
    usage_summary: UsageSummary | None = None
    joins: Joins | None = None
    profile: TableProfile | None = None
    deleted: bool | None = None
    updated_at: int | None = None
    updated_by: str | None = None
    version: float | None = None


class ServiceConnection(Message, frozen=True):
    """
    How a service is reached; its keys are the service type's own.
    """

    config: Any = None


class DatabaseService(Message, frozen=True):
    """
    A service of databases. Its connection is missing, null or empty where the token may not see it.
    """

    fully_qualified_name: str = ""
    service_type: str = ""
    connection: ServiceConnection | None = None
    deleted: bool | None = None


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
