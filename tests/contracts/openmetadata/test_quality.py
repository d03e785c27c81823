"""
Data quality: tests, their last results, and how a table's are found.
"""

from __future__ import annotations

import time

import pytest

from tests.contracts.openmetadata.client import Json, Place
from tests.contracts.openmetadata.marks import versions


def case(place: Place, name: str = "not_null", column: str = "a") -> Json:
    fqn = f"{place.schema}.t"
    suite = f"{fqn}.testSuite"
    if place.get(f"dataQuality/testSuites/name/{suite}").status == 404:
        place.table()
        owner = "executableEntityReference" if place.version < (1, 7) else "basicEntityReference"
        path = "executable" if place.version < (1, 7) else "basic"
        made = place.call("POST", f"dataQuality/testSuites/{path}", {"name": suite, owner: fqn})
        assert made.status == 201, made.text
    body = {
        "name": name,
        "entityLink": f"<#E::table::{fqn}::columns::{column}>",
        "testDefinition": "columnValuesToBeNotNull",
        **({"testSuite": suite} if place.version < (1, 7) else {}),
    }
    reply = place.call("POST", "dataQuality/testCases", body)
    assert reply.status == 201, reply.text
    found: Json = reply.body
    return found


def result(place: Place, test: Json, status: str, **more: object) -> Json:
    body = {
        "timestamp": int(time.time() * 1000),
        "testCaseStatus": status,
        "result": "3 nulls",
        **more,
    }
    reply = place.put(f"dataQuality/testCases/{test['fullyQualifiedName']}/testCaseResult", body)
    assert reply.status in {200, 201}, reply.text
    return body


def of_table(place: Place, **query: str) -> list[Json]:
    link = f"<#E::table::{place.schema}.t>"
    found: list[Json] = place.read(
        "dataQuality/testCases", **{"entityLink": link, "includeAllTests": "true", **query}
    )["data"]
    return found


def test_a_test_is_named_below_its_column(place: Place) -> None:
    test = case(place)

    assert test["fullyQualifiedName"] == f"{place.schema}.t.a.not_null"
    assert test["entityFQN"] == f"{place.schema}.t.a"
    assert test["testDefinition"]["name"] == "columnValuesToBeNotNull"
    assert test["testSuite"]["name"] == f"{place.schema}.t.testSuite"


def test_the_last_result_is_told(place: Place) -> None:
    test = case(place)
    result(place, test, "Success", timestamp=1_700_000_000_000)
    last = result(place, test, "Failed")
    found = place.read(
        f"dataQuality/testCases/name/{test['fullyQualifiedName']}", fields="testCaseResult"
    )

    assert found["testCaseStatus"] == "Failed"
    assert last.items() <= found["testCaseResult"].items()
    assert found["testCaseResult"]["incidentId"]


def test_a_result_is_an_event_as_of_the_tests_last_change(place: Place) -> None:
    """
    Who polls from now on misses it.
    """
    test = case(place)
    time.sleep(0.01)
    result(place, test, "Failed")

    def told() -> list[Json]:
        found = place.read("events", entityUpdated="testCase", timestamp=test["updatedAt"])["data"]
        return [one for one in found if one["entityId"] == test["id"]]

    place.wait_for(lambda: len(told()), 1)
    [event] = told()
    assert (event["eventType"], event["timestamp"]) == ("entityUpdated", test["updatedAt"])
    assert [one["name"] for one in event["changeDescription"]["fieldsUpdated"]] == [
        "testCaseResult"
    ]
    after = place.read(f"dataQuality/testCases/name/{test['fullyQualifiedName']}")
    assert (after["version"], after["updatedAt"]) == (0.2, test["updatedAt"])
    assert (event["previousVersion"], event["currentVersion"]) == (0.1, 0.2)


def test_results_between_two_times(place: Place) -> None:
    test = case(place)
    result(place, test, "Success", timestamp=1_700_000_000_000)
    result(place, test, "Failed", timestamp=1_700_000_001_000)
    path = f"dataQuality/testCases/{test['fullyQualifiedName']}/testCaseResult"
    found = place.read(path, startTs=1_699_999_999_999, endTs=1_700_000_002_000)["data"]

    assert [one["testCaseStatus"] for one in found] == ["Failed", "Success"]


@versions(since="1.6")
def test_results_by_their_own_route_since_1_6(place: Place) -> None:
    test = case(place)
    body = {"timestamp": 1_700_000_000_000, "testCaseStatus": "Success"}
    path = f"dataQuality/testCases/testCaseResults/{test['fullyQualifiedName']}"

    assert place.call("POST", path, body).status == 201
    assert len(place.read(path, startTs=1_699_999_999_999, endTs=1_700_000_002_000)["data"]) == 1


def test_the_tests_of_columns_only_with_all_tests(place: Place) -> None:
    test = case(place)

    assert [one["id"] for one in of_table(place)] == [test["id"]]
    assert (
        place.read("dataQuality/testCases", entityLink=f"<#E::table::{place.schema}.t>")["data"]
        == []
    )


def test_only_those_that_failed(place: Place) -> None:
    good, bad = case(place, "good"), case(place, "bad", "b")
    result(place, good, "Success")
    result(place, bad, "Failed")

    assert [one["name"] for one in of_table(place, testCaseStatus="Failed")] == ["bad"]
    assert [one["name"] for one in of_table(place, testCaseStatus="Success")] == ["good"]


def test_a_table_names_its_suite_and_the_suite_counts(place: Place) -> None:
    test = case(place)
    result(place, test, "Failed")
    suite = place.read_table(fields="testSuite")["testSuite"]
    found = place.read(f"dataQuality/testSuites/{suite['id']}", fields="tests,summary")

    assert [one["id"] for one in found["tests"]] == [test["id"]]
    assert found["summary"].items() >= {"success": 0, "failed": 1, "aborted": 0, "total": 1}.items()


@pytest.mark.parametrize("status", ["Nonsense", None])
def test_an_unknown_status_is_400(place: Place, status: str | None) -> None:
    test = case(place)
    body = {"timestamp": 1_700_000_000_000, "testCaseStatus": status or "none"}

    assert (
        place.put(f"dataQuality/testCases/{test['fullyQualifiedName']}/testCaseResult", body).status
        == 400
    )


def test_a_test_of_no_table_is_404(place: Place) -> None:
    body = {
        "name": "x",
        "entityLink": f"<#E::table::{place.schema}.none>",
        "testDefinition": "tableRowCountToBeBetween",
        "testSuite": f"{place.schema}.none.testSuite",
    }

    assert place.call("POST", "dataQuality/testCases", body).status == 404
