"""
What a change makes old: the thing itself and what lies below it, and no more lists than it must.
"""

from __future__ import annotations

import pytest

from fusion_magic.metadata.changes import MetadataChange
from fusion_magic.metadata.openmetadata.staleness import Told, names_above, told_by


def told(happened: str, kind: str, fqn: str) -> Told | None:
    return told_by(MetadataChange("e", f"entity{happened}", kind, fqn, 5))


def test_an_update_of_a_table_is_about_itself() -> None:
    assert told("Updated", "table", "pg.shop.public.orders") == Told("pg.shop.public.orders", 5)


@pytest.mark.parametrize("happened", ["Created", "Restored", "SoftDeleted", "Deleted"])
def test_a_table_that_is_new_or_gone_changes_the_list_it_is_in(happened: str) -> None:
    assert told(happened, "table", "pg.shop.public.orders") == Told(
        "pg.shop.public.orders", 5, ("below:pg.shop.public.",), is_new_or_gone=True
    )


def test_a_database_says_where_its_tables_are() -> None:
    found = told("Updated", "database", "pg.shop")

    assert found is not None
    assert found.facts == (
        "below:pg.",
        "below:pg.shop.",
        "schema:pg.shop",
        "trino:",
        "databases:pg",
    )


def test_a_service_is_in_the_first_list() -> None:
    found = told("Created", "storageService", '"s3.eu"')

    assert found is not None
    assert found.facts[:4] == (
        *("below:databases", "below:storages"),
        *('connection:"s3.eu"', 'below:"s3.eu".'),
    )


def test_a_test_of_data_changes_what_failed() -> None:
    assert told("Updated", "testCase", "pg.shop.public.orders.count") == Told(
        "", facts=("failed tests",)
    )


def test_what_is_no_name_changes_nothing() -> None:
    assert told("Updated", "table", 'pg."shop') is None
    assert names_above(['pg."shop', 'pg."a.b".c']) == {"pg", 'pg."a.b"'}
