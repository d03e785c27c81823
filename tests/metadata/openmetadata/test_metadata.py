"""
Names of an OpenMetadata server: how many requests they take, what is kept how long, and what happens when it is away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from fusion_magic.errors import MetadataRefuses, MetadataUnavailable
from fusion_magic.metadata import Join
from fusion_magic.metadata.openmetadata import search
from fusion_magic.metadata.openmetadata.metadata import OpenMetadataMetadata
from fusion_magic.openmetadata.address import parse_address
from fusion_magic.openmetadata.client import OpenMetadataClient
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.openmetadata import asked, open_names

TABLES = [f"pg.shop.public.t{number}" for number in range(20)]
VERSIONS = ("1.5.15", "1.6.0", "1.12.0", "2.0.7")


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        for fqn in TABLES:
            started.add_table(fqn, {"id": "BIGINT"})
        yield started


@pytest.fixture
def names(server: OpenMetadataServer, tmp_path: Path) -> Iterator[OpenMetadataMetadata]:
    with closing(open_names(server, tmp_path)) as opened:
        server.clear_requests()
        yield opened


def wait_for(condition: object, *, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_twenty_names_are_one_search_and_then_none(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    assert set(names.find_by_fqn(TABLES)) == set(TABLES)
    # The service's databases say which catalog it is; the tests that failed are asked for once for all tables.
    assert sorted(asked(server)) == [
        "/v1/dataQuality/testCases",
        "/v1/databases",
        "/v1/search/query",
    ]

    server.clear_requests()
    assert set(names.find_by_fqn(TABLES)) == set(TABLES)
    assert asked(server) == []


def test_another_kernel_asks_for_nothing(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tmp_path: Path
) -> None:
    names.find_by_fqn(TABLES)
    server.clear_requests()

    with closing(open_names(server, tmp_path)) as other:
        assert set(other.find_by_fqn(TABLES)) == set(TABLES)
    assert asked(server) == []


def test_another_token_shares_nothing(
    server: OpenMetadataServer, names: OpenMetadataMetadata, tmp_path: Path
) -> None:
    """
    It may see less.
    """
    names.find_by_fqn(TABLES)

    with (
        closing(open_names(server, tmp_path, metadata_token="none.of.them")) as other,
        pytest.raises(MetadataRefuses),
    ):
        other.find_by_fqn(TABLES)


def test_what_the_index_does_not_know_yet_is_asked_for_by_name(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.index_lags = True
    server.add_table("pg.shop.public.new", {"id": "BIGINT"})

    found = names.find_by_fqn(["pg.shop.public.new", *TABLES])

    assert "pg.shop.public.new" in found
    assert len(asked(server, "/tables/name/")) == 1


def test_an_index_that_is_away_is_not_needed(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.fail(500, times=10, path="/search")

    assert set(names.find_by_fqn(TABLES[:3])) == set(TABLES[:3])


def test_a_filter_that_is_ignored_gives_no_other_tables(
    names: OpenMetadataMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each find is checked: the server ignores a filter that it cannot read, and all its tables come.
    """
    question = search.named

    def broken(fqns: Sequence[str]) -> search.Question:
        return question(fqns) | {"query_filter": "{"}

    monkeypatch.setattr(search, "named", broken)

    assert set(names.find_by_fqn(["pg.shop.public.none", *TABLES[:2]])) == set(TABLES[:2])


def test_two_hundred_names_are_cut_by_bytes(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    many = [f"pg.shop.public.table_with_a_long_name_{number:04}" for number in range(300)]
    server.add_tables(many)

    assert set(names.find_by_fqn(many)) == set(many)
    assert 2 <= len(asked(server, "/search/query")) <= 6
    assert asked(server, "/tables/name/") == []


def test_an_unknown_name_is_remembered_for_seconds_only(
    server: OpenMetadataServer, names: OpenMetadataMetadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names.find_by_fqn(["pg.shop.public.soon"]) == {}
    server.clear_requests()
    assert names.find_by_fqn(["pg.shop.public.soon"]) == {}
    assert asked(server) == []

    server.add_table("pg.shop.public.soon", {"id": "BIGINT"})
    monkeypatch.setattr("fusion_magic.metadata.openmetadata.metadata.UNKNOWN_S", 0.0)

    assert set(names.find_by_fqn(["pg.shop.public.soon"])) == {"pg.shop.public.soon"}


def test_other_cases_of_an_unknown_name_cost_nothing_more(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    names.find_by_fqn(["PG.shop.public.T1", "pg.shop.public.t2"])
    server.clear_requests()

    found = names.find_ignoring_case(["PG.shop.public.T1"])

    assert [entity.fqn for entity in found["PG.shop.public.T1"]] == ["pg.shop.public.t1"]
    assert asked(server) == []


def test_half_way_through_their_age_names_are_read_again_behind_the_back(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    with closing(open_names(server, tmp_path, metadata_max_age="2s")) as names:
        names.find_by_fqn(TABLES[:2])
        server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
        time.sleep(1.1)

        before = names.find_by_fqn(TABLES[:2])

        assert [c.name for c in before[TABLES[0]].columns] == ["id"]
        assert wait_for(lambda: len(names.find_by_fqn(TABLES[:2])[TABLES[0]].columns) == 2)


def test_older_names_are_read_at_once(server: OpenMetadataServer, tmp_path: Path) -> None:
    with closing(open_names(server, tmp_path, metadata_max_age="1s")) as names:
        names.find_by_fqn(TABLES[:1])
        server.add_table(TABLES[0], {"id": "BIGINT", "more": "INT"})
        time.sleep(1.05)

        assert len(names.find_by_fqn(TABLES[:1])[TABLES[0]].columns) == 2


def test_a_server_that_is_away_leaves_known_names_and_says_so_of_others(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    with closing(open_names(server, tmp_path, metadata_max_age="1s")) as names:
        names.find_by_fqn(TABLES)
        time.sleep(1.05)
        server.stop()

        found = names.find_by_fqn(TABLES)

        assert set(found) == set(TABLES)
        assert all(entity.as_of is not None for entity in found.values())
        with pytest.raises(
            MetadataUnavailable, match=r"pg\.shop\.public\.other cannot be looked up"
        ):
            names.find_by_fqn([TABLES[0], "pg.shop.public.other"])


def test_a_server_that_is_back_is_asked_again(
    server: OpenMetadataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fusion_magic.metadata.openmetadata.metadata.AWAY_S", 0.0)
    with closing(open_names(server, tmp_path, metadata_max_age="1s")) as names:
        names.find_by_fqn(TABLES[:1])
        time.sleep(1.05)
        server.stop()
        assert names.find_by_fqn(TABLES[:1])[TABLES[0]].as_of is not None

        server.start()

        assert names.find_by_fqn(TABLES[:1])[TABLES[0]].as_of is None


def test_what_was_deleted_is_known_as_that(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.soft_delete(TABLES[0])

    found = names.find_by_fqn(TABLES[:2])

    assert "It was deleted in OpenMetadata by " in (found[TABLES[0]].deleted or "")
    assert found[TABLES[1]].deleted is None


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(version: str, tmp_path: Path) -> None:
    with OpenMetadataServer(version=version) as server:
        server.add_table("pg.shop.public.orders", {"id": "BIGINT"}, description="Orders.")
        server.add_container('s3."raw.events".clicks', {"at": "DATE"})
        with closing(open_names(server, tmp_path)) as names:
            by_name = names.find_by_fqn(["pg.shop.public.orders"])
            by_index = names.find_by_fqn(['s3."raw.events".clicks', "pg.shop.public.Orders"])
            deleted = names.find_by_fqn(["pg.shop.public.none"])

    assert by_name["pg.shop.public.orders"].description == "Orders."
    assert [c.type for c in by_index['s3."raw.events".clicks'].columns] == ["date"]
    assert deleted == {}


def test_catalogs_follow_settings_properties_and_the_number_of_databases(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    server.add_custom_property("table", "trinoCatalog")
    server.add_table("hr.people.s.t", {"id": "INT"})
    server.add_table("hr.pay.s.t", {"id": "INT"})
    server.add_table("hr.pay.s.marked", {"id": "INT"}, extension={"trinoCatalog": "special"})
    fqns = ["hr.people.s.t", "hr.pay.s.t", "hr.pay.s.marked", TABLES[0]]

    with closing(open_names(server, tmp_path, catalogs="hr.people=humans pg=lake")) as names:
        found = names.find_by_fqn(fqns)

        assert [found[fqn].trino_parts[0] for fqn in fqns] == [
            "humans",
            "hr_pay",
            "special",
            "lake",
        ]
        assert names.trino_schema(["hr", "pay", "s"]) == ("hr_pay", "s")
        assert names.trino_schema(["hr", "pay", "none"]) is None
        back = names.find_by_trino_name([("humans", "s", "t"), ("hr_pay", "s", "t")])
    assert [entity.fqn for entity in back.values()] == ["hr.people.s.t", "hr.pay.s.t"]


def test_an_original_comes_before_what_a_trino_service_lists_of_it(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    server.add_table("prod.pg.public.t1", {"id": "BIGINT"}, service_type="Trino")

    with closing(open_names(server, tmp_path)) as names:
        back = names.find_by_trino_name([("pg", "public", "t1")])
        written = names.find_by_fqn(["prod.pg.public.t1"])

    assert back["pg", "public", "t1"].fqn == "pg.shop.public.t1"
    assert written["prod.pg.public.t1"].trino_parts == ("pg", "public", "t1")


def test_similar_names_are_found_although_the_server_is_away(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    names.find_by_fqn(TABLES)
    server.stop()

    assert names.similar("pg.shop.public.t_1")


def test_tests_of_data_that_failed_come_with_the_names(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.add_test(TABLES[0], "row_count", status="Failed", message="Found 3, expected 4")

    found = names.find_by_fqn(TABLES[:2])

    assert len(found[TABLES[0]].alerts) == 1
    assert "row_count" in found[TABLES[0]].alerts[0]
    assert found[TABLES[1]].alerts == ()


def test_details_are_asked_for_side_by_side_and_what_is_not_allowed_is_left_out(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.add_test(TABLES[0], "row_count", status="Success")
    entity = names.find_by_fqn(TABLES[:1])[TABLES[0]]

    assert dict(names.details(entity).facts)["Tests"] == "1 success"

    server.fail(403, path="/dataQuality")
    assert "Tests" not in dict(names.details(entity).facts)
    assert names.details(entity).page.endswith("/table/pg.shop.public.t0")


def test_use_that_may_not_be_seen_is_left_out(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.deny("ViewUsage")
    entity = names.find_by_fqn(TABLES[:1])[TABLES[0]]

    assert names.details(entity).page.endswith("/table/pg.shop.public.t0")


def test_joins_are_told_from_both_sides_most_first(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    join(server, TABLES[0], TABLES[1], 2)
    join(server, TABLES[2], TABLES[0], 5)
    entities = names.find_by_fqn(TABLES[:4])

    assert names.joins(entities[TABLES[0]]) == [
        Join("id", TABLES[2], "id", 5),
        Join("id", TABLES[1], "id", 2),
    ]
    assert names.joins(entities[TABLES[1]]) == [Join("id", TABLES[0], "id", 2)]
    assert names.joins(entities[TABLES[3]]) == []


def join(server: OpenMetadataServer, one: str, other: str, number: int) -> None:
    """
    Report joins of today, as an ingestion of usage does.
    """
    joined = [{"fullyQualifiedName": f"{other}.id", "joinCount": number}]
    body = {
        "startDate": date.today().isoformat(),
        "dayCount": 1,
        "columnJoins": [{"columnName": "id", "joinedWith": joined}],
    }
    client = OpenMetadataClient(
        parse_address(server.url, setting="", token=None), token=server.token
    )
    with closing(client):
        assert client.send("PUT", f"tables/{server.get('table', one)['id']}/joins", body)


def test_every_name_below_a_service_is_listed(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.add_tables(f"pg.other.s.t{number:04}" for number in range(1500))
    server.add_container('s3."raw.events".clicks', {"at": "DATE"})

    assert len(list(names.entities_below("pg"))) == 1520
    assert {e.fqn for e in names.entities_below("pg.shop.public")} == set(TABLES)
    assert [e.fqn for e in names.entities_below("s3")] == [
        's3."raw.events"',
        's3."raw.events".clicks',
    ]
    assert list(names.entities_below("none")) == []
