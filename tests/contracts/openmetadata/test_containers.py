"""
Containers, their data models and what is inside them.
"""

from __future__ import annotations

from tests.contracts.openmetadata.client import Place


def test_containers_inside_containers(place: Place) -> None:
    service = place.storage()
    outer = place.container(service, "outer", None)
    inner = place.container(service, "in.ner", parent={"id": outer["id"], "type": "container"})
    children = place.read(f"containers/{outer['id']}", fields="children")["children"]

    assert inner["fullyQualifiedName"] == f'{service}.outer."in.ner"'
    assert [one["id"] for one in children] == [inner["id"]]


def test_a_data_model_is_there_when_asked_for(place: Place) -> None:
    service = place.storage()
    made = place.container(service, fullPath="s3://b/p/", fileFormats=["parquet"])
    plain = place.read(f"containers/{made['id']}")
    asked = place.read(f"containers/{made['id']}", fields="dataModel")

    assert "dataModel" not in plain
    assert plain["fullPath"] == "s3://b/p/"
    assert plain["fileFormats"] == ["parquet"]
    assert [one["fullyQualifiedName"] for one in asked["dataModel"]["columns"]] == [
        f"{service}.c.a"
    ]


def test_a_parent_is_there_when_asked_for(place: Place) -> None:
    service = place.storage()
    outer = place.container(service, "outer", None)
    inner = place.container(service, "inner", None, parent={"id": outer["id"], "type": "container"})

    assert place.read(f"containers/{inner['id']}", fields="parent")["parent"]["id"] == outer["id"]
    assert "parent" not in place.read(f"containers/{inner['id']}")


def test_the_top_ones_alone(place: Place) -> None:
    service = place.storage()
    outer = place.container(service, "outer", None)
    place.container(service, "inner", None, parent={"id": outer["id"], "type": "container"})

    assert place.read("containers", service=service)["paging"]["total"] == 2
    assert place.read("containers", service=service, root="true")["paging"]["total"] == 1


def test_an_unknown_format_is_400(place: Place) -> None:
    body = {"name": "c", "service": place.storage(), "fileFormats": ["nonsense"]}

    assert place.put("containers", body).status == 400
