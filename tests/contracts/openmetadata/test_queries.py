"""
Queries: one text is one entity, and a second PUT takes away what the first one said.
"""

from __future__ import annotations

import hashlib

from tests.contracts.openmetadata.client import Json, Place, new_name
from tests.contracts.openmetadata.marks import versions


def text() -> str:
    """
    A query that nobody else has put, as one text belongs to one service.
    """
    return f"SELECT '{new_name()}'"


def body(place: Place, **more: object) -> Json:
    return {"query": text(), "service": place.name, **more}


def test_a_query_is_named_by_its_text(place: Place) -> None:
    message = body(place)
    digest = hashlib.md5(message["query"].encode()).hexdigest()
    made = place.made("queries", message)

    assert made["name"] == made["checksum"] == digest
    assert made["fullyQualifiedName"] == f"{place.name}.{digest}"
    assert place.read(f"queries/name/{place.name}.{digest}")["id"] == made["id"]


def test_the_same_text_is_the_same_query(place: Place) -> None:
    message = body(place)

    assert [place.put("queries", message).status for _ in range(2)] == [201, 200]
    assert place.made("queries", message)["id"] == place.made("queries", message)["id"]


def test_the_same_text_under_another_name_is_409(place: Place) -> None:
    message = body(place)
    place.made("queries", message)

    assert place.put("queries", {**message, "name": "other"}).status == 409


def test_where_it_was_used_is_replaced(place: Place) -> None:
    one, other = place.table("one"), place.table("other")
    message = body(place)
    made = place.made("queries", {**message, "queryUsedIn": [{"id": one["id"], "type": "table"}]})
    place.made("queries", {**message, "queryUsedIn": [{"id": other["id"], "type": "table"}]})
    used = place.read(f"queries/{made['id']}", fields="queryUsedIn")["queryUsedIn"]

    assert [end["id"] for end in used] == [other["id"]]


@versions(until="1.8")
def test_leaving_out_users_looks_like_an_outage_and_empties_them(place: Place) -> None:
    me = place.read("users/loggedInUser")["name"]
    message = body(place)
    made = place.made("queries", {**message, "users": [me]})

    assert place.put("queries", message).status == 500
    assert place.read(f"queries/{made['id']}", fields="users")["users"] == []


def test_used_by_is_not_kept_from_a_message(place: Place) -> None:
    made = place.made("queries", body(place, usedBy=["x"]))

    assert place.read(f"queries/{made['id']}", fields="usedBy")["usedBy"] == []


def test_uses_are_added_one_by_one(place: Place) -> None:
    me = place.read("users/loggedInUser")["name"]
    one, other = place.table("one"), place.table("other")
    made = place.made("queries", body(place, queryUsedIn=[{"id": one["id"], "type": "table"}]))
    path = f"queries/{made['id']}"
    replies = [
        place.put(f"{path}/usage", [{"id": other["id"], "type": "table"}]),
        place.put(f"{path}/users", [me]),
        place.put(f"{path}/usedBy", ["someone"]),
    ]
    found = place.read(path, fields="queryUsedIn,users,usedBy")

    assert [reply.status for reply in replies] == [201, 201, 201]
    assert {"eventType", "entityType", "entityId"} <= replies[0].body.keys()
    assert {end["id"] for end in found["queryUsedIn"]} == {one["id"], other["id"]}
    assert [user["name"] for user in found["users"]] == [me]
    assert found["usedBy"] == ["someone"]


def test_the_queries_of_a_table(place: Place) -> None:
    table = place.table()
    made = place.made("queries", body(place, queryUsedIn=[{"id": table["id"], "type": "table"}]))
    found = place.read("queries", entityId=table["id"], fields="queryUsedIn")

    assert [one["id"] for one in found["data"]] == [made["id"]]


def test_a_query_needs_its_service(place: Place) -> None:
    reply = place.put("queries", {"query": text()})

    assert reply.status == 400
    assert "service must not be null" in reply.message


def test_an_unknown_user_is_404(place: Place) -> None:
    reply = place.put("queries", body(place, users=["no_such_user"]))

    assert (reply.status, reply.message) == (404, "user instance for no_such_user not found")
