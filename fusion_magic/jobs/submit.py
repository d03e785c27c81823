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
from fusion_magic.jobs.catalogs import CatalogKeeper
from fusion_magic.jobs.governance import DEFAULT_RULES, GovernanceRules, refuse
from fusion_magic.jobs.options import RunOptions
from fusion_magic.jobs.resolve import NameResolver
from fusion_magic.jobs.translate import Translation, translate
from fusion_magic.jobs.views import replacing_own
from fusion_magic.store import Converted, NewJob, NewTask, Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    What the user asked for, from the front end to a worker and back.

    Attributes:
        text: One statement.
        options: What was asked for beside it.
        owner: Who asks.
        profile: The profile of the settings.
        engine: The engine's name.
        runner: The process that runs it itself, by its id in the store; None where a worker runs it.
    """

    text: str
    options: RunOptions
    owner: str = ""
    profile: str = ""
    engine: str = ""
    runner: str | None = None


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
    rules: GovernanceRules = DEFAULT_RULES,
    catalogs: CatalogKeeper | None = None,
    make_task: Callable[[Translation], NewTask] | None = None,
) -> Submitted:
    """
    Write the job and translate its statement.

    Args:
        rules: What refuses a statement.

        catalogs: What makes catalogs that the names need; None where nothing does.

        make_task: For a job that a worker shall run: what that worker is told; None where the caller runs it.

    Raises:
        StoreUnavailable: The job could not be written; nothing was run.
        FusionError: The statement cannot be translated, or cannot run in the background; the job is FAILED.
    """
    job_id, options = uuid4(), request.options
    store.jobs.create(
        NewJob(
            id=job_id,
            user_query=request.text,
            owner=request.owner,
            origin=options.origin,
            engine=request.engine,
            profile=request.profile,
            runner=request.runner,
            acknowledged=options.acknowledge,
        )
    )
    with recorded(store, job_id):
        translation = translate(
            request.text,
            names,
            params=options.params,
            limit=options.limit,
            into=replacing_own(options.target, store, names.engine.name),
        )
        refuse(translation, options, rules)
        if catalogs is not None:
            catalogs.ensure(translation, is_allowed=options.create_catalogs)
        converted = Converted(
            translation.converted_query, translation.limit, translation.offset, translation.models
        )
        if make_task is not None:
            store.jobs.queue(job_id, converted, make_task(translation))
        else:
            store.jobs.start(job_id, converted)
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
        _close(job_id, lambda: store.jobs.cancel(job_id, attempt=attempt))
        raise
    except LeaseLost:
        raise
    except FusionError as error:
        error.job_id = str(job_id)
        message, hint = error.message, error.hint
        _close(job_id, lambda: store.jobs.fail(job_id, error=message, hint=hint, attempt=attempt))
        raise
    except BaseException as error:
        message = f"An error inside fusion-magic: {type(error).__name__}."
        _close(job_id, lambda: store.jobs.fail(job_id, error=message, attempt=attempt))
        raise


def _close(job_id: UUID, change: Callable[[], None]) -> None:
    try:
        change()
    except StoreError:
        # The first error is the one that the user must see.
        logger.warning("job end not recorded", extra={"action": "close", "job_id": str(job_id)})
