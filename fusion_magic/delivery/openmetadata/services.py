"""
The services that our own assets lie in, each called ``fusion``.
"""

from __future__ import annotations

from typing import Any

from fusion_magic.delivery.openmetadata.edges import OWN_SERVICE
from fusion_magic.errors import PermanentDeliveryError
from fusion_magic.openmetadata.client import OpenMetadataClient
from fusion_magic.openmetadata.messages import Asset

_TYPES = {"pipelineServices": "CustomPipeline", "storageServices": "CustomStorage"}


def require_service(client: OpenMetadataClient, kind: str) -> None:
    """
    Make our service of a kind where it is not there.

    Args:
        kind: ``pipelineServices`` or ``storageServices``.

    Raises:
        PermanentDeliveryError: There is one of that name that is not ours.
    """
    wanted = _TYPES[kind]
    found = client.get(f"services/{kind}/name/{OWN_SERVICE}", Asset, {"include": "all"})
    if found is None:
        connection: dict[str, Any] = {"config": {"type": wanted}}
        body = {"name": OWN_SERVICE, "serviceType": wanted, "connection": connection}
        client.put(f"services/{kind}", body, Asset)
        return
    if found.service_type != wanted:
        raise PermanentDeliveryError(
            f"OpenMetadata has a service called {OWN_SERVICE} that is {found.service_type}, not {wanted}: rename that one."
        )
    if found.deleted:
        raise PermanentDeliveryError(
            f"The service {OWN_SERVICE} is marked as deleted in OpenMetadata: restore it there, then run `fusion queue retry`."
        )
