"""
A connection of OpenMetadata as properties of Trino's connector, by type of service.

    Postgres      postgresql    jdbc:postgresql://hostPort/database
    Mysql         mysql         jdbc:mysql://hostPort
    Iceberg       iceberg       its REST catalog, its metastore or Glue
    …

A connection comes without its secrets; a variable of Trino's own environment stands for each. What OpenMetadata tells is written by
others: a value that Trino would resolve as a secret of its own (``${…}``), or that would smuggle an option into a URL, is refused.

Pure. ``create_catalog`` makes the statement.

Source: connections of openmetadata-ingestion 1.5.15 to 2.0.7 and of a real 1.6; the pages of Trino 476's connectors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote as percent_encoded

from fusion_magic.errors import MissingCatalog

HOST = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?", re.ASCII)
HOSTS = re.compile(rf"{HOST.pattern}(?:,{HOST.pattern})*", re.ASCII)
WORD = re.compile(r"[\w.$-]+")
ADDRESS = re.compile(r"(?:https?|thrift)://[\w.\[\]:-]+(?:/[\w./%~-]*)?", re.ASCII)
PLACE = re.compile(r"[^\s?#]+")
TEXT = re.compile(r"[^\x00-\x1f\x7f]+")
_CHECKED_MODES = ("require", "verify-ca", "verify-full")
_ORACLE_PORT = 1521

Config = Mapping[str, Any]
Properties = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSource:
    """
    What stands behind a catalog, as OpenMetadata tells it.

    Attributes:
        fqn: Of the database, or of the service where its databases are no level of Trino's.
        service: The service's FQN.
        service_type: OpenMetadata's word (``Postgres``).
        database: The database's own name.
        catalog: The catalog that it is on Trino.
        is_only: Whether no other database of the service is a catalog.
        config: Its connection without secrets; None where the token may not see it.
    """

    fqn: str
    service: str
    service_type: str
    database: str
    catalog: str
    is_only: bool = True
    config: Config | None = None


def refused(source: CatalogSource, why: str, *, hint: str = "") -> MissingCatalog:
    """
    The error of a catalog that cannot be made.
    """
    key = source.fqn if re.fullmatch(r"[\w-]+", source.fqn, re.ASCII) else f'"{source.fqn}"'
    ways = f"Make it on Trino, or give its connector.name and other properties in [tool.fusion.catalog_properties.{key}]."
    return MissingCatalog(
        f"{source.fqn} is the catalog {source.catalog}, which Trino does not have, and which cannot be made: {why}.",
        hint=f"{hint} {ways}".strip(),
    )


@dataclass(slots=True)
class Draft:
    """
    A catalog that is being planned.

    Attributes:
        variables: Those of Trino's environment that stand for secrets so far.
    """

    source: CatalogSource
    variables: list[str] = field(default_factory=list)

    @property
    def config(self) -> Config:
        """
        The connection.
        """
        return self.source.config or {}

    def part(self, key: str) -> Config:
        """
        What stands below a key; empty where that is no table.
        """
        found = self.config.get(key)
        return found if isinstance(found, Mapping) else {}

    def text(self, value: object, key: str, form: re.Pattern[str] = WORD) -> str:
        """
        A value of the connection that may be used as it stands.

        Raises:
            MissingCatalog: It is not there, or says more than such a value may.
        """
        if not isinstance(value, str) or not value:
            raise refused(self.source, f"its connection has no {key}")
        if not form.fullmatch(value) or "${" in value:
            raise refused(self.source, f"its {key} cannot be used as it stands: {value!r}")
        return value

    @property
    def host(self) -> str:
        """
        Host and port.
        """
        return self.text(self.config.get("hostPort"), "hostPort", HOST)

    @property
    def database(self) -> str:
        """
        The database, for a URL.
        """
        return self.text(self.source.database, "database")

    def secret(self, kind: str) -> str:
        """
        What stands for a secret in the statement.
        """
        name = f"FUSION_CATALOG_{self.source.catalog.upper()}_{kind}"
        self.variables.append(name)
        return f"${{ENV:{name}}}"

    def jdbc(self, url: str) -> Properties:
        """
        The properties of a JDBC connector: where it is, and who asks.

        Raises:
            MissingCatalog: It is signed in to in another way than by a password.
        """
        login = self.part("authType") or {"password": self.config.get("password")}
        if others := [key for key, value in login.items() if key != "password" and value]:
            raise refused(self.source, f"it is signed in to by {others[0]}, not by a password")
        found = {"connection-url": url}
        if self.config.get("username"):
            found["connection-user"] = self.text(self.config["username"], "username", TEXT)
        if login.get("password"):
            found["connection-password"] = self.secret("PASSWORD")
        return found


def _postgresql(draft: Draft) -> tuple[str, Properties]:
    database = percent_encoded(draft.text(draft.source.database, "database", TEXT), safe="")
    mode = _checked_mode(draft)
    url = f"jdbc:postgresql://{draft.host}/{database}"
    return "postgresql", draft.jdbc(f"{url}?sslmode={mode}" if mode else url)


def _redshift(draft: Draft) -> tuple[str, Properties]:
    url = f"jdbc:redshift://{draft.host}/{draft.database}"
    # ``require`` is what its driver does unless it is told otherwise.
    mode = _checked_mode(draft)
    return "redshift", draft.jdbc(f"{url};SSLMode={mode}" if mode.startswith("verify") else url)


def _checked_mode(draft: Draft) -> str:
    """
    A mode of TLS that the driver would not take by itself; ``disable``, OpenMetadata's default, leaves it free to encrypt.
    """
    mode = draft.config.get("sslMode")
    return mode if mode in _CHECKED_MODES else ""


def _mysql(draft: Draft) -> tuple[str, Properties]:
    return _of_mysqls_kind(draft, "mysql", "VERIFY_CA")


def _mariadb(draft: Draft) -> tuple[str, Properties]:
    return _of_mysqls_kind(draft, "mariadb", "verify-ca")


def _singlestore(draft: Draft) -> tuple[str, Properties]:
    return _of_mysqls_kind(draft, "singlestore", "verify-ca")


def _of_mysqls_kind(draft: Draft, kind: str, mode: str) -> tuple[str, Properties]:
    url = f"jdbc:{kind}://{draft.host}"
    return kind, draft.jdbc(f"{url}?sslMode={mode}" if draft.part("sslConfig") else url)


def _sqlserver(draft: Draft) -> tuple[str, Properties]:
    database = draft.text(draft.source.database, "database", TEXT).replace("}", "}}")
    options = "".join(
        f";{key}={str(draft.config[key]).lower()}"
        for key in ("encrypt", "trustServerCertificate")
        if isinstance(draft.config.get(key), bool)
    )
    url = f"jdbc:sqlserver://{draft.host};databaseName={{{database}}}{options}"
    return "sqlserver", draft.jdbc(url)


def _oracle(draft: Draft) -> tuple[str, Properties]:
    kind = draft.part("oracleConnectionType")
    if kind.get("oracleServiceName"):
        service = draft.text(kind["oracleServiceName"], "oracleServiceName")
        return "oracle", draft.jdbc(f"jdbc:oracle:thin:@//{draft.host}/{service}")
    if not kind.get("databaseSchema"):
        raise refused(draft.source, "its connection names no Oracle service and no SID")
    sid = draft.text(kind["databaseSchema"], "databaseSchema")
    host = draft.host if re.search(r":\d+$", draft.host) else f"{draft.host}:{_ORACLE_PORT}"
    return "oracle", draft.jdbc(f"jdbc:oracle:thin:@{host}:{sid}")


def _clickhouse(draft: Draft) -> tuple[str, Properties]:
    if "native" in str(draft.config.get("scheme")):
        raise refused(
            draft.source, "its port is that of ClickHouse's own protocol, and Trino wants HTTP's"
        )
    is_safe = draft.config.get("secure") is True or draft.config.get("https") is True
    return "clickhouse", draft.jdbc(
        f"jdbc:clickhouse://{draft.host}/" + ("?ssl=true" if is_safe else "")
    )


def _snowflake(draft: Draft) -> tuple[str, Properties]:
    if draft.config.get("privateKey"):
        raise refused(draft.source, "it is signed in to by a key pair, not by a password")
    account = draft.text(draft.config.get("account"), "account")
    found = draft.jdbc(f"jdbc:snowflake://{account}.snowflakecomputing.com")
    found |= {"snowflake.account": account, "snowflake.database": draft.database}
    for key in ("role", "warehouse"):
        if draft.config.get(key):
            found[f"snowflake.{key}"] = draft.text(draft.config[key], key)
    return "snowflake", found


def _bigquery(draft: Draft) -> tuple[str, Properties]:
    credentials = draft.part("credentials")
    key = credentials.get("gcpConfig")
    is_other = isinstance(key, Mapping) and (
        key.get("type") == "external_account" or key.get("audience")
    )
    acts_for = credentials.get("gcpImpersonateServiceAccount")
    if is_other or (isinstance(acts_for, Mapping) and acts_for.get("impersonateServiceAccount")):
        raise refused(draft.source, "it is signed in to by another account than its key's")
    found = {"bigquery.project-id": draft.database}
    if draft.config.get("billingProjectId"):
        found["bigquery.parent-project-id"] = draft.text(
            draft.config["billingProjectId"], "billingProjectId"
        )
    if key:
        found["bigquery.credentials-key"] = draft.secret("CREDENTIALS")
    return "bigquery", found


def _mongodb(draft: Draft) -> tuple[str, Properties]:
    if draft.config.get("connectionOptions"):
        raise refused(
            draft.source,
            "its connection has options, which may be secret",
            hint="mongodb.connection-url holds them.",
        )
    scheme = draft.text(
        draft.config.get("scheme", "mongodb"), "scheme", re.compile(r"mongodb(\+srv)?")
    )
    hosts = draft.text(draft.config.get("hostPort"), "hostPort", HOSTS)
    login = ""
    if draft.config.get("username"):
        user = percent_encoded(draft.text(draft.config["username"], "username", TEXT), safe="")
        password = f":{draft.secret('PASSWORD')}" if draft.config.get("password") else ""
        login = f"{user}{password}@"
    found = {"mongodb.connection-url": f"{scheme}://{login}{hosts}/"}
    return "mongodb", found | ({"mongodb.tls.enabled": "true"} if _checked_mode(draft) else {})


def _hive(_draft: Draft) -> tuple[str, Properties]:
    # Its connection leads to HiveServer2; Trino wants the metastore.
    return "hive", {}


def _delta_lake(draft: Draft) -> tuple[str, Properties]:
    connection = draft.part("configSource").get("connection")
    place = connection.get("metastoreHostPort") if isinstance(connection, Mapping) else None
    if not place:
        return "delta_lake", {}
    return "delta_lake", {
        "hive.metastore.uri": f"thrift://{draft.text(place, 'metastoreHostPort', HOST)}"
    }


def _iceberg(draft: Draft) -> tuple[str, Properties]:
    catalog = draft.part("catalog")
    connection = catalog.get("connection")
    if not isinstance(connection, Mapping):
        return "iceberg", {}
    if "uri" in connection:
        uri = draft.text(connection["uri"], "uri", ADDRESS)
        found = _rest(draft, catalog, connection, uri) if uri[:4] == "http" else _thrift(uri)
    else:
        found = _glue(draft, connection)
    files = connection.get("fileSystem")
    kind = files.get("type") if isinstance(files, Mapping) else None
    if isinstance(kind, Mapping):
        found |= _s3(draft, kind)
    return "iceberg", found


def _thrift(uri: str) -> Properties:
    return {"iceberg.catalog.type": "hive_metastore", "hive.metastore.uri": uri}


def _rest(draft: Draft, catalog: Config, connection: Config, uri: str) -> Properties:
    for key in ("ssl", "sigv4"):
        if connection.get(key):
            raise refused(draft.source, f"its REST catalog is signed in to with {key}")
    found = {"iceberg.catalog.type": "rest", "iceberg.rest-catalog.uri": uri}
    if catalog.get("warehouseLocation"):
        place = draft.text(catalog["warehouseLocation"], "warehouseLocation", PLACE)
        found["iceberg.rest-catalog.warehouse"] = place
    credential = connection.get("credential")
    if isinstance(credential, Mapping):
        client = draft.text(credential.get("clientId"), "clientId")
        found["iceberg.rest-catalog.oauth2.credential"] = f"{client}:{draft.secret('SECRET')}"
    elif connection.get("token"):
        found["iceberg.rest-catalog.oauth2.token"] = draft.secret("TOKEN")
    if "oauth2" in " ".join(found):
        found["iceberg.rest-catalog.security"] = "OAUTH2"
    return found


def _glue(draft: Draft, connection: Config) -> Properties:
    aws = connection.get("awsConfig")
    if not isinstance(aws, Mapping) or connection.get("tableName"):
        raise refused(draft.source, "its kind of Iceberg catalog is none of Trino's")
    files = _s3(draft, aws)
    found = {"iceberg.catalog.type": "glue", "hive.metastore.glue.region": files["s3.region"]}
    for ours, theirs in (
        ("aws-access-key", "s3.aws-access-key"),
        ("aws-secret-key", "s3.aws-secret-key"),
    ):
        if theirs in files:
            found[f"hive.metastore.glue.{ours}"] = files[theirs]
    return found | files


def _s3(draft: Draft, aws: Config) -> Properties:
    if "awsRegion" not in aws or aws.get("assumeRoleArn") or aws.get("awsSessionToken"):
        raise refused(draft.source, "its files are reached in another way than by a key of S3")
    found = {"fs.native-s3.enabled": "true", "s3.region": draft.text(aws["awsRegion"], "awsRegion")}
    if aws.get("endPointURL"):
        found["s3.endpoint"] = draft.text(aws["endPointURL"], "endPointURL", ADDRESS)
        found["s3.path-style-access"] = "true"
    if aws.get("awsAccessKeyId"):
        found["s3.aws-access-key"] = draft.text(aws["awsAccessKeyId"], "awsAccessKeyId")
        found["s3.aws-secret-key"] = draft.secret("AWS_SECRET_KEY")
    return found


CONNECTORS: Mapping[str, Callable[[Draft], tuple[str, Properties]]] = {
    "BigQuery": _bigquery,
    "Clickhouse": _clickhouse,
    "Cockroach": _postgresql,
    "DeltaLake": _delta_lake,
    "Greenplum": _postgresql,
    "Hive": _hive,
    "Iceberg": _iceberg,
    "MariaDB": _mariadb,
    "MongoDB": _mongodb,
    "Mssql": _sqlserver,
    "Mysql": _mysql,
    "Oracle": _oracle,
    "Postgres": _postgresql,
    "Redshift": _redshift,
    "SingleStore": _singlestore,
    "Snowflake": _snowflake,
    "Timescale": _postgresql,
}
