"""
Deleting: marked, restored, and for good.
"""

from __future__ import annotations

from tests.contracts.openmetadata.client import Place


def test_a_deleted_table_is_not_found_unless_asked_for(place: Place) -> None:
    table = place.table()
    reply = place.delete(f"tables/{table['id']}", recursive="false", hardDelete="false")

    assert reply.status == 200
    assert reply.body["deleted"] is True
    assert place.get(f"tables/name/{place.schema}.t").status == 404
    assert place.read_table(include="all")["deleted"] is True
    assert place.read_table(include="deleted")["id"] == table["id"]


def test_what_is_not_deleted_is_not_found_among_the_deleted(place: Place) -> None:
    place.table()

    assert place.get(f"tables/name/{place.schema}.t", include="deleted").status == 404


def test_deleting_twice_is_the_same(place: Place) -> None:
    table = place.table()

    assert place.delete(f"tables/{table['id']}").status == 200
    assert place.delete(f"tables/{table['id']}").status == 200


def test_deleting_what_is_not_there_is_404(place: Place) -> None:
    assert place.delete("tables/11111111-2222-4333-8444-555555555555").status == 404


def test_who_deleted_and_when_is_told(place: Place) -> None:
    before = place.table()
    place.delete(f"tables/{before['id']}")
    after = place.read_table(include="all")

    assert after["updatedBy"] == place.read("users/loggedInUser")["name"]
    assert after["updatedAt"] > before["updatedAt"]
    assert after["version"] > before["version"]


def test_restore_keeps_the_id(place: Place) -> None:
    table = place.table()
    place.delete(f"tables/{table['id']}")
    reply = place.put("tables/restore", {"id": table["id"]})

    assert reply.status == 200
    assert place.read_table()["id"] == table["id"]


def test_restoring_what_is_there_looks_like_an_outage(place: Place) -> None:
    table = place.table()

    assert place.put("tables/restore", {"id": table["id"]}).status == 500


def test_a_put_revives_with_the_same_id(place: Place) -> None:
    table = place.table()
    place.delete(f"tables/{table['id']}")
    reply = place.put("tables", place.table_body())

    assert (reply.status, reply.body["id"], reply.body["deleted"]) == (200, table["id"], False)


def test_a_post_does_not_revive(place: Place) -> None:
    table = place.table()
    place.delete(f"tables/{table['id']}")

    assert place.call("POST", "tables", place.table_body()).status == 409


def test_a_schema_with_tables_goes_with_them_only_when_told(place: Place) -> None:
    place.table()
    schema = place.read(f"databaseSchemas/name/{place.schema}")
    refused = place.delete(f"databaseSchemas/{schema['id']}")

    assert refused.status == 400
    assert refused.message == "databaseSchema is not empty"
    assert place.delete(f"databaseSchemas/{schema['id']}", recursive="true").status == 200
    assert place.get(f"tables/name/{place.schema}.t").status == 404


def test_a_revived_schema_brings_its_tables(place: Place) -> None:
    table = place.table()
    schema = place.read(f"databaseSchemas/name/{place.schema}")
    place.delete(f"databaseSchemas/{schema['id']}", recursive="true")
    place.made("databaseSchemas", {"name": "s", "database": f"{place.name}.db"})

    assert place.read_table()["id"] == table["id"]


def test_for_good_loses_the_id(place: Place) -> None:
    table = place.table()

    assert place.delete(f"tables/{table['id']}", hardDelete="true").status == 200
    assert place.get(f"tables/name/{place.schema}.t", include="all").status == 404
    assert place.table()["id"] != table["id"]


def test_by_name(place: Place) -> None:
    place.table()

    assert place.delete(f"tables/name/{place.schema}.t").status == 200
    assert place.get(f"tables/name/{place.schema}.t").status == 404
