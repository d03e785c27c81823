"""
What a metadata server has told of changes: the values, and the port of a metadata that listens.

They pass from whoever hears of a change to every kernel and worker, by the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class MetadataChange:
    """
    One event of a metadata server, reduced to what tells which answers it makes old.

    Attributes:
        event_id: The server's own id of the event, the same where it is told twice.
        event_type: What happened, in the server's word: ``entityUpdated``.
        entity_type: To what kind of thing: ``table``. Empty: to anything at all.
        fqn: Its FQN; what lies below it may have changed, too.
        updated_ms: An answer that was changed before this time, in milliseconds since 1970 by the server's clock, is older than the
            event; None where the event does not tell.
    """

    event_id: str
    event_type: str
    entity_type: str
    fqn: str
    updated_ms: int | None = None


def anything_changed(event_id: str) -> MetadataChange:
    """
    What stands for more changes than could be kept.
    """
    return MetadataChange(event_id, "", "", "")


@dataclass(frozen=True, slots=True)
class NewChanges:
    """
    What was told since a position.

    Attributes:
        position: Where to ask for more from.
        changes: In the order in which they were told; None where they are too many or too long ago: anything may have changed.
    """

    position: int
    changes: tuple[MetadataChange, ...] | None


ChangesSince = Callable[[int | None], NewChanges]


@dataclass(frozen=True, slots=True)
class ToldChanges:
    """
    What a server answered that was asked for its events.

    Attributes:
        newest_ms: The time of the newest event, in milliseconds since 1970 by the server's clock; None where there was none.
    """

    changes: tuple[MetadataChange, ...]
    newest_ms: int | None


class ChangeSource(Protocol):
    """
    How a metadata server tells of changes: in messages that it posts, and when it is asked.
    """

    @property
    def signature_header(self) -> str:
        """
        The header in which a message's signature stands.
        """
        ...

    def is_signed(self, body: bytes, signature: str, secret: str) -> bool:
        """
        Whether *signature* is that of the message *body*; the time it takes tells nothing of the secret.
        """
        ...

    def changes_in(self, body: bytes) -> Sequence[MetadataChange]:
        """
        The changes that a message tells; none where it is no message of the server's.
        """
        ...

    def changes_after(self, time_ms: int) -> ToldChanges:
        """
        The changes since that time of the server's, in milliseconds since 1970.

        Raises:
            MetadataError: The server does not answer, or says no.
        """
        ...

    def updated_ms(self, fqns: Sequence[str]) -> Mapping[str, int]:
        """
        When each of *fqns* changed last, in milliseconds since 1970 by the server's clock; those that are gone are left out.

        Raises:
            MetadataError: The server does not answer, or says no.
        """
        ...


@runtime_checkable
class FollowsChanges(Protocol):
    """
    A metadata whose kept answers end when a change is told.
    """

    @property
    def change_source(self) -> ChangeSource:
        """
        How its server tells of changes.
        """
        ...

    def follow(self, changes_since: ChangesSince) -> None:
        """
        Look for changes before answers are used.

        Args:
            changes_since: What was told since the position that its last answer gave; None knows none yet. Cheap; called for
                most cells.
        """
        ...
