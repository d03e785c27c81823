"""
Rows as OpenMetadata's edges: what a job bears out, merged with what others wrote, once.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fusion_magic.delivery import DeliveryContext
from fusion_magic.delivery.openmetadata.receiver import OpenMetadataDelivery, open_delivery
from fusion_magic.errors import (
    DeliveryError,
    InvalidSettings,
    PermanentDeliveryError,
    ReceiverUnavailable,
)
from fusion_magic.store import JobStatus
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.facts import NOON, message
from tests.delivery.openmetadata.jobs import (
    NOTEBOOK,
    ORDERS,
    PIPELINE,
    RESULT,
    SPEND,
    deliver,
    edge,
    job_facts,
    open_receiver,
    pairs,
    put_edge,
    rows,
    runs,
    writes,
)


def test_an_edge_has_its_columns_its_masked_sql_and_its_notebook(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    told = job_facts(
        columns=[("id", "KEY"), ("PRICE", "total"), ("note.text", "total")],
        converted_query="INSERT INTO spend SELECT 'x', 7",
    )

    deliver(receiver, told)

    found = edge(receiver, server, ORDERS, SPEND)
    assert found is not None
    assert found["sqlQuery"] == "INSERT INTO spend SELECT ?, ?"
    assert found["source"] == "QueryLineage"
    assert found["pipeline"]["fullyQualifiedName"] == PIPELINE
    assert found["columnsLineage"] == [
        {"fromColumns": [f"{ORDERS}.Id"], "toColumn": f"{SPEND}.key"},
        {"fromColumns": [f"{ORDERS}.Price", f'{ORDERS}."note.text"'], "toColumn": f"{SPEND}.total"},
    ]


def test_the_same_rows_again_are_read_and_nothing_is_written(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    told = job_facts([(ORDERS, SPEND), (ORDERS, NOTEBOOK)], [("id", "key")])
    deliver(receiver, told, makes=True)
    server.clear_requests()

    deliver(open_receiver(server), told, makes=True)

    assert writes(server) == []
    assert len(runs(receiver)) == 1


def test_another_job_of_the_same_statement_adds_its_run_and_counts_alone(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    first, second = job_facts(columns=[("id", "key")]), job_facts(columns=[("id", "key")])
    later = replace(second.job, started=second.job.created.replace(hour=13))
    deliver(receiver, first)
    server.clear_requests()

    deliver(receiver, replace(second, job=later))

    counted, run = writes(server)
    assert counted.startswith("PUT /v1/usage/table/")
    assert run.endswith("/status")
    assert len(runs(receiver)) == 2


def test_what_others_wrote_to_an_edge_stays(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    theirs = {"fromColumns": [f"{ORDERS}.Price"], "toColumn": f"{SPEND}.total", "function": "sum"}
    put_edge(
        receiver,
        server,
        {"sqlQuery": "theirs", "description": "By hand.", "columnsLineage": [theirs]},
    )

    for _ in range(10):
        deliver(receiver, job_facts(columns=[("id", "key")]))

    found = edge(receiver, server, ORDERS, SPEND)
    assert found is not None
    assert (found["sqlQuery"], found["source"]) == ("theirs", "Manual")
    assert found["description"] == "By hand."
    assert "pipeline" not in found
    assert found["columnsLineage"] == [
        theirs,
        {"fromColumns": [f"{ORDERS}.Id"], "toColumn": f"{SPEND}.key"},
    ]


def test_columns_that_openmetadata_does_not_know_are_left_out_and_said(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        deliver(receiver, job_facts(columns=[("id", "key"), ("id", "new"), ("old", "total")]))

    assert pairs(edge(receiver, server, ORDERS, SPEND)) == {("Id", "key")}
    [record] = [r for r in caplog.records if "left out" in r.message]
    assert vars(record)["columns"] == ["id → new", "old → total"]


def test_a_column_that_was_dropped_since_does_not_hold_up_the_edge(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    1.6 keeps the column in the stored edge, and refuses the edge when it is put again as it stands.
    """
    deliver(receiver, job_facts(columns=[("id", "key"), ("price", "total")]))
    server.add_table(ORDERS, {"Id": "BIGINT", "Cost": "DOUBLE"})

    deliver(receiver, job_facts(columns=[("id", "key"), ("cost", "total")]))

    assert pairs(edge(receiver, server, ORDERS, SPEND)) == {("Id", "key"), ("Cost", "total")}


def test_a_table_that_was_made_again_has_its_edge(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    Its id is another one, and the look-up was kept.
    """
    deliver(receiver, job_facts(columns=[("id", "key")]))
    server.hard_delete(ORDERS)
    server.add_table(ORDERS, {"Id": "BIGINT"})

    deliver(receiver, job_facts(columns=[("id", "key")], finished=datetime.now(UTC)))

    assert pairs(edge(receiver, server, ORDERS, SPEND)) == {("Id", "key")}


def test_rows_of_one_edge_that_wait_together_are_written_once(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    What was read after a job had ended shows all that it can tell.
    """
    deliver(receiver, job_facts(columns=[("id", "key")]))
    server.clear_requests()

    for minute in range(3):
        later = NOON.replace(minute=minute + 1)
        deliver(receiver, job_facts(columns=[("id", "key")], started=later))
    assert [request.path for request in server.requests if "ineage" in request.path] == []

    deliver(receiver, job_facts(columns=[("id", "key")], finished=datetime.now(UTC)))
    assert [request.method for request in server.requests if "ineage" in request.path] == ["GET"]


def test_what_others_add_a_moment_after_we_read_it_stays(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    deliver(receiver, job_facts(columns=[("id", "key")]))
    theirs = {"fromColumns": [f"{ORDERS}.Price"], "toColumn": f"{SPEND}.total"}
    put_edge(receiver, server, {"columnsLineage": [theirs]})

    deliver(receiver, job_facts(columns=[("id", "total")]))

    assert pairs(edge(receiver, server, ORDERS, SPEND)) == {("Price", "total"), ("Id", "total")}


def test_a_notebook_that_only_reads_hangs_below_its_tables(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    told = job_facts([(ORDERS, NOTEBOOK)], [("id", "key")], user_query="SELECT id FROM orders")

    deliver(receiver, told, makes=True)

    found = edge(receiver, server, ORDERS, f"pipeline:{PIPELINE}")
    assert found is not None
    assert (found["sqlQuery"], found["columnsLineage"]) == ("SELECT id FROM orders", [])
    assert "pipeline" not in found


def test_a_stored_result_has_columns_and_lineage_and_is_its_owners(
    server: OpenMetadataServer,
) -> None:
    from fusion_magic.metadata import Column

    columns = [Column("Key", "bigint")]
    receiver = open_receiver(server, result_columns=lambda job: columns)
    for owner in ("ana", "bo.b"):
        told = job_facts([(ORDERS, RESULT)], [("id", "key")], result_name="daily", owner=owner)
        deliver(receiver, told, makes=True)

    for fqn in ("fusion.results.ana.daily", 'fusion.results."bo.b".daily'):
        assert pairs(edge(receiver, server, ORDERS, f"container:{fqn}")) == {("Id", "Key")}


def test_a_result_that_is_read_is_that_of_the_job_that_had_stored_it(
    server: OpenMetadataServer,
) -> None:
    from fusion_magic.metadata import Column
    from tests.delivery.openmetadata.jobs import stored

    receiver = open_receiver(
        server,
        result_columns=lambda job: [Column("k")],
        stored_by=lambda name, before: stored(name, owner="bo"),
    )

    deliver(receiver, job_facts([(RESULT, SPEND)], [("k", "key")]))

    assert pairs(edge(receiver, server, "container:fusion.results.bo.daily", SPEND)) == {
        ("k", "key")
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": JobStatus.FAILED}, "its job is FAILED"),
        ({"owner": ""}, "no owner"),
    ],
)
def test_a_job_that_does_not_bear_a_row_out_is_no_reason_to_write(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, change: Any, reason: str
) -> None:
    told = job_facts(**change)

    with pytest.raises(PermanentDeliveryError, match=reason):
        deliver(receiver, told)
    assert server.requests == []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("shop.db.public.salaries", SPEND),
        (ORDERS, "shop.db.public.salaries"),
        (SPEND, ORDERS),
        (ORDERS, 'fusion.notebooks."others.ipynb"'),
        (ORDERS, "fusion.results.others"),
        (None, "shop.db.public.salaries"),
    ],
)
def test_a_row_that_somebody_else_has_queued_is_not_told(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, source: str | None, target: str
) -> None:
    """
    Who can write to the outbox must not thereby write with the rights of our token.
    """
    with pytest.raises(PermanentDeliveryError, match="fusion queue drop"):
        receiver.deliver(message(source=source, target=target), job_facts())
    assert server.requests == []


def test_a_job_of_another_program_bears_out_what_it_names(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    """
    It has no edges in our own tables, and its models name both ends.
    """
    told = job_facts([], models=[ORDERS, SPEND])

    receiver.deliver(message(source=ORDERS, target=SPEND), told)

    assert edge(receiver, server, ORDERS, SPEND) is not None


def test_many_threads_that_write_one_edge_lose_no_column(server: OpenMetadataServer) -> None:
    """
    A PUT replaces all that an edge holds, and several schedulers run in one process only in tests and notebooks.
    """
    names = {f"c{number}": "INT" for number in range(12)}
    server.add_table(ORDERS, names)
    server.add_table(SPEND, names)

    def tell(name: str) -> None:
        receiver = open_receiver(server)
        deliver(receiver, job_facts(columns=[(name, name)], origin=f"{name}.ipynb"))
        receiver.close()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(tell, names))

    receiver = open_receiver(server)
    assert pairs(edge(receiver, server, ORDERS, SPEND)) == {(name, name) for name in names}


def test_an_edge_that_somebody_else_replaces_meanwhile_is_merged_again(
    server: OpenMetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = open_receiver(server)
    theirs = {"fromColumns": [f"{ORDERS}.Price"], "toColumn": f"{SPEND}.total"}
    put, left = receiver._put, [1]

    def put_and_lose(*args: Any) -> bool:
        done = put(*args)
        if left and left.pop():
            put_edge(receiver, server, {"columnsLineage": [theirs]})
        return done

    monkeypatch.setattr(receiver, "_put", put_and_lose)

    deliver(receiver, job_facts(columns=[("id", "key")]))

    found = pairs(edge(receiver, server, ORDERS, SPEND))
    assert found == {("Id", "key"), ("Price", "total")}


def test_an_edge_that_is_replaced_again_and_again_waits_for_another_try(
    server: OpenMetadataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = open_receiver(server)
    monkeypatch.setattr(receiver, "_put", lambda *_: True)

    with pytest.raises(DeliveryError, match="at the same time") as caught:
        deliver(receiver, job_facts())
    assert type(caught.value) is DeliveryError


def test_an_unknown_source_waits_for_its_ingestion(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    told = job_facts([("shop.db.public.later", SPEND)])

    with pytest.raises(DeliveryError, match=r"does not know shop\.db\.public\.later") as caught:
        deliver(receiver, told)
    assert type(caught.value) is DeliveryError

    server.add_table("shop.db.public.later", {"a": "INT"})
    deliver(receiver, told)
    assert edge(receiver, server, "shop.db.public.later", SPEND) is not None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, ReceiverUnavailable) for status in (401, 429, 503)),
        # These may be one row's, which is a dead letter after some tries.
        *((status, DeliveryError) for status in (403, 500)),
    ],
)
def test_what_may_pass_or_be_mended_by_a_person_comes_again(
    server: OpenMetadataServer, status: int, kind: type[DeliveryError]
) -> None:
    receiver = open_receiver(server)
    # The client waits a moment and asks three times where the server is busy.
    times = 3 if status in {429, 503} else 1
    server.fail(status, times=times, path="lineage", headers={"Retry-After": "0"})

    with pytest.raises(DeliveryError) as caught:
        deliver(receiver, job_facts())
    assert type(caught.value) is kind

    deliver(receiver, job_facts())


def test_a_refusal_is_final_and_says_what_the_server_says(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    server.fail(400, times=2, path="/v1/lineage")

    with pytest.raises(PermanentDeliveryError, match="says no"):
        deliver(receiver, job_facts())


def test_a_server_that_went_away_and_came_back_has_the_edge_once(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    told = job_facts(columns=[("id", "key")])
    server.stop()
    with pytest.raises(DeliveryError, match="cannot be asked") as caught:
        deliver(receiver, told)
    assert type(caught.value) is ReceiverUnavailable

    server.start()
    deliver(receiver, told)

    assert pairs(edge(receiver, server, ORDERS, SPEND)) == {("Id", "key")}


def test_a_renewed_token_is_all_that_is_needed_after_a_revoked_one(
    server: OpenMetadataServer,
) -> None:
    receiver, told = open_receiver(server), job_facts()
    server.revoke_token()
    with pytest.raises(DeliveryError, match=r"does not accept delivery\.token"):
        deliver(receiver, told)
    server.renew_token()

    receiver = open_receiver(server)
    deliver(receiver, told)

    assert edge(receiver, server, ORDERS, SPEND) is not None


def test_the_right_that_is_missing_is_said(server: OpenMetadataServer) -> None:
    receiver, told = open_receiver(server), job_facts()
    receiver._notebooks.told(told.job)
    server.deny("EditLineage", "EditAll")

    with pytest.raises(DeliveryError, match="EditLineage") as caught:
        deliver(receiver, told)
    assert type(caught.value) is DeliveryError


def test_nothing_of_a_statement_is_told_where_nothing_may_be(server: OpenMetadataServer) -> None:
    receiver = open_receiver(server, sql="none")

    deliver(receiver, job_facts(user_query="SELECT 'secret'"))

    assert "sqlQuery" not in (edge(receiver, server, ORDERS, SPEND) or {"sqlQuery": ""})
    assert "SELECT" not in str([request.body for request in server.requests])


def test_a_name_that_is_none_is_final(receiver: OpenMetadataDelivery) -> None:
    with pytest.raises(PermanentDeliveryError, match="is no fully qualified name"):
        deliver(receiver, job_facts([("a..b", SPEND)]))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("openmetadata+file:///x", r"begins with openmetadata\+file"),
        ("openmetadata://om.example/api", "begins with openmetadata"),
        ("openmetadata+http://om.example/api", "everybody on the way could read"),
        ("openmetadata+https://om.example/api/v1", "ends in /v1"),
        ("openmetadata+https://ana:pw@om.example/api", "has a user or a password"),
    ],
)
def test_a_wrong_address_is_told_before_anything_is_sent(url: str, message: str) -> None:
    with pytest.raises(InvalidSettings, match=message) as caught:
        open_delivery(url, DeliveryContext(token="t0ken"))
    assert "t0ken" not in str(caught.value)


def test_rows_are_told_in_any_number_and_order(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery, tmp_path: Path
) -> None:
    told = job_facts([(ORDERS, SPEND), (SPEND, ORDERS), (ORDERS, ORDERS)])

    for row in reversed(rows(told)):
        receiver.deliver(row, told)

    for source, target in told.edges:
        assert edge(receiver, server, source, target) is not None
