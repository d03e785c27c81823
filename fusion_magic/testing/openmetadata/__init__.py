"""
A server that stands for OpenMetadata in tests: entities, search, lineage, queries, events and the rest of what fusion-magic uses of it.

    from fusion_magic.testing.openmetadata import OpenMetadataServer

    with OpenMetadataServer(version="1.6.0") as server:
        server.add_table("shop.db.public.orders", {"id": "BIGINT", "note": "VARCHAR"}, description="Orders.")
        with fusion_magic.connect(metadata_url=server.url, metadata_token=server.token) as fusion:
            ...

It needs nothing but the standard library, and speaks 1.5 to 2.0. It is trusted because one suite of contracts runs on it and on
real servers alike.
"""

from __future__ import annotations

from .listener import RecordedRequest
from .server import OpenMetadataServer

__all__ = ["OpenMetadataServer", "RecordedRequest"]
