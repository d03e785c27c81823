"""
The catalog file: what it says, and where its mistakes are.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fusion_magic.errors import InvalidCatalog
from fusion_magic.metadata.local import LocalMetadata

TEXT = """version: 1
models:
  shop_pg.shop.public.orders: {description: One row per order., trino: pg.public.o}
  shop_pg.shop.public.Orders2: {}
  s3."raw.events".clicks: {kind: container, source: clicks}
"""


@pytest.fixture
def catalog(tmp_path: Path) -> LocalMetadata:
    (tmp_path / "catalog.yaml").write_text(TEXT)
    return LocalMetadata(tmp_path / "catalog.yaml", cache_dir=tmp_path / "cache")


def test_names_are_found_exactly_by_case_and_by_trino_name(
    catalog: LocalMetadata, tmp_path: Path
) -> None:
    clicks = catalog.find_by_fqn(['s3."raw.events".clicks'])['s3."raw.events".clicks']

    assert clicks.source == str(tmp_path / "clicks")
    assert clicks.trino_parts == ("s3", "raw.events", "clicks")
    assert list(catalog.find_ignoring_case(["shop_pg.shop.public.ORDERS2"])) == [
        "shop_pg.shop.public.ORDERS2"
    ]
    assert list(catalog.find_by_trino_name([("pg", "PUBLIC", "o")])) == [("pg", "PUBLIC", "o")]


def test_it_is_searched_and_completed(catalog: LocalMetadata) -> None:
    assert catalog.search("row per").entities[0].fqn == "shop_pg.shop.public.orders"
    assert catalog.similar("shop_pg.shop.public.oders")[0] == "shop_pg.shop.public.orders"
    assert catalog.complete("s3.") == ('s3."raw.events".',)
    assert catalog.services() == {"s3": 1, "shop_pg": 2}


def test_a_changed_file_is_read_again(catalog: LocalMetadata, tmp_path: Path) -> None:
    catalog.services()
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels:\n  a.b: {}\n")
    time.sleep(0.3)

    assert catalog.services() == {"a": 1}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("version: 2\n", "line 1, column 10: version must be 1"),
        ("version: 1\nmodels:\n  a..b: {}\n", "line 3"),
        ("version: 1\nmodels:\n  a.b: {sourc: x}\n", "did you mean source?"),
        ("version: 1\nmodels:\n  a.b: {}\n  a.b: {}\n", "twice"),
        ("version: 1\nmodels:\n  a.b: {trino: x.y.z}\n  a.c: {trino: x.y.z}\n", "same Trino name"),
        ("version: [1\n", "no YAML"),
        ("", "empty"),
    ],
)
def test_a_mistake_is_shown_with_its_place(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "catalog.yaml").write_text(text)

    with pytest.raises(InvalidCatalog) as caught:
        LocalMetadata(tmp_path / "catalog.yaml", cache_dir=tmp_path).services()

    assert part in str(caught.value)
