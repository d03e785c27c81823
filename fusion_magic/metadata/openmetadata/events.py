"""
What OpenMetadata's messages tell of changes; pure.

A message is one event, several in a list or under ``data`` (before 1.5), or a text that only tries the way. The entity within an event is an
object or a text that holds one, and before 1.8 its FQN stands there alone.

Source: a real server of 1.6, and the source of ``SubscriptionUtil``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any

import msgspec

from fusion_magic.metadata.changes import MetadataChange
from fusion_magic.openmetadata.messages import Message

SIGNATURE = "X-OM-Signature"
TYPES = (
    *("table", "container", "databaseSchema", "database", "databaseService", "storageService"),
    "testCase",
)
HAPPENED = frozenset(
    {
        *("entityCreated", "entityUpdated", "entityFieldsChanged", "entityRestored"),
        *("entitySoftDeleted", "entityDeleted"),
    }
)
LONGEST_FQN = 3072
_LONGEST_ID = 64
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_Time = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]  # milliseconds since 1970


class _Entity(Message, frozen=True):
    fully_qualified_name: str | None = None
    updated_at: _Time | None = None


class Event(Message, frozen=True):
    """
    A change event, as far as it is read.
    """

    id: str = ""
    event_type: str = ""
    entity_type: str = ""
    entity_fully_qualified_name: str | None = None
    timestamp: _Time | None = None
    entity: Any = None


class Events(Message, frozen=True):
    """
    Several of them.
    """

    data: list[Event]


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """
    Whether *signature* is that of *body*; the time it takes does not tell how much of it is right.
    """
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    right = b"sha256=" + base64.b64encode(digest)
    return hmac.compare_digest(right, signature.encode("utf-8", "replace"))


def changes_in(body: bytes) -> list[MetadataChange]:
    """
    The changes that a message tells; none for one that only tries the way, or is no message of OpenMetadata's.
    """
    with suppress(*_UNREADABLE):
        return changes_of(msgspec.json.decode(body, type=Events).data)
    with suppress(*_UNREADABLE):
        return changes_of([msgspec.json.decode(body, type=Event)])
    with suppress(*_UNREADABLE):
        return changes_of(msgspec.json.decode(body, type=list[Event]))
    return []


def changes_of(events: Iterable[Event]) -> list[MetadataChange]:
    """
    The changes that *events* tell, in their order; what is nobody's name is left out.
    """
    return [change for event in events if (change := _change(event)) is not None]


def _change(event: Event) -> MetadataChange | None:
    if event.entity_type not in TYPES or event.event_type not in HAPPENED:
        return None
    entity = _entity(event.entity)
    fqn = event.entity_fully_qualified_name or entity.fully_qualified_name or ""
    if not event.id or not 0 < len(fqn) <= LONGEST_FQN or "\0" in f"{event.id}{fqn}":
        return None
    updated_ms = entity.updated_at
    if updated_ms is not None and event.event_type == "entityDeleted":
        # It bears the time of the last change before it: what was read then is old, too.
        updated_ms += 1
    return MetadataChange(
        event.id[:_LONGEST_ID], event.event_type, event.entity_type, fqn, updated_ms
    )


def _entity(given: Any) -> _Entity:
    try:
        if isinstance(given, str):
            return msgspec.json.decode(given, type=_Entity)
        return msgspec.convert(given, type=_Entity)
    except _UNREADABLE:
        return _Entity()
