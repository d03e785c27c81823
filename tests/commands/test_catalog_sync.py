"""
``catalog sync``: what is shown, what is asked, and what is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_magic.commands.catalog_sync import SyncOptions, sync, would_sync
from fusion_magic.errors import InvalidArgument
from fusion_magic.fusion import Fusion
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.jobs.test_catalogs import ORDERS, Engine, ensure, opened, put

DRY = SyncOptions(is_dry_run=True)


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        put(started)
        started.add_table(ORDERS, {"id": "BIGINT"})
        yield started


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


@pytest.fixture
def fusion(server: OpenMetadataServer, engine: Engine, tmp_path: Path) -> Iterator[Fusion]:
    with opened(server, engine, tmp_path) as made:
        ensure(made)
        yield made


def test_nothing_is_to_be_done(fusion: Fusion) -> None:
    assert would_sync(fusion, SyncOptions()) is None
    assert [row["what"] for row in sync(fusion, SyncOptions()).data] == ["stays"]


def test_a_dry_run_shows_what_would_be_made_anew_and_changes_nothing(
    server: OpenMetadataServer, fusion: Fusion, engine: Engine
) -> None:
    put(server, hostPort="new.example:5432")

    answer = sync(fusion, DRY)

    [row] = answer.data
    assert (row["catalog"], row["source"], row["what"]) == ("pg", "pg.shop", "make anew")
    assert "new.example" in row["statement"]
    assert "new.example" in answer.shown.text()
    assert "s3cret" not in str(answer.data) + answer.shown.text()
    assert would_sync(fusion, DRY) is None
    assert engine.maker.log == ["make pg"]


def test_what_is_agreed_to_is_done(
    server: OpenMetadataServer, fusion: Fusion, engine: Engine
) -> None:
    server.hard_delete("pg", kind="databaseService")

    asked = would_sync(fusion, SyncOptions())
    answer = sync(fusion, SyncOptions())

    assert asked is not None
    assert (asked.asked, asked.question) == (
        "1 catalog of the engine would be made anew, dropped or forgotten",
        "Change these catalogs?",
    )
    assert [row["what"] for row in answer.data] == ["dropped"]
    assert "pg" not in engine.maker.there
    assert sync(fusion, DRY).data == []


def test_without_leave_it_only_shows(
    server: OpenMetadataServer, engine: Engine, tmp_path: Path, fusion: Fusion
) -> None:
    server.hard_delete("pg", kind="databaseService")
    with opened(server, engine, tmp_path, engine_create_catalogs="never") as forbidden:
        assert [row["what"] for row in sync(forbidden, DRY).data] == ["drop"]
        with pytest.raises(InvalidArgument, match="create_catalogs is never"):
            sync(forbidden, SyncOptions())

    assert "pg" in engine.maker.there
