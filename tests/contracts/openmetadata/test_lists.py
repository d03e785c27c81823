"""
Lists: pages, filters, and parameters that are not heeded.
"""

from __future__ import annotations

from tests.contracts.openmetadata.client import Place
from tests.contracts.openmetadata.marks import versions


def names(place: Place, **query: object) -> list[str]:
    return [one["name"] for one in place.read("tables", **query)["data"]]


def test_pages_follow_each_other(place: Place) -> None:
    for number in range(5):
        place.table(f"t{number}")
    found, after, pages = [], None, 0
    while True:
        query = {"databaseSchema": place.schema, "limit": 2, **({"after": after} if after else {})}
        page = place.read("tables", **query)
        found += [one["name"] for one in page["data"]]
        pages += 1
        after = page["paging"].get("after")
        if after is None:
            break

    assert found == [f"t{number}" for number in range(5)]
    assert pages == 3
    assert page["paging"]["total"] == 5


def test_limit_zero_counts(place: Place) -> None:
    place.table()
    page = place.read("tables", databaseSchema=place.schema, limit=0)

    assert page["data"] == []
    assert page["paging"]["total"] == 1


def test_limits_are_bounded(place: Place) -> None:
    assert place.get("tables", limit=-1).status == 400
    assert place.get("tables", limit=1_000_001).status == 400


def test_ten_without_a_limit(place: Place) -> None:
    for number in range(11):
        place.table(f"t{number:02}")

    assert len(names(place, databaseSchema=place.schema)) == 10


def test_by_database(place: Place) -> None:
    place.table()

    assert names(place, database=f"{place.name}.db") == ["t"]


def test_of_an_unknown_schema_is_empty(place: Place) -> None:
    assert names(place, databaseSchema=f"{place.name}.db.none") == []


@versions(until="1.8")
def test_tables_are_not_filtered_by_service(place: Place) -> None:
    place.table()
    total = place.read("tables", service=place.name, limit=0)["paging"]["total"]

    assert total == place.read("tables", limit=0)["paging"]["total"]


def test_databases_are_filtered_by_service(place: Place) -> None:
    assert [one["name"] for one in place.read("databases", service=place.name)["data"]] == ["db"]


def test_deleted_ones_are_left_out(place: Place) -> None:
    place.table("kept")
    place.delete(f"tables/{place.table('gone')['id']}")

    assert names(place, databaseSchema=place.schema) == ["kept"]
    assert names(place, databaseSchema=place.schema, include="all") == ["gone", "kept"]
    assert names(place, databaseSchema=place.schema, include="deleted") == ["gone"]


def test_fields_in_lists(place: Place) -> None:
    place.table()
    page = place.read("tables", databaseSchema=place.schema, fields="owners,tags")

    assert page["data"][0]["owners"] == []
    assert place.get("tables", fields="nonsense").status == 400


@versions(until="1.8")
def test_a_cursor_that_is_none_looks_like_an_outage(place: Place) -> None:
    assert place.get("tables", after="nonsense").status == 500
