"""
A server's names frozen into a catalog file, with which a test suite needs no server, and what has changed since.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_magic import connect
from fusion_magic.commands.catalog_files import DiffOptions, PullOptions, diff, pull
from fusion_magic.errors import InvalidArgument, InvalidCatalog
from fusion_magic.fusion import Fusion
from fusion_magic.testing.openmetadata import OpenMetadataServer

ORDERS, SPENT = "pg.shop.public.orders", "pg.shop.public.spent"


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.12.0") as started:
        started.add_table(ORDERS, {"id": "BIGINT", "total": "DOUBLE"}, description="Größe: one.")
        started.add_table(SPENT, {"id": "BIGINT"})
        started.add_table("pg.hr.public.staff", {"id": "BIGINT"})
        yield started


@pytest.fixture
def fusion(
    server: OpenMetadataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fusion]:
    monkeypatch.chdir(tmp_path)
    settings = {"metadata_url": server.url, "metadata_token": server.token}
    with connect(**settings, data_dir=str(tmp_path / "data"), metadata_max_age="1s") as opened:
        yield opened


def changes(fusion: Fusion, file: str = "catalog.yaml") -> list[tuple[str, str]]:
    return [(row["name"], row["change"]) for row in diff(fusion, DiffOptions(file=file)).data]


def later(fusion: Fusion) -> None:
    """
    Let go of what is kept, as time would.
    """
    fusion.metadata._cache.make_all_stale()  # type: ignore[attr-defined]


def test_a_frozen_suite_needs_no_server(
    server: OpenMetadataServer, fusion: Fusion, tmp_path: Path
) -> None:
    answer = pull(fusion, PullOptions(below=("pg.shop",), out="frozen.yaml"))
    server.stop()

    assert answer.data["names"] == [ORDERS, SPENT]
    with connect(metadata_url="frozen.yaml", data_dir=str(tmp_path / "other")) as offline:
        found = offline.describe(ORDERS)
        assert (found.id, found.description) == (server.get("table", ORDERS)["id"], "Größe: one.")
        assert [(c.name, c.type) for c in found.columns] == [("id", "bigint"), ("total", "double")]
        # Two databases of the service are two catalogs, also where one alone was frozen.
        assert found.trino_parts == ("pg_shop", "public", "orders")


def test_what_jobs_have_named_is_frozen_where_nothing_is_asked_for(fusion: Fusion) -> None:
    fusion.run(f"CREATE TABLE {ORDERS} AS SELECT 1 AS id")

    assert pull(fusion, PullOptions()).data["names"] == [ORDERS]
    assert changes(fusion) == []


def test_sources_that_a_person_added_stay(fusion: Fusion, tmp_path: Path) -> None:
    pull(fusion, PullOptions(below=("pg.shop",)))
    (tmp_path / "orders.csv").write_text("id,total\n1,2.5\n")
    file = tmp_path / "catalog.yaml"
    file.write_text(
        file.read_text().replace(
            "    kind: table\n", "    kind: table\n    source: orders.csv\n", 1
        )
    )

    pull(fusion, PullOptions(below=("pg.shop",)))

    assert file.read_text().count("source: orders.csv\n") == 1
    with connect(metadata_url=str(file), data_dir=str(tmp_path / "other")) as offline:
        assert offline.run(f"SELECT total FROM {ORDERS}").rows() == [(2.5,)]


def test_what_has_changed_is_said_and_fails_a_script(
    server: OpenMetadataServer, fusion: Fusion
) -> None:
    pull(fusion, PullOptions(below=("pg.shop",)))
    assert not diff(fusion, DiffOptions()).is_wrong

    server.add_table(ORDERS, {"id": "INT", "more": "DATE"}, description="Größe: one.")
    server.soft_delete(SPENT)
    later(fusion)
    answer = diff(fusion, DiffOptions())

    assert answer.is_wrong
    found = [(row["name"], row["change"]) for row in answer.data]
    assert found[:3] == [
        (ORDERS, "column total is gone"),
        (ORDERS, "column more is new"),
        (ORDERS, "column id: bigint → integer"),
    ]
    assert found[3][0] == SPENT
    assert "was deleted" in found[3][1]


def test_two_names_of_one_trino_table_are_one_in_the_file(
    server: OpenMetadataServer, fusion: Fusion
) -> None:
    server.add_table("pg.shop.public.Orders", {"id": "BIGINT"})

    answer = pull(fusion, PullOptions(below=("pg.shop.public",)))

    assert ORDERS in answer.data["names"]
    assert "pg.shop.public.Orders is left out" in answer.shown.text()
    assert changes(fusion) == []


def test_a_name_that_nothing_has_is_told(fusion: Fusion) -> None:
    with pytest.raises(InvalidArgument, match=r"Nothing is known below none\.db"):
        pull(fusion, PullOptions(below=("none.db",)))


def test_a_file_is_not_frozen_from_itself(fusion: Fusion, tmp_path: Path) -> None:
    pull(fusion, PullOptions(below=("pg.shop",)))
    with connect(data_dir=str(tmp_path / "other")) as offline, pytest.raises(InvalidArgument):
        pull(offline, PullOptions(below=("pg.shop",)))


def test_a_place_that_cannot_be_written_leaves_nothing_half(fusion: Fusion, tmp_path: Path) -> None:
    with pytest.raises(InvalidCatalog, match="cannot be written"):
        pull(fusion, PullOptions(below=("pg.shop",), out="none/catalog.yaml"))

    assert not (tmp_path / "none").exists()
