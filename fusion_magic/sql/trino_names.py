"""
How an entity becomes ``catalog.schema.table``, where its catalog entry does not say it.

    service.database.schema.table       service.schema.table      the service is the catalog
    service.container                   service.default.container
    service.folder.container            service.folder.container
    five parts and more                 the first is the catalog, the second last the schema, the last the table

Trino's names are in lower case, so the derived ones are too. The rule forgets the database: two
databases of a service that have a schema and a table of the same name need ``trino:`` in the catalog file,
which says so.

What OpenMetadata's own server lists has a type of service, which says more; ``trino_parts_of`` follows it:

    Trino                           the database is the catalog: the service is the engine itself
    MySQL, Hive, Glue and others    the service is the catalog: OpenMetadata's one ``default`` database is none of theirs
    all others with databases       a catalog a database: the service's name, or ``service_database`` where it has several
    containers                      as above

A catalog that is named for a service or a database, by settings or by a property of the database, comes before the rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fusion_magic.errors import InvalidFqn

TRINO = "Trino"
# Their databases are no level of Trino's: OpenMetadata calls the one it needs `default`.
WITHOUT_DATABASES = frozenset(
    {
        *(
            "Clickhouse",
            "Databricks",
            "DeltaLake",
            "Doris",
            "Druid",
            "Glue",
            "Hive",
            "Iceberg",
            "Impala",
            "MariaDB",
        ),
        *("MongoDB", "Mysql", "PinotDB", "SingleStore", "StarRocks", "Cassandra", "DynamoDB"),
    }
)
TABLE_PARTS = 4
_NO_WORD = re.compile(r"\W+")
_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s".]+))\s*')


def derive_trino_parts(parts: Sequence[str]) -> tuple[str, ...]:
    """
    The Trino name of the entity whose FQN has these *parts*, two at least.

    >>> derive_trino_parts(["shop_pg", "shop", "public", "Orders"])
    ('shop_pg', 'public', 'orders')
    """
    schema = parts[-2] if len(parts) > 2 else "default"
    return tuple(part.lower() for part in (parts[0], schema, parts[-1]))


def trino_parts_of(
    parts: Sequence[str], *, service_type: str, catalog: str = "", is_only_database: bool = True
) -> tuple[str, ...]:
    """
    The Trino name of what an OpenMetadata server lists.

    Args:
        parts: Of its FQN: four of a table, another number of a container.

        service_type: OpenMetadata's word (``Postgres``).

        catalog: The catalog that settings or a property of its database name; empty for none.

        is_only_database: Whether its service has no other database.

    >>> trino_parts_of(["shop", "db", "public", "Orders"], service_type="Postgres")
    ('shop', 'public', 'orders')
    >>> trino_parts_of(["shop", "db", "public", "Orders"], service_type="Postgres", is_only_database=False)
    ('shop_db', 'public', 'orders')
    >>> trino_parts_of(["prod", "lake", "sales", "orders"], service_type="Trino")
    ('lake', 'sales', 'orders')
    """
    if len(parts) != TABLE_PARTS:
        derived = derive_trino_parts(parts)
        return (catalog or derived[0], *derived[1:])
    service, database, *rest = (part.lower() for part in parts)
    if not catalog:
        is_one = is_only_database or service_type in WITHOUT_DATABASES
        named = service if is_one else f"{service}_{database}"
        catalog = database if service_type == TRINO else _NO_WORD.sub("_", named)
    return (catalog, *rest)


def parse_trino_name(text: str) -> tuple[str, ...]:
    """
    The unquoted parts of a Trino name, quoted as SQL quotes it; a part without quotes in lower case.

    Raises:
        InvalidFqn: Not one to three parts.
    """
    parts = []
    position = 0
    while match := _PART.match(text, position):
        quoted, plain = match.groups()
        parts.append(quoted.replace('""', '"') if quoted else plain.lower())
        position = match.end()
        if position == len(text) and len(parts) <= 3:
            return tuple(parts)
        if text[position : position + 1] != ".":
            break
        position += 1
    raise InvalidFqn(f"{text!r} is no Trino name.", hint="It looks like catalog.schema.table.")
