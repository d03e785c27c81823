"""
What a person is told of one table beside its names: pure, from what the server answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from fusion_magic.metadata import Details, Join
from fusion_magic.openmetadata.messages import (
    Asset,
    ColumnProfile,
    DataTest,
    Reference,
    TableColumn,
)
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.units import show_size

MOST_TESTS = 10  # that are shown one by one


def details_of(
    asset: Asset, profile: Asset | None, tests: Sequence[DataTest], *, server_page: str
) -> Details:
    """
    Facts in the order of reading: what it is, how it is used, how its data are.

    Args:
        profile: The table with the profiler's last figures, or None.

        server_page: The address of the server's pages.
    """
    kind = "container" if asset.data_model is not None or asset.database_schema is None else "table"
    page = f"{server_page}/{kind}/{quote(asset.fully_qualified_name, safe='')}"
    columns = profile.columns if profile is not None else None
    return Details(
        facts=tuple(_facts(asset, profile, tests)),
        columns={c.name: said for c in columns or () if (said := _profiled(c))},
        page=page,
    )


def failures(tests: Sequence[DataTest]) -> dict[str, list[str]]:
    """
    A sentence for each test that failed last, by the FQN of the table.

    Source: ``entityLink`` of a test, ``<#E::table::FQN>`` or ``<#E::table::FQN::columns::NAME>``.
    """
    found: dict[str, list[str]] = {}
    for test in tests:
        table = test.entity_link.removeprefix("<#E::table::").removesuffix(">").split("::")[0]
        found.setdefault(table, []).append(_failure(test))
    return found


def _facts(
    asset: Asset, profile: Asset | None, tests: Sequence[DataTest]
) -> Iterator[tuple[str, str]]:
    domains = [*(asset.domains or ()), *([asset.domain] if asset.domain else ())]
    label = asset.certification.tag_label if asset.certification else None
    told = {
        "Type": asset.table_type if asset.table_type != "Regular" else None,
        "Domains": _names(domains),
        "Data products": _names(asset.data_products or ()),
        "Certification": label.tag_fqn.rpartition(".")[2] if label else None,
        "Status": asset.entity_status if asset.entity_status != "Unprocessed" else None,
        "Used": _usage(asset),
        "Data": _data(profile),
        "Tests": _tests(tests),
    }
    yield from ((heading, text) for heading, text in told.items() if text)
    for test in [t for t in tests if _status(t) == "Failed"][:MOST_TESTS]:
        yield ("Failed", _failure(test))


def _names(references: Sequence[Reference]) -> str:
    return ", ".join(r.display_name or r.name or r.fully_qualified_name or "" for r in references)


def _usage(asset: Asset) -> str | None:
    week = asset.usage_summary.weekly_stats if asset.usage_summary else None
    if week is None or not week.count:
        return None
    rank = f", more than {week.percentile_rank:.0f} % of tables" if week.percentile_rank else ""
    times = "once" if week.count == 1 else f"{week.count} times"
    return f"{times} in the week to {asset.usage_summary.date}{rank}"  # type: ignore[union-attr] # it has a week


def joins_of(asset: Asset) -> list[Join]:
    """
    How a table was joined with others, most first.
    """
    columns = asset.joins.column_joins if asset.joins is not None else None
    found = [
        Join(one.column_name, format_fqn(parts[:4]), ".".join(parts[4:]), other.join_count)
        for one in columns or ()
        for other in one.joined_with
        if len(parts := parse_fqn(other.fully_qualified_name).parts) > 4
    ]
    return sorted(found, key=lambda j: (-j.number, j.other_fqn, j.column, j.other_column))


def _data(asset: Asset | None) -> str | None:
    profile = asset.profile if asset is not None else None
    if profile is None or profile.row_count is None:
        return None
    size = f", {show_size(profile.size_in_byte)}" if profile.size_in_byte else ""
    return f"{profile.row_count:,.0f} rows{size} ({_when(profile.timestamp)})"


def _tests(tests: Sequence[DataTest]) -> str | None:
    states = [_status(test) for test in tests]
    counted = {state: states.count(state) for state in ("Success", "Failed", "Aborted", "Queued")}
    said = [f"{number} {state.lower()}" for state, number in counted.items() if number]
    untried = states.count(None)
    return ", ".join([*said, *([f"{untried} not run yet"] if untried else [])]) or None


def _status(test: DataTest) -> str | None:
    result = test.test_case_result
    return test.test_case_status or (result.test_case_status if result else None)


def _failure(test: DataTest) -> str:
    result = test.test_case_result
    when = f" ({_when(result.timestamp)})" if result and result.timestamp else ""
    why = f": {' '.join(result.result.split())[:200]}" if result and result.result else ""
    return f"{test.display_name or test.name}{when}{why}"


def _when(at: int | None) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d at %H:%M} UTC" if at else "no time"


def _profiled(column: TableColumn) -> str:
    profile = column.profile
    if profile is None:
        return ""
    told: Mapping[str, str | None] = {
        "different": _number(profile.distinct_count),
        "NULL": _number(profile.null_count),
    }
    said = [f"{number} {what}" for what, number in told.items() if number is not None]
    return ", ".join([*said, *_range(profile)])


def _range(profile: ColumnProfile) -> list[str]:
    if profile.min is None or profile.max is None:
        return []
    return [f"{_shown(profile.min)} to {_shown(profile.max)}"]


def _shown(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)[:40]


def _number(value: float | None) -> str | None:
    return f"{value:,.0f}" if value is not None else None
