"""
OpenMetadata as a source of changes: its webhooks' messages, its list of events, and what it says of names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fusion_magic.metadata.changes import MetadataChange, ToldChanges
from fusion_magic.metadata.openmetadata.events import (
    SIGNATURE,
    TYPES,
    Events,
    changes_in,
    changes_of,
    is_signed,
)
from fusion_magic.metadata.openmetadata.lookups import Lookups
from fusion_magic.metadata.openmetadata.search import Question
from fusion_magic.metadata.openmetadata.server import OpenMetadataServer

PARAMETERS = ("entityCreated", "entityUpdated", "entityRestored", "entityDeleted")


class OpenMetadataEvents:
    """
    The port ``ChangeSource`` of one server.
    """

    signature_header = SIGNATURE

    def __init__(self, server: OpenMetadataServer) -> None:
        self._server = server

    def is_signed(self, body: bytes, signature: str, secret: str) -> bool:
        """See ``ChangeSource.is_signed``."""
        return is_signed(body, signature, secret)

    def changes_in(self, body: bytes) -> Sequence[MetadataChange]:
        """See ``ChangeSource.changes_in``."""
        return changes_in(body)

    def changes_after(self, time_ms: int) -> ToldChanges:
        """See ``ChangeSource.changes_after``; a hard delete is among them only where the last change before it is."""
        query: Question = dict.fromkeys(PARAMETERS, ",".join(TYPES))
        found = self._server.get("events", Events, query | {"timestamp": time_ms})
        events = found.data if found else []
        times = [event.timestamp for event in events if event.timestamp is not None]
        return ToldChanges(tuple(changes_of(events)), max(times, default=None))

    def updated_ms(self, fqns: Sequence[str]) -> Mapping[str, int]:
        """See ``ChangeSource.updated_ms``; what the index does not have is asked for by name."""
        assets = Lookups(self._server).named(fqns).assets
        return {asset.fully_qualified_name: asset.updated_at or 0 for asset in assets}
