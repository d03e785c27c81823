"""
What a store holds, where no port tells it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from fusion_magic.store.sql.tables import graph_edge


def delivered_edges(store: Any) -> list[tuple[str, str]]:
    """
    The edges that were delivered to the store's own lineage graph: source and target.
    """
    columns = (graph_edge.c.source_fqn, graph_edge.c.target_fqn)
    rows = store.database.read(sa.select(*columns).order_by(*columns))
    return [(row.source_fqn, row.target_fqn) for row in rows]
