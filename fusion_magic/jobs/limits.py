"""
What a statement may read and give, by the engine's estimate before it runs (``governance.max_scan``, ``governance.max_rows``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fusion_magic.engines import Engine, Plan
from fusion_magic.errors import FusionError, RefusedByGovernance
from fusion_magic.jobs.translate import Translation
from fusion_magic.sql.statement import VIEW_MAKERS
from fusion_magic.units import show_size


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a statement may take; None for no limit.

    Attributes:
        max_scan_bytes: Bytes that it reads of tables.
        max_rows: Rows that a query gives.
    """

    max_scan_bytes: int | None = None
    max_rows: int | None = None


NO_LIMITS = Limits()


def check_limits(engine: Engine, translation: Translation, limits: Limits) -> tuple[str, ...]:
    """
    What could not be checked, since the engine has no estimate of it; empty where nothing is limited.

    Raises:
        RefusedByGovernance: The engine expects more than a limit allows.
    """
    if limits == NO_LIMITS or not _reads(translation):
        return ()
    plan = _estimated(engine, translation)
    reasons = tuple(_too_much(plan, limits, is_query=translation.is_query))
    if reasons:
        raise RefusedByGovernance(reasons)
    return tuple(_unknown(plan, limits, is_query=translation.is_query))


def _reads(translation: Translation) -> bool:
    makes_view = translation.kind in VIEW_MAKERS
    return not makes_view and any(r.role == "source" for r in translation.references)


def _estimated(engine: Engine, translation: Translation) -> Plan:
    """
    What is wrong with the statement is told when it runs, at its place in the text.
    """
    try:
        return engine.explain(translation.explained_query())
    except FusionError:
        return Plan("")


def _too_much(plan: Plan, limits: Limits, *, is_query: bool) -> Iterator[str]:
    scan, rows = limits.max_scan_bytes, limits.max_rows
    if scan is not None and (plan.scan_bytes or 0) > scan:
        yield (
            f"The engine expects to read {show_size(plan.scan_bytes or 0)}, and governance.max_scan "
            f"allows {show_size(scan)}."
        )
    if rows is not None and is_query and (plan.rows or 0) > rows:
        yield (
            f"The engine expects {plan.rows:,.0f} rows, and governance.max_rows allows {rows:,}."
        )


def _unknown(plan: Plan, limits: Limits, *, is_query: bool) -> Iterator[str]:
    if limits.max_scan_bytes is not None and plan.scan_bytes is None:
        yield "The engine has no estimate of what is read: governance.max_scan was not checked before the run."
    if limits.max_rows is not None and is_query and plan.rows is None:
        yield "The engine has no estimate of the rows: governance.max_rows was not checked before the run."
