"""
Stored results as containers: one for each owner and name, as the newest job left it.
"""

from __future__ import annotations

from typing import Any

import pytest

from fusion_magic.delivery import DeliveryContext
from fusion_magic.delivery.openmetadata.assets import Assets
from fusion_magic.delivery.openmetadata.receiver import OpenMetadataDelivery
from fusion_magic.delivery.openmetadata.results import Results
from fusion_magic.errors import DeliveryError
from fusion_magic.metadata import Column
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.delivery.facts import facts
from tests.delivery.openmetadata.jobs import context, stored, writes

FQN = "fusion.results.ana.daily"


def opened(receiver: OpenMetadataDelivery, server: OpenMetadataServer, **given: Any) -> Results:
    made: dict[str, Any] = {"result_columns": lambda job: [Column("Key", "bigint")], **given}
    told: DeliveryContext = context(server, **made)
    return Results(receiver._client, told, Assets(receiver._client, told))


def test_a_result_lies_below_its_owner_with_path_and_columns(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    end = opened(receiver, server).target(stored(result_path="s3://ana:pw@lake/d.parquet"))

    found = server.get("container", FQN)
    assert (end.id, end.type, end.fqn) == (found["id"], "container", FQN)
    assert found["parent"]["fullyQualifiedName"] == "fusion.results.ana"
    assert found["fullPath"] == "s3://ana@lake/d.parquet"
    assert [c["name"] for c in found["dataModel"]["columns"]] == ["Key"]


def test_the_same_result_again_is_not_written(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    job = stored()
    opened(receiver, server).target(job)
    server.clear_requests()

    opened(receiver, server).target(job)

    assert writes(server) == []


def test_a_newer_version_is_what_the_container_says(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    opened(receiver, server).target(stored())
    newer = [Column("Key", "bigint"), Column("n", "varchar")]

    opened(receiver, server, result_columns=lambda job: newer).target(stored(result_path="/2"))

    found = server.get("container", FQN)
    assert (found["fullPath"], len(found["dataModel"]["columns"])) == ("/2", 2)
    assert found["parent"]["fullyQualifiedName"] == "fusion.results.ana"


def test_rows_that_are_gone_take_no_columns_away(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    opened(receiver, server).target(stored())

    opened(receiver, server, result_columns=lambda job: ()).target(stored(result_path="/2"))

    assert len(server.get("container", FQN)["dataModel"]["columns"]) == 1


def test_a_result_that_nobody_told_yet_is_told_when_it_is_read(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    results = opened(receiver, server, stored_by=lambda name, before: stored(name))

    end = results.source("daily", facts().job)

    assert end.fqn == FQN
    server.clear_requests()
    assert results.source("daily", facts().job) == end
    assert server.requests == []


def test_a_result_that_nobody_knows_any_more_waits(
    server: OpenMetadataServer, receiver: OpenMetadataDelivery
) -> None:
    with pytest.raises(DeliveryError, match="daily that was read is not in the job store"):
        opened(receiver, server).source("daily", facts().job)
