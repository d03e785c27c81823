"""
Lineage: edges between entities, put whole, patched, read by graph or by edge, and deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from .answers import Answer, Json, Refusal, bad_request, not_found, unhandled, unrecognized
from .columns import column_fqns
from .json_patch import apply_patch
from .names import split
from .present import present, reference
from .routing import ROUTER, Request
from .state import Entity, State
from .versions import select

DEEPEST = 3

_SOURCES = (
    "Manual ViewLineage QueryLineage PipelineLineage DashboardLineage DbtLineage SparkLineage OpenLineage "
    "ExternalTableLineage CrossDatabaseLineage>=1.7 ChildAssets>=1.7"
)


@ROUTER.on("PUT", "lineage")
def put_edge(request: Request) -> Answer:
    """
    Make the edge that the body names, or replace what it says.
    """
    edge = _edge(request.json())
    source, target = (_end(request, edge[name]) for name in ("fromEntity", "toEntity"))
    request.principal.demand("EditLineage")
    details = edge.get("lineageDetails")
    request.state.put_edge(source.id, target.id, _checked(request, source, target, details))
    return Answer(200)


def _edge(body: Any) -> Json:
    for name in body:
        if name != "edge":
            raise unrecognized(name, "api.lineage.AddLineage", frozenset({"edge"}))
    edge: Json | None = body.get("edge")
    if edge is None:
        raise bad_request("[edge must not be null]")
    missing = [name for name in ("fromEntity", "toEntity") if edge.get(name) is None]
    if missing:
        raise bad_request(f"[{', '.join(f'{name} must not be null' for name in missing)}]")
    return edge


def _end(request: Request, given: Any) -> Entity:
    if not isinstance(given, dict) or not given.get("id"):
        raise bad_request("[id must not be null]")
    # 1.6 takes an edge to an entity that is marked as deleted.
    found = request.state.by_id.get(given["id"])
    is_gone = found is None or found.kind.type != given.get("type")
    if is_gone or found is None or (found.is_deleted and request.version >= (1, 8)):
        raise not_found(str(given.get("type")), given["id"])
    return found


def _checked(request: Request, source: Entity, target: Entity, given: Json | None) -> Json | None:
    if given is None:
        return None
    # What is unknown is kept, and a source that is null is none, whatever reading says.
    details = {"source": "Manual", "columnsLineage": [], **given}
    details = {key: value for key, value in details.items() if value is not None}
    _check_source(request, details.get("source", "Manual"))
    if "pipeline" in details:
        pipeline = _end(request, details["pipeline"])
        details["pipeline"] = reference(pipeline)
    details["columnsLineage"] = _columns(request, source, target, details["columnsLineage"])
    return _stamped(request, details)


def _check_source(request: Request, source: str) -> None:
    if source not in select(_SOURCES, request.version):
        raise bad_request(
            f"Cannot construct instance of `org.openmetadata.schema.type.LineageDetails$Source`, problem: {source}"
        )


def _stamped(request: Request, details: Json) -> Json:
    if request.version < (1, 7):
        return details
    now, user = request.state.now(), request.principal.name
    return {**details, "createdAt": now, "createdBy": user, "updatedAt": now, "updatedBy": user}


def _columns(request: Request, source: Entity, target: Entity, given: Iterable[Json]) -> list[Json]:
    """
    The mappings whose columns are there; old servers refuse the others, new ones drop them without a word.
    """
    found = []
    for one in given:
        if not one.get("fromColumns") and request.version < (1, 8):
            found.append(one)
            continue
        from_columns = [name for name in one.get("fromColumns", ()) if _has(request, source, name)]
        if from_columns and one.get("toColumn") and _has(request, target, one["toColumn"]):
            found.append({**one, "fromColumns": from_columns})
    return found


def _has(request: Request, entity: Entity, column: str) -> bool:
    is_strict = request.version < (1, 8)
    columns = _columns_of(entity)
    if columns is None:
        if not is_strict:
            return False
        if entity.kind.type == "container":
            raise unhandled(
                'Cannot invoke "ContainerDataModel.getColumns()" because the return value is null'
            )
        raise bad_request(f"Unsupported Entity Type {entity.kind.type} for lineage")
    if column in column_fqns(columns, entity.fqn):
        return True
    if is_strict:
        raise bad_request(f"Invalid fully qualified column name {column}")
    return False


def _columns_of(entity: Entity) -> list[Json] | None:
    if entity.kind.type == "table":
        return list(entity.data["columns"])
    found = (entity.data.get("dataModel") or {}).get("columns")
    return found if isinstance(found, list) else None


@ROUTER.on("GET", "lineage/getLineageEdge/{}/{}")
def get_edge(request: Request, source: str, target: str) -> Answer:
    """
    What one edge says; one that was put without details is not found.
    """
    details = request.state.edges.get((source, target))
    if details is None:
        raise Refusal(404, f"Lineage edge not found between {source} and  {target}")
    return Answer(200, {"edge": {"source": "Manual", **details}})


@ROUTER.on("PATCH", "lineage/{}/{}/{}/{}")
def patch_edge(
    request: Request, source_type: str, source: str, target_type: str, target: str
) -> Answer:
    """
    Change what one edge says; columns are not checked.
    """
    one, other = request.state.get(source_type, source), request.state.get(target_type, target)
    request.principal.demand("EditLineage")
    details = request.state.edges.get((one.id, other.id))
    if details is None:
        raise Refusal(
            404, f"Lineage edge not found between {source_type} {source} and {target_type} {target}"
        )
    after = apply_patch(details, request.json())
    patched = {key: value for key, value in after.items() if value is not None}
    patched.setdefault("columnsLineage", [])
    request.state.put_edge(one.id, other.id, patched)
    return Answer(200, patched)


@ROUTER.on("DELETE", "lineage/{}/{}/{}/{}")
def delete_edge(
    request: Request, source_type: str, source: str, target_type: str, target: str
) -> Answer:
    """
    Forget an edge between two ids.
    """
    request.state.get(source_type, source)
    request.state.get(target_type, target)
    return _deleted(request, source, target)


def _deleted(request: Request, source: str, target: str) -> Answer:
    request.principal.demand("EditLineage")
    if not request.state.remove_edge(source, target):
        raise Refusal(404, "Lineage edge not found")
    return Answer(200)


def _pair(request: Request, names: tuple[str, str, str, str]) -> tuple[Entity, Entity]:
    source_type, source, target_type, target = names
    return request.state.named(source_type, source), request.state.named(target_type, target)


@ROUTER.on("DELETE", "lineage/{}/name/{}/{}/name/{}")
def delete_edge_by_name(request: Request, *names: str) -> Answer:
    """
    Forget an edge between two FQNs.
    """
    one, other = _pair(request, names)  # type: ignore[arg-type] # the route has four braces
    return _deleted(request, one.id, other.id)


@ROUTER.on("GET", "lineage/getLineageEdge/{}/name/{}/{}/name/{}", since=(2, 0))
def get_edge_by_name(request: Request, *names: str) -> Answer:
    """
    As ``get_edge``, by FQNs.
    """
    one, other = _pair(request, names)  # type: ignore[arg-type] # the route has four braces
    return get_edge(request, one.id, other.id)


@ROUTER.on("PUT", "lineage/{}/name/{}/{}/name/{}", since=(2, 0))
def put_edge_by_name(request: Request, *names: str) -> Answer:
    """
    As ``put_edge``, by FQNs; the body is the details alone.
    """
    one, other = _pair(request, names)  # type: ignore[arg-type] # the route has four braces
    request.principal.demand("EditLineage")
    request.state.put_edge(one.id, other.id, _checked(request, one, other, request.json()))
    return Answer(200)


@ROUTER.on("PATCH", "lineage/{}/name/{}/{}/name/{}", since=(2, 0))
def patch_edge_by_name(request: Request, *names: str) -> Answer:
    """
    As ``patch_edge``, by FQNs.
    """
    one, other = _pair(request, names)  # type: ignore[arg-type] # the route has four braces
    return patch_edge(request, one.kind.type, one.id, other.kind.type, other.id)


@ROUTER.on("DELETE", "lineage/{}/{}/type/{}")
def delete_by_source(request: Request, kind: str, target: str, source: str) -> Answer:
    """
    Forget the edges into an entity that came from one *source*.
    """
    request.principal.demand("EditLineage")
    if source == "PipelineLineage" and request.version < (1, 8):
        raise unhandled("org.postgresql.util.PSQLException: ERROR: operator does not exist")
    request.state.get(kind, target)
    for other in list(request.state.upstream.get(target, ())):
        details = request.state.edges[other, target]
        if details is not None and details.get("source") == source:
            request.state.remove_edge(other, target)
    return Answer(200)


@ROUTER.on("DELETE", "lineage/source/name/{}/{}/type/{}", since=(2, 0))
def delete_by_source_and_name(request: Request, kind: str, fqn: str, source: str) -> Answer:
    """
    As ``delete_by_source``, by FQN.
    """
    return delete_by_source(request, kind, request.state.named(kind, fqn).id, source)


@ROUTER.on("GET", "lineage/{}/{}")
def get_graph(request: Request, kind: str, entity_id: str) -> Answer:
    """
    The edges around an entity, some hops up and down.
    """
    return _graph(request, request.state.get(kind, entity_id))


@ROUTER.on("GET", "lineage/{}/name/{}")
def get_graph_by_name(request: Request, kind: str, fqn: str) -> Answer:
    """
    As ``get_graph``, by FQN.
    """
    return _graph(request, request.state.named(kind, fqn))


def _depths(request: Request) -> tuple[int, int]:
    up, down = (request.number(name, 1) for name in ("upstreamDepth", "downstreamDepth"))
    for name, depth in (("upstreamDepth", up), ("downstreamDepth", down)):
        if not 0 <= depth <= DEEPEST:
            side = "less than or equal to 3" if depth > DEEPEST else "greater than or equal to 0"
            raise bad_request(f"[query param {name} must be {side}]")
    return up, down


def _graph(request: Request, entity: Entity) -> Answer:
    up, down = _depths(request)
    state = request.state
    nodes: dict[str, Entity] = {}
    upstream: list[Json] = []
    downstream: list[Json] = []
    _walk(state, entity, up, _above, nodes, upstream)
    _walk(state, entity, down, _below, nodes, downstream)
    body = {
        "entity": reference(entity, request.url),
        "nodes": [reference(one, request.url) for one in nodes.values()],
        "upstreamEdges": upstream,
        "downstreamEdges": downstream,
    }
    return Answer(200, body)


Edge = tuple[str, str]
Neighbours = Callable[[State, Entity], list[tuple[Entity, Edge]]]


def _walk(
    state: State,
    entity: Entity,
    depth: int,
    find: Neighbours,
    nodes: dict[str, Entity],
    edges: list[Json],
) -> None:
    if depth == 0:
        return
    found = find(state, entity)
    for other, pair in found:
        nodes[other.id] = other
        details = state.edges[pair]
        is_above = find is _above
        edges.append(
            {
                # An edge that a pipeline carries is told as one to it, and one from it.
                "fromEntity": other.id if is_above else entity.id,
                "toEntity": entity.id if is_above else other.id,
                **({} if details is None else {"lineageDetails": details}),
            }
        )
    for other, _ in found:
        _walk(state, other, depth - 1, find, nodes, edges)


def _above(state: State, entity: Entity) -> list[tuple[Entity, Edge]]:
    carried = [(state.by_id[pair[0]], pair) for pair in _carried(state, entity)]
    return carried + [
        (state.by_id[one], (one, entity.id)) for one in sorted(state.upstream.get(entity.id, ()))
    ]


def _below(state: State, entity: Entity) -> list[tuple[Entity, Edge]]:
    carried = [(state.by_id[pair[1]], pair) for pair in _carried(state, entity)]
    return carried + [
        (state.by_id[one], (entity.id, one)) for one in sorted(state.downstream.get(entity.id, ()))
    ]


def _carried(state: State, pipeline: Entity) -> list[Edge]:
    if pipeline.kind.type != "pipeline":
        return []
    return [
        pair
        for pair, details in state.edges.items()
        if details and details.get("pipeline", {}).get("id") == pipeline.id
    ]


@ROUTER.on("GET", "lineage/getLineage")
def search_graph(request: Request) -> Answer:
    """
    The same graph as the search index tells it: a list in 1.6, maps by FQN later.
    """
    if not request.one("type"):
        raise unhandled("Cannot invoke String.equals(Object) because entityType is null")
    entity = request.state.named(request.one("type"), request.one("fqn"))
    up, down = _depths(request)
    nodes: dict[str, Entity] = {entity.id: entity}
    upstream: list[Json] = []
    downstream: list[Json] = []
    _walk(request.state, entity, up, _above, nodes, upstream)
    _walk(request.state, entity, down, _below, nodes, downstream)
    shape = _as_lists if request.version < (1, 7) else _as_maps
    return Answer(200, shape(request, entity, nodes, upstream, downstream))


def _document(request: Request, entity: Entity) -> Json:
    return {**present(request, entity, ("owners", "tags")), "entityType": entity.kind.type}


def _as_lists(
    request: Request, entity: Entity, nodes: dict[str, Entity], up: list[Json], down: list[Json]
) -> Json:
    pairs = {(edge["fromEntity"], edge["toEntity"]): edge for edge in [*up, *down]}
    return {
        "entity": _document(request, entity),
        "nodes": [_document(request, one) for one in nodes.values()],
        "edges": [_flat(request.state, edge) for edge in pairs.values()],
    }


def _as_maps(
    request: Request, _entity: Entity, nodes: dict[str, Entity], up: list[Json], down: list[Json]
) -> Json:
    return {
        "nodes": {one.fqn: {"entity": _document(request, one)} for one in nodes.values()},
        "upstreamEdges": {
            edge["doc_id"]: edge for edge in (_flat(request.state, one) for one in up)
        },
        "downstreamEdges": {
            edge["doc_id"]: edge for edge in (_flat(request.state, one) for one in down)
        },
    }


def _flat(state: State, edge: Json) -> Json:
    one, other = state.by_id[edge["fromEntity"]], state.by_id[edge["toEntity"]]
    details = edge.get("lineageDetails") or {}
    found = {
        "doc_id": f"{one.id}-{other.id}",
        "fromEntity": _end_of(one),
        "toEntity": _end_of(other),
    }
    if details.get("columnsLineage"):
        found["columns"] = details["columnsLineage"]
    return {
        **found,
        **{name: details.get(name) for name in ("pipeline", "description", "sqlQuery", "source")},
    }


def _end_of(entity: Entity) -> Json:
    hashes = [
        hashlib.md5(part.strip('"').encode(), usedforsecurity=False).hexdigest()
        for part in split(entity.fqn)
    ]
    return {
        "id": entity.id,
        "type": entity.kind.type,
        "fqn": entity.fqn,
        "fqnHash": ".".join(hashes),
    }
