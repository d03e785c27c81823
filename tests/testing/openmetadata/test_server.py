"""
What a test does to the server: fill it, make it slow, wrong, away or behind, and look at what it was asked.

What it answers is the contracts' matter.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.contracts.openmetadata.client import Api, Reply, Target

FQN = "shop.db.public.orders"
PATH = f"tables/name/{FQN}"


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer() as made:
        made.add_table(FQN, {"id": "BIGINT", "note": "VARCHAR"}, description="Orders.")
        yield made


def ask(
    server: OpenMetadataServer, path: str = PATH, *, token: str | None = None, **query: Any
) -> Reply:
    target = Target("", server.url, server.token, (0, 0))
    return Api(target, server.token if token is None else token).get(path, **query)


def test_a_table_comes_with_its_parents(server: OpenMetadataServer) -> None:
    table = ask(server).body

    assert [column["dataType"] for column in table["columns"]] == ["BIGINT", "VARCHAR"]
    assert table["serviceType"] == "Postgres"
    assert table["description"] == "Orders."


def test_names_with_dots_are_filled_in(server: OpenMetadataServer) -> None:
    server.add_table('shop.db."odd.schema"."odd.table"', ["a"])
    server.add_container('lake."raw.events".2024', {"a": "INT"}, fullPath="s3://lake/raw/")

    assert server.get("table", 'shop.db."odd.schema"."odd.table"')["name"] == "odd.table"
    assert server.get("container", 'lake."raw.events".2024')["parent"]["name"] == "raw.events"


def test_any_kind_is_added_by_its_message(server: OpenMetadataServer) -> None:
    server.add("user", name="Bea", email="bea@example.org")
    server.add("domain", name="Sales", description="Sales.", domainType="Aggregate")
    server.add_table(FQN, ["id"], domain="Sales")

    assert server.get("user", "bea")["email"] == "bea@example.org"
    assert server.get("table", FQN)["domain"]["name"] == "Sales"


def test_an_admin_writes_over_what_was_there(server: OpenMetadataServer) -> None:
    server.add_table(FQN, ["id"], description="Other.")

    assert server.get("table", FQN)["description"] == "Other."


def test_deleting_and_deleting_for_good(server: OpenMetadataServer) -> None:
    server.soft_delete(FQN)
    assert ask(server).status == 404
    assert ask(server, include="all").body["deleted"] is True

    server.hard_delete(FQN)
    assert ask(server, include="all").status == 404


def test_custom_properties(server: OpenMetadataServer) -> None:
    server.add_custom_property("table", "trinoCatalog")
    server.add_table(FQN, ["id"], extension={"trinoCatalog": "shop"})

    assert ask(server, fields="extension").body["extension"] == {"trinoCatalog": "shop"}


def test_200_000_tables_in_seconds(server: OpenMetadataServer) -> None:
    began = time.monotonic()
    count = server.add_tables(
        (f"big.db.s{number // 1000}.t{number}" for number in range(200_000)), ["a", "b"]
    )

    assert count == 200_000
    assert ask(server, "tables/name/big.db.s199.t199999").status == 200
    assert (
        ask(server, "tables", databaseSchema="big.db.s7", limit=0).body["paging"]["total"] == 1000
    )
    assert time.monotonic() - began < 20


def test_requests_are_recorded(server: OpenMetadataServer) -> None:
    server.clear_requests()
    ask(server, fields="owners")

    (one,) = server.requests
    assert (one.method, one.path, one.query, one.body, one.status) == (
        "GET",
        f"/v1/{PATH}",
        {"fields": "owners"},
        None,
        200,
    )
    assert one.answer["name"] == "orders"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_answers_fail_as_often_as_told(server: OpenMetadataServer, status: int) -> None:
    server.fail(status, times=2, headers={"Retry-After": "1"})
    replies = [ask(server) for _ in range(3)]

    assert [reply.status for reply in replies] == [status, status, 200]
    assert replies[0].headers["Retry-After"] == "1"


def test_only_one_path_fails(server: OpenMetadataServer) -> None:
    server.fail(503, path="/v1/lineage")

    assert ask(server).status == 200
    assert ask(server, f"lineage/table/name/{FQN}").status == 503


def test_a_page_instead_of_json(server: OpenMetadataServer) -> None:
    server.fail(200, page=True)
    reply = ask(server)

    assert reply.headers["Content-Type"] == "text/html"
    assert reply.text.startswith("<!DOCTYPE html>")


def test_a_connection_that_breaks(server: OpenMetadataServer) -> None:
    server.fail(cut=True)

    with pytest.raises((http.client.HTTPException, OSError)):
        ask(server)
    assert server.requests[-1].status == 0
    assert ask(server).status == 200


def test_a_url_without_api_shows_a_page(server: OpenMetadataServer) -> None:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", "/v1/tables")
    answer = connection.getresponse()

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    connection.close()


def test_slow_answers(server: OpenMetadataServer) -> None:
    server.delay_s = 0.2
    began = time.monotonic()
    ask(server)

    assert time.monotonic() - began >= 0.2


def test_away_and_back_on_the_same_port_with_everything(server: OpenMetadataServer) -> None:
    url = server.url
    parts = urlsplit(url)
    kept = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    kept.request("GET", "/api/v1/system/version")
    kept.getresponse().read()
    server.stop()

    with pytest.raises(OSError):
        ask(server)
    with pytest.raises((http.client.HTTPException, OSError)):
        asked_again(kept)
    server.start()
    assert server.url == url
    assert ask(server).status == 200


def asked_again(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/api/v1/system/version")
    connection.getresponse()


def test_a_new_token_ends_the_old_one(server: OpenMetadataServer) -> None:
    old = server.token
    server.renew_token()

    assert ask(server).status == 200
    refused = ask(server, token=old)
    assert (refused.status, refused.message) == (
        401, "Not Authorized! The given token does not match the current bot's token!",
    )  # fmt: skip


def test_a_revoked_and_a_given_token(server: OpenMetadataServer) -> None:
    server.revoke_token()
    assert ask(server).status == 401

    server.set_token("any")
    assert ask(server).status == 200


def test_rights_are_taken_and_given(server: OpenMetadataServer) -> None:
    server.deny("ViewBasic")
    refused = ask(server)
    server.allow("ViewBasic")

    assert refused.status == 403
    assert "operations [ViewBasic] not allowed" in refused.message
    assert ask(server).status == 200


def names(server: OpenMetadataServer) -> list[str]:
    query = json.dumps({"query": {"prefix": {"fullyQualifiedName": "shop."}}})
    hits = ask(server, "search/query", q="", index="table_search_index", query_filter=query).body[
        "hits"
    ]["hits"]
    return sorted(hit["_source"]["name"] for hit in hits)


def test_an_index_that_lags(server: OpenMetadataServer) -> None:
    server.index_lags = True
    server.add_table("shop.db.public.new", ["a"])
    server.hard_delete(FQN)

    assert names(server) == ["orders"]
    server.reindex()
    assert names(server) == ["new"]


def test_a_version_is_needed() -> None:
    with pytest.raises(ValueError, match="no version of OpenMetadata"):
        OpenMetadataServer(version="latest")


def hook(endpoint: str, **more: Any) -> dict[str, Any]:
    config = {"endpoint": endpoint, "secretKey": "secret"}
    return {
        "name": "hook",
        "alertType": "Notification",
        "trigger": {"triggerType": "RealTime"},
        "resources": ["table"],
        "destinations": [{"category": "External", "type": "Webhook", "config": config}],
        **more,
    }


def test_what_was_posted_to_webhooks(server: OpenMetadataServer) -> None:
    """
    Where nobody listens the status is 0, and nothing is posted again.
    """
    server.add("eventsubscription", **hook("http://127.0.0.1:9/hook"))
    server.add_table("shop.db.public.new", ["a"])
    server.add("domain", name="Sales", description="Sales.", domainType="Aggregate")
    (one,) = server.deliveries()

    assert (one.endpoint, one.status) == ("http://127.0.0.1:9/hook", 0)
    assert (one.body["eventType"], json.loads(one.body["entity"])["name"]) == (
        "entityCreated",
        "new",
    )


def test_a_webhook_for_one_table_alone(server: OpenMetadataServer) -> None:
    only = {
        "name": "filterByFqn",
        "effect": "include",
        "arguments": [{"name": "fqnList", "input": ["shop.db.public.new"]}],
    }
    server.add("eventsubscription", **hook("http://127.0.0.1:9/hook", input={"filters": [only]}))
    server.add_table("shop.db.public.new", ["a"])
    server.add_table("shop.db.public.other", ["a"])

    assert [json.loads(one.body["entity"])["name"] for one in server.deliveries()] == ["new"]


def post(server: OpenMetadataServer, path: str) -> Reply:
    return Api(Target("", server.url, server.token, (0, 0)), server.token).call("POST", path)


def states(server: OpenMetadataServer, pipeline: str) -> str:
    found = ask(server, f"services/ingestionPipelines/{pipeline}", fields="pipelineStatuses").body
    return str(found["pipelineStatuses"]["pipelineState"])


def settled(server: OpenMetadataServer, pipeline: str) -> str:
    deadline = time.monotonic() + 10
    while states(server, pipeline) in {"queued", "running"} and time.monotonic() < deadline:
        time.sleep(0.01)
    return states(server, pipeline)


def test_a_triggered_pipeline_runs_what_the_test_says(server: OpenMetadataServer) -> None:
    def finds(fqn: str) -> None:
        server.add_table("shop.db.public.found", ["a"], description=fqn)

    pipeline = server.add_ingestion_pipeline("shop")
    server.on_trigger = finds
    reply = post(server, f"services/ingestionPipelines/trigger/{pipeline}")

    assert (reply.status, reply.body["code"]) == (200, 200)
    assert settled(server, pipeline) == "success"
    assert server.get("table", "shop.db.public.found")["description"] == "shop.metadata"


def test_a_run_that_fails(server: OpenMetadataServer) -> None:
    def run(fqn: str) -> None:
        raise RuntimeError(fqn)

    pipeline = server.add_ingestion_pipeline("shop")
    server.on_trigger = run
    post(server, f"services/ingestionPipelines/trigger/{pipeline}")

    assert settled(server, pipeline) == "failed"


def test_without_a_runner_nothing_is_triggered(server: OpenMetadataServer) -> None:
    pipeline = server.add_ingestion_pipeline("shop")

    assert post(server, f"services/ingestionPipelines/trigger/{pipeline}").status == 400
    assert ask(server, "services/ingestionPipelines/status").body["platform"] == "disabled"


def test_data_tests(server: OpenMetadataServer) -> None:
    fqn = server.add_test(FQN, "not_null", "Failed", column="id", message="3 nulls")
    server.add_test(FQN, "rows")
    found = ask(
        server, "dataQuality/testCases", entityLink=f"<#E::table::{FQN}>", includeAllTests="true"
    ).body["data"]

    assert fqn == f"{FQN}.id.not_null"
    assert {one["name"]: one.get("testCaseStatus") for one in found} == {
        "not_null": "Failed",
        "rows": None,
    }


def test_edges_without_requests(server: OpenMetadataServer) -> None:
    one, other = (
        server.add_table("shop.db.public.a", ["x"]),
        server.add_table("shop.db.public.b", ["x"]),
    )
    server.add_edge(one, other, sqlQuery="SELECT 1")

    assert (
        ask(server, f"lineage/getLineageEdge/{one}/{other}").body["edge"]["sqlQuery"] == "SELECT 1"
    )
    assert server.edge(other, one) is None
