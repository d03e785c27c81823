"""
Tables: what a create message needs, and what an answer holds.
"""

from __future__ import annotations

import pytest

from tests.contracts.openmetadata.client import Json, Place
from tests.contracts.openmetadata.marks import versions


def test_new_is_201_and_known_is_200(place: Place) -> None:
    body = place.table_body()

    assert [place.put("tables", body).status for _ in range(2)] == [201, 200]


def test_what_is_there_without_asking(place: Place) -> None:
    place.table(tableType="Regular", description="Text.")
    table = place.read_table()

    assert {
        "id", "name", "fullyQualifiedName", "columns", "databaseSchema", "database", "service", "serviceType",
        "tableType", "version", "updatedAt", "updatedBy", "href", "deleted", "description",
    } <= table.keys()  # fmt: skip
    assert not {"owners", "tags", "usageSummary", "joins", "extension"} & table.keys()
    assert table["deleted"] is False
    assert table["version"] == 0.1


def test_parents_are_references(place: Place) -> None:
    table = place.table()

    assert (
        table["databaseSchema"].items()
        >= {"type": "databaseSchema", "fullyQualifiedName": place.schema}.items()
    )
    assert table["database"]["fullyQualifiedName"] == f"{place.name}.db"
    assert table["service"].items() >= {"type": "databaseService", "name": place.name}.items()
    assert {"id", "type", "name", "fullyQualifiedName", "href"} <= table["service"].keys()


def test_fields_that_hold_nothing_are_there_when_asked_for(place: Place) -> None:
    place.table()
    table = place.read_table(fields="owners,tags,usageSummary")

    assert table["owners"] == []
    assert table["tags"] == []
    assert table["usageSummary"]["dailyStats"]["count"] == 0


def test_a_column_has_its_tags_only_when_both_are_asked_for(place: Place) -> None:
    tag = {
        "tagFQN": "PII.Sensitive",
        "source": "Classification",
        "labelType": "Manual",
        "state": "Confirmed",
    }
    place.table(columns=[{"name": "a", "dataType": "INT", "tags": [tag]}])

    assert [
        one["tagFQN"] for one in place.read_table(fields="columns,tags")["columns"][0]["tags"]
    ] == ["PII.Sensitive"]
    assert not place.read_table(fields="columns")["columns"][0].get("tags")
    assert not place.read_table()["columns"][0].get("tags")


def test_all_fields_by_a_star(place: Place) -> None:
    place.table()

    assert {"owners", "tags", "usageSummary"} <= place.read_table(fields="*").keys()


@pytest.mark.parametrize(
    "name",
    ["columns", "tags", "owners", "dataProducts", "tableConstraints", "tablePartition", "usageSummary", "testSuite",
     "lifeCycle", "extension", "joins", "votes", "followers", "schemaDefinition", "dataModel", "sampleData", "sourceHash"],
)  # fmt: skip
def test_fields_that_every_version_has(place: Place, name: str) -> None:
    place.table()

    assert place.get(f"tables/name/{place.schema}.t", fields=name).status == 200


@versions(until="1.9")
def test_one_domain_before_1_9(place: Place) -> None:
    place.table()

    assert place.get(f"tables/name/{place.schema}.t", fields="domain").status == 200
    assert place.get(f"tables/name/{place.schema}.t", fields="domains").status == 400


@versions(since="1.9")
def test_several_domains_since_1_9(place: Place) -> None:
    place.table()

    assert place.read_table(fields="domains")["domains"] == []
    assert place.get(f"tables/name/{place.schema}.t", fields="domain").status == 400


@pytest.mark.parametrize(
    "column",
    [{"dataType": "VARCHAR"}, {"dataType": "CHAR"}, {"dataType": "BINARY"}, {"dataType": "ARRAY"}, {"dataType": "STRUCT"},
     {"dataType": "NONSENSE"}],
)  # fmt: skip
def test_a_type_that_lacks_its_details_is_400(place: Place, column: Json) -> None:
    assert place.put("tables", place.table_body(columns=[{"name": "a", **column}])).status == 400


def test_a_type_is_told_as_text(place: Place) -> None:
    table = place.table(columns=[{"name": "a", "dataType": "VARCHAR", "dataLength": 10}, "b"])

    assert table["columns"][0]["dataLength"] == 10
    assert table["columns"][1]["dataTypeDisplay"] == "int"


def test_two_columns_of_one_name_are_refused(place: Place) -> None:
    assert place.put("tables", place.table_body(columns=["a", "a"])).status == 400


def test_a_view_keeps_its_definition(place: Place) -> None:
    place.table("v", tableType="View", schemaDefinition="SELECT 1 AS a")
    view = place.read_table("v", fields="schemaDefinition")

    assert view["tableType"] == "View"
    assert view["schemaDefinition"] == "SELECT 1 AS a"
    assert "schemaDefinition" not in place.read_table("v")


def test_an_unknown_tag_is_404(place: Place) -> None:
    tag = {
        "tagFQN": "PII.None_such",
        "source": "Classification",
        "labelType": "Manual",
        "state": "Confirmed",
    }
    reply = place.put("tables", place.table_body(tags=[tag]))

    assert reply.status == 404
    assert reply.message == "tag instance for PII.None_such not found"


def test_an_unknown_owner_is_404(place: Place) -> None:
    owner = {"id": "11111111-2222-4333-8444-555555555555", "type": "user"}

    assert place.put("tables", place.table_body(owners=[owner])).status == 404


@versions(until="1.9")
def test_no_etag_before_1_9(place: Place) -> None:
    table = place.table()
    reply = place.get(f"tables/{table['id']}")

    assert "etag" not in {name.lower() for name in reply.headers}
    assert (
        place.call("GET", f"tables/{table['id']}", headers={"If-None-Match": 'W/"0.1"'}).status
        == 200
    )


@versions(since="1.9")
def test_a_stale_patch_is_412(place: Place) -> None:
    table = place.table()
    change = [{"op": "add", "path": "/description", "value": "Text."}]
    headers = {"If-Match": 'W/"0.1"'}

    assert place.call("PATCH", f"tables/{table['id']}", change, headers=headers).status == 200
    assert place.call("PATCH", f"tables/{table['id']}", change, headers=headers).status == 412


@versions(since="1.11")
def test_many_at_once_since_1_11(place: Place) -> None:
    bodies = [place.table_body("good"), place.table_body("bad", nonsense=1)]
    reply = place.call("PUT", "tables/bulk", bodies, query={"async": "false"})

    assert reply.status == 200
    assert len(reply.body["successRequest"]) == 1
    assert len(reply.body["failedRequest"]) == 1
    assert place.read_table("good")["name"] == "good"


@versions(until="1.8")
def test_many_at_once_is_no_route_of_old(place: Place) -> None:
    assert place.put("tables/bulk", [place.table_body()]).status == 500
