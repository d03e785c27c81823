"""
How an entity becomes ``catalog.schema.table``, where its catalog entry does not say it.

    service.database.schema.table       service.schema.table      the service is the catalog
    service.container                   service.default.container
    service.folder.container            service.folder.container
    five parts and more                 the first is the catalog, the second last the schema, the last the table

Trino's names are in lower case, so the derived ones are too. The rule forgets the database: two
databases of a service that have a schema and a table of the same name need ``trino:`` in the catalog file,
which says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fusion_magic.errors import InvalidFqn

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s".]+))\s*')


def derive_trino_parts(parts: Sequence[str]) -> tuple[str, ...]:
    """
    The Trino name of the entity whose FQN has these *parts*, two at least.

    >>> derive_trino_parts(["shop_pg", "shop", "public", "Orders"])
    ('shop_pg', 'public', 'orders')
    """
    schema = parts[-2] if len(parts) > 2 else "default"
    return tuple(part.lower() for part in (parts[0], schema, parts[-1]))


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
