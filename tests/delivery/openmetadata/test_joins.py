"""
Joins as OpenMetadata shows them at both tables: counted from the job store, the same however often they are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import connect
from fusion_magic.delivery import JobFacts
from fusion_magic.store import ModelRow
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.openmetadata.jobs import NOTEBOOK, ORDERS, deliver, job_facts, open_receiver

PEOPLE = "crm.db.public.people"
WRITTEN = {ORDERS: "shop.public.orders", PEOPLE: 'crm."public".people'}
BY_ID = "SELECT 1 FROM shop.public.orders o JOIN crm.public.people p ON o.id = p.id"
NOW = datetime.now(UTC)


@pytest.fixture
def two(server: OpenMetadataServer) -> OpenMetadataServer:
    fields = [{"name": "zip", "dataType": "INT"}]
    columns: list[dict[str, Any]] = [
        {"name": "Id", "dataType": "BIGINT"},
        {"name": "address", "dataType": "STRUCT", "children": fields},
    ]
    server.add_table(PEOPLE, columns)
    return server


class Store:
    """
    What jobs of a day have run, and how it was asked for.
    """

    def __init__(self, *statements: tuple[str, int]) -> None:
        self.statements = statements
        self.asked: list[tuple[Sequence[str], datetime, datetime]] = []

    def __call__(
        self, sources: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[tuple[str, int]]:
        self.asked.append((sources, since, until))
        return self.statements


def told(sql: str = BY_ID, **job: Any) -> JobFacts:
    facts = job_facts([(ORDERS, NOTEBOOK), (PEOPLE, NOTEBOOK)], user_query=sql, **job)
    models = [
        ModelRow(model_id_of_om=None, fully_qualified_name=fqn, trino_model_name=name)
        for fqn, name in WRITTEN.items()
    ]
    return replace(facts, models=models)


def tell(server: OpenMetadataServer, store: Store, facts: JobFacts, **given: Any) -> None:
    receiver = open_receiver(server, statements=store, **given)
    deliver(receiver, facts)
    receiver.close()


def joins(server: OpenMetadataServer, table: str) -> dict[tuple[str, str], int]:
    found = (server.get("table", table).get("joins") or {}).get("columnJoins") or ()
    return {
        (one["columnName"], to["fullyQualifiedName"]): to["joinCount"]
        for one in found
        for to in one["joinedWith"]
    }


def test_both_tables_show_how_many_jobs_of_a_day_have_joined_them(two: OpenMetadataServer) -> None:
    by_price = BY_ID.replace("o.id", "o.price")
    store = Store((BY_ID, 2), (f"{BY_ID} WHERE p.id = 7", 1), (by_price, 4), ("SELECT 1", 9))

    tell(two, store, told(started=NOW))

    assert joins(two, ORDERS) == {("Id", f"{PEOPLE}.Id"): 3, ("Price", f"{PEOPLE}.Id"): 4}
    assert joins(two, PEOPLE) == {("Id", f"{ORDERS}.Id"): 3, ("Id", f"{ORDERS}.Price"): 4}
    [(sources, since, until)] = store.asked
    assert set(sources) == {ORDERS, PEOPLE}
    assert since <= NOW < until == since + timedelta(days=1)


def test_the_same_told_again_is_the_same(two: OpenMetadataServer) -> None:
    for minute in range(3):
        tell(two, Store((BY_ID, 5)), told(started=NOW - timedelta(milliseconds=minute)))

    assert joins(two, ORDERS) == {("Id", f"{PEOPLE}.Id"): 5}


def test_what_cannot_be_told_now_is_told_later(two: OpenMetadataServer) -> None:
    receiver = open_receiver(two, statements=Store((BY_ID, 1)))
    deliver(receiver, told(started=NOW))
    two.fail(500, path="/joins")

    receiver._usage.rank()
    assert joins(two, ORDERS) == {}

    receiver._usage.rank()
    assert joins(two, ORDERS) == {("Id", f"{PEOPLE}.Id"): 1}


def test_joins_are_left_out_without_the_right_to_them_and_all_else_goes_on(
    two: OpenMetadataServer, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A bot need not be able to change tables.
    """
    receiver, facts = open_receiver(two, statements=Store((BY_ID, 1))), told(started=NOW)
    deliver(receiver, facts)
    two.deny("EditAll")

    with caplog.at_level("INFO"):
        receiver.close()

    assert joins(two, ORDERS) == {}
    assert "joins are left out" in caplog.text
    assert receiver._usage._joins._due == set()


@pytest.mark.parametrize(
    ("sql", "job"),
    [
        ("SELECT 1 FROM shop.public.orders o JOIN crm.public.people p ON o.id > p.id", {}),
        ("SELECT 1 FROM shop.public.orders o, x.y.z WHERE o.id = z.id", {}),
        ("SELECT ' FROM shop.public.orders", {}),
        (BY_ID, {"started": NOW - timedelta(days=31)}),
    ],
)
def test_what_is_no_join_of_these_days_is_not_asked_for(
    two: OpenMetadataServer, sql: str, job: Any
) -> None:
    store = Store((BY_ID, 1))

    tell(two, store, told(sql, **{"started": NOW, **job}))

    assert (store.asked, joins(two, ORDERS)) == ([], {})


@pytest.mark.parametrize("column", ["p.none", "p.address.zip"])
def test_a_column_that_openmetadata_cannot_name_is_left_out(
    two: OpenMetadataServer, column: str
) -> None:
    odd = BY_ID.replace("p.id", column)

    tell(two, Store((odd, 1), (BY_ID, 1)), told(odd, started=NOW))

    assert ("Id", f"{PEOPLE}.Id") in joins(two, ORDERS)
    assert len(joins(two, PEOPLE)) <= 2


def test_joins_are_left_out_with_usage(two: OpenMetadataServer) -> None:
    tell(two, Store((BY_ID, 1)), told(started=NOW), is_usage_told=False)

    assert joins(two, ORDERS) == {}


def test_cells_that_join_are_counted_and_those_without_lineage_are_not(
    two: OpenMetadataServer, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("id\n1\n2\n")
    lines = [f"  {fqn}:\n    source: rows.csv\n" for fqn in (ORDERS, PEOPLE)]
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels:\n" + "".join(lines))
    cell = f"SELECT count(*) FROM {ORDERS} o JOIN {PEOPLE} p USING (id)"
    with connect(
        metadata_url=str(tmp_path / "catalog.yaml"),
        delivery_url=f"openmetadata+{two.url}",
        delivery_token=two.token,
        data_dir=str(tmp_path / "data"),
        worker_start="never",
    ) as fusion:
        for number in range(4):
            fusion.run(cell, lineage=number > 0)
        scheduler = fusion.wiring.open_scheduler()
        while scheduler.deliver_due():
            pass
        scheduler.stop()
        scheduler.run()

    assert joins(two, ORDERS) == {("Id", f"{PEOPLE}.Id"): 3}
