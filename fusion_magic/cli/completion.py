"""
Values that a shell offers when a person presses Tab: profiles, jobs, results and names.

Pressing Tab makes no store and prints nothing, and what takes long is left out. A shell evaluates what it is offered,
so that only plain words are: a name that needs quotes is not completed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion
    from fusion_magic.metadata import Metadata

PATIENCE_S = 2.0
MOST = 1000
_PLAIN_WORD = re.compile(r"[\w.@%+/-]+")


def profiles() -> list[str]:
    """
    The profiles of the settings' files.
    """
    from fusion_magic.config import known_profiles

    return _offered(known_profiles)


def statuses() -> list[str]:
    """
    The statuses of jobs.
    """
    from fusion_magic.store import JobStatus

    return [status.value for status in JobStatus]


def job_ids(context: typer.Context) -> list[str]:
    """
    The newest jobs.
    """
    return _asked(context, lambda fusion: (str(job.id) for job in fusion.jobs(limit=MOST)))


def open_job_ids(context: typer.Context) -> list[str]:
    """
    Your jobs that have not ended, and ``all`` of them.
    """
    found = _asked(context, lambda fusion: (str(job.id) for job in fusion.open_jobs()))
    return [*found, "all"]


def result_names(context: typer.Context) -> list[str]:
    """
    The names under which the newest jobs have stored results.
    """

    def find(fusion: Fusion) -> Iterable[str]:
        jobs = fusion.jobs(status="FINISHED", limit=MOST)
        return sorted({job.result_name for job in jobs if job.result_name})

    return _asked(context, find)


def fqns(context: typer.Context, incomplete: str) -> list[str]:
    """
    What an FQN can go on with: part by part, as far as there is a choice.
    """
    return _asked(context, lambda fusion: _branches(fusion.metadata, incomplete), has_store=False)


def _branches(metadata: Metadata, prefix: str) -> tuple[str, ...]:
    found = metadata.complete(prefix, limit=MOST)
    while len(found) == 1 and found[0].endswith("."):
        found = metadata.complete(found[0], limit=MOST)
    return found


def _asked(
    context: typer.Context, find: Callable[[Fusion], Iterable[str]], *, has_store: bool = True
) -> list[str]:
    def ask() -> Iterable[str]:
        from fusion_magic.fusion import connect

        with connect(context.params.get("profile")) as fusion:
            if not has_store or fusion.settings.store_url.startswith("sqlite"):
                return list(find(fusion)) if not has_store or _is_made(fusion) else ()
            from fusion_magic.doctor import Attempt

            return Attempt(lambda: list(find(fusion))).outcome(PATIENCE_S)

    return _offered(ask)


def _is_made(fusion: Fusion) -> bool:
    return Path(fusion.settings.store_url.partition(":///")[2]).is_file()


def _offered(find: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return [word for word in find() if _PLAIN_WORD.fullmatch(word)]
    except Exception:  # noqa: BLE001 - a person who presses Tab wants no error among the words
        return []
