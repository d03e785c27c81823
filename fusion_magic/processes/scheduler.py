"""
The scheduler: drains the outbox, each row to every receiver.

At least once: a row leaves the table when all have taken it. Between two attempts at a row it waits longer each time; a row
that is wrong, or was tried too often, becomes a dead letter. Rows of other targets never wait for it, unless a receiver does not answer at all: then
all wait, however long that takes.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from typing import Self
from uuid import UUID

from fusion_magic.delivery import Delivery, JobFacts
from fusion_magic.errors import FusionError, PermanentDeliveryError, ReceiverUnavailable, StoreError
from fusion_magic.processes.presence import Presence
from fusion_magic.store import Message, Outbox, Store

logger = logging.getLogger(__name__)

BATCH = 50
LEASE_S = 60.0
IDLE_POLL_S = 1.0
ATTEMPTS = 12
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 600.0
AWAY_DELAY_S = 20.0  # at most, until a receiver that does not answer is asked again
HEARTBEAT_EVERY_S = 5.0
ALIVE_FOR_S = 60.0  # a receiver may take long to answer
NOTHING = nullcontext()


def delay_s(attempt: int, jitter: float) -> float:
    """
    Seconds to wait after *attempt* failed.

    Args:
        attempt: The attempt that just failed, counted from 1.

        jitter: A uniform random number in [0, 1).

    Source:
        M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("Full Jitter").

    >>> delay_s(1, 0.5), delay_s(3, 0.5), delay_s(40, 0.5)
    (0.5, 2.0, 300.0)
    """
    most: float = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(attempt - 1, 30))
    return most * jitter


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
        messages = outbox.claim(self.id, lease_s=LEASE_S, limit=BATCH)
        facts = cache(self._facts_of)
        if not messages:
            return 0
        with lease:
            for number, message in enumerate(messages):
                if self._is_stopping.is_set():
                    self._give_back(messages[number:])
                    break
                if not lease.is_held():
                    break
                self._presence.heartbeat_if_due()
                try:
                    self._deliver(message, facts)
                except ReceiverUnavailable as error:
                    self._wait(messages[number:], error.message)
                    return 0
        return len(messages)

    def _deliver(self, message: Message, facts: Callable[[UUID], JobFacts]) -> None:
        outbox = self._store.outbox
        try:
            told = facts(message.job_id)
            for delivery in self._deliveries:
                delivery.deliver(message, told)
        except (StoreError, ReceiverUnavailable):
            raise
        except PermanentDeliveryError as error:
            outbox.bury(message, error=error.message)
        except FusionError as error:
            self._put_off(message, error.message)
        except Exception as error:
            # One broken row must not stop the others.
            logger.exception("delivery failed", extra={"action": "deliver", "row": message.id})
            self._put_off(message, f"An error inside fusion-magic: {type(error).__name__}.")
        else:
            outbox.delivered(message)

    def _facts_of(self, job_id: UUID) -> JobFacts:
        store = self._store
        job = store.jobs.find(job_id)
        if job is None:
            raise PermanentDeliveryError("Its job is gone.")
        return JobFacts(
            job,
            store.models.of_job(job_id),
            store.lineage.of_job(job_id),
            store.lineage.columns_of_job(job_id),
        )

    def _give_back(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._store.outbox.retry(message, error="", delay_s=0, is_counted=False)

    def _wait(self, messages: Sequence[Message], error: str) -> None:
        """
        Let all of them wait for a receiver that does not answer; that counts as no attempt.

        The first waits longest, so that it stops nobody if it is the reason.
        """
        for number, message in enumerate(messages):
            share = 1.0 if number == 0 else 0.3 + random.random() / 5  # noqa: S311 - a pause
            self._store.outbox.retry(
                message, error=error, delay_s=AWAY_DELAY_S * share, is_counted=False
            )

    def _put_off(self, message: Message, error: str) -> None:
        if message.attempt >= ATTEMPTS:
            self._store.outbox.bury(message, error=error)
            return
        wait_s = delay_s(message.attempt, random.random())  # noqa: S311 - a pause
        self._store.outbox.retry(message, error=error, delay_s=wait_s)


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
