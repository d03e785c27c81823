"""
Where outbox rows go: the port.

``local`` keeps the lineage graph beside the jobs; ``openlineage`` sends events. An effect is idempotent, since a row may be
delivered more than once.
"""

from __future__ import annotations

from typing import Protocol

from fusion_magic.store import Job, Message


class Delivery(Protocol):
    """
    One receiver of lineage.
    """

    name: str

    def deliver(self, message: Message, job: Job) -> None:
        """
        Tell the receiver of one row.

        Raises:
            DeliveryError: It may be tried again.
            PermanentDeliveryError: It may not: the row itself is wrong.
        """
        ...

    def close(self) -> None:
        """
        Let go of connections.
        """
        ...
