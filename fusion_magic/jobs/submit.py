"""
A request becomes a job: the row first, then the translation, then QUEUED, or RUNNING at once.

Both ways of running begin here; whoever then drives the job, the cell's own thread or a worker, runs the code of ``run``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from fusion_magic.errors import FusionError, LeaseLost, QueryCanceled, StoreError
from fusion_magic.jobs.resolve import NameResolver
from fusion_magic.jobs.translate import Parameters, Translation, WriteTarget, translate
from fusion_magic.store import Converted, NewJob, NewTask, Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    What the user asked for.

    Attributes:
        text: One statement.
        params: Values of its ``:name`` placeholders.
        limit: Most rows wanted, or None.
        has_lineage: Whether lineage is recorded.
        origin: The notebook or script it comes from; empty where unknown.
        owner: Who asks.
        profile: The profile of the settings.
        name: Under which the result is stored; empty for none.
        engine: The engine's name.
        into: The table that the engine writes the rows to; None for none.
        driver: Who runs it, as it signed in the store; None where a worker runs it or nobody signed.
        reuse_s: Seconds within which rows that the same query has stored are taken instead; None for never.
    """

    text: str
    params: Parameters | None = None
    limit: int | None = None
    has_lineage: bool = True
    origin: str = ""
    owner: str = ""
    profile: str = ""
    name: str = ""
    engine: str = ""
    into: WriteTarget | None = None
    reuse_s: float | None = None
    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """
    A job that is QUEUED for a worker, or RUNNING where its submitter runs it.
    """

    job_id: UUID
    request: Request
    translation: Translation


def submit(
    request: Request,
    names: NameResolver,
    store: Store,
    *,
    make_task: Callable[[Translation], NewTask] | None = None,
) -> Submitted:
    """
    Write the job and translate its statement.

    Args:
        make_task: For a job that a worker shall run: what that worker is told; None where the caller runs it.

    Raises:
        StoreUnavailable: The job could not be written; nothing was run.
        FusionError: The statement cannot be translated, or cannot run in the background; the job is FAILED.
    """
    job_id = uuid4()
    store.create(
        NewJob(
            id=job_id,
            user_query=request.text,
            owner=request.owner,
            origin=request.origin,
            engine=request.engine,
            profile=request.profile,
            driver=request.driver,
        )
    )
    with recorded(store, job_id):
        translation = translate(
            request.text, names, params=request.params, limit=request.limit, into=request.into
        )
        converted = Converted(
            translation.converted_query, translation.limit, translation.offset, translation.models
        )
        if make_task is not None:
            store.queue(job_id, converted, make_task(translation))
        else:
            store.start(job_id, converted)
    return Submitted(job_id, request, translation)


@contextmanager
def recorded(store: Store, job_id: UUID, *, attempt: int | None = None) -> Iterator[None]:
    """
    Whatever leaves this block is written down as the job's end before it goes on its way.
    """
    try:
        yield
    except (KeyboardInterrupt, QueryCanceled) as error:
        if isinstance(error, FusionError):
            error.job_id = str(job_id)
        _close(job_id, lambda: store.cancel(job_id, attempt=attempt))
        raise
    except LeaseLost:
        raise
    except FusionError as error:
        error.job_id = str(job_id)
        message, hint = error.message, error.hint
        _close(job_id, lambda: store.fail(job_id, error=message, hint=hint, attempt=attempt))
        raise
    except BaseException as error:
        message = f"An error inside fusion-magic: {type(error).__name__}."
        _close(job_id, lambda: store.fail(job_id, error=message, attempt=attempt))
        raise


def _close(job_id: UUID, change: Callable[[], None]) -> None:
    try:
        change()
    except StoreError:
        # The first error is the one that the user must see.
        logger.warning("job end not recorded", extra={"action": "close", "job_id": str(job_id)})
