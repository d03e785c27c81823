"""
OpenLineage events: one COMPLETE event a lineage row, to a file or to an HTTP endpoint.

The run's id is the job's, so that events of one job belong together and a second delivery repeats the first.
A dataset's namespace is the first part of its FQN, the service, and its name the rest.

Source: OpenLineage, "Object Model", https://openlineage.io/docs/spec/object-model
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fusion_magic.errors import DeliveryError, InvalidSettings, MissingExtra
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.store import Job, Message

NAMESPACE = "fusion"
PRODUCER = "https://pypi.org/project/fusion-magic"
SCHEMES = ("openlineage+file", "openlineage+http", "openlineage+https")


class OpenLineageDelivery:
    """
    The port ``Delivery`` over OpenLineage's Python client.

    Args:
        url: ``openlineage+file:///folder/events.jsonl`` or ``openlineage+https://host/path``.

        token: Sent as a bearer token over HTTP.

    Raises:
        InvalidSettings: The URL is none of these.
        MissingExtra: openlineage-python is not installed.
    """

    name = "openlineage"

    def __init__(self, url: str, *, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise InvalidSettings(
                f"delivery.url begins with {parts.scheme}://.",
                hint=f"Known are {', '.join(SCHEMES)}.",
            )
        try:
            from openlineage.client import OpenLineageClient
        except ImportError as exc:
            raise MissingExtra("Delivery of OpenLineage events", extra="openlineage") from exc
        self._client = OpenLineageClient(transport=_transport(url, parts.path, token))

    def deliver(self, message: Message, job: Job) -> None:
        """See ``Delivery.deliver``; OpenLineage has no event for a table alone."""
        if message.row.from_fqn is None:
            return
        try:
            self._client.emit(make_event(message, job))
        except Exception as exc:
            raise DeliveryError(
                f"The OpenLineage event was not taken: {type(exc).__name__}."
            ) from exc

    def close(self) -> None:
        """See ``Delivery.close``."""
        self._client.close()


def _transport(url: str, path: str, token: str | None) -> Any:
    if url.startswith("openlineage+file"):
        from openlineage.client.transport.file import FileConfig, FileTransport

        return FileTransport(FileConfig(log_file_path=path, append=True))
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    base, _, endpoint = url.removeprefix("openlineage+").partition("/api/")
    config = HttpConfig(url=base, endpoint=f"api/{endpoint}" if endpoint else "api/v1/lineage")
    if token is not None:
        config.auth = ApiKeyTokenProvider({"apiKey": token})
    return HttpTransport(config)


def make_event(message: Message, job: Job) -> Any:
    """
    The event of one lineage row.
    """
    from openlineage.client.event_v2 import InputDataset, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.event_v2 import Job as EventJob
    from openlineage.client.facet_v2 import processing_engine_run, sql_job

    source = _dataset(message.row.from_fqn or "")
    target = _dataset(message.row.model_name_fqn)
    facets = {"columnLineage": _columns(message)} if message.column_edges else {}
    engine = processing_engine_run.ProcessingEngineRunFacet(version="unknown", name=job.engine)
    sql = sql_job.SQLJobFacet(query=job.converted_query or job.user_query)
    return RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=(job.finished or job.updated).isoformat(),
        run=Run(runId=str(job.id), facets={"processing_engine": engine}),
        job=EventJob(namespace=NAMESPACE, name=job.origin or "console", facets={"sql": sql}),
        inputs=[InputDataset(namespace=source[0], name=source[1])],
        outputs=[OutputDataset(namespace=target[0], name=target[1], facets=facets)],
        producer=PRODUCER,
    )


def _dataset(fqn: str) -> tuple[str, str]:
    service, *rest = parse_fqn(fqn).parts
    return service, format_fqn(rest) if rest else service


def _columns(message: Message) -> Any:
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    fields: dict[str, list[Any]] = {}
    for edge in message.column_edges:
        namespace, name = _dataset(edge.source_fqn)
        source = facet.InputField(namespace=namespace, name=name, field=edge.source_column)
        fields.setdefault(edge.target_column, []).append(source)
    return facet.ColumnLineageDatasetFacet(
        fields={name: facet.Fields(inputFields=sources) for name, sources in fields.items()}
    )
