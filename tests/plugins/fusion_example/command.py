"""
A command for both front ends: ``%fusion biggest`` and ``fusion biggest`` list the jobs with the most rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_magic.commands import Command
from fusion_magic.flags import number, option
from fusion_magic.present import Answer
from fusion_magic.present.tables import Table, count

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion


@dataclass(frozen=True, kw_only=True)
class BiggestOptions:
    """
    How many.
    """

    limit: int = option(
        "-n", "--limit", metavar="N", help="at most N jobs", default=3, read=number("jobs")
    )


def biggest(fusion: Fusion, options: BiggestOptions) -> Answer:
    """
    The jobs with the most rows.
    """
    jobs = sorted(fusion.jobs(), key=lambda job: job.row_count or 0, reverse=True)
    rows = [(str(job.id)[:8], job.row_count, job.user_query) for job in jobs[: options.limit]]
    table = Table(("Job", "Rows", "Query"), rows, caption=count(len(rows), "job"))
    return Answer(shown=table, data=[{"job": job, "rows": rows} for job, rows, _ in rows])


BIGGEST = Command(
    name="biggest",
    help="Lists the jobs with the most rows.",
    answer=biggest,
    options=BiggestOptions,
)
