"""
What tests of the connection to OpenMetadata share: settings that lead to a test server.
"""

from __future__ import annotations

import socket
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from fusion_magic.config import Settings, load_settings
from fusion_magic.metadata.changes import MetadataChange
from fusion_magic.metadata.openmetadata.events import TYPES, changes_in
from fusion_magic.metadata.openmetadata.metadata import OpenMetadataMetadata, open_metadata
from fusion_magic.testing.openmetadata import OpenMetadataServer


def settings_for(server: OpenMetadataServer, folder: Path, **others: Any) -> Settings:
    """
    The settings of somebody who has the bot's token.
    """
    given = {"metadata_url": server.url, "metadata_token": server.token, "data_dir": str(folder)}
    return load_settings(overrides=given | others, environment={}, folder=folder)


def open_names(server: OpenMetadataServer, folder: Path, **others: Any) -> OpenMetadataMetadata:
    """
    The metadata that those settings name.
    """
    return open_metadata(settings_for(server, folder, **others))


def asked(server: OpenMetadataServer, path: str = "") -> list[str]:
    """
    The paths that were requested and hold *path*, in order.
    """
    return [request.path for request in server.requests if path in request.path]


def free_address() -> str:
    """
    An address of this machine on which nobody listens.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return f"127.0.0.1:{found.getsockname()[1]}"


def told_since(server: OpenMetadataServer, position: int = 0) -> list[MetadataChange]:
    """
    The changes that the server's events from *position* on tell, the first event being 0.
    """
    kinds = ("Created", "Updated", "Restored", "Deleted")
    query = "&".join(f"entity{kind}={','.join(TYPES)}" for kind in kinds)
    headers = {"Authorization": f"Bearer {server.token}"}
    request = urllib.request.Request(f"{server.url}/v1/events?timestamp=0&{query}", headers=headers)
    with urllib.request.urlopen(request) as answer:
        return changes_in(answer.read())[position:]
