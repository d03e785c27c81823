"""
Data quality: tests of tables and columns, and their results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from . import entities, events, messages
from .answers import Answer, Json, bad_request
from .kinds import BY_TYPE
from .names import child_fqn
from .present import present, reference
from .routing import ROUTER, Request
from .state import Entity, new_id

STATES = ("Success", "Failed", "Aborted", "Queued")

_LINK = re.compile(r"<#E::(?P<kind>\w+)::(?P<fqn>.+?)(?:::columns::(?P<column>.+?))?>")


def parse_link(link: str) -> tuple[str, str, str | None]:
    """
    Kind, FQN and column that an entity link names.

    Raises:
        Refusal: It is none (400).
    """
    found = _LINK.fullmatch(link)
    if found is None:
        raise bad_request(f"Entity link was not found: {link}")
    return found["kind"], found["fqn"], found["column"]


def suite_of(request: Request, table: Entity) -> Entity:
    """
    The suite of *table*, made where it is missing.
    """
    fqn = f"{table.fqn}.testSuite"
    known = request.state.find("testSuite", fqn)
    return known or _make_suite(request, table, fqn)


def _make_suite(request: Request, table: Entity, name: str) -> Entity:
    kind = BY_TYPE["testSuite"]
    owner = {"id": table.id, "type": "table", "name": table.name, "fullyQualifiedName": table.fqn}
    is_new = request.version >= (1, 7)
    names = (
        ("basic", "basicEntityReference") if is_new else ("executable", "executableEntityReference")
    )
    data = {names[0]: True, names[1]: owner, "serviceType": "TestSuite", "inherited": False}
    suite = Entity(
        kind, new_id(), name, name, None, data, request.state.now(), request.principal.name
    )
    suite.set_fact("summary", partial(_summary, request, suite))
    suite.set_fact("tests", partial(_references, request, suite))
    table.set_fact("testSuite", partial(reference, suite))
    return request.state.add(suite)


def _cases(request: Request, suite: Entity) -> list[Entity]:
    return [
        case
        for case in request.state.of_kind("testCase")
        if case.data["testSuite"]["id"] == suite.id and not case.is_deleted
    ]


def _references(request: Request, suite: Entity) -> list[Json]:
    return [reference(case, request.url) for case in _cases(request, suite)]


def _counts(cases: Iterable[Entity]) -> Json:
    states = [case.data["testCaseStatus"] for case in cases if "testCaseStatus" in case.data]
    return {**{state.lower(): states.count(state) for state in STATES}, "total": len(states)}


def _summary(request: Request, suite: Entity) -> Json:
    cases = _cases(request, suite)
    by_column: dict[str, list[Entity]] = {}
    for case in cases:
        if "::columns::" in case.data["entityLink"]:
            by_column.setdefault(case.data["entityLink"], []).append(case)
    columns = [{**_counts(found), "entityLink": link} for link, found in by_column.items()]
    return {**_counts(cases), "columnTestSummary": columns}


def _make_executable(request: Request) -> Answer:
    request.principal.demand("Create")
    body = request.json()
    owner = body.get("basicEntityReference") or body.get("executableEntityReference")
    suite = suite_of(request, request.state.named("table", owner))
    return Answer(201, present(request, suite, ("owners",)))


ROUTER.on("POST", "dataQuality/testSuites/executable")(_make_executable)
ROUTER.on("POST", "dataQuality/testSuites/basic", since=(1, 7))(_make_executable)


def _place(request: Request, body: Json) -> tuple[str, Entity | None]:
    kind, fqn, column = parse_link(body["entityLink"])
    table = request.state.named(kind, fqn)
    definition = request.state.named("testDefinition", body["testDefinition"])
    # Older servers need the suite's name, newer ones know it by the table.
    if request.version < (1, 7) and not body.get("testSuite"):
        raise bad_request("[testSuite must not be null]")
    named = body.get("testSuite")
    suite = request.state.named("testSuite", named) if named else suite_of(request, table)
    body |= {
        "testDefinition": {"id": definition.id, "type": "testDefinition"},
        "testSuite": {"id": suite.id, "type": "testSuite"},
        "entityFQN": table.fqn if column is None else child_fqn(table.fqn, column),
    }
    for name in ("computePassedFailedRowCount", "useDynamicAssertion"):
        body.setdefault(name, False)
    body.setdefault("parameterValues", [])
    return body["name"], None


def _keep_status(_request: Request, entity: Entity, data: Json) -> None:
    data |= {
        name: entity.data[name] for name in ("testCaseStatus", "incidentId") if name in entity.data
    }


def _by_link(request: Request, case: Entity) -> bool:
    _, fqn, column = parse_link(request.one("entityLink"))
    if column is not None or not request.flag("includeAllTests"):
        return bool(case.data["entityLink"] == request.one("entityLink"))
    return parse_link(case.data["entityLink"])[1] == fqn


def _by_status(request: Request, case: Entity) -> bool:
    return case.data.get("testCaseStatus") in request.query["testCaseStatus"]


def _by_suite(request: Request, case: Entity) -> bool:
    return bool(case.data["testSuite"]["id"] == request.one("testSuiteId"))


messages.PLACE["testCase"] = _place
entities.CHECKS["testCase"] = _keep_status
entities.FILTERS["testCase", "entityLink"] = _by_link
entities.FILTERS["testCase", "testCaseStatus"] = _by_status
entities.FILTERS["testCase", "testSuiteId"] = _by_suite


def add_result(request: Request, case: Entity, given: Json) -> Json:
    """
    Keep one result of a test.

    Raises:
        Refusal: Its status is none (400).
    """
    if given.get("testCaseStatus") not in STATES:
        raise bad_request(
            "Cannot construct instance of `org.openmetadata.schema.tests.type.TestCaseStatus`, "
            f"problem: {given.get('testCaseStatus')}"
        )
    result = {"id": new_id(), "testCaseFQN": case.fqn, **given}
    data = {name: value for name, value in case.data.items() if name != "incidentId"}
    if given["testCaseStatus"] == "Failed":
        result["incidentId"] = data["incidentId"] = case.data.get("incidentId") or new_id()
    case.fact("results", dict)[given["timestamp"]] = result
    newest: Json = max(case.fact("results", dict).values(), key=lambda one: int(one["timestamp"]))
    case.set_fact("testCaseResult", newest)
    case.data = {**data, "testCaseStatus": newest["testCaseStatus"]}
    request.state.touch(case)
    # It is a new version, which bears the time of the last change before it.
    updated = [{"name": "testCaseResult", "newValue": result}]
    case.change = {"fieldsAdded": [], "fieldsUpdated": updated, "fieldsDeleted": []}
    case.change["previousVersion"] = case.version
    case.version = round(case.version + 0.1, 1)
    events.record(request, "entityUpdated", case)
    return result


def _put_result(request: Request, fqn: str) -> Answer:
    request.principal.demand("EditTests")
    return Answer(201, add_result(request, request.state.named("testCase", fqn), request.json()))


def _list_results(request: Request, fqn: str) -> Answer:
    case = request.state.named("testCase", fqn)
    start, end = request.number("startTs", 0), request.number("endTs", 1 << 62)
    results: list[Json] = list(case.fact("results", dict).values())
    found = [one for one in results if start <= one["timestamp"] <= end]
    found.sort(key=lambda one: -int(one["timestamp"]))
    return Answer(200, {"data": found, "paging": {"total": len(found)}})


ROUTER.on("PUT", "dataQuality/testCases/{}/testCaseResult")(_put_result)
ROUTER.on("GET", "dataQuality/testCases/{}/testCaseResult")(_list_results)
ROUTER.on("POST", "dataQuality/testCases/testCaseResults/{}", since=(1, 6))(_put_result)
ROUTER.on("GET", "dataQuality/testCases/testCaseResults/{}", since=(1, 6))(_list_results)
