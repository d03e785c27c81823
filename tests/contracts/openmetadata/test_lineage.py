"""
Lineage: edges are replaced whole, columns are checked, and an edge without details is half there.
"""

from __future__ import annotations

import itertools
import uuid

import pytest

from tests.contracts.openmetadata.client import Json, Place, encoded
from tests.contracts.openmetadata.marks import versions


def pair(place: Place) -> tuple[Json, Json]:
    return place.table("source"), place.table("target")


def mapping(place: Place, source: str = "a", target: str = "a") -> Json:
    return {
        "fromColumns": [f"{place.schema}.source.{source}"],
        "toColumn": f"{place.schema}.target.{target}",
    }


def details(place: Place, one: Json, other: Json) -> Json:
    found: Json = place.read_edge(one, other).body["edge"]
    return found


def ends(edges: list[Json]) -> set[tuple[str, str]]:
    return {(edge["fromEntity"], edge["toEntity"]) for edge in edges}


def test_an_edge_is_200_without_a_body(place: Place) -> None:
    one, other = pair(place)
    reply = place.edge(one, other, {"sqlQuery": "SELECT 1"})

    assert (reply.status, reply.text) == (200, "")


def test_what_an_edge_says_is_read_back_flat(place: Place) -> None:
    one, other = pair(place)
    said = {
        "sqlQuery": "SELECT 1",
        "source": "QueryLineage",
        "description": "Text.",
        "columnsLineage": [{**mapping(place), "function": "a + 1"}],
    }
    place.edge(one, other, said)

    assert said.items() <= details(place, one, other).items()


def test_an_edge_says_manual_and_no_columns_by_itself(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {})

    assert {"source": "Manual", "columnsLineage": []}.items() <= details(place, one, other).items()


def test_a_second_put_replaces_everything(place: Place) -> None:
    """
    Who does not read first loses the others' columns.
    """
    one, other = pair(place)
    place.edge(
        one,
        other,
        {
            "sqlQuery": "SELECT 1",
            "columnsLineage": [mapping(place, "a", "a")],
            "source": "QueryLineage",
        },
    )
    place.edge(one, other, {"columnsLineage": [mapping(place, "b", "b")]})
    found = details(place, one, other)

    assert found["columnsLineage"] == [mapping(place, "b", "b")]
    assert found["source"] == "Manual"
    assert "sqlQuery" not in found


def test_an_edge_without_details_is_only_in_the_graph(place: Place) -> None:
    one, other = pair(place)

    assert place.edge(one, other, None).status == 200
    edges = place.read(f"lineage/table/{one['id']}")["downstreamEdges"]
    assert [(edge["fromEntity"], edge["toEntity"]) for edge in edges] == [(one["id"], other["id"])]
    assert "lineageDetails" not in edges[0]
    assert place.read_edge(one, other).status == 404
    assert place.delete(f"lineage/table/{one['id']}/table/{other['id']}").status == 200


def test_no_edge_is_404(place: Place) -> None:
    one, other = pair(place)
    reply = place.read_edge(one, other)

    assert reply.status == 404
    assert reply.message.startswith("Lineage edge not found between")


def test_an_unknown_end_is_404(place: Place) -> None:
    one = place.table("source")
    unknown = str(uuid.uuid4())
    reply = place.edge(one, {"id": unknown}, {})

    assert reply.status == 404
    assert reply.message == f"table instance for {unknown} not found"


def test_an_end_needs_its_id(place: Place) -> None:
    one, other = pair(place)
    body = {"edge": {"fromEntity": {"fullyQualifiedName": one["fullyQualifiedName"], "type": "table"},
                     "toEntity": {"id": other["id"], "type": "table"}}}  # fmt: skip

    assert place.put("lineage", body).status == 400


@versions(until="1.8")
@pytest.mark.parametrize("column", ["none", "A"])
def test_an_unknown_column_refuses_the_whole_edge(place: Place, column: str) -> None:
    one, other = pair(place)
    place.edge(one, other, {"sqlQuery": "SELECT 1"})
    reply = place.edge(
        one,
        other,
        {"sqlQuery": "SELECT 2", "columnsLineage": [mapping(place), mapping(place, column)]},
    )

    assert reply.status == 400
    assert reply.message == f"Invalid fully qualified column name {place.schema}.source.{column}"
    assert details(place, one, other)["sqlQuery"] == "SELECT 1"


@versions(since="1.8")
def test_an_unknown_column_is_dropped_in_silence(place: Place) -> None:
    one, other = pair(place)
    reply = place.edge(one, other, {"columnsLineage": [mapping(place), mapping(place, "none")]})

    assert reply.status == 200
    assert details(place, one, other)["columnsLineage"] == [mapping(place)]


@versions(until="1.8")
def test_an_edge_keeps_a_column_that_its_source_lost(place: Place) -> None:
    """
    Put back whole it is refused: stale columns are left out when edges are merged.
    """
    one, other = pair(place)
    place.edge(one, other, {"columnsLineage": [mapping(place, "a"), mapping(place, "b")]})
    place.table("source", columns=["a"])
    kept = details(place, one, other)

    assert len(kept["columnsLineage"]) == 2
    assert place.edge(one, other, kept).status == 400


def test_an_unknown_source_is_400(place: Place) -> None:
    one, other = pair(place)

    assert place.edge(one, other, {"source": "Guess"}).status == 400


def test_an_edge_is_patched(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {"sqlQuery": "SELECT 1"})
    path = f"lineage/table/{one['id']}/table/{other['id']}"
    reply = place.patch(path, {"op": "add", "path": "/columnsLineage/0", "value": mapping(place)})

    assert reply.status == 200
    assert reply.body["columnsLineage"] == [mapping(place)]
    assert details(place, one, other)["sqlQuery"] == "SELECT 1"


def test_a_patch_checks_no_columns(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {})
    path = f"lineage/table/{one['id']}/table/{other['id']}"

    assert (
        place.patch(
            path, {"op": "add", "path": "/columnsLineage/0", "value": mapping(place, "none")}
        ).status
        == 200
    )


def test_a_patch_of_no_edge_is_404(place: Place) -> None:
    one, other = pair(place)
    path = f"lineage/table/{one['id']}/table/{other['id']}"

    assert place.patch(path, {"op": "add", "path": "/sqlQuery", "value": "SELECT 1"}).status == 404


def test_deleting_an_edge_twice_is_404(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {})
    path = f"lineage/table/{one['id']}/table/{other['id']}"

    assert place.delete(path).status == 200
    again = place.delete(path)
    assert (again.status, again.message) == (404, "Lineage edge not found")


def test_an_edge_is_deleted_by_names(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {})
    names = [encoded(end["fullyQualifiedName"]) for end in (one, other)]

    assert place.delete(f"lineage/table/name/{names[0]}/table/name/{names[1]}").status == 200
    assert place.read_edge(one, other).status == 404


def test_edges_of_one_source_are_deleted(place: Place) -> None:
    one, other = pair(place)
    third = place.table("third")
    place.edge(one, other, {"source": "QueryLineage"})
    place.edge(third, other, {"source": "Manual"})

    assert place.delete(f"lineage/table/{other['id']}/type/QueryLineage").status == 200
    assert place.read_edge(one, other).status == 404
    assert place.read_edge(third, other).status == 200


def test_the_graph_goes_as_far_as_it_is_asked(place: Place) -> None:
    tables = [place.table(name) for name in "wxyz"]
    for one, other in itertools.pairwise(tables):
        place.edge(one, other, {})
    near = place.read(f"lineage/table/{tables[1]['id']}")
    far = place.read(f"lineage/table/name/{place.schema}.x", upstreamDepth=1, downstreamDepth=2)

    assert {node["name"] for node in near["nodes"]} == {"w", "y"}
    assert near["entity"]["id"] == tables[1]["id"]
    assert [edge["fromEntity"] for edge in near["upstreamEdges"]] == [tables[0]["id"]]
    assert {node["name"] for node in far["nodes"]} == {"w", "y", "z"}
    assert len(far["downstreamEdges"]) == 2


def test_the_graph_is_three_deep_at_most(place: Place) -> None:
    one = place.table()

    assert place.get(f"lineage/table/{one['id']}", upstreamDepth=4).status == 400
    assert place.get(f"lineage/table/{one['id']}", upstreamDepth=0, downstreamDepth=0).status == 200


def test_an_edge_to_itself_is_stored(place: Place) -> None:
    one = place.table()

    assert place.edge(one, one, {}).status == 200
    assert place.read_edge(one, one).status == 200


@versions(until="1.8")
def test_an_edge_to_a_deleted_table_is_taken(place: Place) -> None:
    one, other = pair(place)
    place.delete(f"tables/{other['id']}")

    assert place.edge(one, other, {}).status == 200
    place.put("tables/restore", {"id": other["id"]})
    assert [node["name"] for node in place.read(f"lineage/table/{one['id']}")["nodes"]] == [
        "target"
    ]


def test_the_graph_shows_deleted_nodes(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {})
    place.delete(f"tables/{other['id']}")

    assert [node["deleted"] for node in place.read(f"lineage/table/{one['id']}")["nodes"]] == [True]


def test_deleting_for_good_loses_edges(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {})
    place.delete(f"tables/{other['id']}", hardDelete="true")
    place.table("target")

    assert place.read(f"lineage/table/{one['id']}")["downstreamEdges"] == []


def test_an_edge_leaves_versions_as_they_are(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {"sqlQuery": "SELECT 1"})

    assert place.read_table("target")["version"] == other["version"]
    assert place.read_table("target")["updatedAt"] == other["updatedAt"]


def test_a_pipeline_in_the_details(place: Place) -> None:
    one, other = pair(place)
    service = place.pipeline_service()
    pipeline = place.made("pipelines", {"name": "p", "service": service})
    place.edge(one, other, {"pipeline": {"id": pipeline["id"], "type": "pipeline"}})

    assert details(place, one, other)["pipeline"]["fullyQualifiedName"] == f"{service}.p"
    graph = place.read(f"lineage/pipeline/{pipeline['id']}")
    assert {node["name"] for node in graph["nodes"]} == {"source", "target"}
    assert ends(graph["upstreamEdges"]) == {(one["id"], pipeline["id"])}
    assert ends(graph["downstreamEdges"]) == {(pipeline["id"], other["id"])}


def test_what_leads_to_a_pipeline_stands_beside_what_it_carries(place: Place) -> None:
    one, other = pair(place)
    pipeline = place.made("pipelines", {"name": "p", "service": place.pipeline_service()})
    place.edge(one, other, {"pipeline": {"id": pipeline["id"], "type": "pipeline"}})
    place.edge(other, pipeline, {}, ("table", "pipeline"))

    graph = place.read(f"lineage/pipeline/{pipeline['id']}")
    assert ends(graph["upstreamEdges"]) == {
        (one["id"], pipeline["id"]),
        (other["id"], pipeline["id"]),
    }
    assert ends(graph["downstreamEdges"]) == {(pipeline["id"], other["id"])}
    assert ends(place.read(f"lineage/table/{one['id']}")["downstreamEdges"]) == {
        (one["id"], other["id"])
    }


def test_an_unknown_pipeline_is_404(place: Place) -> None:
    one, other = pair(place)

    assert (
        place.edge(one, other, {"pipeline": {"id": str(uuid.uuid4()), "type": "pipeline"}}).status
        == 404
    )


def test_columns_of_a_container(place: Place) -> None:
    service = place.storage()
    source, target = place.container(service, "source"), place.table("target")
    columns = [{"fromColumns": [f"{service}.source.a"], "toColumn": f"{place.schema}.target.a"}]

    assert (
        place.edge(source, target, {"columnsLineage": columns}, ("container", "table")).status
        == 200
    )
    assert details(place, source, target)["columnsLineage"] == columns


@versions(until="1.8")
def test_columns_of_a_container_without_a_data_model_look_like_an_outage(place: Place) -> None:
    service = place.storage()
    source, target = place.container(service, "source", None), place.table("target")
    columns = [{"fromColumns": [f"{service}.source.a"], "toColumn": f"{place.schema}.target.a"}]

    assert (
        place.edge(source, target, {"columnsLineage": columns}, ("container", "table")).status
        == 500
    )


@versions(until="1.8")
def test_columns_to_a_pipeline_are_refused(place: Place) -> None:
    source = place.table("source")
    target = place.made("pipelines", {"name": "p", "service": place.pipeline_service()})
    columns = [{"fromColumns": [f"{place.schema}.source.a"], "toColumn": "x"}]
    reply = place.edge(source, target, {"columnsLineage": columns}, ("table", "pipeline"))

    assert reply.status == 400
    assert reply.message == "Unsupported Entity Type pipeline for lineage"


@versions(until="1.7")
def test_the_index_knows_the_graph_as_lists(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {"columnsLineage": [mapping(place)], "sqlQuery": "SELECT 1"})
    query = {
        "fqn": one["fullyQualifiedName"],
        "type": "table",
        "upstreamDepth": 1,
        "downstreamDepth": 1,
    }

    def ends() -> list[str]:
        found = place.read("lineage/getLineage", **query)
        return [edge["toEntity"]["fqn"] for edge in found["edges"]]

    place.wait_for(ends, [other["fullyQualifiedName"]])
    found = place.read("lineage/getLineage", **query)
    assert {"entity", "nodes", "edges"} <= found.keys()
    assert {"doc_id", "fromEntity", "toEntity", "columns", "sqlQuery", "source"} <= found["edges"][
        0
    ].keys()
    assert {"id", "type", "fqn", "fqnHash"} <= found["edges"][0]["fromEntity"].keys()


@versions(since="1.7")
def test_the_index_knows_the_graph_as_maps(place: Place) -> None:
    one, other = pair(place)
    place.edge(one, other, {})
    found = place.read(
        "lineage/getLineage",
        fqn=one["fullyQualifiedName"],
        type="table",
        upstreamDepth=1,
        downstreamDepth=1,
    )

    assert other["fullyQualifiedName"] in found["nodes"]
    assert len(found["downstreamEdges"]) == 1


@versions(since="2.0")
def test_edges_by_names_since_2(place: Place) -> None:
    one, other = pair(place)
    names = [encoded(end["fullyQualifiedName"]) for end in (one, other)]
    path = f"lineage/table/name/{names[0]}/table/name/{names[1]}"

    assert place.put(path, {"sqlQuery": "SELECT 1"}).status == 200
    assert (
        place.read(f"lineage/getLineageEdge/table/name/{names[0]}/table/name/{names[1]}")["edge"][
            "sqlQuery"
        ]
        == "SELECT 1"
    )
    assert place.patch(path, {"op": "add", "path": "/description", "value": "Text."}).status == 200


@versions(until="2.0")
def test_no_edges_by_names_before_2(place: Place) -> None:
    pair(place)
    name = f"{place.schema}.source"

    assert place.get(f"lineage/getLineageEdge/table/name/{name}/table/name/{name}").status in {
        404,
        500,
    }
