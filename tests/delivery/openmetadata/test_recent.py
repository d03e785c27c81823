"""
What was read a moment ago: for a time, up to a number.
"""

from __future__ import annotations

from fusion_magic.delivery.openmetadata.recent import Recent


def test_a_value_is_there_until_its_time_is_over() -> None:
    now = [0.0]
    recent = Recent[str, int](age_s=5, most=9, clock=lambda: now[0])
    recent.keep("a", 1)

    now[0] = 4.9
    assert recent.get("a") == 1
    now[0] = 5.0
    assert recent.get("a") is None
    assert recent.get("b") is None


def test_the_oldest_goes_where_there_are_too_many() -> None:
    recent = Recent[str, int](age_s=5, most=2)
    for number, key in enumerate("abac"):
        recent.keep(key, number)

    assert [recent.get(key) for key in "abc"] == [2, None, 3]


def test_what_is_dropped_is_gone() -> None:
    recent = Recent[str, int](age_s=5, most=2)
    recent.keep("a", 1)

    recent.drop("a", "b")

    assert recent.get("a") is None


def test_what_is_taken_is_one_ones_own() -> None:
    recent = Recent[str, int](age_s=5, most=2)
    recent.keep("a", 1)

    assert [recent.take("a"), recent.take("a")] == [1, None]
