"""
Our own names in OpenMetadata's words.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_magic.delivery.openmetadata.own import (
    NOTEBOOKS,
    RESULTS,
    asset_name,
    own_fqn,
    own_part,
    task_of,
)
from fusion_magic.jobs.lineage_rows import notebook_fqn
from fusion_magic.jobs.resolve import result_fqn
from tests.delivery.openmetadata.jobs import stored


@pytest.mark.parametrize("name", ["a.ipynb", "console", 'x "y".ipynb', "a/b c"])
def test_names_are_those_that_jobs_give(name: str) -> None:
    assert own_fqn(NOTEBOOKS, name) == notebook_fqn(name)
    assert own_fqn(RESULTS, name) == result_fqn(name)
    assert own_part(notebook_fqn(name), NOTEBOOKS) == name
    assert own_part(result_fqn(name), NOTEBOOKS) is None


@pytest.mark.parametrize("fqn", ["fusion.notebooks", "fusion.notebooks.a.b", "x.notebooks.a"])
def test_other_names_are_not_ours(fqn: str) -> None:
    assert own_part(fqn, NOTEBOOKS) is None


@given(st.text())
def test_every_name_becomes_one_that_openmetadata_takes(name: str) -> None:
    stored_as = asset_name(name)

    assert 1 <= len(stored_as) <= 256
    assert not set('">') & set(stored_as)
    assert "::" not in stored_as
    assert min(stored_as) >= " "


def test_long_names_that_begin_alike_are_two() -> None:
    assert asset_name("a" * 300) != asset_name("a" * 301)


def test_a_statement_with_other_literals_is_the_same_task_where_they_are_masked() -> None:
    one, other = (stored(user_query=f"SELECT {n}") for n in (1, 2))

    for how in ("masked", "none"):
        assert task_of(one, how) == task_of(other, how)
    assert task_of(one, "full") != task_of(other, "full")


def test_a_statement_that_cannot_be_masked_is_a_task_of_its_own_and_not_told() -> None:
    one, other = (stored(user_query="SELECT 'open") for _ in range(2))

    assert task_of(one, "masked")["name"] != task_of(other, "masked")["name"]
    assert "SELECT" not in str(task_of(one, "masked"))
