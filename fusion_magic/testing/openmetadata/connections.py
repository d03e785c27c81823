"""
How services are reached: which types there are, what their connections hold, and what of it is secret.
"""

from __future__ import annotations

from typing import Any

from .answers import Json, bad_request, unrecognized
from .versions import Version, select, words

MASK = "*********"

TYPES = {
    "databaseService": "BigQuery BigTable Mysql Redshift Snowflake Postgres Mssql Oracle Athena Hive Impala Presto Trino "
    "Vertica Glue MariaDB Druid Db2 Clickhouse Databricks AzureSQL DynamoDB SingleStore SQLite DeltaLake Salesforce PinotDB "
    "Datalake DomoDatabase QueryLog CustomDatabase Dbt SapHana MongoDB Couchbase Greenplum Doris UnityCatalog SAS "
    "Iceberg<2.0 Teradata SapErp Synapse>=1.6 Cassandra>=1.7 Cockroach>=1.7 Exasol>=1.6 Timescale>=1.10 StarRocks>=1.12 "
    "Dremio>=1.12",
    "storageService": "S3 ADLS GCS CustomStorage",
    "pipelineService": "Airflow GluePipeline KafkaConnect Airbyte Fivetran Flink Dagster Nifi DomoPipeline CustomPipeline "
    "Databricks Spline Spark OpenLineage Matillion DataFactory>=1.7 Stitch>=1.7 Snowplow>=1.8 Wherescape>=1.7 SSIS>=1.7",
    "dashboardService": "Superset Looker Tableau Redash Metabase PowerBI Mode CustomDashboard DomoDashboard QuickSight "
    "QlikSense Lightdash Mstr QlikCloud Sigma",
}
_ALL = "type sampleDataStorageConfig connectionOptions connectionArguments"
_SQL = (
    f"{_ALL} scheme username hostPort databaseSchema sslConfig sslMode supportsMetadataExtraction supportsUsageExtraction "
    "supportsLineageExtraction supportsDBTExtraction supportsProfiler supportsQueryComment supportsDatabase "
    "schemaFilterPattern>=1.8 tableFilterPattern>=1.8 databaseFilterPattern>=1.8 supportsDataDiff>=1.6 supportsSystemProfile>=1.6"
)
# Only what this project reads is listed; a type that is not here takes any property.
_WORDS = {
    "Postgres": f"{_SQL} authType database ingestAllDatabases classificationName",
    "Greenplum": f"{_SQL} authType database ingestAllDatabases classificationName",
    "Redshift": f"{_SQL} password<1.13 authType>=1.13 database ingestAllDatabases",
    "Mysql": f"{_SQL} authType databaseName useSlowLogs",
    "MariaDB": f"{_SQL} password databaseName",
    "SingleStore": f"{_SQL} password databaseName",
    "Trino": f"{_SQL} authType catalog proxies verify",
    "Mssql": f"{_SQL} password database driver ingestAllDatabases uriString encrypt>=1.8 trustServerCertificate>=1.8",
    "Clickhouse": f"{_SQL} password databaseName duration secure https keyfile",
}
_SECRETS = words(
    "password secretKey awsSecretAccessKey awsSessionToken privateKey snowflakePrivatekeyPassphrase token "
    "jwt clientSecret apiKey personalAccessToken jwtToken passphrase sslKey sslCert caCertificate "
    "sslCertificate"
)
_SCHEMES = {
    "Postgres": "postgresql+psycopg2",
    "Mysql": "mysql+pymysql",
    "MariaDB": "mysql+pymysql",
    "Trino": "trino",
}


def check_service(kind: str, body: Json, version: Version) -> None:
    """
    Refuse a type that this version lacks, and a connection that holds what its type has not.

    Raises:
        Refusal: One of these (400).
    """
    name = body["serviceType"]
    if name not in select(TYPES[kind], version):
        title = f"{kind[0].upper()}{kind[1:]}"
        raise bad_request(
            f"Cannot construct instance of `org.openmetadata.schema.api.services.Create{title}${title}Type`, problem: {name}"
        )
    config = (body.get("connection") or {}).get("config")
    if config is None or name not in _WORDS:
        return
    known = select(_WORDS[name], version)
    for word in config:
        if word not in known:
            raise unrecognized(word, f"services.connections.database.{name}Connection", known)


def completed(body: Json) -> Json:
    """
    The connection as it is stored: with its type and scheme.
    """
    name, connection = body["serviceType"], body["connection"]
    config = connection.get("config")
    if config is None:
        return dict(connection)
    filled = {"type": name, **config}
    if name in _SCHEMES:
        filled.setdefault("scheme", _SCHEMES[name])
        filled.setdefault("supportsMetadataExtraction", True)
    return {**connection, "config": filled}


def masked(value: Any) -> Any:
    """
    *value* with nine asterisks for each secret.
    """
    if isinstance(value, dict):
        return {
            name: MASK if name in _SECRETS and isinstance(inner, str) else masked(inner)
            for name, inner in value.items()
        }
    return [masked(one) for one in value] if isinstance(value, list) else value
