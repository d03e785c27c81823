"""
Questions to OpenMetadata's index: cut to what fits, in lower case.
"""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fusion_magic.metadata.openmetadata import search


def wanted(question: search.Question) -> list[object]:
    found = json.loads(str(question["query_filter"]))["query"]["bool"]["must"]
    return list(found)


def test_names_are_asked_for_in_lower_case_and_once() -> None:
    question = search.named(["pg.shop.public.Orders", "PG.shop.public.orders"])

    assert {"terms": {"fullyQualifiedName": ["pg.shop.public.orders"]}} in wanted(question)
    assert {"term": {"deleted": False}} in wanted(question)


def test_other_letters_than_ascii_take_no_escapes() -> None:
    """
    An escape would be six bytes of a short address instead of two.
    """
    assert "größe" in str(search.named(["pg.shop.public.Größe"])["query_filter"])


def test_words_are_left_to_the_server() -> None:
    question = search.words("total revenue", size=5, skip=10)

    assert (question["q"], question["size"], question["from"]) == ("total revenue", 5, 10)


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(9, 30))
def test_batches_are_as_few_as_fit_and_lose_nothing(sizes: list[int], room: int) -> None:
    items = ["x" * size for size in sizes]

    found = list(search.batches(items, lambda some: sum(map(len, some)) <= room))

    assert [item for batch in found for item in batch] == items
    assert all(sum(map(len, batch)) <= room for batch in found)
    for before, after in pairwise(found):
        assert sum(map(len, before)) + len(after[0]) > room


def test_an_item_that_fits_nowhere_goes_alone() -> None:
    found = list(search.batches(["a", "long", "b"], lambda some: sum(map(len, some)) <= 2))

    assert found == [["a"], ["long"], ["b"]]
