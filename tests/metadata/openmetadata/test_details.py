"""
What a person is told of one table beside its names.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fusion_magic.metadata.openmetadata.details import details_of, failures
from fusion_magic.openmetadata.messages import Asset, DataTest

NOON_MS = 1_769_860_800_000
ORDERS = {
    "id": "1",
    "name": "orders",
    "fullyQualifiedName": "pg.shop.public.a/b",
    "databaseSchema": {"id": "2"},
}


def asset(**facts: Any) -> Asset:
    return msgspec.convert(ORDERS | facts, Asset)


def case(name: str, status: str | None, **facts: Any) -> DataTest:
    result = {"timestamp": NOON_MS, "testCaseStatus": status, "result": "Found 3,\n expected 4."}
    told = {"name": name, "testCaseResult": result if status else None}
    return msgspec.convert(told | facts, DataTest)


def told(found: Asset, profile: Asset | None = None, *tests: DataTest) -> dict[str, str]:
    return dict(details_of(found, profile, tests, server_page="https://om.example").facts)


def test_nothing_is_said_of_what_is_not_there() -> None:
    found = details_of(asset(tableType="Regular"), None, [], server_page="https://om.example")

    assert found.facts == ()
    assert found.columns == {}
    assert found.page == "https://om.example/table/pg.shop.public.a%2Fb"


@pytest.mark.parametrize(
    ("facts", "heading", "text"),
    [
        ({"tableType": "View"}, "Type", "View"),
        ({"domain": {"id": "1", "name": "sales", "displayName": "Sales"}}, "Domains", "Sales"),
        ({"domains": [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}]}, "Domains", "a, b"),
        ({"dataProducts": [{"id": "1", "name": "shop"}]}, "Data products", "shop"),
        (
            {"certification": {"tagLabel": {"tagFQN": "Certification.Gold"}}},
            "Certification",
            "Gold",
        ),
        ({"entityStatus": "Approved"}, "Status", "Approved"),
        (
            {
                "usageSummary": {
                    "date": "2026-01-31",
                    "weeklyStats": {"count": 7, "percentileRank": 90.0},
                }
            },
            "Used",
            "7 times in the week to 2026-01-31, more than 90 % of tables",
        ),
        (
            {
                "usageSummary": {
                    "date": "2026-01-31",
                    "weeklyStats": {"count": 1, "percentileRank": 0.0},
                }
            },
            "Used",
            "once in the week to 2026-01-31",
        ),
    ],
)
def test_facts_are_told_in_words(facts: dict[str, Any], heading: str, text: str) -> None:
    assert told(asset(**facts)) == {heading: text}


def test_what_was_never_used_says_nothing_of_use() -> None:
    summary = {"date": "2026-01-31", "weeklyStats": {"count": 0, "percentileRank": 0.0}}

    assert told(asset(usageSummary=summary)) == {}


def test_figures_of_the_data_have_units_and_a_time() -> None:
    profile = asset(
        profile={"timestamp": NOON_MS, "rowCount": 12345.0, "sizeInByte": 4567.0},
        columns=[
            {
                "name": "id",
                "profile": {"distinctCount": 12345.0, "nullCount": 0.0, "min": 1, "max": 9.5},
            },
            {"name": "note", "profile": {"nullCount": 3.0}},
            {"name": "other"},
        ],
    )
    found = details_of(asset(), profile, [], server_page="")

    assert dict(found.facts) == {"Data": "12,345 rows, 4.6 kB (2026-01-31 at 12:00 UTC)"}
    assert found.columns == {"id": "12,345 different, 0 NULL, 1 to 9.5", "note": "3 NULL"}


def test_tests_are_counted_and_those_that_failed_are_told() -> None:
    found = told(asset(), None, case("a", "Success"), case("b", "Failed"), case("c", None))

    assert found["Tests"] == "1 success, 1 failed, 1 not run yet"
    assert found["Failed"] == "b (2026-01-31 at 12:00 UTC): Found 3, expected 4."


def test_failures_are_told_by_table() -> None:
    tests = [
        case("a", "Failed", entityLink="<#E::table::pg.shop.public.orders>"),
        case("b", "Failed", entityLink='<#E::table::s."x.y".z.t::columns::id>', displayName="B"),
    ]

    found = failures(tests)

    assert list(found) == ["pg.shop.public.orders", 's."x.y".z.t']
    assert found['s."x.y".z.t'][0].startswith("B (2026-01-31 at 12:00 UTC)")


def test_a_container_has_its_own_page() -> None:
    found = details_of(asset(databaseSchema=None), None, [], server_page="https://om.example")

    assert found.page.startswith("https://om.example/container/")
