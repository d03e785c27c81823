"""
Search: what a filter means, what is ignored in silence, and what a hit holds.
"""

from __future__ import annotations

import json

from tests.contracts.openmetadata.client import Place
from tests.contracts.openmetadata.marks import versions


def three(place: Place) -> list[str]:
    """
    Three tables that the index has.
    """
    for name in ("Orders", "order_items", "customer"):
        place.table(name, description="All of it.")
    names = sorted(f"{place.schema}.{name}" for name in ("Orders", "order_items", "customer"))
    place.wait_for(lambda: place.filtered({"term": {"service.name.keyword": place.name}}), names)
    return names


def test_many_by_their_names_at_once(place: Place) -> None:
    names = three(place)

    assert place.filtered({"terms": {"fullyQualifiedName": names[:2]}}) == names[:2]


def test_any_case_is_found(place: Place) -> None:
    """
    Who asks compares the case of each hit.
    """
    names = three(place)

    assert place.filtered({"terms": {"fullyQualifiedName": [names[0].lower()]}}) == [names[0]]
    assert place.filtered({"term": {"fullyQualifiedName": names[0].upper()}}) == [names[0]]


def test_no_keyword_below_the_fqn(place: Place) -> None:
    names = three(place)

    assert place.filtered({"term": {"fullyQualifiedName.keyword": names[0]}}) == []


def test_a_prefix_of_the_fqn(place: Place) -> None:
    names = three(place)

    assert place.filtered({"prefix": {"fullyQualifiedName": f"{place.schema}."}}) == names


def test_a_prefix_of_the_name(place: Place) -> None:
    three(place)
    query = {
        "bool": {
            "must": [
                {"prefix": {"name.keyword": "order"}},
                {"prefix": {"fullyQualifiedName": f"{place.schema}."}},
            ]
        }
    }

    assert place.filtered(query) == [f"{place.schema}.Orders", f"{place.schema}.order_items"]


def test_wildcards_and_their_absence(place: Place) -> None:
    three(place)
    query = {
        "bool": {
            "filter": [{"wildcard": {"fullyQualifiedName": f"{place.schema}.*"}}],
            "must_not": [{"wildcard": {"fullyQualifiedName": "*order*"}}],
        }
    }

    assert place.filtered(query) == [f"{place.schema}.customer"]


def test_one_of_several(place: Place) -> None:
    names = three(place)
    query = {"bool": {"should": [{"term": {"fullyQualifiedName": name}} for name in names[1:]]}}

    assert place.filtered(query) == names[1:]


def test_a_filter_that_cannot_be_read_is_ignored(place: Place) -> None:
    """
    All tables come back: each hit is looked at before it is believed.
    """
    three(place)
    hits = place.hits(query_filter='{"query": {"no_such": {"a": 1}}}', size=3)
    more = place.hits(query_filter="nonsense", size=3)

    assert len(hits) == 3
    assert len(more) == 3


def test_what_a_hit_holds(place: Place) -> None:
    names = three(place)
    hit = place.hits(
        query_filter=json.dumps({"query": {"term": {"fullyQualifiedName": names[0]}}})
    )[0]
    source = hit["_source"]

    assert {"_index", "_id", "_score", "_source"} <= hit.keys()
    assert hit["_id"] == source["id"]
    assert {
        "id", "name", "fullyQualifiedName", "entityType", "serviceType", "service", "database", "databaseSchema", "columns",
        "tags", "owners", "deleted", "description",
    } <= source.keys()  # fmt: skip
    assert source["entityType"] == "table"
    assert [column["name"] for column in source["columns"]] == ["a", "b"]


def test_only_the_fields_that_are_wanted(place: Place) -> None:
    names = three(place)
    query = json.dumps({"query": {"term": {"fullyQualifiedName": names[0]}}})
    found = place.call(
        "GET",
        "search/query",
        query=[("q", ""), ("index", "table_search_index"), ("query_filter", query),
               ("include_source_fields", "fullyQualifiedName"), ("include_source_fields", "name")],
    ).body  # fmt: skip

    assert found["hits"]["hits"][0]["_source"] == {"fullyQualifiedName": names[0], "name": "Orders"}


def test_size_and_from(place: Place) -> None:
    three(place)
    query = json.dumps({"query": {"prefix": {"fullyQualifiedName": f"{place.schema}."}}})
    sizes = [len(place.hits(query_filter=query, size=2, **{"from": start})) for start in (0, 2)]
    total = place.read(
        "search/query", q="", index="table_search_index", query_filter=query, size=0
    )["hits"]["total"]

    assert sizes == [2, 1]
    assert total == {"value": 3, "relation": "eq"}


def test_on_from_the_last_hit(place: Place) -> None:
    names = three(place)
    query = json.dumps({"query": {"prefix": {"fullyQualifiedName": f"{place.schema}."}}})
    asked = {
        "query_filter": query,
        "size": 2,
        "sort_field": "fullyQualifiedName",
        "sort_order": "asc",
    }
    first = place.hits(**asked)
    second = place.hits(**asked, search_after=first[-1]["sort"][0])
    found = [hit["_source"]["fullyQualifiedName"] for hit in [*first, *second]]

    assert found == sorted(names, key=str.lower)


def test_a_text_in_the_name(place: Place) -> None:
    three(place)
    hits = place.hits(q=f"*{place.name}*", size=10)

    assert len(hits) == 3


def test_an_index_has_a_short_name(place: Place) -> None:
    names = three(place)

    assert place.filtered({"term": {"fullyQualifiedName": names[0]}}, index="table") == [names[0]]


def test_an_alias_holds_what_is_below(place: Place) -> None:
    names = three(place)

    assert place.filtered({"term": {"fullyQualifiedName": names[0]}}, index="databaseSchema") == [
        names[0]
    ]
    assert (
        place.filtered(
            {"term": {"fullyQualifiedName": names[0]}}, index="database_schema_search_index"
        )
        == []
    )


@versions(until="1.8")
def test_deleted_ones_are_left_out(place: Place) -> None:
    names = three(place)
    place.delete(f"tables/{place.read_table('Orders')['id']}")
    query = {"prefix": {"fullyQualifiedName": f"{place.schema}."}}

    place.wait_for(
        lambda: place.filtered(query), [name for name in names if not name.endswith("Orders")]
    )
    assert place.filtered(query, deleted="true") == [f"{place.schema}.Orders"]


@versions(since="1.8")
def test_deleted_ones_are_found_unless_told(place: Place) -> None:
    three(place)
    place.delete(f"tables/{place.read_table('Orders')['id']}")
    query = {"prefix": {"fullyQualifiedName": f"{place.schema}."}}

    assert len(place.filtered(query)) == 3
    assert len(place.filtered({"bool": {"must": [query, {"term": {"deleted": False}}]}})) == 2


def test_one_field_with_wildcards(place: Place) -> None:
    three(place)
    found = place.read(
        "search/fieldQuery",
        fieldName="fullyQualifiedName",
        fieldValue=f"{place.schema}.order*",
        index="table_search_index",
    )
    names = sorted(hit["_source"]["fullyQualifiedName"] for hit in found["hits"]["hits"])

    assert names == [f"{place.schema}.Orders", f"{place.schema}.order_items"]


def test_a_container_by_its_path(place: Place) -> None:
    service = place.storage()
    path = f"s3://bucket/{place.name}/"
    place.container(service, fullPath=path)

    def found() -> list[str]:
        answer = place.read(
            "search/fieldQuery",
            fieldName="fullPath",
            fieldValue=path,
            index="container_search_index",
        )
        return [hit["_source"]["fullyQualifiedName"] for hit in answer["hits"]["hits"]]

    place.wait_for(found, [f"{service}.c"])


def test_a_tier_is_no_tag_in_the_index(place: Place) -> None:
    label = {"source": "Classification", "labelType": "Manual", "state": "Confirmed"}
    place.table(tags=[{**label, "tagFQN": "Tier.Tier1"}, {**label, "tagFQN": "PII.Sensitive"}])
    query = {"term": {"fullyQualifiedName": f"{place.schema}.t"}}
    place.wait_for(lambda: place.filtered(query), [f"{place.schema}.t"])
    source = place.hits(query_filter=json.dumps({"query": query}))[0]["_source"]

    assert source["tier"]["tagFQN"] == "Tier.Tier1"
    assert place.filtered({"bool": {"must": [query, {"term": {"tier.tagFQN": "Tier.Tier1"}}]}}) == [
        f"{place.schema}.t"
    ]
    assert place.filtered(
        {"bool": {"must": [query, {"term": {"tags.tagFQN": "PII.Sensitive"}}]}}
    ) == [f"{place.schema}.t"]
