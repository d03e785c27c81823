"""
The catalog file: what it says, and where its mistakes are.
"""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from fusion_magic.errors import InvalidCatalog
from fusion_magic.metadata.catalog_file.metadata import CatalogFileMetadata

TEXT = """version: 1
models:
  shop_pg.shop.public.orders: {description: One row per order., trino: pg.public.o}
  shop_pg.shop.public.Orders2: {}
  s3."raw.events".clicks: {kind: container, source: clicks}
"""


@pytest.fixture
def catalog(tmp_path: Path) -> CatalogFileMetadata:
    (tmp_path / "catalog.yaml").write_text(TEXT)
    return CatalogFileMetadata(tmp_path / "catalog.yaml", cache_dir=tmp_path / "cache")


def test_names_are_found_exactly_by_case_and_by_trino_name(
    catalog: CatalogFileMetadata, tmp_path: Path
) -> None:
    clicks = catalog.find_by_fqn(['s3."raw.events".clicks'])['s3."raw.events".clicks']

    assert clicks.source == str(tmp_path / "clicks")
    assert clicks.trino_parts == ("s3", "raw.events", "clicks")
    assert list(catalog.find_ignoring_case(["shop_pg.shop.public.ORDERS2"])) == [
        "shop_pg.shop.public.ORDERS2"
    ]
    assert list(catalog.find_by_trino_name([("pg", "PUBLIC", "o")])) == [("pg", "PUBLIC", "o")]


def test_it_is_searched_and_completed(catalog: CatalogFileMetadata) -> None:
    assert catalog.search("row per").entities[0].fqn == "shop_pg.shop.public.orders"
    assert catalog.similar("shop_pg.shop.public.oders")[0] == "shop_pg.shop.public.orders"
    assert catalog.complete("s3.") == ('s3."raw.events".',)
    assert catalog.services() == {"s3": 1, "shop_pg": 2}


def test_a_changed_file_is_read_again(catalog: CatalogFileMetadata, tmp_path: Path) -> None:
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
        ('version: 1\nmodels:\n  a.b: {}\n  a."b": {}\n', "line 4, column 10: a.b is there twice"),
        ("version: 1\nversion: 1\n", "line 2, column 1: version is there twice"),
        ("version: 1\nmodels:\n  a.b: {tags: x}\n", "line 3, column 15: tags must be a list"),
        ("version: 1\nmodels:\n  a.b: {columns: [id]}\n", "a column must be a mapping"),
        ("version: 1\nmodels:\n  a.b: {description: {x: 1}}\n", "description must be a text"),
        ("version: 1\nmodels: [a.b]\n", "line 2, column 9: models must be a mapping"),
        ("version: 1\nmodels:\n\ta.b: {}\n", "line 3, column 1"),
        ("version: 1\n---\nversion: 1\n", "no YAML"),
        ("version: [1\n", "no YAML"),
        ("", "empty"),
    ],
)
def test_a_mistake_is_shown_with_its_place(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "catalog.yaml").write_text(text)

    with pytest.raises(InvalidCatalog) as caught:
        CatalogFileMetadata(tmp_path / "catalog.yaml", cache_dir=tmp_path).services()

    assert part in str(caught.value)


BOMB = "version: 1\nmodels:\n  a.b:\n    tags: &l0 [lol]\n" + "".join(
    f"  a.c{n}: {{tags: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]}}\n" for n in range(1, 30)
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("content", "part"),
    [
        (BOMB.encode(), "tags must be a text"),
        (b"version: 1\nmodels: " + b"[" * 100_000, "nested too deeply: line 2"),
        (b"version: 1\nmodels:\n  a.b: {description: caf\xe9}\n", "UTF-8"),
        (b"version: 1\nmodels: &m\n  a.b: *m\n", "a.b"),
        (b"version: 1\nmodels: !!python/object/apply:os.system [id]\n", "must be a mapping"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    """
    Without hanging, without running anything.
    """
    (tmp_path / "catalog.yaml").write_bytes(content)

    with pytest.raises(InvalidCatalog) as caught:
        CatalogFileMetadata(tmp_path / "catalog.yaml", cache_dir=tmp_path).services()

    assert part in str(caught.value)


def test_aliases_a_bom_and_windows_lines_are_read(tmp_path: Path) -> None:
    text = "\ufeffversion: 1\nmodels:\n  a.b: {columns: &c [{name: id}]}\n  a.c: {columns: *c}\n"
    (tmp_path / "catalog.yaml").write_bytes(text.replace("\n", "\r\n").encode())
    catalog = CatalogFileMetadata(tmp_path / "catalog.yaml", cache_dir=tmp_path)

    assert [c.name for c in catalog.find_by_fqn(["a.c"])["a.c"].columns] == ["id"]


def test_names_that_differ_only_in_case_are_two(tmp_path: Path) -> None:
    text = "version: 1\nmodels:\n  a.b: {trino: x.y.one}\n  a.B: {trino: x.y.two}\n"
    (tmp_path / "catalog.yaml").write_text(text)
    catalog = CatalogFileMetadata(tmp_path / "catalog.yaml", cache_dir=tmp_path)

    assert catalog.find_by_fqn(["a.B"])["a.B"].trino_parts[-1] == "two"
    assert len(catalog.find_ignoring_case(["A.B"])["A.B"]) == 2


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """
    A catalog that is large enough for an index in the cache.
    """
    path = tmp_path / "large.yaml"
    models = "".join(f"  a.b.t{n}: {{description: {'word ' * 100}}}\n" for n in range(3000))
    path.write_text(f"version: 1\nmodels:\n  a.huge: {{description: {'x' * 10_000_000}}}\n{models}")
    return path


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "inside"])
def test_a_cache_that_is_damaged_is_made_again(large: Path, tmp_path: Path, damage: str) -> None:
    CatalogFileMetadata(large, cache_dir=tmp_path / "cache").services()
    [index] = cached(tmp_path)
    content = index.read_bytes()
    index.write_bytes(
        {
            "text": b"no database",
            "empty": b"",
            "cut": content[:5000],
            "inside": content[:8192] + b"\xff" * (len(content) - 8192),
        }[damage]
    )

    assert CatalogFileMetadata(large, cache_dir=tmp_path / "cache").services() == {"a": 3001}


def test_the_index_of_an_earlier_file_is_removed(large: Path, tmp_path: Path) -> None:
    CatalogFileMetadata(large, cache_dir=tmp_path / "cache").services()
    before = cached(tmp_path)
    large.write_text(large.read_text().replace("a.b.t7:", "a.b.seven:"))

    assert CatalogFileMetadata(large, cache_dir=tmp_path / "cache").find_by_fqn(["a.b.seven"])
    assert len(cached(tmp_path)) == 1
    assert cached(tmp_path) != before


def test_a_cache_that_cannot_be_written_costs_no_answer(large: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")

    assert CatalogFileMetadata(large, cache_dir=tmp_path / "cache").services() == {"a": 3001}


def test_kernels_that_make_the_cache_at_once_all_get_their_answer(
    large: Path, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        answers = pool.starmap(services_of, [(large, tmp_path / "cache")] * 3)

    assert answers == [{"a": 3001}] * 3
    assert len(cached(tmp_path)) == 1


def services_of(path: Path, cache_dir: Path) -> dict[str, int]:
    return dict(CatalogFileMetadata(path, cache_dir=cache_dir).services())
