"""
How the databases behind catalogs are reached, as an OpenMetadata server tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from fusion_magic.errors import MetadataUnavailable
from fusion_magic.metadata.openmetadata.metadata import OpenMetadataMetadata
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.openmetadata import asked, open_names

CONNECTION = {
    "hostPort": "db.example:5432",
    "username": "ana",
    "database": "shop",
    "authType": {"password": "s3cret"},
}


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        add(started, "pg", "Postgres", CONNECTION)
        started.add_table("pg.shop.public.orders", {"id": "BIGINT"})
        add(started, "my", "Mysql", CONNECTION | {"database": None})
        started.add_table("my.default.shop.orders", {"id": "BIGINT"}, service_type="Mysql")
        started.add_table("bare.db.public.t", {"id": "BIGINT"})
        yield started


def add(
    server: OpenMetadataServer, name: str, service_type: str, config: Mapping[str, object]
) -> None:
    told = {key: value for key, value in config.items() if value is not None}
    server.add("databaseService", name=name, serviceType=service_type, connection={"config": told})


@pytest.fixture
def names(server: OpenMetadataServer, tmp_path: Path) -> Iterator[OpenMetadataMetadata]:
    with closing(open_names(server, tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("fqn", "expected"),
    [
        ("pg.shop.public.orders", ("pg.shop", "pg", "Postgres", "shop", "pg", True)),
        ("pg.shop", ("pg.shop", "pg", "Postgres", "shop", "pg", True)),
        ("my.default.shop.orders", ("my", "my", "Mysql", "default", "my", True)),
        ("my", ("my", "my", "Mysql", "default", "my", True)),
    ],
)
def test_a_table_leads_to_what_stands_behind_its_catalog(
    names: OpenMetadataMetadata, fqn: str, expected: tuple[object, ...]
) -> None:
    found = names.catalog_source(fqn)

    assert found is not None
    assert (
        found.fqn,
        found.service,
        found.service_type,
        found.database,
        found.catalog,
        found.is_only,
    ) == expected
    assert found.config is not None
    assert found.config["hostPort"] == "db.example:5432"


def test_no_secret_comes_out_or_is_kept(names: OpenMetadataMetadata, tmp_path: Path) -> None:
    found = names.catalog_source("pg.shop.public.orders")

    assert found is not None
    assert found.config is not None
    assert found.config["authType"] == {"password": "*********"}
    names.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"db.example" in kept
    assert b"s3cret" not in kept


def test_several_databases_are_several_catalogs(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    server.add_table("pg.hr.public.staff", {"id": "BIGINT"})

    found = names.catalog_source("pg.hr.public.staff")

    assert found is not None
    assert (found.catalog, found.is_only, found.database) == ("pg_hr", False, "hr")


@pytest.mark.parametrize("fqn", ["none.db.s.t", "pg.gone.s.t", "pg", "none"])
def test_what_is_not_there_has_no_source(names: OpenMetadataMetadata, fqn: str) -> None:
    assert names.catalog_source(fqn) is None


def test_a_connection_that_is_not_shown_is_none(names: OpenMetadataMetadata) -> None:
    found = names.catalog_source("bare.db.public.t")

    assert found is not None
    assert found.config is None


def test_an_answer_is_kept_until_a_fresh_one_is_wanted(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    names.catalog_source("pg.shop.public.orders")
    add(server, "pg", "Postgres", CONNECTION | {"hostPort": "new.example:5432"})
    server.clear_requests()

    old = names.catalog_source("pg.shop.public.orders")
    assert asked(server) == []
    new = names.catalog_source("pg.shop.public.orders", is_fresh=True)

    assert old is not None
    assert new is not None
    assert (old.config or {})["hostPort"] == "db.example:5432"
    assert (new.config or {})["hostPort"] == "new.example:5432"
    server.hard_delete("pg", kind="databaseService")
    assert names.catalog_source("pg.shop", is_fresh=True) is None


def test_a_server_that_is_away_is_no_service_that_is_gone(
    server: OpenMetadataServer, names: OpenMetadataMetadata
) -> None:
    """
    Else its catalogs would be dropped.
    """
    names.catalog_source("pg.shop")
    server.stop()

    with pytest.raises(MetadataUnavailable):
        names.catalog_source("pg.shop", is_fresh=True)
