"""
The scheduler: drains the outbox, each row to every receiver.

At least once: a row leaves the table when all have taken it. Between two attempts at a row it waits longer each time; a row
that is wrong, or was tried too often, becomes a dead letter. Rows of other targets never wait for it, unless a receiver does not answer at all: then
all wait, however long that takes. ``delivery_round`` has what becomes of each row.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Self

from fusion_magic.delivery import Delivery
from fusion_magic.errors import StoreError
from fusion_magic.processes.delivery_round import DeliveryRound
from fusion_magic.processes.presence import Presence
from fusion_magic.store import Outbox, Store

logger = logging.getLogger(__name__)

TARGETS = 16  # in one claim
ROWS = 1024  # in one claim, and all that is held of the queue in memory
LEASE_S = 60.0
IDLE_POLL_S = 1.0
HEARTBEAT_EVERY_S = 5.0
ALIVE_FOR_S = 60.0  # a receiver may take long to answer
NOTHING = nullcontext()


class Scheduler:
    """
    One scheduler. Several may run at once: a row is delivered by one of them at a time.

    Args:
        background: Entered while it runs, for what else must go on.
    """

    def __init__(
        self,
        store: Store,
        deliveries: Sequence[Delivery],
        *,
        background: AbstractContextManager[object] = NOTHING,
    ) -> None:
        self._background = background
        self._presence = Presence(
            store.processes, "scheduler", every_s=HEARTBEAT_EVERY_S, for_s=ALIVE_FOR_S
        )
        self.id = self._presence.id
        self._store = store
        self._deliveries = deliveries
        self._is_stopping = threading.Event()

    def stop(self) -> None:
        """
        Let it end after the row that it is at.
        """
        self._is_stopping.set()

    def run(self) -> None:
        """
        Deliver until stopped.
        """
        with self._background:
            self._deliver_until_stopped()
        for delivery in self._deliveries:
            delivery.close()
        with suppress(StoreError):
            self._presence.deregister()

    def _deliver_until_stopped(self) -> None:
        while not self._is_stopping.is_set():
            try:
                self._presence.heartbeat_if_due()
                delivered = self.deliver_due()
            except StoreError:
                logger.warning("the job store is away", extra={"action": "deliver"})
                delivered = 0
            if not delivered:
                self._is_stopping.wait(IDLE_POLL_S)

    def deliver_due(self) -> int:
        """
        Deliver what is due now; the number of rows that were tried.
        """
        outbox = self._store.outbox
        lease = _Lease(self.id, outbox)
        messages = outbox.claim(self.id, lease_s=LEASE_S, limit=TARGETS, together=ROWS)
        if not messages:
            return 0
        with lease:
            turn = DeliveryRound(
                self._store,
                self._deliveries,
                is_over=lambda: self._is_stopping.is_set() or not lease.is_held(),
            )
            is_there = turn.run(messages, self._presence.heartbeat_if_due)
            if self._is_stopping.is_set():
                turn.give_back()
        return len(messages) if is_there else 0


class _Lease:
    """
    Keeps what was claimed while it is delivered, however long a receiver takes.
    """

    def __init__(self, scheduler: str, outbox: Outbox) -> None:
        self._scheduler = scheduler
        self._outbox = outbox
        self._ended = threading.Event()
        # Asked before the claim, so that it never seems to last longer than it does.
        self._until = time.time() + LEASE_S
        self._thread = threading.Thread(target=self._renew, name="fusion-lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def is_held(self) -> bool:
        """
        Whether nobody else can have taken what was claimed: a machine may have slept, or the store been away.
        """
        return time.time() < self._until

    def _renew(self) -> None:
        while not self._ended.wait(LEASE_S / 4):
            until = time.time() + LEASE_S
            try:
                self._outbox.renew(self._scheduler, lease_s=LEASE_S)
            except StoreError:
                logger.warning("the job store is away", extra={"action": "renew"})
            else:
                self._until = until
