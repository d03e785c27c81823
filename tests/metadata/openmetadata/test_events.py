"""
What OpenMetadata's messages tell of changes, in each shape that versions have, and what is none of them.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fusion_magic.metadata.changes import MetadataChange
from fusion_magic.metadata.openmetadata.events import LONGEST_FQN, changes_in, is_signed
from fusion_magic.testing.openmetadata.subscriptions import signed

ENTITY = {"id": "7", "fullyQualifiedName": "pg.shop.public.orders", "updatedAt": 1000}
EVENT = {
    "id": "e1",
    "eventType": "entityUpdated",
    "entityType": "table",
    "timestamp": 1000,
    "entity": ENTITY,
}
CHANGE = MetadataChange("e1", "entityUpdated", "table", "pg.shop.public.orders", 1000)


def told(**others: Any) -> list[MetadataChange]:
    return changes_in(json.dumps(EVENT | others).encode())


@pytest.mark.parametrize(
    "message",
    [
        EVENT,
        EVENT | {"entity": json.dumps(ENTITY)},
        {"data": [EVENT]},
        [EVENT],
        EVENT | {"entityFullyQualifiedName": "pg.shop.public.orders", "domains": [], "more": {}},
    ],
    ids=["object", "text", "data", "list", "newer"],
)
def test_an_event_is_read_in_each_shape(message: Any) -> None:
    assert changes_in(json.dumps(message).encode()) == [CHANGE]


def test_what_was_read_before_a_table_was_deleted_for_good_is_old() -> None:
    """
    Its event bears the time of the last change before it.
    """
    [change] = told(eventType="entityDeleted")

    assert change.updated_ms == 1001


def test_an_event_without_its_entity_tells_the_name_alone() -> None:
    [change] = told(entity=None, entityFullyQualifiedName="pg.shop.public.orders")

    assert (change.fqn, change.updated_ms) == ("pg.shop.public.orders", None)


@pytest.mark.parametrize(
    "others",
    [
        {"eventType": "entityNoChange"},
        {"eventType": "entityLineageAdded"},
        {"entityType": "dashboard"},
        {"entityType": "THREAD", "eventType": "threadCreated"},
        {"id": ""},
        {"entity": None},
        {"entity": "{"},
        {"entity": 5},
        {"entity": {"fullyQualifiedName": "a" * (LONGEST_FQN + 1)}},
        {"entity": {"fullyQualifiedName": "a.b\0"}},
        {"entity": ENTITY | {"updatedAt": 1 << 80}},
        {"entity": ENTITY | {"updatedAt": -1}},
        {"entity": ENTITY | {"updatedAt": "soon"}},
    ],
)
def test_what_concerns_no_name_is_left_out(others: dict[str, Any]) -> None:
    assert told(**others) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"This is a test message from OpenMetadata to confirm your destination.",
        b'{"message": "test"}',
        b"[]",
        b"[[]]",
        b"null",
        b'{"data": 5}',
        b"\xff\xfe",
        b'{"id": "\\ud800", "eventType": "entityUpdated"}',
        b"[" * 100_000,
        b'{"entity": ' * 100_000,
        b'{"entity": "' + b"[" * 100_000 + b'", "id": "e", "entityType": "table", "eventType": "entityUpdated"}',
    ],
)  # fmt: skip
def test_what_is_no_event_tells_nothing(body: bytes) -> None:
    assert changes_in(body) == []


def test_a_signature_is_that_of_the_body_and_the_secret() -> None:
    body = msgspec.json.encode(EVENT)
    signature = signed(body, "säcret")

    assert is_signed(body, signature, "säcret")
    assert not is_signed(body + b" ", signature, "säcret")
    assert not is_signed(body, signature, "other")
    assert not is_signed(body, signature.removeprefix("sha256="), "säcret")
    assert not is_signed(body, "", "säcret")
    assert not is_signed(body, "sha256=ü\udcff", "säcret")
