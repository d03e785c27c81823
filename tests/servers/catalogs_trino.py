"""
A real Trino that makes catalogs, and a real PostgreSQL that they lead to by password.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.postgres import PostgresServer
from tests.servers.relay import Relay
from tests.servers.trino import TrinoServer

USER, PASSWORD = "ana", "it's s3cret"
CONNECTORS = (
    *("mysql", "mariadb", "singlestore", "sqlserver", "oracle", "clickhouse", "redshift"),
    *("snowflake", "bigquery", "mongodb", "delta-lake"),
)
# What a catalog's password is called by the rule; one for each catalog that tests make.
SECRETS = {
    f"FUSION_CATALOG_{name}_PASSWORD": PASSWORD
    for name in ("SHOP_PG", "RACE", "MOVED", "LAKE", "HR_PG")
}
OF_CASES = {
    f"FUSION_CATALOG_SHOP_{kind}": "x" for kind in ("PASSWORD", "SECRET", "TOKEN", "AWS_SECRET_KEY")
}
_JVM = ("--add-opens=java.base/java.nio=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow")
_ICEBERG = """
CREATE TABLE iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name));
CREATE TABLE iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000), PRIMARY KEY (catalog_name, namespace, property_key));
"""


def google_key() -> str:
    """
    A key of a service account that nobody has, as the connector for BigQuery wants it.
    """
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    told = {
        "type": "service_account",
        "client_id": "1",
        "client_email": "nobody@example.com",
        "private_key_id": "1",
        "private_key": text.decode(),
        "project_id": "sales",
    }
    return base64.b64encode(json.dumps(told).encode()).decode()


class CatalogsTrino:
    """
    Both servers.

    Attributes:
        warehouse: A folder for Iceberg's files.
    """

    def __init__(self, work: Path) -> None:
        self.warehouse = work / "warehouse"
        self.warehouse.mkdir(parents=True)
        self._postgres = PostgresServer()
        self.trino = TrinoServer(
            work / "server",
            extra_plugins=CONNECTORS,
            environment={**SECRETS, **OF_CASES, "FUSION_CATALOG_SHOP_CREDENTIALS": google_key()},
            jvm_options=_JVM,
        )
        self._relay: Relay | None = None

    @property
    def host(self) -> str:
        """
        Where PostgreSQL takes passwords.
        """
        assert self._relay is not None
        return f"127.0.0.1:{self._relay.port}"

    def start(self) -> CatalogsTrino:
        self._postgres.start()
        folder = self._postgres.folder
        self._relay = Relay(folder / ".s.PGSQL.5432")
        self._relay.open()
        password = PASSWORD.replace("'", "''")
        self.run(f"CREATE ROLE {USER} LOGIN PASSWORD '{password}'")
        rules = folder / "pg_hba.conf"
        rules.write_text(f"local all {USER} scram-sha-256\n{rules.read_text()}")
        self.run("SELECT pg_reload_conf()")
        for database in ("shop", "hr", "lake"):
            self.run(f"CREATE DATABASE {database} OWNER {USER}")
        orders = "CREATE TABLE orders (id bigint, total double precision)"
        for database, rows in {"shop": "(1, 2.5), (2, 4.0)", "hr": "(7, 7.0)"}.items():
            self.run(
                f"SET ROLE {USER}; {orders}; INSERT INTO orders VALUES {rows}", database=database
            )
        self.run(f"SET ROLE {USER}; {_ICEBERG}", database="lake")
        self.trino.start()
        return self

    def run(self, sql: str, *, database: str = "postgres") -> None:
        """
        Run *sql* on PostgreSQL.
        """
        url = sa.make_url(self._postgres.url).set(database=database)
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(sql)
        engine.dispose()

    def stop(self) -> None:
        self.trino.stop()
        if self._relay is not None:
            self._relay.close()
        self._postgres.remove()
