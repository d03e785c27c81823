"""
A server that stands for OpenMetadata in tests: entities, search, lineage, queries, events and the rest of what fusion-magic uses of it.

    from fusion_magic.testing.openmetadata import OpenMetadataServer

    with OpenMetadataServer(version="1.6.0") as server:
        server.add_table("shop.db.public.orders", {"id": "BIGINT", "note": "VARCHAR"}, description="Orders.")
        table = get(f"{server.url}/v1/tables/name/shop.db.public.orders", server.token)

It needs nothing but the standard library, and speaks 1.5 to 2.0. It is trusted because one suite of contracts runs on it and on
real servers alike.
"""

from __future__ import annotations

from .listener import RecordedRequest
from .server import OpenMetadataServer
from .subscriptions import Delivery

__all__ = ["Delivery", "OpenMetadataServer", "RecordedRequest"]
