"""
Connections as OpenMetadata tells them, without secrets, and what they are on Trino.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fusion_magic.sql.connectors import CatalogSource

HIDDEN = "*********"
SECRET = "${ENV:FUSION_CATALOG_SHOP_%s}"
LOGIN: dict[str, Any] = {
    "hostPort": "db.example:5432",
    "username": "ana",
    "password": HIDDEN,
    "authType": {"password": HIDDEN},
}
_S3 = {"awsRegion": "eu-1", "awsAccessKeyId": "AKIA", "awsSecretAccessKey": HIDDEN}
_ON_S3 = {
    "fs.native-s3.enabled": "true",
    "s3.region": "eu-1",
    "s3.aws-access-key": "AKIA",
    "s3.aws-secret-key": SECRET % "AWS_SECRET_KEY",
}


@dataclass(frozen=True)
class Case:
    """
    Attributes:
        name: For a person.
        is_taken: Whether real Trino takes the catalog without the database being there.
    """

    name: str
    service_type: str
    config: dict[str, Any]
    connector: str
    properties: dict[str, str]
    is_taken: bool = True


def source(service_type: str, config: Any, **facts: Any) -> CatalogSource:
    told = {
        "fqn": "shop.Sales",
        "service": "shop",
        "database": "Sales",
        "catalog": "shop",
        "service_type": service_type,
        "config": config,
    }
    return CatalogSource(**(told | facts))


def _jdbc(name: str, connector: str, url: str, **config: Any) -> Case:
    kind = name.partition(",")[0]
    login = {
        "connection-url": f"jdbc:{url}",
        "connection-user": "ana",
        "connection-password": SECRET % "PASSWORD",
    }
    return Case(name, kind, LOGIN | config, connector, login)


def _iceberg(
    name: str, connection: dict[str, Any], properties: dict[str, str], **more: str
) -> Case:
    config = {"catalog": {"name": "c", "connection": connection, **more}}
    return Case(f"Iceberg, {name}", "Iceberg", config, "iceberg", properties)


_POSTGRES = "postgresql://db.example:5432/Sales"
_SQLSERVER = "sqlserver://db.example:5432;databaseName={Sales}"
_SNOWFLAKE = {
    "connection-url": "jdbc:snowflake://acc.eu.snowflakecomputing.com",
    "connection-user": "ana",
    "connection-password": SECRET % "PASSWORD",
    "snowflake.account": "acc.eu",
    "snowflake.database": "Sales",
}
_REST = {"iceberg.catalog.type": "rest", "iceberg.rest-catalog.uri": "https://rest.example/v1"}
_METASTORE = {"hive.metastore.uri": "thrift://ms.example:9083"}

CONNECTIONS = [
    _jdbc("Postgres", "postgresql", _POSTGRES),
    _jdbc("Postgres, free to encrypt", "postgresql", _POSTGRES, sslMode="disable"),
    _jdbc("Postgres, checked", "postgresql", f"{_POSTGRES}?sslmode=verify-full", sslMode="verify-full"),
    _jdbc("Greenplum", "postgresql", _POSTGRES),
    _jdbc("Cockroach", "postgresql", _POSTGRES),
    _jdbc("Timescale", "postgresql", _POSTGRES),
    _jdbc("Mysql", "mysql", "mysql://db.example:5432"),
    _jdbc(
        "Mysql, checked", "mysql", "mysql://db.example:5432?sslMode=VERIFY_CA",
        sslConfig={"caCertificate": HIDDEN},
    ),
    _jdbc("MariaDB", "mariadb", "mariadb://db.example:5432"),
    _jdbc("SingleStore", "singlestore", "singlestore://db.example:5432"),
    _jdbc("Mssql", "sqlserver", _SQLSERVER),
    _jdbc(
        "Mssql, told how", "sqlserver", f"{_SQLSERVER};encrypt=false;trustServerCertificate=true",
        encrypt=False, trustServerCertificate=True,
    ),
    _jdbc(
        "Oracle", "oracle", "oracle:thin:@//db.example:5432/SVC",
        oracleConnectionType={"oracleServiceName": "SVC"},
    ),
    _jdbc(
        "Oracle, by its SID", "oracle", "oracle:thin:@db.example:1521:ORCL",
        oracleConnectionType={"databaseSchema": "ORCL"}, hostPort="db.example",
    ),
    _jdbc("Clickhouse", "clickhouse", "clickhouse://db.example:5432/", scheme="clickhouse+http"),
    _jdbc("Clickhouse, secure", "clickhouse", "clickhouse://db.example:5432/?ssl=true", secure=True),
    _jdbc("Redshift", "redshift", "redshift://db.example:5432/Sales", sslMode="require"),
    _jdbc(
        "Redshift, checked", "redshift", "redshift://db.example:5432/Sales;SSLMode=verify-ca",
        sslMode="verify-ca",
    ),
    Case("Snowflake", "Snowflake", LOGIN | {"account": "acc.eu"}, "snowflake", _SNOWFLAKE),
    Case(
        "Snowflake, with a role", "Snowflake",
        LOGIN | {"account": "acc.eu", "role": "R", "warehouse": "W"}, "snowflake",
        _SNOWFLAKE | {"snowflake.role": "R", "snowflake.warehouse": "W"},
    ),
    Case(
        "BigQuery", "BigQuery",
        {"credentials": {"gcpConfig": {"type": "service_account", "privateKey": HIDDEN}}, "billingProjectId": "pays"},
        "bigquery",
        {
            "bigquery.project-id": "Sales",
            "bigquery.parent-project-id": "pays",
            "bigquery.credentials-key": SECRET % "CREDENTIALS",
        },
    ),
    Case("BigQuery, by its machine", "BigQuery", {"credentials": {}}, "bigquery", {"bigquery.project-id": "Sales"}),
    Case(
        "MongoDB", "MongoDB",
        {"hostPort": "a:1,b:2", "username": "a@b", "password": HIDDEN, "sslMode": "require"}, "mongodb",
        {
            "mongodb.connection-url": f"mongodb://a%40b:{SECRET % 'PASSWORD'}@a:1,b:2/",
            "mongodb.tls.enabled": "true",
        },
    ),
    Case(
        # Trino asks the name server for it at once.
        "MongoDB, by its name server", "MongoDB", {"hostPort": "db", "scheme": "mongodb+srv"}, "mongodb",
        {"mongodb.connection-url": "mongodb+srv://db/"}, is_taken=False,
    ),
    _iceberg("metastore", {"uri": "thrift://ms.example:9083"}, {"iceberg.catalog.type": "hive_metastore", **_METASTORE}),
    _iceberg(
        "REST", {"uri": "https://rest.example/v1", "token": HIDDEN, "fileSystem": {"type": _S3}},
        _REST | {
            "iceberg.rest-catalog.warehouse": "s3://lake/wh",
            "iceberg.rest-catalog.oauth2.token": SECRET % "TOKEN",
            "iceberg.rest-catalog.security": "OAUTH2",
        } | _ON_S3,
        warehouseLocation="s3://lake/wh",
    ),
    _iceberg(
        "REST, as a client",
        {"uri": "https://rest.example/v1", "credential": {"clientId": "id", "clientSecret": HIDDEN}},
        _REST | {
            "iceberg.rest-catalog.oauth2.credential": f"id:{SECRET % 'SECRET'}",
            "iceberg.rest-catalog.security": "OAUTH2",
        },
    ),
    _iceberg(
        "Glue", {"awsConfig": _S3 | {"endPointURL": "http://s3.example:9000"}},
        {
            "iceberg.catalog.type": "glue",
            "hive.metastore.glue.region": "eu-1",
            "hive.metastore.glue.aws-access-key": "AKIA",
            "hive.metastore.glue.aws-secret-key": SECRET % "AWS_SECRET_KEY",
            "s3.endpoint": "http://s3.example:9000",
            "s3.path-style-access": "true",
        } | _ON_S3,
    ),
    Case(
        "DeltaLake", "DeltaLake",
        {"configSource": {"connection": {"metastoreHostPort": "ms.example:9083"}}}, "delta_lake", _METASTORE,
    ),
]  # fmt: skip
