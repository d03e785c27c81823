"""
Tables and containers of OpenMetadata by their FQN, and the tables that jobs have made, which are made known to it.

What is found is kept for a minute: an edge is written by ids, and a table's columns are checked before one names them. Only what
lies in a service that is there already is made, and nothing that is there is changed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_magic.delivery import DeliveryContext, JobFacts
from fusion_magic.delivery.openmetadata.columns import (
    KnownColumns,
    column_messages,
    known_columns,
    stored_name,
)
from fusion_magic.delivery.openmetadata.ingestion import Ingestion
from fusion_magic.delivery.openmetadata.locks import Locks
from fusion_magic.delivery.openmetadata.recent import Recent
from fusion_magic.errors import DeliveryError, MetadataError, PermanentDeliveryError
from fusion_magic.metadata import Column
from fusion_magic.openmetadata.client import OpenMetadataClient, Query, segment
from fusion_magic.openmetadata.messages import Asset, Found
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.masking import disclosed
from fusion_magic.sql.statement import parse_statement
from fusion_magic.store import Job

MAX_AGE_S = 60.0
MOST_KEPT = 10_000
TABLE_PARTS = 4
EXISTS = 409
_FIELDS = {"tables": "columns", "containers": "dataModel"}
_TYPES = {"tables": "table", "containers": "container"}
_VIEWS = {"CREATE VIEW": "View", "CREATE MATERIALIZED VIEW": "MaterializedView"}


@dataclass(frozen=True, slots=True)
class End:
    """
    One end of an edge.

    Attributes:
        type: ``table``, ``container`` or ``pipeline``.
        columns: Those that an edge may name; None where it must name none.
    """

    id: str
    type: str
    fqn: str
    columns: KnownColumns | None = None


class Assets:
    """
    The look-ups, and the tables that are made.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        client: OpenMetadataClient,
        context: DeliveryContext,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._context = context
        self._ingestion = Ingestion(client, clock=clock)
        self._locks = Locks()
        self._kept: Recent[str, End] = Recent(age_s=MAX_AGE_S, most=MOST_KEPT, clock=clock)

    def find(self, fqn: str) -> End | None:
        """
        The table or the container of that name, or None.

        Raises:
            PermanentDeliveryError: It is marked as deleted.
        """
        kept = self._kept.get(fqn)
        if kept is not None:
            return kept
        # Threads that need one name at once ask once.
        with self._locks.of(fqn):
            return self._kept.get(fqn) or self._look_up(fqn)

    def source(self, fqn: str) -> End:
        """
        ``find`` for what must be there.

        Raises:
            DeliveryError: It is not: an ingestion, or another row, may bring it.
        """
        end = self.find(fqn)
        if end is None:
            raise DeliveryError(
                f"OpenMetadata does not know {fqn}: let its service be ingested, then run `fusion queue retry`."
            )
        return end

    def target(self, fqn: str, facts: JobFacts) -> End:
        """
        The table or the container of that name, made where OpenMetadata lacks it.
        """
        return self.find(fqn) or self._make(fqn, facts)

    def keep(self, fqn: str, end: End) -> End:
        """
        Remember *end* for a minute.
        """
        return self._kept.keep(fqn, end)

    def forget(self, *fqns: str) -> None:
        """
        Look those up again when they are needed.
        """
        self._kept.drop(*fqns)

    def _look_up(self, fqn: str) -> End | None:
        end = self._by_name("tables", fqn) or self._by_name("containers", fqn) or self._alike(fqn)
        return None if end is None else self.keep(fqn, end)

    def _by_name(self, kind: str, fqn: str) -> End | None:
        query = {"fields": _FIELDS[kind], "include": "all"}
        asset = self._client.get(f"{kind}/name/{segment(fqn)}", Asset, query)
        if asset is None:
            return None
        if asset.deleted:
            raise _deleted(fqn)
        return end_of(asset, _TYPES[kind])

    def _alike(self, fqn: str) -> End | None:
        """
        The one table whose name differs in case alone: engines fold names, and OpenMetadata looks up by exact ones.
        """
        terms = {"query": {"terms": {"fullyQualifiedName": [fqn.lower()]}}}
        query: Query = {
            "q": "",
            "index": "table_search_index",
            "size": 5,
            "query_filter": json.dumps(terms),
        }
        if not self._client.fits("search/query", query):
            return None
        found = self._client.get("search/query", Found, query)
        hits = [hit.source for hit in found.hits.hits if hit.source] if found else []
        names = {a.fully_qualified_name for a in hits if not a.deleted} - {fqn}
        alike = [name for name in names if name.lower() == fqn.lower()]
        return self._by_name("tables", alike[0]) if len(alike) == 1 else None

    def _make(self, fqn: str, facts: JobFacts) -> End:
        parts = parse_fqn(fqn).parts
        if len(parts) != TABLE_PARTS:
            raise PermanentDeliveryError(
                f"OpenMetadata does not know {fqn}, which is no name of a table (service.database.schema.table)."
            )
        self._require_service(parts[0])
        self._ingest(fqn, parts, facts.job)
        message = self._table_message(fqn, facts)
        self._make_above("databases", parts[:2], {"service": format_fqn(parts[:1])})
        self._make_above("databaseSchemas", parts[:3], {"database": format_fqn(parts[:2])})
        body = {"name": parts[3], "databaseSchema": format_fqn(parts[:3]), **message}
        return self.keep(fqn, end_of(self._put("tables", fqn, body), "table"))

    def _ingest(self, fqn: str, parts: Sequence[str], job: Job) -> None:
        """
        Leave the table to a pipeline of its service where one is to bring it; returns where it is to be written instead.
        """
        how = self._context.ingestion
        if how == "none":
            raise DeliveryError(
                f"OpenMetadata does not know {fqn}, and delivery.ingestion is none: let its service be ingested, then run "
                "`fusion queue retry`."
            )
        if how == "create":
            return
        pipeline = self._ingestion.pipeline_for(parts, is_view=_view_of(job) is not None)
        if pipeline is not None:
            self._ingestion.bring(pipeline, fqn, job)
        if how == "pipeline":
            raise PermanentDeliveryError(
                f"OpenMetadata does not know {fqn}, and {parts[0]} has no metadata pipeline that is deployed and takes it: add one, or set "
                "delivery.ingestion to auto, then run `fusion queue retry`."
            )

    def _table_message(self, fqn: str, facts: JobFacts) -> dict[str, Any]:
        job, columns = facts.job, self._made_columns(fqn, facts)
        sql, view = job.converted_query or job.user_query, _view_of(job)
        found: dict[str, Any] = {
            "columns": column_messages(columns),
            "tableType": view or "Regular",
            "description": f"Made by job {job.id}.",
        }
        definition = disclosed(sql, self._context.sql) if view else None
        return found if definition is None else {**found, "schemaDefinition": definition}

    def _made_columns(self, fqn: str, facts: JobFacts) -> Sequence[Column]:
        model = facts.model(fqn)
        columns: Sequence[Column] = ()
        # Another engine may have another table of that name.
        if model is not None and facts.job.engine == self._context.engine:
            columns = self._context.made_columns(fqn, model.trino_model_name)
        if not columns:
            raise PermanentDeliveryError(
                f"OpenMetadata does not know {fqn}, and the engine has no such table now, so that it cannot be made known."
            )
        return columns

    def _require_service(self, service: str) -> None:
        name = segment(format_fqn([service]))
        if self._client.get(f"services/databaseServices/name/{name}", Asset) is None:
            raise PermanentDeliveryError(
                f"OpenMetadata has no database service {service}: add it there, then run `fusion queue retry`."
            )

    def _make_above(self, kind: str, parts: Sequence[str], parent: dict[str, str]) -> None:
        """
        The database or schema of a table. One that is marked as deleted stays so: to put it would bring back all that is in it.
        """
        fqn = format_fqn(parts)
        found = self._client.get(f"{kind}/name/{segment(fqn)}", Asset, {"include": "all"})
        if found is None:
            self._put(kind, fqn, {"name": parts[-1], **parent})
        elif found.deleted:
            raise _deleted(fqn)

    def _put(self, kind: str, fqn: str, body: dict[str, Any]) -> Asset:
        body = {**body, "name": stored_name(body["name"])}
        try:
            return self._client.put(kind, body, Asset)
        except MetadataError as error:
            # Somebody else has made it in this moment.
            found = None
            if error.status == EXISTS:
                found = self._client.get(f"{kind}/name/{segment(fqn)}", Asset)
            if found is None:
                raise
            return found


def _view_of(job: Job) -> str | None:
    """
    What OpenMetadata calls the view that the job makes; None for a table.
    """
    return _VIEWS.get(parse_statement(job.converted_query or job.user_query).kind)


def end_of(asset: Asset, kind: str) -> End:
    """
    An entity as the end of an edge.
    """
    model = asset.data_model
    columns = asset.columns if kind == "table" else model.columns if model is not None else None
    known = known_columns(asset.fully_qualified_name, columns) if columns is not None else None
    return End(asset.id, kind, asset.fully_qualified_name, known)


def _deleted(fqn: str) -> PermanentDeliveryError:
    return PermanentDeliveryError(
        f"{fqn} is marked as deleted in OpenMetadata: restore it there, then run `fusion queue retry`."
    )
