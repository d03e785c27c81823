"""
One claim of the outbox, delivered: targets side by side, the rows of each one after another.

    told                  the row leaves the outbox, together with the others of its target
    wrong                 it is a dead letter, and its target's next row follows
    not told, try again   it waits, and the others of its target are given back: none goes before it
    under way             it is looked at again soon, which counts as no attempt; the others of its target are given back
    receiver away         all that is left waits
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from enum import Enum, auto
from functools import cache
from uuid import UUID

from fusion_magic.delivery import Delivery, Expecting, JobFacts
from fusion_magic.errors import (
    DeliveryPending,
    FusionError,
    PermanentDeliveryError,
    ReceiverUnavailable,
    StoreError,
)
from fusion_magic.store import Message, Store

logger = logging.getLogger(__name__)

ATTEMPTS = 12
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 600.0
PENDING_DELAY_S = 10.0
AWAY_DELAY_S = 20.0  # at most, until a receiver that does not answer is asked again
THREADS = 8
WATCH_EVERY_S = 1.0


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


class DeliveryRound:
    """
    What becomes of the rows of one claim.

    Args:
        is_over: Whether no further row is to be begun.
    """

    def __init__(
        self, store: Store, receivers: Sequence[Delivery], *, is_over: Callable[[], bool]
    ) -> None:
        self._store = store
        self._is_parallel = any(_is_concurrent(receiver) for receiver in receivers)
        self._receivers = [_told_to(one, is_shared=self._is_parallel) for one in receivers]
        self._expecting = [one.expect for one in receivers if isinstance(one, Expecting)]
        self._is_over = is_over
        self._facts = cache(self._facts_of)
        self._away: tuple[Message, str] | None = None
        self._left: list[Message] = []
        self._lock = threading.Lock()

    def run(self, messages: Sequence[Message], meanwhile: Callable[[], object]) -> bool:
        """
        Deliver *messages*, of which those of one target follow each other by rising id. False where a receiver is away.

        Args:
            meanwhile: Called now and then.
        """
        groups: dict[str, list[Message]] = {}
        for message in messages:
            groups.setdefault(message.row.model_name_fqn, []).append(message)
        with ThreadPoolExecutor(THREADS if self._is_parallel else 1, "fusion-delivery") as pool:
            under_way = {pool.submit(self._deliver_group, group) for group in groups.values()}
            while under_way:
                meanwhile()
                done, under_way = wait(under_way, WATCH_EVERY_S)
                for one in done:
                    one.result()
        if self._away is not None:
            self._wait(*self._away)
        return self._away is None

    def give_back(self) -> None:
        """
        Let others have at once what was not begun.
        """
        self._give_back(self._left)

    def _deliver_group(self, group: Sequence[Message]) -> None:
        told = []
        self._announce(group)
        try:
            for number, message in enumerate(group):
                if self._is_over() or self._away is not None:
                    self._left += group[number:]
                    break
                end = self._deliver(message)
                if end is _End.TOLD:
                    told.append(message)
                elif end is _End.AWAY:
                    self._left += group[number + 1 :]
                    break
                elif end is _End.WAITS:
                    self._give_back(group[number + 1 :])
                    break
        finally:
            if told:
                self._store.outbox.delivered(*told)

    def _announce(self, group: Sequence[Message]) -> None:
        """
        Let receivers do at once what these rows share; what goes wrong is met again by the row that it concerns.
        """
        if len(group) < 2 or not self._expecting or self._is_over() or self._away is not None:
            return
        with suppress(FusionError):
            rows = [(message, self._facts(message.job_id)) for message in group]
            for expect in self._expecting:
                expect(rows)

    def _deliver(self, message: Message) -> _End:
        try:
            facts = self._facts(message.job_id)
            for receiver in self._receivers:
                receiver(message, facts)
        except StoreError:
            raise
        except ReceiverUnavailable as error:
            return self._note_away(message, error)
        except DeliveryPending as error:
            self._store.outbox.retry(
                message, error=error.message, delay_s=PENDING_DELAY_S, is_counted=False
            )
            return _End.WAITS
        except PermanentDeliveryError as error:
            self._store.outbox.bury(message, error=error.message)
            return _End.BURIED
        except FusionError as error:
            return self._put_off(message, error.message)
        except Exception as error:
            # One broken row must not stop the others.
            logger.exception("delivery failed", extra={"action": "deliver", "row": message.id})
            return self._put_off(message, f"An error inside fusion-magic: {type(error).__name__}.")
        return _End.TOLD

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

    def _put_off(self, message: Message, error: str) -> _End:
        if message.attempt >= ATTEMPTS:
            self._store.outbox.bury(message, error=error)
            return _End.BURIED
        wait_s = delay_s(message.attempt, random.random())  # noqa: S311 - a pause
        self._store.outbox.retry(message, error=error, delay_s=wait_s)
        return _End.WAITS

    def _note_away(self, message: Message, error: ReceiverUnavailable) -> _End:
        with self._lock:
            if self._away is None:
                self._away = (message, error.message)
            else:
                self._left.append(message)
        return _End.AWAY

    def _wait(self, reason: Message, error: str) -> None:
        """
        Let all that is left wait for a receiver that does not answer; that counts as no attempt.

        The row that met it waits longest, so that it stops nobody if it is the reason.
        """
        for message in (reason, *self._left):
            share = 1.0 if message is reason else 0.3 + random.random() / 5  # noqa: S311 - a pause
            self._store.outbox.retry(
                message, error=error, delay_s=AWAY_DELAY_S * share, is_counted=False
            )

    def _give_back(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._store.outbox.retry(message, error="", delay_s=0, is_counted=False)


class _End(Enum):
    """
    What became of a row.
    """

    TOLD = auto()
    BURIED = auto()
    WAITS = auto()
    AWAY = auto()


def _is_concurrent(receiver: Delivery) -> bool:
    # Not a part of the port: a receiver that says nothing of it is called by one thread at a time.
    return bool(getattr(receiver, "is_concurrent", False))


def _told_to(receiver: Delivery, *, is_shared: bool) -> Callable[[Message, JobFacts], None]:
    if not is_shared or _is_concurrent(receiver):
        return receiver.deliver
    lock = threading.Lock()

    def deliver(message: Message, facts: JobFacts) -> None:
        with lock:
            receiver.deliver(message, facts)

    return deliver
