"""
A stored result as a container: ``fusion.results.OWNER.NAME``, so that two people's results of one name are two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fusion_magic.delivery import DeliveryContext
from fusion_magic.delivery.openmetadata.assets import Assets, End, end_of
from fusion_magic.delivery.openmetadata.columns import column_messages
from fusion_magic.delivery.openmetadata.edges import OWN_SERVICE
from fusion_magic.delivery.openmetadata.own import RESULTS, asset_name
from fusion_magic.delivery.openmetadata.services import require_service
from fusion_magic.errors import DeliveryError
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.openmetadata.messages import Asset, TableColumn
from fusion_magic.secrets import without_secret
from fusion_magic.sql.fqn import format_fqn
from fusion_magic.store import Job

NOBODY = "unknown"


class Results:
    """
    The containers of our service.
    """

    def __init__(
        self, client: OpenMetadataClient, context: DeliveryContext, assets: Assets
    ) -> None:
        self._client = client
        self._context = context
        self._assets = assets

    def target(self, job: Job) -> End:
        """
        The container of the result that *job* has stored, as that job left it.
        """
        parts = _parts(job)
        fqn, body = format_fqn(parts), self._message(job)
        found = self._read(fqn)
        if found is None:
            require_service(self._client, "storageServices")
            parent = self._folder(parts[:3], self._folder(parts[:2], None))
            body = {**body, "parent": {"id": parent.id, "type": "container"}}
            found = self._client.put("containers", body, Asset)
        elif not _is_as(found, body):
            above = self._folder(parts[:3], None)
            kept = {**_kept(found), **body, "parent": {"id": above.id, "type": "container"}}
            found = self._client.put("containers", kept, Asset)
        return self._assets.keep(fqn, end_of(found, "container"))

    def source(self, name: str, reader: Job) -> End:
        """
        The container of the result that *reader* has read by its name.

        Raises:
            DeliveryError: Nobody knows any more who stored it.
        """
        job = self._context.stored_by(name, reader.created)
        if job is None:
            raise DeliveryError(
                f"The result {name} that was read is not in the job store any more."
            )
        return self._assets.find(format_fqn(_parts(job))) or self.target(job)

    def find(self, name: str, job: Job) -> End | None:
        """
        The container of a result that *job* has stored or read, where there is one.
        """
        is_its = job.result_name == name
        maker = job if is_its else self._context.stored_by(name, job.created)
        found = self._read(format_fqn(_parts(maker))) if maker is not None else None
        return None if found is None else end_of(found, "container")

    def _read(self, fqn: str) -> Asset | None:
        return self._client.get(f"containers/name/{segment(fqn)}", Asset, {"fields": "dataModel"})

    def _message(self, job: Job) -> dict[str, Any]:
        body: dict[str, Any] = {
            "name": _parts(job)[-1],
            "service": OWN_SERVICE,
            "fileFormats": ["parquet"],
        }
        if job.result_path:
            body["fullPath"] = without_secret(job.result_path)
        if columns := self._context.result_columns(job):
            body["dataModel"] = {"isPartitioned": False, "columns": column_messages(columns)}
        return body

    def _folder(self, parts: Sequence[str], parent: Asset | None) -> Asset:
        found = self._read(format_fqn(parts))
        if found is not None:
            return found
        above = {"parent": {"id": parent.id, "type": "container"}} if parent is not None else {}
        body = {"name": parts[-1], "service": OWN_SERVICE, **above}
        return self._client.put("containers", body, Asset)


def _parts(job: Job) -> tuple[str, ...]:
    names = asset_name(job.owner or NOBODY), asset_name(job.result_name or "")
    return (OWN_SERVICE, RESULTS, *names)


def _is_as(found: Asset, body: dict[str, Any]) -> bool:
    """
    Whether the container says what *body* says, or is better left alone: rows that cannot be read any more have no columns.
    """
    wanted = body.get("dataModel", {}).get("columns")
    if wanted is None:
        return True
    columns = found.data_model.columns if found.data_model is not None else None
    return body.get("fullPath") == found.full_path and _shown(columns or ()) == _wanted(wanted)


def _shown(columns: Sequence[TableColumn]) -> list[tuple[str, str | None]]:
    return [(column.name, column.data_type_display) for column in columns]


def _wanted(columns: Sequence[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(column["name"], column.get("dataTypeDisplay")) for column in columns]


def _kept(found: Asset) -> dict[str, Any]:
    """
    What a message that leaves it out would take away.
    """
    texts = {"displayName": found.display_name, "description": found.description}
    return {key: text for key, text in texts.items() if text}
