"""
Hearing of changes in the metadata, as a scheduler does beside its deliveries: by messages that the server posts, by asking it, or both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from fusion_magic.errors import InvalidSettings
from fusion_magic.metadata import Metadata
from fusion_magic.metadata.changes import ChangeSource, FollowsChanges
from fusion_magic.processes.change_recorder import ChangeRecorder
from fusion_magic.processes.event_listener import EventListener
from fusion_magic.processes.event_poller import polling
from fusion_magic.store import MetadataChanges


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
    changes: MetadataChanges,
    *,
    address: str | None,
    secret: str | None,
    poll_s: float | None,
) -> Iterator[None]:
    """
    Record in *changes* what *source* tells, while the block runs.

    Args:
        address: Where messages are listened for, ``HOST:PORT``; None for nowhere.

        secret: With which they must be signed; None takes them as they are.

        poll_s: Seconds between two times that the server is asked; None for never.

    Raises:
        InvalidArgument: Nobody can listen on *address*.
        InvalidSettings: Others can reach *address*, and there is no secret.
    """
    recorder = ChangeRecorder(changes)

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
        yield
