"""
Settings that are tables: what a file of TOML, a keyword or one text gives, as one text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fusion_magic.errors import InvalidSettings

PAIRS = {
    "catalogs": '[tool.fusion.catalogs] with lines such as shop_pg = "shop"',
    "files_trino_places": '[tool.fusion.files.trino_places] with lines such as "/data" = "local:///data"',
}  # settings that are pairs, and what one looks like


def read_pairs(value: object, where: str, *, key: str) -> str:
    """
    A table, or pairs with spaces or line ends between them, as a line a pair.

    Args:
        where: Where the setting stands, for messages.

        key: The setting.

    Raises:
        InvalidSettings: It is none.
    """
    if isinstance(value, Mapping):
        pairs = [f"{name}={one}" for name, one in _leaves(value)]
    else:
        pairs = str(value).split("\n" if "\n" in str(value) else None)
    for pair in pairs:
        if not re.fullmatch(r"[^=\n]+=[^=\n]+", pair):
            raise InvalidSettings(
                f"{key} has {pair!r} ({where}).",
                hint=f"It is a table: {PAIRS[key.replace('.', '_')]}.",
            )
    return "\n".join(pairs)


def read_properties(value: object, where: str) -> str:
    """
    A table of tables as JSON, each property a text.

    Args:
        where: Where the setting stands, for messages.

    Raises:
        InvalidSettings: It is none.
    """
    try:
        table: Any = json.loads(value) if isinstance(value, str) else value
        found = {name: {k: _plain(v) for k, v in _leaves(own)} for name, own in table.items()}
    except (ValueError, TypeError, AttributeError):
        raise InvalidSettings(
            f"catalog_properties is no table of tables ({where}).",
            hint='[tool.fusion.catalog_properties.lake] has lines such as "hive.metastore.uri" = "thrift://metastore:9083".',
        ) from None
    return json.dumps(found)


def _plain(value: object) -> str:
    if not isinstance(value, (str, int)):
        raise TypeError
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leaves(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    """
    TOML reads ``service.database = "x"`` without quotes as a table in a table.
    """
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
