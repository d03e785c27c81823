"""
A job's lineage, taken back: from the queue, from each receiver, and from the store's own graph, in this order.

What stops half-way is done again from the start: the store forgets last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fusion_magic.delivery import Delivery, Forgetting, JobFacts
from fusion_magic.errors import InvalidArgument
from fusion_magic.store import Job, Store


@dataclass(frozen=True, slots=True)
class ForgottenEdge:
    """
    What became of an edge.

    Attributes:
        stays: Why a receiver keeps it, or None.
    """

    source: str
    target: str
    stays: str | None = None


def forget_lineage(store: Store, receivers: Sequence[Delivery], job: Job) -> list[ForgottenEdge]:
    """
    Take back the edges that *job* alone has given.

    Raises:
        InvalidArgument: There are none, a receiver cannot take anything back, or a scheduler is just delivering.
        DeliveryError: A receiver does not do it now; it can be asked again.
    """
    told_to = [_forgetting(receiver) for receiver in receivers]
    edges = list(dict.fromkeys(store.lineage.of_job(job.id)))
    if not edges:
        raise InvalidArgument(f"Job {str(job.id)[:8]} has no lineage.")
    facts = JobFacts(job, store.models.of_job(job.id), edges, store.lineage.columns_of_job(job.id))
    if not store.outbox.withdraw(job.id):
        raise InvalidArgument(
            f"The lineage of job {str(job.id)[:8]} is being delivered at this moment.",
            hint="Try again in a minute.",
        )
    shared = frozenset(store.lineage.shared(job.id))
    found = [_forget(edge, facts, told_to, is_shared=edge in shared) for edge in edges]
    store.lineage.forget(job.id)
    return found


def _forget(
    edge: tuple[str, str], facts: JobFacts, receivers: Sequence[Forgetting], *, is_shared: bool
) -> ForgottenEdge:
    if is_shared:
        return ForgottenEdge(*edge, "other jobs give it, too")
    reasons = [receiver.forget(*edge, facts) for receiver in receivers]
    return ForgottenEdge(*edge, next(filter(None, reasons), None))


def _forgetting(receiver: Delivery) -> Forgetting:
    if not isinstance(receiver, Forgetting):
        raise InvalidArgument(
            f"A receiver of lineage, {receiver.name}, cannot take back what it was told.",
            hint="Set delivery.url to the others for this command (FUSION_DELIVERY_URL); what was sent to this one stays there.",
        )
    return receiver
