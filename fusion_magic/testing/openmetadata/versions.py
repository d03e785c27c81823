"""
What differs between versions of OpenMetadata, as words with marks: ``domain<1.9 domains>=1.9 tags``.
"""

from __future__ import annotations

import re
from functools import cache

Version = tuple[int, int]

_NUMBERS = re.compile(r"(\d+)\.(\d+)")
_WORD = re.compile(r"(?P<name>[^<>=]+)(?:(?P<sign>>=|<)(?P<version>[\d.]+))?")


def parse_version(text: str) -> Version:
    """
    Major and minor of *text*.

    Raises:
        ValueError: *text* does not begin with two numbers.
    """
    found = _NUMBERS.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no version of OpenMetadata, such as 1.6.0.")
    return int(found[1]), int(found[2])


def words(text: str) -> frozenset[str]:
    """
    The words of *text*.
    """
    return frozenset(text.split())


@cache
def select(words: str, version: Version) -> frozenset[str]:
    """
    Those of *words* that *version* has.
    """
    return frozenset(ordered(words, version))


def ordered(words: str, version: Version) -> list[str]:
    """
    As ``select``, in the order of *words*.
    """
    found = [match for word in words.split() if (match := _WORD.fullmatch(word))]
    return [one["name"] for one in found if _has(one, version)]


def _has(word: re.Match[str], version: Version) -> bool:
    if word["sign"] is None:
        return True
    bound = parse_version(word["version"])
    return version >= bound if word["sign"] == ">=" else version < bound
