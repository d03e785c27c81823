"""
Names in use compared with the server: what no event has told is found all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fusion_magic.metadata.changes import MetadataChange
from fusion_magic.processes import name_comparison
from fusion_magic.processes.name_comparison import comparing
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.openmetadata import open_names

TABLES = [f"pg.shop.public.t{number}" for number in range(4)]


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        for fqn in TABLES:
            started.add_table(fqn, {"id": "BIGINT"})
        yield started


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_differs_or_is_gone_is_a_change(
    server: OpenMetadataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_comparison, "COMPARE_EVERY_S", 0.05)
    taken: list[MetadataChange] = []
    with (
        closing(open_names(server, tmp_path)) as names,
        comparing(names.change_source, lambda: TABLES, taken.extend),
    ):
        wait_for(lambda: bool(server.requests))
        time.sleep(0.2)
        assert taken == []
        gone = server.get("table", TABLES[2])["updatedAt"]
        server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
        server.soft_delete(TABLES[1])
        server.hard_delete(TABLES[2])

        wait_for(lambda: len(taken) >= 3)
        time.sleep(0.2)

    changed = server.get("table", TABLES[0])["updatedAt"]
    told = {change.fqn: change for change in taken}
    assert len(taken) == 3
    assert (told[TABLES[0]].event_type, told[TABLES[0]].updated_ms) == ("entityUpdated", changed)
    assert told[TABLES[1]].event_type == "entityUpdated"
    assert (told[TABLES[2]].event_type, told[TABLES[2]].updated_ms) == ("entityDeleted", gone + 1)


def test_two_schedulers_tell_of_the_same_difference_once(
    server: OpenMetadataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_comparison, "COMPARE_EVERY_S", 0.05)
    one: list[MetadataChange] = []
    other: list[MetadataChange] = []
    with (
        closing(open_names(server, tmp_path)) as names,
        comparing(names.change_source, lambda: TABLES, one.extend),
        comparing(names.change_source, lambda: TABLES, other.extend),
    ):
        time.sleep(0.3)
        server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
        wait_for(lambda: bool(one and other))

    assert one[0].event_id == other[0].event_id


def test_no_names_ask_for_nothing(
    server: OpenMetadataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_comparison, "COMPARE_EVERY_S", 0.02)
    server.clear_requests()
    with (
        closing(open_names(server, tmp_path)) as names,
        comparing(names.change_source, list, print),
    ):
        time.sleep(0.2)

    assert server.requests == []
