"""
Use as OpenMetadata shows it: queries with their users and tables, and a count a day.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fusion_magic.delivery.openmetadata.receiver import OpenMetadataDelivery
from fusion_magic.delivery.openmetadata.usage import RANK_EVERY_S
from fusion_magic.errors import DeliveryError, PermanentDeliveryError
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.facts import NOON, message
from tests.delivery.openmetadata.jobs import (
    NOTEBOOK,
    ORDERS,
    PIPELINE,
    SPEND,
    deliver,
    job_facts,
    open_receiver,
    rows,
    runs,
    writes,
)

PEOPLE = "crm.db.public.people"
READ = "SELECT * FROM orders o JOIN people p ON p.id = o.id WHERE p.name = 'Ana'"
MASKED = READ.replace("'Ana'", "?")


def queries(receiver: OpenMetadataDelivery, server: OpenMetadataServer, table: str) -> Any:
    """
    The queries of a table, each as (text, users, others).
    """
    query = {
        "entityId": server.get("table", table)["id"],
        "fields": "users,usedBy,queryUsedIn",
        "limit": 100,
    }
    found = receiver._client.get("queries", dict[str, Any], query)
    return [] if found is None else found["data"]


def texts(receiver: OpenMetadataDelivery, server: OpenMetadataServer, table: str) -> list[str]:
    return [one["query"] for one in queries(receiver, server, table)]


def daily(server: OpenMetadataServer, table: str) -> tuple[str, int]:
    found = server.get("table", table)["usageSummary"]
    return found["date"], found["dailyStats"]["count"]


@pytest.fixture
def two(server: OpenMetadataServer) -> OpenMetadataServer:
    server.add_table(PEOPLE, {"id": "BIGINT", "name": "STRING"})
    return server


def reads(**job: Any) -> Any:
    """
    A job that reads two tables of two services.
    """
    edges = [(ORDERS, NOTEBOOK), (PEOPLE, NOTEBOOK)]
    return job_facts(edges, user_query=READ, **job)


def test_a_statement_is_a_query_of_the_tables_that_it_reads(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    two.add("user", name="ana", email="ana@shop.example")

    deliver(receiver, reads(owner="ana"))

    for table in (ORDERS, PEOPLE):
        [query] = queries(receiver, two, table)
        assert query["query"] == MASKED
        assert query["duration"] == 60
        assert query["queryDate"] == NOON.timestamp() * 1000
        assert [user["name"] for user in query["users"]] == ["ana"]
        assert not query.get("usedBy")


def test_the_next_run_of_a_statement_adds_its_user_to_the_query(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    A second message of the query would take away what the first one said.
    """
    two.add("user", name="ana", email="ana@shop.example")

    for minute, owner in enumerate(["ana", "bo", "cy", "bo", "ana"]):
        deliver(open_receiver(two), reads(owner=owner, started=NOON.replace(minute=minute)))

    [query] = queries(receiver, two, ORDERS)
    assert [user["name"] for user in query["users"]] == ["ana"]
    assert query["usedBy"] == ["bo", "cy"]


def test_each_job_counts_once_for_each_table_on_its_day(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    for minute in range(3):
        told = reads(started=NOON.replace(minute=minute))
        for _ in range(2):
            deliver(open_receiver(two), told)

    for table in (ORDERS, PEOPLE):
        assert daily(two, table) == ("2026-01-31", 3)
    assert daily(two, SPEND)[1] == 0


def test_a_job_whose_pipeline_went_away_a_moment_ago_counts_once(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    deliver(receiver, reads())
    two.hard_delete(PIPELINE, kind="pipeline")

    deliver(receiver, reads(started=NOON.replace(minute=1)))

    assert daily(two, ORDERS)[1] == 2


def test_tables_are_ranked_by_their_counts_when_delivery_ends(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    deliver(receiver, reads())
    deliver(receiver, job_facts([(ORDERS, NOTEBOOK)], started=NOON.replace(minute=7)))

    two.clear_requests()
    receiver.close()

    assert writes(two) == ["POST /v1/usage/compute.percentile/table/2026-01-31"]
    ranks = [
        two.get("table", table)["usageSummary"]["dailyStats"]["percentileRank"]
        for table in (ORDERS, PEOPLE)
    ]
    assert ranks == [50, 0]


def test_tables_are_ranked_now_and_then_meanwhile(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    later = [0.0]
    receiver._usage._clock = lambda: later[0]
    receiver._usage._ranked_at = 0.0
    two.fail(500, path="percentile")
    for minute in range(4):
        later[0] = minute * RANK_EVERY_S / 2
        deliver(receiver, reads(started=NOON.replace(minute=minute)))

    ranked = [request.status for request in two.requests if "percentile" in request.path]
    assert ranked == [500]


def test_nothing_is_written_when_the_rows_come_again(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    deliver(receiver, reads())
    two.clear_requests()

    deliver(open_receiver(two), reads())

    assert writes(two) == []


def test_a_table_that_openmetadata_learns_of_later_is_added(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    told = reads()
    with pytest.raises(DeliveryError, match="does not know crm"):
        deliver(receiver, told)
    assert texts(receiver, server, ORDERS) == [MASKED]

    server.add_table(PEOPLE, {"id": "BIGINT", "name": "STRING"})
    deliver(receiver, told)

    # Its service now comes first, and the query stays the one that it was.
    assert texts(receiver, server, PEOPLE) == [MASKED]
    assert len(queries(receiver, server, ORDERS)) == 1


def test_a_query_that_somebody_else_has_keeps_what_it_says(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    theirs = {
        "query": MASKED,
        "service": "shop",
        "name": "nightly",
        "users": ["admin"],
        "queryUsedIn": [{"id": two.get("table", ORDERS)["id"], "type": "table"}],
    }
    two.add("query", **theirs)

    deliver(receiver, reads())

    [query] = queries(receiver, two, PEOPLE)
    assert (query["name"], [user["name"] for user in query["users"]]) == ("nightly", ["admin"])


def test_a_query_of_a_service_where_nobody_finds_it_holds_up_nothing(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    two.add("query", query=MASKED, service="shop", users=[])

    deliver(receiver, reads())

    assert texts(receiver, two, ORDERS) == []


def test_usage_can_be_left_out(two: OpenMetadataServer) -> None:
    receiver = open_receiver(two, is_usage_told=False)

    deliver(receiver, reads())

    assert texts(receiver, two, ORDERS) == []
    assert daily(two, ORDERS)[1] == 0


def test_without_texts_there_are_counts_alone(two: OpenMetadataServer) -> None:
    receiver = open_receiver(two, sql="none")

    deliver(receiver, reads())

    assert texts(receiver, two, ORDERS) == []
    assert daily(two, ORDERS)[1] == 1


def test_a_job_of_another_program_is_a_query_of_what_its_row_names(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    told = job_facts([], models=[ORDERS, SPEND])

    receiver.deliver(message(source=ORDERS, target=SPEND), told)

    assert len(texts(receiver, server, ORDERS)) == 1


def test_a_table_in_the_bin_is_not_counted_and_holds_up_no_other(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    two.soft_delete(PEOPLE)
    told = replace(reads(), edges=[(PEOPLE, NOTEBOOK), (ORDERS, NOTEBOOK)])

    receiver.deliver(message(source=ORDERS, target=NOTEBOOK), told)

    assert daily(two, ORDERS)[1] == 1


def test_the_right_to_count_that_is_missing_is_said(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    two.deny("EditUsage")

    with pytest.raises(DeliveryError, match="EditUsage"):
        deliver(receiver, reads())


def together(number: int) -> list[tuple[Any, Any]]:
    """
    The rows of so many jobs, as a scheduler announces them.
    """
    jobs = [reads(started=NOON.replace(minute=minute)) for minute in range(number)]
    return [(row, told) for told in jobs for row in rows(told)]


def test_jobs_that_come_together_are_counted_together(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    announced = together(4)
    deliver(receiver, reads(started=NOON.replace(minute=2)))
    two.clear_requests()

    receiver.expect(announced)
    counts = [request.body for request in two.requests if "/usage/" in request.path]
    for row, told in announced:
        receiver.deliver(row, told)

    # Their runs were read at once.
    [read] = [r for r in two.requests if r.method == "GET" and r.path.endswith("/status")]
    assert len(read.answer["data"]) == 1
    assert counts == [{"date": "2026-01-31", "count": 3}] * 2
    assert daily(two, ORDERS) == daily(two, PEOPLE) == ("2026-01-31", 4)
    assert len(runs(receiver)) == 4


def test_jobs_that_are_announced_again_are_not_counted_again(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    A row in front of them had to wait.
    """
    announced = together(3)
    for _ in range(2):
        receiver.expect(announced)
    for row, told in announced:
        receiver.deliver(row, told)

    assert daily(two, ORDERS)[1] == 3


def test_jobs_that_do_not_bear_out_their_rows_are_not_counted(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    announced = [(row, replace(told, models=[])) for row, told in together(2)]

    with pytest.raises(PermanentDeliveryError, match="does not use"):
        receiver.expect(announced)

    assert two.requests == []


def test_one_run_of_two_statements_of_one_moment_is_kept_whole(
    two: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    jobs = [job_facts([(ORDERS, NOTEBOOK)], user_query=f"SELECT {name}") for name in "abc"]
    announced = [(row, told) for told in jobs for row in rows(told)]

    receiver.expect(announced)
    for row, told in announced:
        receiver.deliver(row, told)

    [run] = runs(receiver)
    assert len(run["taskStatus"]) == 3
