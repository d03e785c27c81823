"""
Connections of OpenMetadata as statements of Trino: each type of service, and what must never stand in one.

``tests/engines/trino/test_catalogs.py`` gives the same statements to real Trino.
"""

from __future__ import annotations

from typing import Any

import pytest

from fusion_magic.errors import MissingCatalog
from fusion_magic.sql.connectors import CONNECTORS, CatalogSource
from fusion_magic.sql.create_catalog import CatalogPlan, plan_catalog, without_secrets
from tests.sql.connections import CONNECTIONS, LOGIN, source

ENV = "${ENV:FUSION_CATALOG_SHOP_PASSWORD}"


def properties(service_type: str, **config: Any) -> dict[str, str]:
    return dict(plan_catalog(source(service_type, config)).properties)


def refusal(service_type: str, config: Any, **facts: Any) -> str:
    with pytest.raises(MissingCatalog) as caught:
        plan_catalog(source(service_type, config, **facts))
    return str(caught.value)


@pytest.mark.parametrize("case", CONNECTIONS, ids=lambda case: case.name)
def test_a_connection_is_a_connectors_properties(case: Any) -> None:
    plan = plan_catalog(source(case.service_type, case.config))

    assert (plan.connector, dict(plan.properties)) == (case.connector, case.properties)


def test_each_type_of_service_has_a_case() -> None:
    told = {case.service_type for case in CONNECTIONS}

    assert set(CONNECTORS) - told == {"Hive"}  # it needs what the settings say


def test_the_statement_quotes_what_it_is_given() -> None:
    plan = CatalogPlan(
        name="order", connector="memory", source="a.b", properties={'x"y': "it's; DROP TABLE t"}
    )

    assert (
        plan.statement
        == """CREATE CATALOG "order" USING memory WITH ("x""y" = 'it''s; DROP TABLE t')"""
    )


def test_secrets_are_variables_of_trinos_environment() -> None:
    plan = plan_catalog(source("Postgres", LOGIN))

    assert plan.variables == ("FUSION_CATALOG_SHOP_PASSWORD",)
    assert plan.properties["connection-password"] == ENV


@pytest.mark.parametrize("secret", ["s3cret", "*********", "secret:/db/password"])
def test_a_password_in_the_clear_masked_or_kept_elsewhere_is_a_variable(secret: str) -> None:
    config = without_secrets({**LOGIN, "authType": {"password": secret}})

    plan = plan_catalog(source("Postgres", config))

    assert secret not in str(config) or secret == "*********"
    assert plan.properties["connection-password"] == ENV
    assert secret not in plan.statement


def test_without_a_password_there_is_no_variable() -> None:
    plan = plan_catalog(source("Postgres", {"username": "ana", "hostPort": "db:5432"}))

    assert plan.variables == ()
    assert "password" not in plan.statement


@pytest.mark.parametrize(
    "host",
    [
        "db:5432/x?socketFactory=evil",
        "db;x=1",
        "ana:pw@db",
        "db:5432,evil",
        "${ENV:FUSION_CATALOG_OTHER_PASSWORD}",
        "db\n:1",
        "db name",
        "",
        None,
        7,
    ],
)
@pytest.mark.parametrize("service_type", ["Postgres", "Mysql", "Mssql", "Oracle", "Clickhouse"])
def test_a_host_is_a_host_and_no_more(service_type: str, host: object) -> None:
    config = {**LOGIN, "hostPort": host, "oracleConnectionType": {"oracleServiceName": "s"}}

    assert "hostPort" in refusal(service_type, config)


@pytest.mark.parametrize("key", ["username", "account", "warehouse", "role", "billingProjectId"])
def test_what_trino_would_resolve_is_refused(key: str) -> None:
    """
    Else who may edit a service could have Trino's other secrets sent to a place of theirs.
    """
    kind = "BigQuery" if key == "billingProjectId" else "Snowflake"
    config = {**LOGIN, "account": "acc", key: "${ENV:AWS_SECRET}"}

    assert key in refusal(kind, config)


@pytest.mark.parametrize("database", ["${ENV:X}", "a\nb"])
@pytest.mark.parametrize("service_type", ["Postgres", "Mssql", "Redshift", "Snowflake", "BigQuery"])
def test_a_databases_name_is_no_way_in(service_type: str, database: str) -> None:
    config = {**LOGIN, "account": "acc"}

    assert "database" in refusal(service_type, config, database=database)


def test_odd_databases_stay_inside_their_part_of_a_url() -> None:
    odd = "my db?x=1;y={z}/&"
    postgres = plan_catalog(source("Postgres", LOGIN, database=odd)).properties
    sqlserver = plan_catalog(source("Mssql", LOGIN, database=odd)).properties

    assert (
        postgres["connection-url"]
        == "jdbc:postgresql://db.example:5432/my%20db%3Fx%3D1%3By%3D%7Bz%7D%2F%26"
    )
    assert sqlserver["connection-url"] == (
        "jdbc:sqlserver://db.example:5432;databaseName={my db?x=1;y={z}}/&}"
    )


@pytest.mark.parametrize(
    ("service_type", "config", "part"),
    [
        ("Postgres", {"authType": {"awsConfig": {"awsRegion": "eu"}}}, "awsConfig"),
        ("Mysql", {"authType": {"azureConfig": {"x": "y"}}}, "azureConfig"),
        ("Snowflake", {"account": "a", "privateKey": "*********"}, "key pair"),
        ("Oracle", {"oracleConnectionType": {"oracleTNSConnection": "*"}}, "no Oracle service"),
        ("Clickhouse", {"scheme": "clickhouse+native"}, "HTTP"),
        ("MongoDB", {"connectionOptions": {"tls": "*********"}}, "options"),
        ("MongoDB", {"scheme": "http"}, "scheme"),
        ("BigQuery", {"credentials": {"gcpConfig": {"type": "external_account"}}}, "account"),
        ("Iceberg", {"catalog": {"connection": {"uri": "https://r", "sigv4": {"x": 1}}}}, "sigv4"),
        ("Iceberg", {"catalog": {"connection": {"uri": "file:///etc"}}}, "uri"),
        ("Iceberg", {"catalog": {"connection": {"tableName": "t", "awsConfig": {}}}}, "kind"),
        ("Iceberg", {}, "metastore"),
        ("Hive", {}, "metastore"),
        ("DeltaLake", {"configSource": {"connection": {"metastoreFilePath": "x"}}}, "metastore"),
        ("Trino", {}, "has them itself"),
        ("Vertica", {}, "no connector is known"),
        ("SomethingNew", {}, "no connector is known"),
    ],
)
def test_what_cannot_be_derived_is_told_with_the_ways_on(
    service_type: str, config: dict[str, Any], part: str
) -> None:
    told = refusal(service_type, {**LOGIN, **config})

    assert part in told
    assert '[tool.fusion.catalog_properties."shop.Sales"]' in told


def test_a_connection_that_the_token_may_not_see_is_told() -> None:
    told = refusal("Postgres", None)

    assert "does not show its connection" in told
    assert "ViewAll" in told


@pytest.mark.parametrize("catalog", ["my-shop", "Shop", "a b", "../x", "größe", ""])
def test_a_catalogs_name_is_part_of_a_variables(catalog: str) -> None:
    """
    ``my-shop`` and ``my_shop`` would take the same password.
    """
    assert "[tool.fusion.catalogs]" in refusal("Postgres", LOGIN, catalog=catalog)


def given(service_type: str, table: dict[str, dict[str, str]], **facts: Any) -> CatalogPlan:
    return plan_catalog(source(service_type, LOGIN, **facts), table)


def test_properties_of_the_settings_go_over_derived_ones() -> None:
    plan = given(
        "Postgres",
        {
            "shop": {"connection-password": "${ENV:PG}", "case-insensitive-name-matching": "true"},
            "shop.Sales": {"connection-user": "bob"},
        },
    )

    assert plan.properties == {
        "connection-url": "jdbc:postgresql://db.example:5432/Sales",
        "connection-user": "bob",
        "connection-password": "${ENV:PG}",
        "case-insensitive-name-matching": "true",
    }
    assert plan.variables == ()


def test_with_a_connector_the_settings_are_all_that_counts() -> None:
    """
    So that what no connection says can be made, such as Iceberg over its JDBC catalog.
    """
    plan = given(
        "CustomDatabase", {"shop": {"connector.name": "iceberg", "iceberg.catalog.type": "jdbc"}}
    )

    assert plan.statement == (
        """CREATE CATALOG shop USING iceberg WITH ("iceberg.catalog.type" = 'jdbc')"""
    )


def test_a_metastore_that_the_settings_name_is_enough() -> None:
    plan = given("Hive", {"shop": {"hive.metastore.uri": "thrift://ms:9083"}})

    assert (plan.connector, plan.properties) == ("hive", {"hive.metastore.uri": "thrift://ms:9083"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("connection-password", "s3cret"),
        ("connection-password", "x${ENV:A}"),
        ("s3.aws-secret-key", "s3cret"),
        ("iceberg.rest-catalog.oauth2.credential", "id:s3cret"),
        ("iceberg.rest-catalog.oauth2.token", "s3cret"),
        ("connection-url", "jdbc:postgresql://h/d?password=s3cret"),
        ("mongodb.connection-url", "mongodb://ana:s3cret@h/"),
    ],
)
def test_a_secret_in_the_settings_is_refused(key: str, value: str) -> None:
    with pytest.raises(MissingCatalog) as caught:
        given("Postgres", {"shop": {key: value}})

    assert "which Trino logs" in caught.value.message
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("s3.aws-access-key", "AKIA"),
        ("bigquery.credentials-file", "/etc/key.json"),
        ("iceberg.rest-catalog.oauth2.credential", "id:${ENV:A}"),
        ("mongodb.connection-url", "mongodb://ana:${ENV:A}@h/"),
        ("connection-url", "jdbc:postgresql://h/d?password=${ENV:A}"),
    ],
)
def test_what_is_no_secret_is_taken(key: str, value: str) -> None:
    assert given("Postgres", {"shop": {key: value}}).properties[key] == value


@pytest.mark.parametrize("key", ["connector.name", "connection-url"])
def test_one_place_is_not_given_for_several_databases(key: str) -> None:
    """
    Else each of them would be read as the same.
    """
    table = {"shop": {key: "memory"}}
    with pytest.raises(MissingCatalog, match="several databases"):
        given("Postgres", table, is_only=False)

    assert given("Postgres", table).properties is not None
    own = given("Postgres", table | {"shop.Sales": {key: "own"}}, is_only=False)
    assert "own" in own.statement


@pytest.mark.parametrize("connector", ["x; DROP", "My", ""])
def test_a_connectors_name_is_a_word(connector: str) -> None:
    with pytest.raises(MissingCatalog, match=r"connector\.name"):
        given("Postgres", {"shop": {"connector.name": connector}})


def test_the_digest_changes_with_the_connection_alone() -> None:
    one, same = (plan_catalog(source("Postgres", dict(LOGIN))) for _ in range(2))
    other = plan_catalog(source("Postgres", {**LOGIN, "hostPort": "new.example:5432"}))

    assert one.digest == same.digest != other.digest


def test_what_is_not_known_to_be_harmless_is_hidden() -> None:
    told = {
        "hostPort": "db:1",
        "uri": "https://ana:pw@rest/",
        "username": "ana@example",
        "sslConfig": {"caCertificate": "PEM"},
        "somethingNew": ["text", 3, True, None, ""],
        "credentials": {"gcpConfig": "{key}"},
        "connectionOptions": {"password": "x"},
    }

    assert without_secrets(told) == {
        "hostPort": "db:1",
        "uri": "*********",
        "username": "ana@example",
        "sslConfig": {"caCertificate": "*********"},
        "somethingNew": ["*********", 3, True, None, ""],
        "credentials": {"gcpConfig": "*********"},
        "connectionOptions": {"password": "*********"},
    }


def test_a_source_without_databases_is_its_service() -> None:
    made = CatalogSource(
        fqn="shop",
        service="shop",
        service_type="Mysql",
        database="default",
        catalog="shop",
        config=LOGIN,
    )

    assert plan_catalog(made).source == "shop"
