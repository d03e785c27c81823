"""
Hearing of changes in the metadata, as a scheduler does beside its deliveries: by messages that the server posts, by asking it, and by
comparing names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

from fusion_magic.errors import InvalidSettings
from fusion_magic.metadata import Metadata
from fusion_magic.metadata.changes import ChangeSource, FollowsChanges
from fusion_magic.processes.change_recorder import ChangeRecorder
from fusion_magic.processes.event_listener import EventListener
from fusion_magic.processes.event_poller import polling
from fusion_magic.processes.name_comparison import MOST_NAMES, comparing
from fusion_magic.store import Store

SHORTEST_USE_S = 3600.0


def change_source(metadata: Metadata) -> ChangeSource:
    """
    How the server behind *metadata* tells of changes.

    Raises:
        InvalidSettings: It is none that does.
    """
    if isinstance(metadata, FollowsChanges):
        return metadata.change_source
    raise InvalidSettings(
        "metadata.url names no server that tells of changes.",
        hint="Events are OpenMetadata's: set metadata.url to its address, such as https://openmetadata.example/api.",
    )


@contextmanager
def hearing_of_changes(
    source: ChangeSource,
    store: Store,
    *,
    address: str | None,
    secret: str | None,
    poll_s: float | None,
    max_age_s: float = SHORTEST_USE_S,
) -> Iterator[None]:
    """
    Record in *store* what *source* tells, while the block runs.

    Args:
        address: Where messages are listened for, ``HOST:PORT``; None for nowhere.

        secret: With which they must be signed; None takes them as they are.

        poll_s: Seconds between two times that the server is asked; None for never.

        max_age_s: How long an answer may be kept: names that jobs used within that time are compared with the server now and then.

    Raises:
        InvalidArgument: Nobody can listen on *address*.
        InvalidSettings: Others can reach *address*, and there is no secret.
    """
    recorder = ChangeRecorder(store.changes)
    used_for = timedelta(seconds=max(max_age_s, SHORTEST_USE_S))

    def names_in_use() -> Sequence[str]:
        return store.models.lately_used(datetime.now(UTC) - used_for, limit=MOST_NAMES)

    def take(body: bytes, signature: str) -> bool:
        if secret is not None and not source.is_signed(body, signature, secret):
            return False
        recorder.put(source.changes_in(body))
        return True

    with ExitStack() as stack:
        stack.enter_context(recorder.at_work())
        if address is not None:
            header, has_secret = source.signature_header, secret is not None
            listener = EventListener(address, header=header, take=take, has_secret=has_secret)
            stack.enter_context(listener.listening())
        if poll_s is not None:
            stack.enter_context(polling(source, recorder.put, every_s=poll_s))
        stack.enter_context(comparing(source, names_in_use, recorder.put))
        yield
