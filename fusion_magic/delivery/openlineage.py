"""
OpenLineage events: a START and a COMPLETE of each job that moved rows, to a file or to an HTTP endpoint.

    run        the job's id, so that whatever is sent twice is the same twice
    events     both go with the row of the job's first edge, and name all its sources and targets
    job        the notebook or script, in the namespace ``fusion``
    dataset    on Trino ``trino://host:port`` and ``catalog.schema.table``, as Trino's own events call it, with the FQN
               as a symlink; else, and for notebooks and stored results, the FQN's service and the rest of it

Jobs that failed have no rows and send nothing.

Source: OpenLineage, "The Run Cycle", "Naming Conventions" and the facets' descriptions, specification 2-0-2.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from fusion_magic.delivery import DeliveryContext, JobFacts
from fusion_magic.errors import (
    DeliveryError,
    InvalidFqn,
    InvalidSettings,
    MissingExtra,
    PermanentDeliveryError,
    ReceiverUnavailable,
)
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.masking import disclosed
from fusion_magic.sql.trino_names import parse_trino_name
from fusion_magic.store import Message

NAMESPACE = "fusion"
PRODUCER = "https://pypi.org/project/fusion-magic"
SCHEMES = ("openlineage+file", "openlineage+http", "openlineage+https")
TIMEOUT_S = 10.0
# The request was right: a token can be renewed, and a busy server waited for.
TRANSIENT = frozenset({403, 408, 425})
AWAY = frozenset({401, 429, 502, 503, 504})


def open_delivery(url: str, context: DeliveryContext) -> OpenLineageDelivery:
    """
    The receiver that *url* names; see ``OpenLineageDelivery``.
    """
    return OpenLineageDelivery(url, context)


class OpenLineageDelivery:
    """
    The port ``Delivery`` as OpenLineage events.

    Args:
        url: ``openlineage+file:///folder/events.jsonl`` or ``openlineage+https://host/path``.

        context: Its token is sent as a bearer token, over HTTPS alone; tables of its engine are named by its namespace.

    Raises:
        InvalidSettings: The URL is none of these, or a token would travel in the open.
        MissingExtra: openlineage-python is not installed.
    """

    name = "openlineage"

    def __init__(self, url: str, context: DeliveryContext = DeliveryContext()) -> None:  # noqa: B008 - frozen
        parts, token = urlsplit(url), context.token
        if parts.scheme not in SCHEMES:
            raise InvalidSettings(
                f"delivery.url begins with {parts.scheme}://.",
                hint=f"Known are {', '.join(SCHEMES)}.",
            )
        if token is not None and parts.scheme == "openlineage+http":
            raise InvalidSettings(
                "delivery.token is set, and delivery.url is openlineage+http://, which everybody on the way can read.",
                hint="Use openlineage+https://, or take the token away.",
            )
        try:
            import openlineage.client
        except ImportError as exc:
            raise MissingExtra("Delivery of OpenLineage events", extra="openlineage") from exc
        del openlineage
        is_file = parts.scheme == "openlineage+file"
        self._to: _Receiver = _File(Path(unquote(parts.path))) if is_file else _Http(url, token)
        self._names = _Names(context)

    def deliver(self, message: Message, facts: JobFacts) -> None:
        """See ``Delivery.deliver``; a job's events go with its first edge, and a table alone has none."""
        if message.row.from_fqn is None:
            return
        edge = (message.row.from_fqn, message.row.model_name_fqn)
        # A row that another program has queued is no edge of ours, and is told by itself.
        edges = facts.edges if edge in facts.edges else [edge]
        if edge != edges[0]:
            return
        try:
            events = make_events(facts, edges, self._names)
        except InvalidFqn as exc:
            raise PermanentDeliveryError(exc.message) from exc
        self._to.send(events)

    def close(self) -> None:
        """See ``Delivery.close``."""
        self._to.close()


class _Receiver(Protocol):
    def send(self, events: Sequence[Any]) -> None: ...

    def close(self) -> None: ...


class _File:
    """
    Events as lines of a local file. Several schedulers may append to one: each writes whole lines, in one piece.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, events: Sequence[Any]) -> None:
        from openlineage.client.serde import Serde

        lines = "".join(f"{Serde.to_json(event)}\n" for event in events).encode()
        try:
            with self._path.open("ab+", buffering=0) as file:
                _lock(file)
                written = file.write(_after_half_a_line(file) + lines)
        except OSError as exc:
            raise DeliveryError(f"{self._path} cannot be written: {exc.strerror}.") from exc
        if written is None or written < len(lines):
            raise DeliveryError(f"{self._path} took a part of the event only.")

    def close(self) -> None:
        return None


def _lock(file: Any) -> None:
    """
    Let nobody else append until *file* is closed, where the system can.
    """
    if os.name == "posix":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def _after_half_a_line(file: Any) -> bytes:
    """
    What goes before new lines: an end for one that a full disk cut off.
    """
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


class _Http:
    """
    Events posted by OpenLineage's own HTTP transport, whose repeats and redirects are turned off.

    The scheduler repeats better, and a redirected POST may arrive as a GET, which says 200 and takes nothing.
    """

    def __init__(self, url: str, token: str | None) -> None:
        from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport
        from requests import Session

        base, _, endpoint = url.removeprefix("openlineage+").partition("/api/")
        session = Session()
        session.max_redirects = 0
        config = HttpConfig(
            url=base,
            endpoint=f"api/{endpoint}" if endpoint else "api/v1/lineage",
            timeout=TIMEOUT_S,
            retry={"total": 0},
            session=session,
        )
        if token is not None:
            config.auth = ApiKeyTokenProvider({"apiKey": token})
        self._transport = HttpTransport(config)

    def send(self, events: Sequence[Any]) -> None:
        from requests import HTTPError

        for event in events:
            try:
                self._transport.emit(event)
            except HTTPError as exc:
                raise _refused(getattr(exc.response, "status_code", 500)) from exc
            except Exception as exc:
                # The text of the error may hold the URL, and that a password.
                raise ReceiverUnavailable(
                    f"The receiver of OpenLineage events could not be asked: {type(exc).__name__}."
                ) from exc

    def close(self) -> None:
        self._transport.close()


def _refused(status: int) -> DeliveryError:
    kind: type[DeliveryError] = DeliveryError
    if status in AWAY:
        kind = ReceiverUnavailable
    elif 400 <= status < 500 and status not in TRANSIENT:
        kind = PermanentDeliveryError
    return kind(f"The receiver of OpenLineage events answered with HTTP status {status}.")


class _Names:
    """
    FQNs as datasets, and what is told of a statement's text.
    """

    def __init__(self, context: DeliveryContext) -> None:
        self._context = context
        self.sql = context.sql

    def identity(self, fqn: str, facts: JobFacts) -> tuple[str, str]:
        """
        Namespace and name.
        """
        model = facts.model(fqn)
        namespace = self._context.namespace
        if namespace and facts.job.engine == self._context.engine and model is not None:
            return namespace, ".".join(parse_trino_name(model.trino_model_name))
        return _by_fqn(fqn)

    def facets(self, fqn: str, facts: JobFacts) -> dict[str, Any]:
        """
        What is known of a dataset beside its columns' lineage.
        """
        from openlineage.client.facet_v2 import (
            datasource_dataset,
            schema_dataset,
            symlinks_dataset,
        )

        namespace = self.identity(fqn, facts)[0]
        uri = namespace if "://" in namespace else f"{NAMESPACE}:{namespace}"
        found: dict[str, Any] = {
            "dataSource": datasource_dataset.DatasourceDatasetFacet(name=_by_fqn(fqn)[0], uri=uri)
        }
        if namespace == self._context.namespace:
            service, rest = _by_fqn(fqn)
            link = symlinks_dataset.Identifier(namespace=service, name=rest, type="TABLE")
            found["symlinks"] = symlinks_dataset.SymlinksDatasetFacet(identifiers=[link])
        if columns := self._context.columns_of(fqn):
            field = schema_dataset.SchemaDatasetFacetFields
            fields = [
                field(name=c.name, type=c.type or None, description=c.description or None)
                for c in columns
            ]
            found["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
        return found


def make_events(
    facts: JobFacts, edges: Sequence[tuple[str, str]], names: _Names
) -> tuple[Any, Any]:
    """
    The two events of one run.
    """
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent
    from openlineage.client.event_v2 import RunState as State
    from openlineage.client.facet_v2 import job_type_job, sql_job

    job = facts.job
    query = disclosed(job.converted_query or job.user_query, names.sql)
    kind = job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="FUSION", jobType="QUERY"
    )
    facets: dict[str, Any] = {"jobType": kind}
    if query is not None:
        facets["sql"] = sql_job.SQLJobFacet(query=query, dialect=job.engine)
    sources = dict.fromkeys(source for source, _ in edges)
    targets = dict.fromkeys(target for _, target in edges)
    what: dict[str, Any] = {
        "run": Run(runId=str(job.id), facets=_run_facets(facts)),
        "job": Job(NAMESPACE, job.origin or "console", facets=facets),
        "inputs": [
            InputDataset(*names.identity(fqn, facts), facets=names.facets(fqn, facts))
            for fqn in sources
        ],
        "producer": PRODUCER,
    }
    ended = job.finished or job.updated
    plain = [
        OutputDataset(*names.identity(fqn, facts), facets=names.facets(fqn, facts))
        for fqn in targets
    ]
    whole = [
        OutputDataset(
            *names.identity(fqn, facts),
            facets=names.facets(fqn, facts) | _column_facet(fqn, facts, names),
            outputFacets=_statistics(facts),
        )
        for fqn in targets
    ]
    begun = (job.started or job.created).isoformat()
    return (
        RunEvent(eventType=State.START, eventTime=begun, outputs=plain, **what),
        RunEvent(eventType=State.COMPLETE, eventTime=ended.isoformat(), outputs=whole, **what),
    )


def _run_facets(facts: JobFacts) -> dict[str, Any]:
    from openlineage.client.facet_v2 import external_query_run, processing_engine_run

    job = facts.job
    engine = processing_engine_run.ProcessingEngineRunFacet(version="unknown", name=job.engine)
    found: dict[str, Any] = {"processing_engine": engine}
    if job.query_id:
        found["externalQuery"] = external_query_run.ExternalQueryRunFacet(
            externalQueryId=job.query_id, source=job.engine
        )
    return found


def _statistics(facts: JobFacts) -> dict[str, Any]:
    from openlineage.client.facet_v2 import output_statistics_output_dataset as facet

    rows = facts.job.rows
    if rows is None:
        return {}
    return {"outputStatistics": facet.OutputStatisticsOutputDatasetFacet(rowCount=rows)}


def _column_facet(target: str, facts: JobFacts, names: _Names) -> dict[str, Any]:
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    fields: dict[str, list[Any]] = {}
    for edge in facts.column_edges:
        if edge.target_fqn == target:
            identity = names.identity(edge.source_fqn, facts)
            source = facet.InputField(*identity, field=edge.source_column)
            fields.setdefault(edge.target_column, []).append(source)
    if not fields:
        return {}
    return {
        "columnLineage": facet.ColumnLineageDatasetFacet(
            fields={name: facet.Fields(inputFields=sources) for name, sources in fields.items()}
        )
    }


def _by_fqn(fqn: str) -> tuple[str, str]:
    service, *rest = parse_fqn(fqn).parts
    return service, format_fqn(rest) if rest else service
