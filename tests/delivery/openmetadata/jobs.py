"""
Jobs as a scheduler hands them over, a server that they are told to, and what it then has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from fusion_magic.delivery import DeliveryContext, JobFacts
from fusion_magic.delivery.openmetadata.receiver import OpenMetadataDelivery
from fusion_magic.metadata import Column
from fusion_magic.openmetadata.client import segment
from fusion_magic.store import ColumnEdge, Job, Message, ModelRow
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.facts import facts, message

Columns = Mapping[tuple[str, str], tuple[str, str]]
ORDERS, SPEND = "shop.db.public.orders", "shop.db.public.spend"
NOTEBOOK = 'fusion.notebooks."spend.ipynb"'
RESULT = "fusion.results.daily"
PIPELINE = 'fusion."spend.ipynb"'


def job_facts(
    edges: Sequence[tuple[str, str]] = ((ORDERS, SPEND),),
    columns: Iterable[tuple[str, str]] = (),
    *,
    models: Sequence[str] | None = None,
    **job: Any,
) -> JobFacts:
    """
    A finished job with these edges; *columns* are (source's, target's) of its first edge.
    """
    whole = facts()
    names = dict.fromkeys(name for edge in edges for name in edge) if models is None else models
    given = {"id": uuid4(), "user_query": "INSERT INTO t SELECT 'x'", "converted_query": None}
    return JobFacts(
        replace(whole.job, **{**given, **job}),
        [
            ModelRow(model_id_of_om=None, fully_qualified_name=name, trino_model_name="a.b.c")
            for name in names
            if not name.startswith("fusion.notebooks")
        ],
        list(edges),
        [
            ColumnEdge(
                source_fqn=edges[0][0],
                source_column=source,
                target_fqn=edges[0][1],
                target_column=target,
            )
            for source, target in columns
        ],
    )


def context(server: OpenMetadataServer, **given: Any) -> DeliveryContext:
    made = {"made_columns": lambda fqn, name: [Column("key", "bigint"), Column("n", "varchar(3)")]}
    return DeliveryContext(**{"token": server.token, "engine": "duckdb", **made, **given})


def open_receiver(server: OpenMetadataServer, **given: Any) -> OpenMetadataDelivery:
    return OpenMetadataDelivery(f"openmetadata+{server.url}", context(server, **given))


def deliver(receiver: OpenMetadataDelivery, told: JobFacts, *, makes: bool = False) -> None:
    """
    Tell all of a job's rows, as a scheduler does.
    """
    for row in rows(told, makes=makes):
        receiver.deliver(row, told)


def rows(told: JobFacts, *, makes: bool = False) -> list[Message]:
    targets = dict.fromkeys(target for _, target in told.edges) if makes else ()
    made = [message(source=None, target=target, job_id=told.job.id) for target in targets]
    edges = [message(source=one, target=to, job_id=told.job.id) for one, to in told.edges]
    return made + edges


def edge(
    receiver: OpenMetadataDelivery, server: OpenMetadataServer, source: str, target: str
) -> dict[str, Any] | None:
    """
    An edge's details as the server has them; the ends are ``kind:FQN``, a table's without its kind.
    """
    ids = [server.get(*_kind(name))["id"] for name in (source, target)]
    path = f"lineage/getLineageEdge/{ids[0]}/{ids[1]}"
    found = receiver._client.get(path, dict[str, Any])
    return None if found is None else dict(found["edge"])


def _kind(name: str) -> tuple[str, str]:
    kind, mark, fqn = name.partition(":")
    return (kind, fqn) if mark else ("table", name)


def put_edge(
    receiver: OpenMetadataDelivery,
    server: OpenMetadataServer,
    details: Mapping[str, Any],
    source: str = ORDERS,
    target: str = SPEND,
) -> None:
    """
    An edge as somebody else writes it.
    """
    source_end, target_end = (
        {"id": server.get(*_kind(name))["id"], "type": _kind(name)[0]} for name in (source, target)
    )
    body = {"fromEntity": source_end, "toEntity": target_end, "lineageDetails": details}
    assert receiver._client.send("PUT", "lineage", {"edge": body})


def pairs(details: Mapping[str, Any] | None) -> set[tuple[str, str]]:
    """
    The columns of an edge, each by its last part.
    """
    found = (details or {}).get("columnsLineage") or ()
    return {
        (source.rpartition(".")[2], one["toColumn"].rpartition(".")[2])
        for one in found
        for source in one["fromColumns"]
    }


def writes(server: OpenMetadataServer) -> list[str]:
    """
    What was written since ``clear_requests``.
    """
    return [f"{r.method} {r.path}" for r in server.requests if r.method != "GET"]


def runs(receiver: OpenMetadataDelivery, fqn: str = PIPELINE) -> list[dict[str, Any]]:
    """
    The runs of a pipeline, newest first.
    """
    path = f"pipelines/{segment(fqn)}/status"
    found = receiver._client.get(path, dict[str, Any], {"startTs": 0, "endTs": 1 << 52})
    return list(found["data"]) if found else []


def stored(name: str = "daily", **job: Any) -> Job:
    """
    A job that has stored its rows.
    """
    return replace(
        facts().job,
        **{"id": uuid4(), "result_name": name, "result_path": f"/results/{name}.parquet", **job},
    )
