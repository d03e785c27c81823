"""
Ends of edges: looked up once a minute, told apart from what is deleted, and made where a job has made them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from fusion_magic.delivery.openmetadata.assets import MAX_AGE_S, Assets
from fusion_magic.delivery.openmetadata.receiver import OpenMetadataDelivery
from fusion_magic.errors import DeliveryError, PermanentDeliveryError
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.openmetadata.jobs import (
    ORDERS,
    SPEND,
    context,
    deliver,
    edge,
    job_facts,
    open_receiver,
    pairs,
    writes,
)

MADE = "shop.fresh.area.made"
CREATE = "CREATE TABLE made AS SELECT id AS key, 'x' AS n FROM orders"
VIEW = "CREATE VIEW made AS SELECT id AS key, 'x' AS n FROM orders"


def making(target: str = MADE, **job: Any) -> Any:
    return job_facts([(ORDERS, target)], [("id", "key")], **{"converted_query": CREATE, **job})


def test_what_is_found_is_kept_for_a_minute(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    now = [0.0]
    assets = Assets(receiver._client, context(server), clock=lambda: now[0])

    first = assets.find(ORDERS)
    server.clear_requests()
    assert assets.find(ORDERS) is first
    assert server.requests == []

    now[0] = MAX_AGE_S
    assert assets.find(ORDERS) == first
    assert len(server.requests) == 1


def test_a_container_is_an_end_too(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    server.add_container("lake.raw.clicks", {"Url": "STRING"})
    server.add_container("lake.raw.blobs")

    deliver(receiver, job_facts([("lake.raw.clicks", SPEND)], [("url", "key")]))
    deliver(receiver, job_facts([("lake.raw.blobs", SPEND)], [("url", "key")]))

    assert pairs(edge(receiver, server, "container:lake.raw.clicks", SPEND)) == {("Url", "key")}
    assert pairs(edge(receiver, server, "container:lake.raw.blobs", SPEND)) == set()


def test_a_table_whose_name_differs_in_case_alone_is_meant(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    server.add_table("shop.db.public.Clicks", {"A": "INT"})

    deliver(receiver, job_facts([("shop.db.public.clicks", SPEND)], [("a", "key")]))

    assert pairs(edge(receiver, server, "shop.db.public.Clicks", SPEND)) == {("A", "key")}


def test_none_is_meant_where_two_tables_differ_in_case(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    for name in ("Clicks", "CLICKS"):
        server.add_table(f"shop.db.public.{name}", {"A": "INT"})

    with pytest.raises(DeliveryError, match="does not know"):
        deliver(receiver, job_facts([("shop.db.public.clicks", SPEND)]))


def test_a_table_that_a_job_made_is_made_known_with_its_schema_and_columns(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    told = making()

    deliver(receiver, told, makes=True)

    table = server.get("table", MADE)
    assert table["description"] == f"Made by job {told.job.id}."
    assert table["tableType"] == "Regular"
    assert [(c["name"], c["dataType"]) for c in table["columns"]] == [
        ("key", "BIGINT"),
        ("n", "VARCHAR"),
    ]
    assert pairs(edge(receiver, server, ORDERS, MADE)) == {("Id", "key")}


@pytest.mark.parametrize(
    ("sql", "kind", "how", "definition"),
    [
        (VIEW, "View", "masked", VIEW.replace("'x'", "?")),
        (VIEW, "View", "full", VIEW),
        (VIEW, "View", "none", None),
        (VIEW.replace("VIEW", "MATERIALIZED VIEW"), "MaterializedView", "none", None),
    ],
)
def test_a_view_has_its_definition_as_far_as_it_may_be_told(
    server: OpenMetadataServer, sql: str, kind: str, how: str, definition: str | None
) -> None:
    deliver(open_receiver(server, sql=how), making(converted_query=sql), makes=True)

    table = server.get("table", MADE)
    assert (table["tableType"], table.get("schemaDefinition")) == (kind, definition)


def test_a_target_that_is_known_stays_as_it_is(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    before = server.get("table", SPEND)

    deliver(receiver, making(SPEND), makes=True)

    assert server.get("table", SPEND) == before
    assert not [one for one in writes(server) if one.endswith("/tables")]


def test_a_target_without_its_own_row_is_made_known_with_its_edge(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    The job's metadata knew it: a catalog file, for instance.
    """
    deliver(receiver, making())

    assert pairs(edge(receiver, server, ORDERS, MADE)) == {("Id", "key")}


def test_a_service_is_never_made(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    with pytest.raises(PermanentDeliveryError, match="has no database service other: add it"):
        deliver(receiver, making("other.db.s.t"), makes=True)
    assert not [one for one in writes(server) if "services" in one]


def test_what_the_engine_has_not_is_not_made_known(server: OpenMetadataServer) -> None:
    receiver = open_receiver(server, made_columns=lambda fqn, name: ())

    with pytest.raises(PermanentDeliveryError, match="the engine has no such table now"):
        deliver(receiver, making(), makes=True)


def test_the_engine_of_the_settings_is_not_asked_for_another_ones_table(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    with pytest.raises(PermanentDeliveryError, match="the engine has no such table now"):
        deliver(receiver, making(engine="other"), makes=True)


def test_what_is_no_tables_name_is_not_made(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    with pytest.raises(PermanentDeliveryError, match="is no name of a table"):
        deliver(receiver, making("shop.made"), makes=True)


def test_what_somebody_deleted_waits_until_it_is_restored(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    To put it would bring it back, which is theirs to do.
    """
    told = making(SPEND)
    server.soft_delete(SPEND)

    with pytest.raises(PermanentDeliveryError, match="marked as deleted in OpenMetadata: restore"):
        deliver(receiver, told, makes=True)
    assert server.get("table", SPEND)["deleted"]

    assert receiver._client.send("PUT", "tables/restore", {"id": server.get("table", SPEND)["id"]})
    deliver(receiver, told, makes=True)
    assert edge(receiver, server, ORDERS, SPEND) is not None


def test_nothing_is_made_in_a_schema_that_somebody_deleted(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    server.add_table("shop.db.gone.t", {"a": "INT"})
    server.soft_delete("shop.db.gone", kind="databaseSchema")

    with pytest.raises(PermanentDeliveryError, match=r"shop\.db\.gone is marked as deleted"):
        deliver(receiver, making("shop.db.gone.made"), makes=True)


def test_many_that_make_one_table_make_it_once(server: OpenMetadataServer) -> None:
    told = making()

    def tell(number: int) -> None:
        receiver = open_receiver(server)
        deliver(receiver, replace(told), makes=True)
        receiver.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, range(8)))

    assert len(server.get("table", MADE)["columns"]) == 2


def test_one_that_another_process_has_just_made_is_taken_as_it_is(
    server: OpenMetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fusion_magic.errors import MetadataError

    receiver = open_receiver(server)
    client = receiver._client
    put = client.put

    def put_twice(path: str, body: Any, kind: Any) -> Any:
        made = put(path, body, kind)
        if path == "tables":
            raise MetadataError("Entity already exists", status=409)
        return made

    monkeypatch.setattr(client, "put", put_twice)

    deliver(receiver, making(), makes=True)

    assert edge(receiver, server, ORDERS, MADE) is not None
