"""
The command that brings the engine's catalogs up to what the metadata says: ``catalog sync``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_magic.commands.command import Command
from fusion_magic.flags import switch
from fusion_magic.present import Answer
from fusion_magic.present.tables import Table, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fusion_magic.fusion import Fusion
    from fusion_magic.jobs.catalogs import CatalogChange


@dataclass(frozen=True, kw_only=True)
class SyncOptions:
    """
    Whether anything is done.
    """

    is_dry_run: bool = switch("--dry-run", help="only show what would be made anew and dropped")


def sync(fusion: Fusion, options: SyncOptions) -> Answer:
    """
    What was done, or would be.
    """
    keeper = fusion.wiring.catalogs
    changes = keeper.changes()
    if options.is_dry_run:
        return _listed([(change, change.action) for change in changes])
    return _listed([(change, keeper.apply(change)) for change in changes])


def would_sync(fusion: Fusion, options: SyncOptions) -> Answer | None:
    """
    What ``sync`` would do; None where nobody has to be asked.
    """
    if options.is_dry_run:
        return None
    found = [change for change in fusion.wiring.catalogs.changes() if change.action != "stays"]
    if not found:
        return None
    listed = _listed([(change, change.action) for change in found])
    asked = f"{count(len(found), 'catalog')} of the engine would be made anew, dropped or forgotten"
    return Answer(
        shown=listed.shown, data=listed.data, asked=asked, question="Change these catalogs?"
    )


def _listed(done: Sequence[tuple[CatalogChange, str]]) -> Answer:
    rows = [(change.made.name, change.made.source_fqn, what, change.why) for change, what in done]
    statements = [f"{change.plan.statement}" for change, _ in done if change.plan is not None]
    table = Table(
        ("Catalog", "Made for", "What", "Why") if rows else (),
        rows,
        caption=f"{count(len(rows), 'catalog')} made for names",
        notes=statements,
    )
    data = [
        {
            "catalog": change.made.name,
            "source": change.made.source_fqn,
            "what": what,
            "why": change.why,
            "statement": change.plan.statement if change.plan is not None else None,
        }
        for change, what in done
    ]
    return Answer(shown=table, data=data)


COMMANDS = (
    Command(
        name="catalog sync",
        help="Brings the engine's catalogs that were made for names up to what the metadata says now: makes anew, drops. "
        "What anybody else made, and what is in use, stays.",
        answer=sync,
        options=SyncOptions,
        consent=would_sync,
    ),
)
