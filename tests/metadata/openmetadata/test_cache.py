"""
What OpenMetadata answered, kept: shared by processes, and never the reason why an answer is not there.
"""

from __future__ import annotations

import threading
import time
from math import inf
from pathlib import Path

import pytest

from fusion_magic.metadata import Column, Entity
from fusion_magic.metadata.openmetadata.cache import Cache, Kept
from fusion_magic.metadata.openmetadata.staleness import Told

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


def kept_after(
    tmp_path: Path, told: Told, *, updated_ms: int | None = None, asked_at: float | None = None
) -> Kept:
    """
    What is kept of an answer that comes after an event.
    """
    cache = Cache(tmp_path / "names.db")
    cache.tell([told])
    times = {ENTITY.fqn: updated_ms} if updated_ms is not None else {}
    cache.write([ENTITY], asked_at=asked_at, updated_ms=times)
    return cache.names([ENTITY.fqn])[ENTITY.fqn]


def test_what_the_index_says_is_stale_where_an_event_knows_better(tmp_path: Path) -> None:
    told = Told(ENTITY.fqn, 2000)

    assert kept_after(tmp_path, told, updated_ms=1999).is_stale
    assert not kept_after(tmp_path, told, updated_ms=2000).is_stale


def test_an_answer_by_name_is_believed_unless_the_event_came_after_the_question(
    tmp_path: Path,
) -> None:
    """
    Another server's event of the same name must not have it asked for in each cell.
    """
    told = Told(ENTITY.fqn, 2000)

    assert not kept_after(tmp_path, told).is_stale
    assert kept_after(tmp_path, told, asked_at=time.time() - 1).is_stale


def test_an_event_makes_stale_what_lies_below_and_nothing_beside(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "names.db")
    fqns = ["pg.shop", "pg.shop.public.a", "PG.Shop.public.b", "pg.shopping.public.a", "p.shop.x.y"]
    cache.write([], fqns)
    cache.tell([Told("pg.shop")])

    assert {fqn for fqn, kept in cache.names(fqns).items() if kept.is_stale} == set(fqns[:3])
    assert cache.told_ms(fqns).keys() == {"pg.shop", "pg.shop.public.a"}


def test_facts_end_but_stay_for_a_server_that_is_away(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "names.db")
    for key in ("below:pg.", "below:pg.shop.", "below:pgx."):
        cache.keep_fact(key, 1)
    cache.tell([Told("pg.shop", facts=("below:pg.",))])

    assert cache.fact("below:pg.shop.", max_age_s=60) is None
    assert cache.fact("below:pg.shop.", max_age_s=inf) == 1
    assert cache.fact("below:pgx.", max_age_s=60) == 1
