"""
What OpenMetadata answered, kept: shared by processes, and never the reason why an answer is not there.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fusion_magic.metadata import Column, Entity
from fusion_magic.metadata.openmetadata.cache import Cache

ENTITY = Entity(
    id="1",
    fqn="pg.shop.public.Orders",
    kind="view",
    trino_parts=("pg", "public", "orders"),
    description="Größe",
    owners=("sales",),
    tags=("Tier.Tier1",),
    deprecated="Use others.",
    columns=(Column("id", "bigint", "The id.", ("PII.None",)), Column("note")),
    deleted="It was deleted.",
)


def test_an_entity_comes_back_whole(tmp_path: Path) -> None:
    Cache(tmp_path / "folder" / "names.db").write([ENTITY], ["pg.shop.public.none"])

    again = Cache(tmp_path / "folder" / "names.db")

    kept = again.names([ENTITY.fqn, "pg.shop.public.none", "pg.shop.public.other"])
    assert {fqn: k.entity for fqn, k in kept.items()} == {
        ENTITY.fqn: ENTITY,
        "pg.shop.public.none": None,
    }
    assert again.all_names() == [ENTITY.fqn]
    assert again.ignoring_case(["PG.shop.public.orders", "x"]) == {
        "PG.shop.public.orders": (ENTITY,)
    }


def test_more_names_than_a_statement_has_places_for_are_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "names.db")
    fqns = [f"a.b.c.t{number}" for number in range(3000)]
    cache.write([], fqns)

    assert len(cache.names(fqns)) == 3000


def test_what_another_process_writes_changes_the_version(tmp_path: Path) -> None:
    one, other = Cache(tmp_path / "names.db"), Cache(tmp_path / "names.db")
    before = one.version()
    assert one.version() == before

    other.write([ENTITY])

    assert one.version() != before
    assert one.names([ENTITY.fqn])[ENTITY.fqn].entity == ENTITY


def test_facts_have_an_age(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "names.db")
    cache.keep_fact("services", ["a", "b"])

    assert cache.fact("services", max_age_s=60) == ["a", "b"]
    assert cache.fact("services", max_age_s=0) is None
    assert cache.fact("other", max_age_s=60) is None


@pytest.mark.parametrize("damage", [b"no database " * 500, b""])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "names.db"
    path.write_bytes(damage)
    cache = Cache(path)

    cache.names([ENTITY.fqn])
    cache.write([ENTITY])

    assert Cache(path).names([ENTITY.fqn])[ENTITY.fqn].entity == ENTITY


def test_a_folder_that_cannot_be_made_costs_only_the_sharing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = Cache(tmp_path / "file" / "names.db")

    cache.write([ENTITY])

    assert cache.names([ENTITY.fqn])[ENTITY.fqn].entity == ENTITY


def test_threads_and_processes_write_at_once(tmp_path: Path) -> None:
    caches = [Cache(tmp_path / "names.db") for _ in range(2)]

    def write(number: int) -> None:
        for turn in range(20):
            caches[number % 2].write([], [f"a.b.c.t{number}_{turn}"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    fqns = [f"a.b.c.t{number}_{turn}" for number in range(4) for turn in range(20)]
    assert len(caches[0].names(fqns)) == 80
