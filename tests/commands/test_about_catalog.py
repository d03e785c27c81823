"""
Which tables are recommended, and how they are joined.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from fusion_magic import connect
from fusion_magic.commands.about_catalog import TableOptions, recommend
from fusion_magic.openmetadata.address import parse_address
from fusion_magic.openmetadata.client import OpenMetadataClient
from fusion_magic.present.tables import Table
from fusion_magic.testing.openmetadata import OpenMetadataServer

ORDERS, CUSTOMERS = "pg.shop.public.orders", "pg.shop.public.customers"


def test_joins_that_the_metadata_knows_stand_beside_jobs(tmp_path: Path) -> None:
    with OpenMetadataServer(version="1.6.0") as server:
        server.add_table(ORDERS, {"id": "BIGINT", "customer": "BIGINT"})
        server.add_table(CUSTOMERS, {"id": "BIGINT"})
        report_joins(server)
        settings = {"metadata_url": server.url, "metadata_token": server.token}
        with connect(**settings, data_dir=str(tmp_path)) as fusion:
            answer = recommend(fusion, TableOptions(fqn=CUSTOMERS))

    assert isinstance(answer.shown, Table)
    assert list(answer.shown.columns) == ["Used together with it", "Jobs", "Joined on"]
    assert answer.shown.rows == [(ORDERS, 0, "id = customer")]
    joined = {"column": "id", "other_fqn": ORDERS, "other_column": "customer", "number": 4}
    assert answer.data == [{"name": ORDERS, "jobs": 0, "joins": [joined]}]


def report_joins(server: OpenMetadataServer) -> None:
    address = parse_address(server.url, setting="", token=None)
    client = OpenMetadataClient(address, token=server.token)
    joined = [{"fullyQualifiedName": f"{CUSTOMERS}.id", "joinCount": 4}]
    body = {
        "startDate": date.today().isoformat(),
        "dayCount": 1,
        "columnJoins": [{"columnName": "customer", "joinedWith": joined}],
    }
    assert client.send("PUT", f"tables/{server.get('table', ORDERS)['id']}/joins", body)
    client.close()
