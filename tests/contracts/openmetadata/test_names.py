"""
Names: what is quoted, what is refused, and how a name stands in a path.
"""

from __future__ import annotations

import pytest

from tests.contracts.openmetadata.client import Place, encoded
from tests.contracts.openmetadata.marks import versions


def test_only_a_part_with_a_dot_is_quoted(place: Place) -> None:
    table = place.table("a.b")

    assert table["name"] == "a.b"
    assert table["fullyQualifiedName"] == f'{place.schema}."a.b"'
    assert place.read(f"tables/name/{encoded(table['fullyQualifiedName'])}")["id"] == table["id"]


@versions(until="2.0")
def test_quotes_without_need_are_not_in_the_fqn(place: Place) -> None:
    table = place.table('"plain"')

    assert table["name"] == '"plain"'
    assert table["fullyQualifiedName"] == f"{place.schema}.plain"


def test_quotes_without_need_are_not_looked_through(place: Place) -> None:
    place.table("plain")

    assert (
        place.get(f"tables/name/{encoded(place.schema + '.' + chr(34) + 'plain' + chr(34))}").status
        == 404
    )


@pytest.mark.parametrize(
    "name", ["größe", "two words", "a/b", "100%", "why?", "a#b", "a\\b", "a-b", " led", "日本"]
)
def test_what_needs_no_quotes(place: Place, name: str) -> None:
    table = place.table(name)

    assert table["fullyQualifiedName"] == f"{place.schema}.{name}"
    assert place.read(f"tables/name/{encoded(table['fullyQualifiedName'])}")["name"] == name


@pytest.mark.parametrize("name", ["a::b", 'a"b', 'a.b"c', "a\nb"])
def test_what_no_table_may_be_called(place: Place, name: str) -> None:
    assert place.put("tables", place.table_body(name)).status == 400


@versions(until="2.0")
def test_an_arrow_in_a_name_before_2(place: Place) -> None:
    assert place.table("a>b")["name"] == "a>b"


@versions(since="2.0")
def test_no_arrow_in_a_name_since_2(place: Place) -> None:
    assert place.put("tables", place.table_body("a>b")).status == 400


def test_a_name_may_have_256_characters(place: Place) -> None:
    assert place.put("tables", place.table_body("x" * 256)).status == 201
    assert place.put("tables", place.table_body("x" * 257)).status == 400


def test_look_up_heeds_case(place: Place) -> None:
    place.table("Orders")

    assert place.get(f"tables/name/{place.schema}.Orders").status == 200
    assert place.get(f"tables/name/{place.schema}.orders").status == 404


def test_two_tables_may_differ_by_case(place: Place) -> None:
    assert place.table("orders")["id"] != place.table("ORDERS")["id"]


def test_columns_are_named_by_the_same_rules(place: Place) -> None:
    table = place.table(columns=["a.b", "c"])

    assert [one["fullyQualifiedName"] for one in table["columns"]] == [
        f'{place.schema}.t."a.b"',
        f"{place.schema}.t.c",
    ]


def test_columns_inside_columns(place: Place) -> None:
    inner = [{"name": "x", "dataType": "INT"}]
    table = place.table(columns=[{"name": "s", "dataType": "STRUCT", "children": inner}])

    assert table["columns"][0]["children"][0]["fullyQualifiedName"] == f"{place.schema}.t.s.x"
