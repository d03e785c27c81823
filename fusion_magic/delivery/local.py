"""
The lineage graph in the job store: each edge once, however often it is delivered.
"""

from __future__ import annotations

from fusion_magic.delivery import JobFacts
from fusion_magic.store import Message, Outbox


class LocalDelivery:
    """
    The port ``Delivery`` into the store's own table of edges.
    """

    name = "local"
    is_concurrent = True

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def deliver(self, message: Message, facts: JobFacts) -> None:
        """See ``Delivery.deliver``; a table without edges needs no entry of its own."""
        if message.row.from_fqn is not None:
            self._outbox.keep_edge(message)

    def forget(self, source: str, target: str, facts: JobFacts) -> str | None:
        """See ``Forgetting.forget``: the store itself forgets the job."""
        return None

    def close(self) -> None:
        """See ``Delivery.close``."""
