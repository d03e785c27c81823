"""
Events: pulled by time, or posted to a webhook.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.contracts.openmetadata.client import Json, Place
from tests.contracts.openmetadata.marks import needs, versions

SECRET = "a secret of the contracts"
POSTED_WITHIN_S = 60


def told(place: Place, since: int, **query: str) -> list[Json]:
    """
    What happened in the contract's own schema.
    """
    asked = query or {
        f"entity{word}": "table" for word in ("Created", "Updated", "Restored", "Deleted")
    }
    found = place.read("events", timestamp=since, **asked)["data"]
    return [one for one in found if f"{place.name}." in str(one["entity"])]


def kinds(place: Place, since: int) -> list[str]:
    return sorted(str(one["eventType"]) for one in told(place, since))


def test_what_happened_to_a_table(place: Place) -> None:
    table = place.table()
    since = table["updatedAt"]
    place.table(columns=["a", "b", "c"])
    place.delete(f"tables/{table['id']}")
    place.put("tables/restore", {"id": table["id"]})

    wanted = ["entityCreated", "entityRestored", "entitySoftDeleted", "entityUpdated"]
    place.wait_for(lambda: kinds(place, since), wanted)


def test_what_an_event_holds(place: Place) -> None:
    table = place.table()
    after = place.table(columns=["a", "b", "c"])
    place.wait_for(lambda: len(told(place, table["updatedAt"])), 2)
    (event,) = [
        one for one in told(place, table["updatedAt"]) if one["eventType"] == "entityUpdated"
    ]

    assert {
        "id", "eventType", "entityType", "entityId", "previousVersion", "currentVersion", "userName", "timestamp", "entity",
        "changeDescription",
    } <= event.keys()  # fmt: skip
    assert (event["entityType"], event["entityId"]) == ("table", table["id"])
    assert (event["previousVersion"], event["currentVersion"]) == (0.1, 0.2)
    assert event["timestamp"] == after["updatedAt"]
    assert [one["name"] for one in event["changeDescription"]["fieldsAdded"]] == ["columns"]


@versions(until="1.8")
def test_the_entity_is_a_text_and_its_fqn_is_only_there(place: Place) -> None:
    table = place.table()
    place.wait_for(lambda: len(told(place, table["updatedAt"])), 1)
    (event,) = told(place, table["updatedAt"])

    assert json.loads(event["entity"])["fullyQualifiedName"] == table["fullyQualifiedName"]
    assert "entityFullyQualifiedName" not in event


def test_deleting_for_good_is_told_as_of_the_last_change(place: Place) -> None:
    """
    Who polls from now on misses it.
    """
    table = place.table()
    time.sleep(0.01)
    place.delete(f"tables/{table['id']}", hardDelete="true")
    place.wait_for(lambda: kinds(place, table["updatedAt"]), ["entityCreated", "entityDeleted"])
    (event,) = [
        one for one in told(place, table["updatedAt"]) if one["eventType"] == "entityDeleted"
    ]

    assert event["timestamp"] == table["updatedAt"]


def test_nothing_changed_is_no_event(place: Place) -> None:
    table = place.table()
    place.table()
    place.wait_for(lambda: kinds(place, table["updatedAt"]), ["entityCreated"])


def test_a_cascade_is_one_event(place: Place) -> None:
    table = place.table()
    schema = place.read(f"databaseSchemas/name/{place.schema}")
    place.delete(f"databaseSchemas/{schema['id']}", recursive="true")

    def deleted() -> list[str]:
        found = told(place, table["updatedAt"], entityDeleted="table,databaseSchema")
        return [str(one["entityType"]) for one in found]

    place.wait_for(deleted, ["databaseSchema"])


@versions(until="2.0")
def test_lineage_is_no_event(place: Place) -> None:
    one, other = place.table("one"), place.table("other")
    place.edge(one, other, {})
    place.wait_for(lambda: kinds(place, one["updatedAt"]), ["entityCreated", "entityCreated"])


def test_a_query_is_no_event(place: Place) -> None:
    table = place.table()
    place.made("queries", {"query": f"SELECT '{place.name}.'", "service": place.name})
    place.wait_for(lambda: len(told(place, table["updatedAt"], entityCreated="*")), 1)


def test_only_the_kinds_that_are_asked_for(place: Place) -> None:
    table = place.table()

    assert told(place, table["updatedAt"], entityCreated="pipeline") == []
    assert place.read("events", timestamp=table["updatedAt"])["data"] == []


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """
    A webhook, and what was posted to it.
    """
    posted: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((dict(self.headers.items()), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", posted
    server.shutdown()
    server.server_close()
    thread.join()


def subscription(place: Place, endpoint: str) -> Json:
    config: Json = {"endpoint": endpoint}
    if place.version < (2, 0):
        config["secretKey"] = SECRET
    else:
        config["authType"] = {"type": "bearer", "secretKey": SECRET}
    return {
        "name": f"{place.name}_hook",
        "alertType": "Notification",
        "trigger": {"triggerType": "RealTime"},
        "resources": ["table"],
        "batchSize": 100,
        "pollInterval": 1,
        "enabled": True,
        "destinations": [
            {
                "category": "External",
                "type": "Webhook",
                "timeout": 10,
                "readTimeout": 12,
                "config": config,
            }
        ],
    }


@needs("loopback")
def test_an_event_is_posted_and_signed(
    place: Place, receiver: tuple[str, list[tuple[dict[str, str], bytes]]]
) -> None:
    endpoint, posted = receiver
    made = place.call("POST", "events/subscriptions", subscription(place, endpoint))
    assert made.status == 201, made.text
    place.forget_later("events/subscriptions", made.body["id"])
    table = place.table()
    deadline = time.monotonic() + POSTED_WITHIN_S

    def mine() -> list[tuple[dict[str, str], bytes]]:
        return [one for one in list(posted) if table["id"].encode() in one[1]]

    while not mine() and time.monotonic() < deadline:
        time.sleep(0.05)
    headers, body = mine()[0]
    event = json.loads(body)

    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    assert {name.lower(): value for name, value in headers.items()}["x-om-signature"] == (
        f"sha256={base64.b64encode(digest).decode()}"
    )
    assert (event["eventType"], event["entityType"], event["entityId"]) == (
        "entityCreated",
        "table",
        table["id"],
    )


def test_a_secret_is_not_shown_again(place: Place) -> None:
    made = place.call(
        "POST", "events/subscriptions", subscription(place, "http://127.0.0.1:9/hook")
    )
    assert made.status == 201, made.text
    place.forget_later("events/subscriptions", made.body["id"])

    assert SECRET not in made.text
    assert "fernet:" in made.text
    assert made.body["filteringRules"]["resources"] == ["table"]


def test_a_subscription_is_about_one_resource(place: Place) -> None:
    body = {**subscription(place, "http://127.0.0.1:9/hook"), "resources": []}

    assert place.call("POST", "events/subscriptions", body).status == 400
