"""
OpenLineage events: valid, the same each time, and sent so that nothing is lost or told.
"""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fusion_magic.delivery import DeliveryContext
from fusion_magic.delivery.openlineage import OpenLineageDelivery, _Names, make_events
from fusion_magic.errors import (
    DeliveryError,
    InvalidSettings,
    PermanentDeliveryError,
    ReceiverUnavailable,
)
from fusion_magic.metadata import Column
from tests.delivery.facts import JOB, SOURCES, facts, message
from tests.delivery.receiver import make_certificate, receiving

SCHEMA = json.loads((Path(__file__).parents[1] / "fixtures" / "openlineage.json").read_text())


def check(event: Any) -> None:
    """
    Raise where the event is none of OpenLineage's.
    """
    kind = jsonschema.Draft202012Validator
    kind(SCHEMA, format_checker=kind.FORMAT_CHECKER).validate(event)


def sent(path: Path, engine: str = "duckdb", **options: Any) -> list[Any]:
    delivery = OpenLineageDelivery(
        f"openlineage+file://{path}", DeliveryContext(engine=engine, **options)
    )
    for number, source in enumerate((None, *SOURCES)):
        delivery.deliver(message(number, source=source), facts(engine))
    delivery.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_job_is_one_run_with_all_its_tables_and_columns(tmp_path: Path) -> None:
    start, complete = sent(tmp_path / "e.jsonl")

    check(start)
    check(complete)
    assert [start["eventType"], complete["eventType"]] == ["START", "COMPLETE"]
    assert start["eventTime"] < complete["eventTime"] == "2026-01-31T12:01:00+00:00"
    assert start["run"]["runId"] == complete["run"]["runId"] == str(JOB)
    assert (complete["job"]["namespace"], complete["job"]["name"]) == ("fusion", "spend.ipynb")
    assert complete["job"]["facets"]["sql"]["query"] == facts().job.converted_query
    assert [(d["namespace"], d["name"]) for d in complete["inputs"]] == [
        ("shop_pg", "shop.public.orders"),
        ("s3_prod", '"raw.events".clicks'),
    ]
    [output] = complete["outputs"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 7
    inputs = output["facets"]["columnLineage"]["fields"]["key"]["inputFields"]
    assert [(f["namespace"], f["field"]) for f in inputs] == [("shop_pg", "id"), ("s3_prod", "id")]


def test_tables_of_trino_have_its_names_and_their_fqn_as_a_link(tmp_path: Path) -> None:
    _, event = sent(tmp_path / "e.jsonl", "trino", namespace="trino://trino.example:8443")

    check(event)
    [output] = event["outputs"]
    assert (output["namespace"], output["name"]) == ("trino://trino.example:8443", "lake.crm.spend")
    [link] = output["facets"]["symlinks"]["identifiers"]
    assert (link["namespace"], link["name"]) == ("lake", "warehouse.crm.spend")
    assert event["inputs"][1]["name"] == "s3_prod.raw.events.clicks"
    assert event["run"]["facets"]["externalQuery"]["externalQueryId"] == facts().job.query_id


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("full", "CREATE TABLE t AS SELECT 'x'"),
        ("masked", "CREATE TABLE t AS SELECT ?"),
        ("none", None),
    ],
)
def test_the_text_of_a_statement_is_told_as_the_setting_says(how: str, told: str | None) -> None:
    whole = facts()
    job = replace(whole.job, converted_query="CREATE TABLE t AS SELECT 'x'")
    names = _Names(DeliveryContext(sql=how))

    for event in make_events(replace(whole, job=job), whole.edges, names):
        sql = event.job.facets.get("sql")
        assert (sql.query if sql is not None else None) == told


def test_known_columns_are_the_schema(tmp_path: Path) -> None:
    columns = [Column("id", "bigint", "The key."), Column("x")]
    _, event = sent(tmp_path / "e.jsonl", columns_of=lambda fqn: columns)

    check(event)
    fields = event["inputs"][0]["facets"]["schema"]["fields"]
    assert [(f["name"], f.get("type")) for f in fields] == [("id", "bigint"), ("x", None)]


def test_what_another_program_queued_is_told_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    delivery = OpenLineageDelivery(f"openlineage+file://{path}")

    delivery.deliver(message(source="a.b.c.d", target="a.b.c.e"), facts())

    _, event = [json.loads(line) for line in path.read_text().splitlines()]
    check(event)
    assert [d["name"] for d in (*event["inputs"], *event["outputs"])] == ["b.c.d", "b.c.e"]


def test_a_name_that_is_none_is_the_rows_own_fault(tmp_path: Path) -> None:
    delivery = OpenLineageDelivery(f"openlineage+file://{tmp_path / 'e'}")

    with pytest.raises(PermanentDeliveryError):
        delivery.deliver(message(source="a..b"), facts())


def test_a_line_that_a_full_disk_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"half":')

    OpenLineageDelivery(f"openlineage+file://{path}").deliver(message(), facts())

    half, *whole = path.read_text().splitlines()
    assert half == '{"half":'
    assert [json.loads(line)["eventType"] for line in whole] == ["START", "COMPLETE"]


def _append(path: Path) -> None:
    delivery = OpenLineageDelivery(
        f"openlineage+file://{path}",
        DeliveryContext(columns_of=lambda fqn: [Column("c" * 20000)]),
    )
    for _ in range(20):
        delivery.deliver(message(), facts())


def test_two_schedulers_append_whole_lines_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "e.jsonl"
    path.parent.mkdir()
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_append, args=(path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()

    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 40


def test_a_folder_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    delivery = OpenLineageDelivery(f"openlineage+file://{tmp_path}/none/e.jsonl")

    with pytest.raises(DeliveryError, match="No such file") as caught:
        delivery.deliver(message(), facts())
    assert type(caught.value) is DeliveryError


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_request_that_is_wrong_is_not_tried_again(status: int) -> None:
    with receiving() as receiver:
        receiver.statuses = [status]
        delivery = OpenLineageDelivery(receiver.url)
        with pytest.raises(PermanentDeliveryError, match=f"HTTP status {status}"):
            delivery.deliver(message(), facts())
        delivery.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, DeliveryError) for status in (403, 500)),
        *((status, ReceiverUnavailable) for status in (302, 401, 429, 503)),
    ],
)
def test_a_receiver_that_cannot_take_it_now_is_asked_again(
    status: int, kind: type[DeliveryError]
) -> None:
    with receiving() as receiver:
        receiver.statuses = [status]
        delivery = OpenLineageDelivery(receiver.url)
        with pytest.raises(DeliveryError) as caught:
            delivery.deliver(message(), facts())
        assert type(caught.value) is kind
        delivery.deliver(message(), facts())
        delivery.close()

    assert [event["eventType"] for _, _, event in receiver.seen] == ["START", "COMPLETE"]
    assert {path for path, _, _ in receiver.seen} == {"/api/v1/lineage"}


def test_nobody_there_is_told_without_the_password() -> None:
    delivery = OpenLineageDelivery("openlineage+http://ana:s3cret@127.0.0.1:1/api/v1/lineage")

    with pytest.raises(DeliveryError, match="ConnectionError") as caught:
        delivery.deliver(message(), facts())
    delivery.close()
    assert "s3cret" not in str(caught.value)


def test_the_token_goes_over_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path / "both.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with receiving(certificate) as receiver:
        delivery = OpenLineageDelivery(
            f"{receiver.url}/api/v2/events", DeliveryContext(token="s3cret")
        )
        delivery.deliver(message(), facts())
        delivery.close()

    assert {seen[:2] for seen in receiver.seen} == {("/api/v2/events", "Bearer s3cret")}


def test_a_token_is_not_sent_in_the_open() -> None:
    with pytest.raises(InvalidSettings, match="everybody on the way") as caught:
        OpenLineageDelivery("openlineage+http://host", DeliveryContext(token="s3cret"))
    assert "s3cret" not in str(caught.value)


def test_an_unknown_receiver_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="ftp"):
        OpenLineageDelivery("ftp://host")
