"""
A change that somebody has heard of is in the next look-up, and costs the others nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fusion_magic.errors import StoreUnavailable
from fusion_magic.metadata.changes import MetadataChange, NewChanges, anything_changed
from fusion_magic.metadata.openmetadata.metadata import OpenMetadataMetadata
from fusion_magic.store.sql.store import SqlStore, open_store
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.openmetadata import asked, open_names, told_since

TABLES = [f"pg.shop.public.t{number}" for number in range(5)]


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusion_magic.metadata.openmetadata.following.LOOK_EVERY_S", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(f"sqlite:///{tmp_path / 'jobs.db'}")) as opened:
        yield opened


@pytest.fixture(params=["1.6.0", "2.0.7"])
def server(request: pytest.FixtureRequest) -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version=request.param) as started:
        for fqn in TABLES:
            started.add_table(fqn, {"id": "BIGINT"})
        yield started


@pytest.fixture
def names(
    server: OpenMetadataServer, store: SqlStore, tmp_path: Path
) -> Iterator[OpenMetadataMetadata]:
    with closing(open_names(server, tmp_path)) as opened:
        opened.follow(store.changes.since)
        opened.find_by_fqn(TABLES)
        store.changes.record(told_since(server))
        opened.find_by_fqn(TABLES)
        server.clear_requests()
        yield opened


@pytest.fixture
def tell(server: OpenMetadataServer, store: SqlStore) -> Callable[[], None]:
    """
    Let everybody hear of what has happened at the server.
    """

    def told() -> None:
        store.changes.record(told_since(server))
        server.clear_requests()

    return told


def columns(names: OpenMetadataMetadata, fqn: str) -> list[str]:
    return [column.name for column in names.find_by_fqn(TABLES)[fqn].columns]


def test_a_changed_table_alone_is_asked_for_again(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
    assert columns(names, TABLES[0]) == ["id"]

    tell()

    assert columns(names, TABLES[0]) == ["id", "more"]
    assert asked(server) == [f"/v1/tables/name/{TABLES[0]}"]
    server.clear_requests()
    names.find_by_fqn(TABLES)
    assert asked(server) == []


def test_what_the_index_does_not_know_yet_is_not_believed(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    """
    Several names are asked of the index, which may lag behind the event.
    """
    server.index_lags = True
    server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
    server.add_table(TABLES[1], {"id": "BIGINT", "more": "INT"})
    server.hard_delete(TABLES[2])
    tell()

    found = names.find_by_fqn(TABLES)

    assert [len(found[fqn].columns) for fqn in TABLES[:2]] == [2, 2]
    assert set(found) == {*TABLES[:2], *TABLES[3:]}
    # An older answer that comes later does not stay either.
    names.search("t0")
    assert columns(names, TABLES[0]) == ["id", "more"]


def test_another_kernel_of_the_same_person_hears_of_it_too(
    server: OpenMetadataServer,
    names: OpenMetadataMetadata,
    store: SqlStore,
    tell: Callable[[], None],
    tmp_path: Path,
) -> None:
    with closing(open_names(server, tmp_path)) as other:
        other.follow(store.changes.since)
        other.find_by_fqn(TABLES)
        server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
        tell()

        assert columns(names, TABLES[0]) == ["id", "more"]
        assert columns(other, TABLES[0]) == ["id", "more"]
        assert len(asked(server)) == 1


def test_deleted_restored_and_new_tables(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    server.soft_delete(TABLES[0])
    server.hard_delete(TABLES[1])
    assert names.find_by_fqn(["pg.shop.public.new"]) == {}
    server.add_table("pg.shop.public.new", {"id": "BIGINT"})
    tell()

    found = names.find_by_fqn([*TABLES[:2], "pg.shop.public.new"])

    assert set(found) == {TABLES[0], "pg.shop.public.new"}
    assert "It was deleted in OpenMetadata by " in (found[TABLES[0]].deleted or "")
    server.add_table(TABLES[0], {"id": "BIGINT"})
    tell()
    assert names.find_by_fqn(TABLES[:1])[TABLES[0]].deleted is None


def test_a_deleted_schema_takes_its_tables_along(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    server.index_lags = True
    server.hard_delete("pg.shop.public", kind="databaseSchema")
    tell()

    assert names.find_by_fqn(TABLES) == {}


def test_a_table_that_differs_in_case_changes_too(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    written = "PG.shop.public.T0"
    names.find_ignoring_case([written])
    server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
    tell()

    [entity] = names.find_ignoring_case([written])[written]

    assert [column.name for column in entity.columns] == ["id", "more"]


def test_a_test_of_data_that_failed_is_told_at_once(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    server.add_test(TABLES[0], "row_count", status="Failed", message="Found 3, expected 4")
    assert names.find_by_fqn(TABLES)[TABLES[0]].alerts == ()
    tell()

    assert "row_count" in names.find_by_fqn(TABLES)[TABLES[0]].alerts[0]
    assert asked(server) == ["/v1/dataQuality/testCases"]


def test_lists_and_catalogs_follow(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    assert len(names.complete("pg.shop.public.")) == len(TABLES)
    assert names.find_by_trino_name([("pg", "public", "new")]) == {}
    server.add_table("pg.shop.public.new", {"id": "BIGINT"})
    server.add_table("pg.other.public.t", {"id": "BIGINT"})
    tell()

    found = names.find_by_fqn(TABLES)

    assert len(names.complete("pg.shop.public.")) == len(TABLES) + 1
    # The service has two databases now, and so has the engine two catalogs.
    assert found[TABLES[0]].trino_parts[0] == "pg_shop"
    back = names.find_by_trino_name([("pg_shop", "public", "new")])
    assert [entity.fqn for entity in back.values()] == ["pg.shop.public.new"]


def test_a_new_table_is_found_by_its_trino_name_at_once(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    assert names.find_by_trino_name([("pg", "public", "new")]) == {}
    server.add_table("pg.shop.public.new", {"id": "BIGINT"})
    tell()
    names.find_by_fqn(TABLES)

    assert len(names.find_by_trino_name([("pg", "public", "new")])) == 1


def test_a_server_that_is_away_leaves_what_is_stale_with_the_time_it_is_of(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tell: Callable[[], None]
) -> None:
    server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
    tell()
    server.stop()

    found = names.find_by_fqn(TABLES)

    assert found[TABLES[0]].as_of is not None
    assert found[TABLES[1]].as_of is None


def test_too_many_changes_make_everything_stale(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
    names.follow(lambda position: NewChanges(1, None if position != 1 else ()))

    assert columns(names, TABLES[0]) == ["id", "more"]
    server.clear_requests()
    names.find_by_fqn(TABLES)
    assert asked(server) == []


def test_what_stands_for_any_change_makes_everything_stale(
    server: OpenMetadataServer, names: OpenMetadataMetadata, store: SqlStore
) -> None:
    server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
    store.changes.record([anything_changed("x")])

    assert columns(names, TABLES[0]) == ["id", "more"]


def test_a_store_that_is_away_costs_nothing_but_the_news(names: OpenMetadataMetadata) -> None:
    def away(position: int | None) -> NewChanges:
        raise StoreUnavailable("It is away.")

    names.follow(away)

    assert set(names.find_by_fqn(TABLES)) == set(TABLES)


def test_two_thousand_changes_at_once_are_heard_of_in_a_moment(
    names: OpenMetadataMetadata, store: SqlStore, server: OpenMetadataServer
) -> None:
    many = [f"pg.shop.public.many{number}" for number in range(2000)]
    changes = [MetadataChange(fqn, "entityCreated", "table", fqn, 0) for fqn in many]
    store.changes.record(changes)

    begun = time.monotonic()
    assert set(names.find_by_fqn(TABLES)) == set(TABLES)
    assert asked(server) == []
    assert time.monotonic() - begun < 1
