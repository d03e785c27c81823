"""
``CREATE CATALOG`` for a database that OpenMetadata lists and Trino does not have yet.

    CREATE CATALOG shop_pg USING postgresql WITH ("connection-url" = 'jdbc:postgresql://db.example:5432/shop',
        "connection-user" = 'ana', "connection-password" = '${ENV:FUSION_CATALOG_SHOP_PG_PASSWORD}')

No secret stands in it: Trino keeps its statements in a log and shows them. It takes secrets from its own environment, by
the variable ``FUSION_CATALOG_<CATALOG>_PASSWORD``. Properties that the settings give for a service or a database go over those that
its connection says; with ``connector.name`` among them they are all that counts.

Pure. ``connectors`` knows the types of services, ``metadata`` reads connections, ``jobs.catalogs`` decides what is made.

Source: Trino 476, "CREATE CATALOG" and "Secrets".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fusion_magic.secrets import without_secret
from fusion_magic.sql.connectors import CONNECTORS, CatalogSource, Draft, refused
from fusion_magic.sql.edits import format_trino_name, quote
from fusion_magic.sql.parameters import format_literal
from fusion_magic.sql.trino_names import TRINO

HIDDEN = "*********"  # in the place of a secret, as OpenMetadata itself masks one
CONNECTOR = "connector.name"
_NAME = re.compile(r"[a-z0-9_]+")
_SECRET = re.compile(
    r"password|secret|credential|token|passphrase|private|(access|account)-key", re.IGNORECASE
)
_REFERENCE = re.compile(r"(?:[^$]*:)?\$\{\w+:[^}]+\}")
_SECRET_IN_URL = re.compile(
    r"://[^/@\s:]+:(?!\$\{)[^/@\s]+@|[?;&][\w.-]*(?:password|secret|token)[\w.-]*=(?!\$\{)",
    re.IGNORECASE,
)
# The public half of a pair, and where a secret is kept.
_HARMLESS = ("s3.aws-access-key", "glue.aws-access-key", "-file", "-path")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# A connector that wants to know where its tables are listed: one of the beginnings.
_NEEDED = {
    "hive": ("hive.metastore",),
    "delta_lake": ("hive.metastore",),
    "iceberg": ("hive.metastore", "iceberg.catalog.type"),
}
# Where a service's other databases would be read from the same place.
_OF_ONE_DATABASE = (CONNECTOR, "connection-url", "snowflake.database", "bigquery.project-id")
# What may be kept of a connection; every other text counts as a secret.
_PLAIN = frozenset(
    {
        *("type", "scheme", "username", "hostPort", "database", "sslMode", "account", "warehouse"),
        *("role", "oracleServiceName", "databaseSchema", "projectId", "billingProjectId", "uri"),
        *("awsRegion", "awsAccessKeyId", "endPointURL", "metastoreHostPort", "warehouseLocation"),
        "clientId",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogPlan:
    """
    A catalog as it is made.

    Attributes:
        source: The FQN of what stands behind it.
        variables: Those of Trino's environment from which it takes its secrets.
    """

    name: str
    connector: str
    source: str
    properties: Mapping[str, str]
    variables: tuple[str, ...] = ()

    @property
    def statement(self) -> str:
        """
        What Trino is sent; it holds no secret.
        """
        head = f"CREATE CATALOG {format_trino_name([self.name])} USING {self.connector}"
        pairs = ", ".join(f"{quote(k)} = {format_literal(v)}" for k, v in self.properties.items())
        return f"{head} WITH ({pairs})" if pairs else head

    @property
    def digest(self) -> str:
        """
        What changes when the catalog would be made in another way.
        """
        return hashlib.sha256(self.statement.encode()).hexdigest()


def plan_catalog(
    source: CatalogSource, properties: Mapping[str, Mapping[str, str]] | None = None
) -> CatalogPlan:
    """
    The catalog for what stands behind it.

    Args:
        properties: What the settings give, by the FQN of a service or of a database.

    Raises:
        MissingCatalog: It cannot be derived; the hint names the ways on.
    """
    _check_name(source)
    given = _given(source, properties or {})
    draft = Draft(source)
    connector, derived = (given[CONNECTOR], {}) if CONNECTOR in given else _derived(draft)
    found = derived | {key: value for key, value in given.items() if key != CONNECTOR}
    _check(source, connector, found)
    text = " ".join(found.values())
    return CatalogPlan(
        name=source.catalog,
        connector=connector,
        source=source.fqn,
        properties=found,
        variables=tuple(dict.fromkeys(v for v in draft.variables if f"{{ENV:{v}}}" in text)),
    )


def without_secrets(value: Any, key: str = "") -> Any:
    """
    A connection as it may be kept: texts that are not known to be harmless are hidden.

    >>> without_secrets({"username": "ana", "authType": {"password": "x"}, "hostPort": "db:5432"})
    {'username': 'ana', 'authType': {'password': '*********'}, 'hostPort': 'db:5432'}
    """
    if isinstance(value, Mapping):
        return {name: without_secrets(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner, key) for inner in value]
    if not isinstance(value, str) or not value:
        return value
    is_plain = key in _PLAIN and (key == "username" or "@" not in without_secret(value))
    return without_secret(value) if is_plain else HIDDEN


def _check_name(source: CatalogSource) -> None:
    if source.service_type == TRINO:
        raise refused(source, "it lists the catalogs of a Trino cluster, which has them itself")
    if not _NAME.fullmatch(source.catalog):
        # Two names that differ in other characters alone would share a variable of Trino's environment.
        raise refused(
            source,
            "its name has other characters than lower-case letters, digits and _",
            hint=f'[tool.fusion.catalogs] "{source.fqn}" = "…" gives it another.',
        )


def _given(source: CatalogSource, properties: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    whole, own = properties.get(source.service, {}), properties.get(source.fqn, {})
    shared = [key for key in _OF_ONE_DATABASE if key in whole and key not in own]
    if shared and not source.is_only:
        raise refused(
            source,
            f"{shared[0]} is given for the whole service {source.service}, which has several databases",
        )
    return {**whole, **own}


def _derived(draft: Draft) -> tuple[str, dict[str, str]]:
    source = draft.source
    derive = CONNECTORS.get(source.service_type)
    if derive is None:
        raise refused(
            source, f"for a service of the type {source.service_type} no connector is known"
        )
    if source.config is None:
        raise refused(
            source,
            "OpenMetadata does not show its connection to this token",
            hint="A token with the right ViewAll on database services sees it.",
        )
    return derive(draft)


def _check(source: CatalogSource, connector: str, properties: Mapping[str, str]) -> None:
    """
    Raises:
        MissingCatalog: Something is missing, would break out of the statement or would show a secret.
    """
    if not _NAME.fullmatch(connector):
        raise refused(source, f"{CONNECTOR} is {connector!r}")
    needed = _NEEDED.get(connector, ())
    if needed and not any(key.startswith(needed) for key in properties):
        raise refused(
            source,
            "its connection does not say where its metastore is",
            hint=f"{needed[0]}.uri names it: thrift://metastore.example:9083",
        )
    for key, value in properties.items():
        if _CONTROL.search(key + value):
            raise refused(source, f"{key} has a line end or another control character")
        if _shows_secret(key, value):
            raise refused(
                source,
                f"{key} would show a secret in a statement, which Trino logs",
                hint="${ENV:NAME} takes it from Trino's environment.",
            )


def _shows_secret(key: str, value: str) -> bool:
    if not _SECRET.search(key) or key.endswith(_HARMLESS) or value in {"true", "false"}:
        return _SECRET_IN_URL.search(value) is not None
    return not _REFERENCE.fullmatch(value)
