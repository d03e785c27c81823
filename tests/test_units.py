"""
Sizes and ages as people write them.
"""

from __future__ import annotations

import pytest

from fusion_magic.errors import InvalidArgument, InvalidSettings
from fusion_magic.units import parse_age, parse_size


@pytest.mark.parametrize(
    ("text", "size"), [("2 GiB", 2 << 30), ("500MB", 500_000_000), (10, 10), ("1.5kib", 1536)]
)
def test_sizes_are_read_with_their_units(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1 XB", True, "GiB"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(InvalidSettings):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1 year", "1d; x"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="is not an age"):
        parse_age(text)


def test_ages_are_read() -> None:
    assert [parse_age(t) for t in ("90s", "15min", "1h", "30d", "2 W")] == [
        90,
        900,
        3600,
        2_592_000,
        1_209_600,
    ]
