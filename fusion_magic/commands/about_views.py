"""
Commands about views that jobs have made: ``views``, ``views show``, ``views drop``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_magic.commands.command import Command
from fusion_magic.errors import InvalidArgument
from fusion_magic.flags import argument
from fusion_magic.jobs.views import MadeView, find_view, list_views
from fusion_magic.present import Answer, Text
from fusion_magic.present.tables import Table, count
from fusion_magic.sql.edits import format_trino_name
from fusion_magic.sql.fqn import parse_fqn

if TYPE_CHECKING:
    from fusion_magic.commands.command import NoOptions
    from fusion_magic.fusion import Fusion


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """
    Which view.
    """

    fqn: str = argument(
        "VIEW",
        help="the name of a view that a job has made",
        needs="a view's name",
        completes="fqn",
        takes_rest=True,
    )


def views(fusion: Fusion, _: NoOptions) -> Answer:
    """
    Views that jobs of this store have made and that the engine still has.
    """
    found = [
        view for view in list_views(fusion.store, fusion.engine.name) if _is_there(fusion, view)
    ]
    rows = [
        (v.fqn, v.made.lower(), v.job.owner, str(v.job.id)[:8], v.job.user_query) for v in found
    ]
    columns = ("View", "Kind", "Owner", "Job", "Query") if rows else ()
    data = [_facts(view) for view in found]
    return Answer(
        shown=Table(columns, rows, caption=count(len(rows), "view")), data=data, cut=("Query",)
    )


def show(fusion: Fusion, options: ViewOptions) -> Answer:
    """
    The query of one view.
    """
    view = _found(fusion, options.fqn)
    return Answer(shown=Text(view.job.user_query), data=_facts(view))


def drop(fusion: Fusion, options: ViewOptions) -> Answer:
    """
    Drop one view, by a job of its own.
    """
    view = _found(fusion, options.fqn)
    fusion.run(f"DROP {view.made} {format_trino_name(parse_fqn(view.fqn).parts)}")
    return Answer(shown=Text(f"Dropped {view.fqn}."), data=_facts(view))


def _would_drop(fusion: Fusion, options: ViewOptions) -> Answer:
    view = _found(fusion, options.fqn)
    return Answer(shown=Text(f"{view.fqn} would be dropped."), data=_facts(view))


def _found(fusion: Fusion, fqn: str) -> MadeView:
    view = find_view(fusion.store, fqn, fusion.engine.name)
    if view is None:
        raise InvalidArgument(
            f"No job of this store has made a view {fqn}.",
            hint="`%fusion views` lists those; DROP VIEW in a cell drops any.",
        )
    return view


def _is_there(fusion: Fusion, view: MadeView) -> bool:
    return fusion.engine.has_table(parse_fqn(view.model.trino_model_name).parts)


def _facts(view: MadeView) -> dict[str, str]:
    return {
        "view": view.fqn,
        "kind": view.made,
        "owner": view.job.owner,
        "job": str(view.job.id),
        "query": view.job.user_query,
    }


COMMANDS = (
    Command(name="views", help="Lists the views that jobs of this store have made.", answer=views),
    Command(name="views show", help="Shows the query of a view.", answer=show, options=ViewOptions),
    Command(
        name="views drop",
        help="Drops a view that a job has made.",
        answer=drop,
        options=ViewOptions,
        consent=_would_drop,
    ),
)
