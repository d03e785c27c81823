"""
What OpenMetadata says of a table or a container, as an ``Entity``; each type of service with its place in Trino.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import msgspec
import pytest

from fusion_magic.metadata import FileSet
from fusion_magic.metadata.encoding import decode_entity
from fusion_magic.metadata.openmetadata.entities import Places, entity_of
from fusion_magic.openmetadata.messages import Asset

NOWHERE = Places({}, {})


def asset(**facts: Any) -> Asset:
    told = {
        "id": "1",
        "name": "t",
        "fullyQualifiedName": "svc.db.sch.T",
        "databaseSchema": {"id": "2"},
        "serviceType": "Postgres",
    }
    return msgspec.convert(told | facts, Asset)


@pytest.mark.parametrize(
    ("service_type", "fqn", "trino"),
    [
        ("Trino", "prod.lake.sales.Orders", "lake.sales.orders"),
        ("Postgres", "shop.db.public.Orders", "shop.public.orders"),
        ("Redshift", "wh.dev.public.facts", "wh.public.facts"),
        ("Snowflake", "snow.SALES.PUBLIC.ORDERS", "snow.public.orders"),
        ("Mssql", "erp.main.dbo.Items", "erp.dbo.items"),
        ("Oracle", "ora.ORCL.HR.EMP", "ora.hr.emp"),
        ("BigQuery", "bq.project.data.t", "bq.data.t"),
        ("UnityCatalog", "uc.main.s.t", "uc.s.t"),
        *(
            (kind, "svc.default.shop.orders", "svc.shop.orders")
            for kind in ("Mysql", "MariaDB", "SingleStore")
        ),
        *(
            (kind, "svc.default.raw.events", "svc.raw.events")
            for kind in ("Hive", "Glue", "Iceberg", "DeltaLake")
        ),
        ("Clickhouse", "ch.default.web.hits", "ch.web.hits"),
        ("MongoDB", "mongo.default.app.users", "mongo.app.users"),
        ("SomethingNew", "new.db.s.t", "new.s.t"),
    ],
)
def test_the_type_of_service_says_where_a_table_is(service_type: str, fqn: str, trino: str) -> None:
    found = entity_of(asset(fullyQualifiedName=fqn, serviceType=service_type), NOWHERE)

    assert ".".join(found.trino_parts) == trino


@pytest.mark.parametrize(
    ("service_type", "catalog"),
    [("Postgres", "my_shop_db_1"), ("Mysql", "my_shop"), ("Hive", "my_shop"), ("Trino", "db-1")],
)
def test_several_databases_are_several_catalogs(service_type: str, catalog: str) -> None:
    places = Places({}, {"My-Shop": {"My-Shop.db-1": "", "My-Shop.other": ""}})

    found = entity_of(
        asset(fullyQualifiedName="My-Shop.db-1.s.t", serviceType=service_type), places
    )

    assert found.trino_parts[0] == catalog


def test_what_settings_name_comes_before_properties_and_these_before_the_rule() -> None:
    databases = {"svc": {"svc.db": "by_database", "svc.other": ""}}

    def catalog(named: dict[str, str], **facts: Any) -> str:
        return entity_of(asset(**facts), Places(named, databases)).trino_parts[0]

    marked = {"extension": {"trinoCatalog": "By_Table"}}
    assert catalog({}) == "by_database"
    assert catalog({}, **marked) == "by_table"
    assert catalog({"svc": "by_service"}, **marked) == "by_service"
    assert catalog({"svc": "by_service", "svc.db": "by_setting"}, **marked) == "by_setting"
    assert catalog({}, extension={"trinoCatalog": 3}) == "by_database"


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ({"dataType": "INT"}, "integer"),
        ({"dataType": "BIGINT"}, "bigint"),
        ({"dataType": "DECIMAL", "precision": 15, "scale": 2}, "decimal(15,2)"),
        ({"dataType": "NUMERIC", "precision": 9}, "decimal(9,0)"),
        ({"dataType": "NUMERIC"}, None),
        ({"dataType": "VARCHAR", "dataLength": 1}, "varchar"),
        ({"dataType": "CHAR", "dataLength": 3}, None),
        ({"dataType": "TIMESTAMP"}, None),
        ({"dataType": "ARRAY", "arrayDataType": "STRING"}, "array(varchar)"),
        ({"dataType": "ARRAY", "arrayDataType": "STRUCT"}, None),
        ({"dataType": "MAP"}, None),
        (
            {
                "dataType": "STRUCT",
                "children": [{"name": "A b", "dataType": "INT"}, {"name": "c", "dataType": "DATE"}],
            },
            'row("A b" integer, c date)',
        ),
        ({"dataType": "STRUCT", "children": [{"name": "x", "dataType": "GEOGRAPHY"}]}, None),
        ({"dataType": "STRUCT"}, None),
        ({"dataType": "SOMETHING"}, None),
    ],
)
def test_types_are_trinos_or_unknown(column: dict[str, Any], kind: str | None) -> None:
    found = entity_of(asset(columns=[{"name": "c", **column}]), NOWHERE)

    assert found.columns[0].type == kind


def test_types_that_were_read_from_trino_are_shown_as_it_writes_them() -> None:
    column = {
        "name": "at",
        "dataType": "TIMESTAMPZ",
        "dataTypeDisplay": "timestamp(3) with time zone",
    }

    found = entity_of(asset(columns=[column], serviceType="Trino"), NOWHERE)

    assert found.columns[0].type == "timestamp(3) with time zone"


def test_what_a_person_wrote_comes_along() -> None:
    found = entity_of(
        asset(
            description="Orders.",
            owners=[{"id": "1", "name": "ana", "displayName": "Ana B."}, {"id": "2", "name": "bo"}],
            tags=[{"tagFQN": "PII.Sensitive"}, {"tagFQN": "PII.None", "state": "Suggested"}],
            tier={"tagFQN": "Tier.Tier1"},
            entityStatus="Deprecated",
            columns=[{"name": "id", "description": "", "tags": [{"tagFQN": "PII.None"}]}],
        ),
        NOWHERE,
    )

    assert found.description == "Orders."
    assert found.owners == ("Ana B.", "bo")
    assert found.tags == ("PII.Sensitive", "Tier.Tier1")
    assert found.deprecated
    assert (found.columns[0].description, found.columns[0].tags) == (None, ("PII.None",))


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({}, "table"),
        ({"tableType": "Regular"}, "table"),
        ({"tableType": "View"}, "view"),
        ({"tableType": "MaterializedView"}, "view"),
        ({"entityType": "container"}, "container"),
        ({"databaseSchema": None}, "container"),
    ],
)
def test_kinds(facts: dict[str, Any], kind: str) -> None:
    assert entity_of(asset(**facts), NOWHERE).kind == kind


@pytest.mark.parametrize(
    ("fqn", "trino"),
    [
        ('s3."raw.events".clicks', ("s3", "raw.events", "clicks")),
        ("s3.bucket", ("s3", "default", "bucket")),
        ("s3.bucket.folder.Clicks", ("s3", "folder", "clicks")),
    ],
)
def test_a_container_lies_where_a_catalog_file_would_put_it(
    fqn: str, trino: tuple[str, ...]
) -> None:
    model = {"columns": [{"name": "a", "dataType": "INT"}]}

    found = entity_of(
        asset(fullyQualifiedName=fqn, databaseSchema=None, serviceType="S3", dataModel=model),
        NOWHERE,
    )

    assert (found.kind, found.trino_parts) == ("container", trino)
    assert [column.name for column in found.columns] == ["a"]


def test_what_was_deleted_says_by_whom_and_when() -> None:
    found = entity_of(asset(deleted=True, updatedBy="ana", updatedAt=1_769_860_800_000), NOWHERE)

    assert found.deleted == "It was deleted in OpenMetadata by ana on 2026-01-31 at 12:00 UTC."
    assert entity_of(asset(), NOWHERE).deleted is None


def test_a_container_says_where_its_files_are() -> None:
    """
    Its whole numbers and those of floating point have 64 bits, whatever OpenMetadata's ingestion calls them.
    """
    columns = [
        {"name": n, "dataType": t}
        for n, t in {"i": "INT", "f": "FLOAT", "at": "DATETIME", "d": "DATE"}.items()
    ]
    found = entity_of(
        asset(
            databaseSchema=None,
            entityType="container",
            fullyQualifiedName="s3.raw.clicks",
            fullPath="s3://lake/raw/clicks",
            fileFormats=["csv", "gz"],
            dataModel={"columns": columns, "isPartitioned": True},
        ),
        NOWHERE,
    )

    assert found.files == FileSet("s3://lake/raw/clicks", ("csv", "gz"), is_partitioned=True)
    assert [c.type for c in found.columns] == ["bigint", "double", "timestamp(6)", "date"]
    assert decode_entity(json.dumps(asdict(found))) == found


def test_a_table_stands_for_no_files() -> None:
    found = entity_of(asset(columns=[{"name": "i", "dataType": "INT"}]), NOWHERE)

    assert (found.files, found.columns[0].type) == (None, "integer")
