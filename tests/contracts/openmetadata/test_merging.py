"""
What survives a write: a bot's PUT keeps what people wrote, and clears what it leaves out of the rest.
"""

from __future__ import annotations

import json

from tests.contracts.openmetadata.client import Json, Place
from tests.contracts.openmetadata.marks import needs, versions

SENSITIVE = {
    "tagFQN": "PII.Sensitive",
    "source": "Classification",
    "labelType": "Manual",
    "state": "Confirmed",
}


def tier(number: int) -> Json:
    return {**SENSITIVE, "tagFQN": f"Tier.Tier{number}"}


def described(place: Place, table: Json, path: str, text: str) -> None:
    assert (
        place.patch(f"tables/{table['id']}", {"op": "add", "path": path, "value": text}).status
        == 200
    )


def test_a_bot_does_not_write_over_a_description(place: Place) -> None:
    place.table(description="Mine.")
    after = place.table(description="Other.")

    assert after["description"] == "Mine."
    assert place.table()["description"] == "Mine."


def test_a_bot_fills_an_empty_description(place: Place) -> None:
    place.table()

    assert place.table(description="Now.")["description"] == "Now."


def test_a_bot_does_not_write_over_a_display_name(place: Place) -> None:
    place.table(displayName="Mine")

    assert place.table(displayName="Other")["displayName"] == "Mine"


def test_descriptions_of_columns_stay(place: Place) -> None:
    table = place.table()
    described(place, table, "/columns/0/description", "The first.")
    after = place.table(columns=[{"name": "a", "dataType": "INT", "description": "Other."}, "b"])

    assert after["columns"][0]["description"] == "The first."


def test_tags_are_merged(place: Place) -> None:
    place.table(tags=[SENSITIVE])
    place.table(tags=[tier(1)])
    tags = [one["tagFQN"] for one in place.read_table(fields="tags")["tags"]]

    assert sorted(tags) == ["PII.Sensitive", "Tier.Tier1"]


def test_tags_of_columns_are_merged(place: Place) -> None:
    place.table(columns=[{"name": "a", "dataType": "INT", "tags": [SENSITIVE]}])
    place.table(columns=["a"])

    assert (
        place.read_table(fields="columns,tags")["columns"][0]["tags"][0]["tagFQN"]
        == "PII.Sensitive"
    )


def test_a_column_loses_its_tags_with_its_type(place: Place) -> None:
    place.table(columns=[{"name": "a", "dataType": "INT", "tags": [SENSITIVE]}])
    place.table(columns=[{"name": "a", "dataType": "BIGINT"}])

    assert place.read_table(fields="columns,tags")["columns"][0]["tags"] == []


def test_a_column_that_was_left_out_once_has_lost_everything(place: Place) -> None:
    place.table(
        columns=[{"name": "a", "dataType": "INT", "description": "Mine.", "tags": [SENSITIVE]}, "b"]
    )
    place.table(columns=["b"])
    place.table(columns=["a", "b"])
    column = place.read_table(fields="columns,tags")["columns"][0]

    assert column["tags"] == []
    assert "description" not in column


def test_two_tiers_are_refused(place: Place) -> None:
    place.table(tags=[tier(1)])
    reply = place.put("tables", place.table_body(tags=[tier(2)]))

    assert reply.status == 400
    assert "mutually exclusive" in reply.message


def test_what_a_bot_leaves_out_is_cleared(place: Place) -> None:
    place.table(tableType="View", schemaDefinition="SELECT 1", sourceUrl="https://a.example")
    place.table(columns=["a", "b", "c"])
    table = place.read_table(fields="schemaDefinition")

    assert not {"schemaDefinition", "sourceUrl"} & table.keys()


def test_a_new_column_is_a_minor_version(place: Place) -> None:
    assert place.table()["version"] == 0.1
    assert place.table(columns=["a", "b", "c"])["version"] == 0.2


def test_a_lost_column_is_a_major_version(place: Place) -> None:
    place.table()

    assert place.table(columns=["a"])["version"] == 1.1


def test_the_same_again_is_no_version(place: Place) -> None:
    before, after = place.table(), place.table()

    assert after["version"] == before["version"]
    assert after["updatedAt"] == before["updatedAt"]


def test_a_change_is_told(place: Place) -> None:
    place.table()
    change = place.table(columns=["a", "b", "c"])["changeDescription"]

    assert change["previousVersion"] == 0.1
    assert [one["name"] for one in change["fieldsAdded"]] == ["columns"]
    assert json.loads(change["fieldsAdded"][0]["newValue"])[0]["name"] == "c"


def test_versions_are_texts_newest_first(place: Place) -> None:
    table = place.table()
    place.table(columns=["a", "b", "c"])
    found = place.read(f"tables/{table['id']}/versions")

    assert found["entityType"] == "table"
    assert [json.loads(one)["version"] for one in found["versions"]] == [0.2, 0.1]
    assert len(place.read(f"tables/{table['id']}/versions/0.1")["columns"]) == 2


def test_a_patch_writes_over_a_description(place: Place) -> None:
    table = place.table(description="Old.")
    described(place, table, "/description", "New.")

    assert place.read_table()["description"] == "New."


def test_a_second_patch_soon_after_has_the_same_version(place: Place) -> None:
    """
    Who compares versions alone misses it; ``updatedAt`` tells.
    """
    table = place.table()
    described(place, table, "/description", "One.")
    first = place.read_table()
    described(place, table, "/description", "Two.")
    second = place.read_table()

    assert (first["version"], second["version"]) == (0.2, 0.2)
    assert second["updatedAt"] > first["updatedAt"]


def test_a_patch_answers_with_more_than_a_get(place: Place) -> None:
    table = place.table()
    after = place.patch(
        f"tables/{table['id']}", {"op": "add", "path": "/description", "value": "Text."}
    ).body

    assert {"owners", "tags", "followers", "votes"} <= after.keys()


@versions(until="1.8")
def test_a_patch_of_a_path_that_is_not_there_looks_like_an_outage(place: Place) -> None:
    table = place.table()

    assert (
        place.patch(
            f"tables/{table['id']}", {"op": "replace", "path": "/none/0", "value": 1}
        ).status
        == 500
    )
    assert (
        place.patch(f"tables/{table['id']}", {"op": "test", "path": "/name", "value": "x"}).status
        == 500
    )


def test_no_rename_by_patch(place: Place) -> None:
    table = place.table()

    assert (
        place.patch(
            f"tables/{table['id']}", {"op": "replace", "path": "/name", "value": "u"}
        ).status
        == 200
    )
    assert place.read(f"tables/{table['id']}")["name"] == "t"


def test_an_owner_by_patch(place: Place) -> None:
    me = place.read("users/loggedInUser")
    table = place.table()
    owner = {"id": me["id"], "type": "user"}

    assert (
        place.patch(
            f"tables/{table['id']}", {"op": "add", "path": "/owners/0", "value": owner}
        ).status
        == 200
    )
    owners = place.read_table(fields="owners")["owners"]
    assert [(one["id"], one["name"]) for one in owners] == [(me["id"], me["name"])]
    place.table()
    assert len(place.read_table(fields="owners")["owners"]) == 1


def test_owners_come_down_from_above(place: Place) -> None:
    me = place.read("users/loggedInUser")
    place.made(
        "databaseSchemas",
        {"name": "s", "database": f"{place.name}.db", "owners": [{"id": me["id"], "type": "user"}]},
    )
    place.table()
    owners = place.read_table(fields="owners")["owners"]

    assert [(one["id"], one["inherited"]) for one in owners] == [(me["id"], True)]


@needs("admin")
def test_an_admin_clears_what_is_left_out(place: Place) -> None:
    place.table(description="Mine.")
    after = place.as_admin().made("tables", place.table_body())

    assert "description" not in after


@needs("person")
def test_a_person_may_describe(place: Place) -> None:
    table = place.table()
    reply = place.as_person().patch(
        f"tables/{table['id']}", {"op": "add", "path": "/description", "value": "Mine."}
    )

    assert reply.status == 200
    assert place.read_table()["description"] == "Mine."
