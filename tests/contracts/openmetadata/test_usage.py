"""
Usage and joins.
"""

from __future__ import annotations

import datetime as dt

from tests.contracts.openmetadata.client import Api, Json, Place
from tests.contracts.openmetadata.marks import needs


def daily(place: Api, path: str) -> int:
    return int(place.read(path, fields="usageSummary")["usageSummary"]["dailyStats"]["count"])


def today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


def test_post_sets_and_put_adds(place: Place) -> None:
    table = place.table()
    path = f"usage/table/{table['id']}"
    message = {"date": today(), "count": 3}

    assert place.call("POST", path, message).status == 201
    assert place.put(path, message).status == 201
    assert daily(place, f"tables/{table['id']}") == 6
    place.call("POST", path, message)
    assert daily(place, f"tables/{table['id']}") == 3


def test_both_add_to_the_schema(place: Place) -> None:
    table = place.table()
    path = f"usage/table/name/{table['fullyQualifiedName']}"
    for _ in range(2):
        place.call("POST", path, {"date": today(), "count": 3})

    assert daily(place, f"databaseSchemas/name/{place.schema}") == 6


@needs("person")
def test_a_person_may_not_report_usage(place: Place) -> None:
    table = place.table()
    reply = place.as_person().put(f"usage/table/{table['id']}", {"date": today(), "count": 3})

    assert reply.status == 403
    assert "operations [EditUsage] not allowed" in reply.message


def joins(place: Place, column: str, count: int = 3) -> Json:
    joined = [{"fullyQualifiedName": f"{place.schema}.other.a", "joinCount": count}]
    return {
        "startDate": today(),
        "dayCount": 1,
        "columnJoins": [{"columnName": column, "joinedWith": joined}],
    }


def test_joins_of_a_day_are_told_once(place: Place) -> None:
    table = place.table()
    place.table("other")
    for _ in range(2):
        assert place.put(f"tables/{table['id']}/joins", joins(place, "a")).status == 200
    found = place.read(f"tables/{table['id']}", fields="joins")["joins"]["columnJoins"]

    assert found == joins(place, "a")["columnJoins"]
    [other] = place.read_table("other", fields="joins")["joins"]["columnJoins"]
    joined = [{"fullyQualifiedName": f"{place.schema}.t.a", "joinCount": 3}]
    assert other == {"columnName": "a", "joinedWith": joined}


def test_joins_with_what_is_unknown_or_of_an_old_day_are_refused(place: Place) -> None:
    path = f"tables/{place.table()['id']}/joins"
    away = place.put(path, joins(place, "a"))
    place.table("other", ("b",))
    unknown = place.put(path, joins(place, "a"))
    old = place.put(path, {**joins(place, "a"), "startDate": "2020-01-01"})

    assert away.status == 404
    named = f"Invalid fully qualified column name {place.schema}.other.a"
    assert (unknown.status, unknown.message) == (400, named)
    assert (old.status, old.message) == (
        400,
        "Date range can only include past 30 days starting today",
    )


def test_a_pairs_joins_of_a_day_are_replaced_and_other_pairs_stay(place: Place) -> None:
    table = place.table()
    place.table("other")
    for column, count in (("a", 3), ("b", 2), ("a", 1)):
        assert place.put(f"tables/{table['id']}/joins", joins(place, column, count)).status == 200
    found = place.read(f"tables/{table['id']}", fields="joins")["joins"]["columnJoins"]

    told = {one["columnName"]: one["joinedWith"][0]["joinCount"] for one in found}
    assert told == {"a": 1, "b": 2}


def test_both_tables_show_a_join(place: Place) -> None:
    table, other = place.table(), place.table("other")
    assert place.put(f"tables/{table['id']}/joins", joins(place, "b")).status == 200
    [found] = place.read(f"tables/{other['id']}", fields="joins")["joins"]["columnJoins"]

    joined = [{"fullyQualifiedName": f"{place.schema}.t.b", "joinCount": 3}]
    assert found == {"columnName": "a", "joinedWith": joined}


def test_an_unknown_column_is_400(place: Place) -> None:
    table = place.table()
    reply = place.put(f"tables/{table['id']}/joins", joins(place, "none"))

    assert (reply.status, reply.message) == (400, "Invalid column name none")
