"""
Completion of FQNs from an OpenMetadata server: quick with many tables, one request a level.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fusion_magic.metadata.openmetadata.metadata import OpenMetadataMetadata
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.openmetadata import asked, open_names


@pytest.fixture(scope="module")
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        started.add_tables(f"pg.shop.public.t{number:05}" for number in range(3000))
        started.add_tables(["pg.shop.Archive.Old", "pg.hr.public.staff", "pg2.a.b.c"])
        started.add_container('s3."raw.events".clicks.daily')
        yield started


@pytest.fixture
def names(server: OpenMetadataServer, tmp_path: Path) -> Iterator[OpenMetadataMetadata]:
    with closing(open_names(server, tmp_path)) as opened:
        server.clear_requests()
        yield opened


@pytest.mark.parametrize(
    ("prefix", "texts"),
    [
        ("", ("pg.", "pg2.", "s3.")),
        ("pg", ("pg.", "pg2.")),
        ("pg.", ("pg.hr.", "pg.shop.")),
        ("PG.SH", ("pg.shop.",)),
        ("pg.shop.", ("pg.shop.Archive.", "pg.shop.public.")),
        ("pg.shop.archive.", ("pg.shop.Archive.Old",)),
        ("pg.shop.public.t0299", tuple(f"pg.shop.public.t0299{n}" for n in range(10))),
        ("s3.", ('s3."raw.events".',)),
        ('s3."ra', ('s3."raw.events".',)),
        ('s3."raw.events".', ('s3."raw.events".clicks.',)),
        ('s3."raw.events".clicks.', ('s3."raw.events".clicks.daily',)),
        ("pg.shop.public.t00001.", ()),
        ("none.", ()),
        ("pg..", ()),
    ],
)
def test_parts_follow_parts(
    names: OpenMetadataMetadata, prefix: str, texts: tuple[str, ...]
) -> None:
    assert names.complete(prefix) == texts


def test_a_long_level_is_cut_and_a_longer_prefix_finds_the_rest(
    names: OpenMetadataMetadata,
) -> None:
    assert len(names.complete("pg.shop.public.", limit=100)) == 100
    assert names.complete("pg.shop.public.t02999") == ("pg.shop.public.t02999",)


def test_a_level_is_asked_for_once(server: OpenMetadataServer, names: OpenMetadataMetadata) -> None:
    for prefix in ("pg.hr.public.", "pg.hr.public.s", "pg.hr.public.st"):
        assert names.complete(prefix) == ("pg.hr.public.staff",)

    assert len(asked(server, "/search/query")) == 1
