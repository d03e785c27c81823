"""
A server with a table that is read and one that is written.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fusion_magic.delivery.openmetadata.receiver import OpenMetadataDelivery
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.openmetadata.jobs import ORDERS, SPEND, open_receiver


@pytest.fixture(params=["1.5.0", "1.6.0", "2.0.0"])
def server(request: pytest.FixtureRequest) -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version=request.param) as started:
        started.add_table(ORDERS, {"Id": "BIGINT", "Price": "DOUBLE", "note.text": "STRING"})
        started.add_table(SPEND, {"key": "BIGINT", "total": "DOUBLE"})
        yield started


@pytest.fixture
def receiver(server: OpenMetadataServer) -> Iterator[OpenMetadataDelivery]:
    opened = open_receiver(server)
    yield opened
    opened.close()
