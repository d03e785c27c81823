"""
How a server refuses: status, body, and the words that tell one refusal from another.
"""

from __future__ import annotations

import gzip
import http.client
import uuid
from urllib.parse import urlsplit

import pytest

from tests.contracts.openmetadata.client import Api, Place, encoded
from tests.contracts.openmetadata.marks import needs, versions


def test_the_version_is_told_without_a_token(place: Place) -> None:
    told = Api(place.target, "").call("GET", "system/version", headers={"Authorization": ""})

    assert told.status == 200
    assert {"version", "revision", "timestamp"} <= told.body.keys()


def test_a_missing_token_is_401(place: Place) -> None:
    reply = place.call("GET", "tables", headers={"Authorization": ""})

    assert reply.status == 401
    assert reply.body == {"code": 401, "message": "Not Authorized! Token not present"}


def test_what_is_no_token_is_401(place: Place) -> None:
    reply = Api(place.target, "nonsense").get("tables")

    assert reply.status == 401
    assert reply.message == "Not Authorized! Unable to decode the token."


def test_an_unknown_name_is_404_and_named(place: Place) -> None:
    reply = place.get(f"tables/name/{place.schema}.none")

    assert reply.status == 404
    assert reply.body == {
        "code": 404,
        "message": f"table instance for {place.schema}.none not found",
    }


def test_an_unknown_id_is_404_and_named(place: Place) -> None:
    unknown = str(uuid.uuid4())
    reply = place.get(f"tables/{unknown}")

    assert reply.status == 404
    assert reply.message == f"table instance for {unknown} not found"


@versions(until="1.8")
def test_an_unknown_route_looks_like_an_outage(place: Place) -> None:
    """
    A client that takes each 500 for an outage waits for ever.
    """
    reply = place.get("no/such/route")

    assert reply.status == 500
    assert reply.body["errorType"] == "UNHANDLED_SERVER_EXCEPTION"
    assert "HTTP 404 Not Found" in reply.body["responseMessage"]
    assert "code" not in reply.body


@versions(since="1.8")
def test_an_unknown_route_is_404(place: Place) -> None:
    assert place.get("no/such/route").status == 404


def test_an_unknown_property_is_400_and_named(place: Place) -> None:
    reply = place.put("tables", place.table_body(nonsense=1))

    assert reply.status == 400
    assert reply.body["code"] == 400
    assert 'Unrecognized field "nonsense"' in reply.message


def test_an_unknown_property_of_a_column_is_400(place: Place) -> None:
    reply = place.put(
        "tables", place.table_body(columns=[{"name": "a", "dataType": "INT", "nonsense": 1}])
    )

    assert reply.status == 400
    assert 'Unrecognized field "nonsense"' in reply.message


def test_what_is_required_is_named(place: Place) -> None:
    body = place.table_body()
    del body["columns"]
    reply = place.put("tables", body)

    assert reply.status == 400
    assert "columns must not be null" in reply.message


def test_an_unknown_field_is_400_and_named(place: Place) -> None:
    place.table()
    reply = place.get(f"tables/name/{place.schema}.t", fields="nonsense")

    assert reply.status == 400
    assert reply.body == {"code": 400, "message": "Invalid field name nonsense"}


def test_post_of_what_is_there_is_409(place: Place) -> None:
    body = place.table_body()

    assert place.call("POST", "tables", body).status == 201
    again = place.call("POST", "tables", body)
    assert again.status == 409
    assert again.message == "Entity already exists"


def test_a_body_of_another_type_is_refused(place: Place) -> None:
    reply = place.call("PUT", "tables", place.table_body(), headers={"Content-Type": "text/plain"})

    assert reply.status in ({500} if place.version < (1, 8) else {415, 500})


def test_an_unknown_parent_is_404(place: Place) -> None:
    reply = place.put("tables", {**place.table_body(), "databaseSchema": f"{place.name}.db.none"})

    assert reply.status == 404
    assert reply.message == f"databaseSchema instance for {place.name}.db.none not found"


@needs("person")
def test_what_a_person_may_not_do_is_403_and_named(place: Place) -> None:
    table = place.table()
    reply = place.as_person().put("tables", place.table_body(description="Mine."))

    assert table["version"] == 0.1
    assert reply.status == 403
    assert reply.message.startswith("Principal: CatalogPrincipal{name='")
    assert reply.message.endswith("operations [EditAll] not allowed")


@needs("person")
def test_a_person_may_not_write_lineage(place: Place) -> None:
    one, other = place.table("one"), place.table("other")
    body = {
        "edge": {
            "fromEntity": {"id": one["id"], "type": "table"},
            "toEntity": {"id": other["id"], "type": "table"},
        }
    }
    reply = place.as_person().put("lineage", body)

    assert reply.status == 403
    assert "operations [EditLineage] not allowed" in reply.message


def test_a_url_above_8_kib_is_refused(place: Place) -> None:
    """
    What is asked in batches is cut by bytes.
    """
    status = place.get("tables", limit=1, after="a" * 9000).status

    assert status in {414, 431}


def test_a_large_answer_is_zipped_where_the_client_takes_that(place: Place) -> None:
    place.table(columns=[f"column_{number}" for number in range(200)])
    parts = urlsplit(place.target.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"Authorization": f"Bearer {place.token}", "Accept-Encoding": "gzip"}
    connection.request("GET", f"{parts.path}/v1/tables/name/{place.schema}.t", headers=headers)
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()

    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"column_199" in gzip.decompress(raw)


def test_connections_stay_open(place: Place) -> None:
    parts = urlsplit(place.target.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"Authorization": f"Bearer {place.token}"}
    for _ in range(3):
        connection.request("GET", f"{parts.path}/v1/tables?limit=1", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        assert not answer.will_close
    connection.close()


@versions(until="1.8")
def test_an_id_that_is_none_looks_like_an_outage(place: Place) -> None:
    assert place.get("tables/nonsense").status == 500


@pytest.mark.parametrize("name", ['a."b', "a..b", "a", '"'])
def test_what_is_no_fqn_is_404(place: Place, name: str) -> None:
    assert place.get(f"tables/name/{encoded(name)}").status == 404
