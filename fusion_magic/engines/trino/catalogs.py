"""
Trino's catalogs: which there are, and made and dropped while it runs.

Source: Trino, "CREATE CATALOG", "DROP CATALOG" and "Catalog management properties",
https://trino.io/docs/476/admin/properties-catalog.html. A query that runs on a catalog which is dropped was seen to go on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import QueryFailed
from fusion_magic.sql.edits import format_trino_name
from fusion_magic.sql.parameters import format_literal

if TYPE_CHECKING:
    from fusion_magic.sql.create_catalog import CatalogPlan

AGE_S = 60.0
LONGEST_REASON = 300
_TAKEN = "ALREADY_EXISTS"
_FORBIDDEN = frozenset({"PERMISSION_DENIED"})
_STATIC = "NOT_SUPPORTED"
_VARIABLE = re.compile(r"Environment variable is not set: (\w+)")


class TrinoCatalogs:
    """
    The port ``CatalogMaker``. Safe to use from several threads.

    Args:
        run: Runs a statement and gives its rows.
    """

    def __init__(self, run: Callable[[str], list[list[Any]]]) -> None:
        self._run = run
        self._known: tuple[float, frozenset[str]] = (float("-inf"), frozenset())

    def names(self) -> frozenset[str]:
        """See ``Engine.catalogs``."""
        asked_at, names = self._known
        if time.monotonic() - asked_at > AGE_S:
            names = frozenset(str(row[0]).lower() for row in self._run("SHOW CATALOGS"))
            self._known = (time.monotonic(), names)
        return names

    def make(self, plan: CatalogPlan) -> bool:
        """See ``CatalogMaker.make``."""
        try:
            self._run(plan.statement)
        except QueryFailed as error:
            if error.error_name != _TAKEN:
                raise _failed(plan.name, error) from error
            return False
        finally:
            self._ask_again()
        return True

    def drop(self, name: str) -> None:
        """See ``CatalogMaker.drop``."""
        try:
            self._run(f"DROP CATALOG IF EXISTS {format_trino_name([name])}")
        except QueryFailed as error:
            raise _failed(name, error) from error
        finally:
            self._ask_again()

    def is_used(self, name: str) -> bool:
        """See ``CatalogMaker.is_used``: by the name in a query's text, which may be there for another reason."""
        # Its own query names the catalog too, and is no use of it.
        pattern = format_literal(rf"(?i)(^|\W){re.escape(name)}(\W|$)")
        return bool(
            self._run(
                "SELECT 1 FROM system.runtime.queries WHERE state NOT IN ('FINISHED', 'FAILED') "
                f"AND regexp_like(query, {pattern}) AND strpos(query, 'system.runtime.queries') = 0 LIMIT 1"
            )
        )

    def _ask_again(self) -> None:
        self._known = (float("-inf"), frozenset())


def _failed(name: str, error: QueryFailed) -> QueryFailed:
    reason = error.message.strip()[:LONGEST_REASON]
    lost = _VARIABLE.search(error.message)
    if lost:
        reason = f"its environment has no {lost[1]}."
        hint = (
            f"Whoever runs Trino sets {lost[1]} where each of its nodes starts, and starts them again. Or catalog_properties "
            "names another reference, such as ${ENV:NAME}."
        )
    elif error.error_name == _STATIC:
        hint = (
            "Whoever runs Trino sets catalog.management=dynamic on each of its nodes, and catalog.store=file where "
            "catalogs shall outlive a restart; or makes the catalog as a file in etc/catalog."
        )
    elif error.error_name in _FORBIDDEN:
        hint = "Whoever runs Trino gives you the right to make and drop catalogs, or does it."
    else:
        hint = "Whoever runs Trino installs the connector's plug-in and what it asks for; catalog_properties changes properties."
    return QueryFailed(
        f"Trino cannot change the catalog {name}: {reason}",
        hint=hint,
        query_id=error.query_id,
        error_name=error.error_name,
    )
