"""
The contract of catalogues of names: what a look-up, a search and completion count on, for each of them.

A new catalogue needs one entry of ``CATALOGUES``, which gives it the same three entities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import pytest

from fusion_magic.config import load_settings
from fusion_magic.metadata import Column, Entity, Metadata
from fusion_magic.metadata.base import ListedMetadata
from fusion_magic.metadata.catalog_file.metadata import CatalogFileMetadata
from fusion_magic.metadata.openmetadata.metadata import open_metadata
from fusion_magic.testing.openmetadata import OpenMetadataServer

ORDERS, UPPER, CLICKS = "pg.shop.public.orders", "pg.shop.public.Orders", 's3."raw.events".clicks'
TEXT = f"""version: 1
models:
  {ORDERS}:
    trino: lake.public.orders
    description: One row per purchase.
    owners: [sales]
    columns: [{{name: id, type: bigint}}, {{name: total, type: 'decimal(15,2)'}}]
  {UPPER}: {{trino: lake.public.upper, deprecated: Use orders.}}
  {CLICKS}: {{kind: container, description: What people clicked., tags: [PII.Sensitive]}}
"""


def from_file(folder: Path) -> Metadata:
    (folder / "catalog.yaml").write_text(TEXT)
    return CatalogFileMetadata(folder / "catalog.yaml", cache_dir=folder / "cache")


def from_list(folder: Path) -> Metadata:
    columns = (Column("id", "bigint"), Column("total", "decimal(15,2)"))
    entities = [
        Entity(
            id="1",
            fqn=ORDERS,
            kind="table",
            trino_parts=("lake", "public", "orders"),
            description="One row per purchase.",
            owners=("sales",),
            columns=columns,
        ),
        Entity(
            id="2",
            fqn=UPPER,
            kind="table",
            trino_parts=("lake", "public", "upper"),
            deprecated="Use orders.",
        ),
        Entity(
            id="3",
            fqn=CLICKS,
            kind="container",
            trino_parts=("s3", "raw.events", "clicks"),
            description="What people clicked.",
            tags=("PII.Sensitive",),
        ),
    ]
    return ListedMetadata(lambda: entities, where="a list")


def tag(name: str) -> dict[str, str]:
    return {
        "tagFQN": name,
        "source": "Classification",
        "labelType": "Manual",
        "state": "Confirmed",
    }


@contextmanager
def from_openmetadata(folder: Path) -> Iterator[Metadata]:
    """
    The server that ``tests/contracts/openmetadata`` holds equal to a real one, in a version that knows deprecated tables.
    """
    with OpenMetadataServer(version="1.12.0") as server:
        sales = {"id": server.add("user", name="sales", email="sales@example.com"), "type": "user"}
        columns: list[dict[str, object]] = [
            {"name": "id", "dataType": "BIGINT"},
            {"name": "total", "dataType": "DECIMAL", "precision": 15, "scale": 2},
        ]
        server.add_table(ORDERS, columns, description="One row per purchase.", owners=[sales])
        server.add_table(UPPER, {"id": "BIGINT"}, entityStatus="Deprecated")
        server.add_container(
            CLICKS, description="What people clicked.", tags=[tag("PII.Sensitive")]
        )
        settings = load_settings(
            overrides={
                "metadata_url": server.url,
                "metadata_token": server.token,
                "data_dir": str(folder),
                "catalogs": "pg=lake",
            },
            environment={},
            folder=folder,
        )
        with closing(open_metadata(settings)) as metadata:
            yield metadata


CATALOGUES: dict[str, Callable[[Path], AbstractContextManager[Metadata]]] = {
    "catalog file": lambda folder: nullcontext(from_file(folder)),
    "list": lambda folder: nullcontext(from_list(folder)),
    "OpenMetadata": from_openmetadata,
}


@pytest.fixture(params=CATALOGUES)
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Metadata]:
    with CATALOGUES[request.param](tmp_path) as made:
        yield made


def test_a_name_is_found_exactly_and_what_is_unknown_is_left_out(catalogue: Metadata) -> None:
    found = catalogue.find_by_fqn([ORDERS, CLICKS, "pg.shop.public.none"])

    assert set(found) == {ORDERS, CLICKS}
    entity = found[ORDERS]
    assert (entity.fqn, entity.kind, entity.trino_parts) == (
        ORDERS,
        "table",
        ("lake", "public", "orders"),
    )
    assert [(column.name, column.type) for column in entity.columns] == [
        ("id", "bigint"),
        ("total", "decimal(15,2)"),
    ]
    assert found[CLICKS].trino_parts == ("s3", "raw.events", "clicks")
    assert catalogue.find_by_fqn([]) == {}


def test_an_entity_keeps_its_id(catalogue: Metadata) -> None:
    first, second = (catalogue.find_by_fqn([ORDERS])[ORDERS].id for _ in range(2))

    assert first == second != ""


def test_what_differs_only_in_case_are_two_and_both_are_found(catalogue: Metadata) -> None:
    found = catalogue.find_ignoring_case(["PG.shop.public.ORDERS", "pg.shop.public.none"])

    assert set(found) == {"PG.shop.public.ORDERS"}
    assert {entity.fqn for entity in found["PG.shop.public.ORDERS"]} == {ORDERS, UPPER}


def test_a_trino_name_leads_back_in_any_case(catalogue: Metadata) -> None:
    asked = [("LAKE", "public", "Orders"), ("lake", "public", "none")]

    found = catalogue.find_by_trino_name(asked)

    assert {name: entity.fqn for name, entity in found.items()} == {asked[0]: ORDERS}


def test_similar_names_come_best_first_and_no_more_than_wanted(catalogue: Metadata) -> None:
    assert catalogue.similar("pg.shop.public.oders")[0] in {ORDERS, UPPER}
    assert len(catalogue.similar("pg.shop.public.oders", limit=1)) == 1


@pytest.mark.parametrize(
    ("text", "fqn"),
    [("orders", ORDERS), ("purchase", ORDERS), ("clicked people", CLICKS), ("total", ORDERS)],
)
def test_search_finds_by_name_description_and_column(
    catalogue: Metadata, text: str, fqn: str
) -> None:
    assert fqn in [entity.fqn for entity in catalogue.search(text).entities]


def test_search_comes_in_pages(catalogue: Metadata) -> None:
    first = catalogue.search("shop", limit=1)
    assert len(first.entities) == 1
    assert first.after is not None
    second = catalogue.search("shop", limit=1, after=first.after)

    assert {entity.fqn for entity in (*first.entities, *second.entities)} == {ORDERS, UPPER}
    assert second.after is None
    assert catalogue.search("xyzzyplugh").entities == ()


@pytest.mark.parametrize(
    ("prefix", "texts"),
    [
        ("", {"pg.", "s3."}),
        ("p", {"pg."}),
        ("pg.shop.", {"pg.shop.public."}),
        ("s3.", {'s3."raw.events".'}),
        ('s3."raw.events".', {CLICKS}),
        ("none.", set()),
    ],
)
def test_completion_goes_part_by_part(catalogue: Metadata, prefix: str, texts: set[str]) -> None:
    assert set(catalogue.complete(prefix)) == texts


def test_completion_of_the_last_part_gives_whole_names(catalogue: Metadata) -> None:
    assert {ORDERS, UPPER} <= set(catalogue.complete("pg.shop.public."))
    assert len(catalogue.complete("pg.shop.public.", limit=1)) == 1


def test_services_are_counted(catalogue: Metadata) -> None:
    counted = catalogue.services()

    assert set(counted) == {"pg", "s3"}
    assert counted["pg"] == 2


def test_the_version_stands_while_nothing_changes(catalogue: Metadata) -> None:
    assert catalogue.version() == catalogue.version()


def test_governance_comes_with_the_entity(catalogue: Metadata) -> None:
    found = catalogue.find_by_fqn([ORDERS, UPPER, CLICKS])

    assert found[ORDERS].owners == ("sales",)
    assert found[UPPER].deprecated
    assert found[CLICKS].tags == ("PII.Sensitive",)
    assert found[CLICKS].kind == "container"


def test_it_says_where_names_come_from(catalogue: Metadata) -> None:
    assert catalogue.about()
