"""
Sizes and ages as people write them.
"""

from __future__ import annotations

import re

from fusion_magic.errors import InvalidArgument, InvalidSettings

_SIZE_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_SIZE_UNITS |= {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_AGE_UNITS_S = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_size(value: object, *, where: str = "results.max_memory") -> int:
    """
    Bytes from a number of bytes or a text such as ``2 GiB`` or ``500MB``.

    >>> parse_size("1.5 GiB")
    1610612736

    Raises:
        InvalidSettings: It is no such text; *where* says where it stands.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(value))
    unit = match and _SIZE_UNITS.get(match[2].upper())
    if match is None or unit is None or isinstance(value, bool):
        raise InvalidSettings(
            f"{value!r} is no size in bytes ({where}).", hint="Write it like 2 GiB or 500 MB."
        )
    return int(float(match[1]) * unit)


def show_size(size_bytes: float) -> str:
    """
    >>> show_size(999), show_size(1_234_567)
    ('999 bytes', '1.2 MB')
    """
    if size_bytes < 1000:
        return f"{size_bytes:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        size_bytes /= 1000
        if size_bytes < 1000:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / 1000:,.1f} TB"


def parse_age(text: str) -> float:
    """
    Seconds from a text such as ``90s``, ``15min``, ``1h``, ``30d``, ``2w``.

    >>> parse_age("1.5h")
    5400.0

    Raises:
        InvalidArgument: It is no such text.
    """
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d+)?)\s*([a-z]+)\s*", text.lower())
    if match is None or match[2] not in _AGE_UNITS_S:
        raise InvalidArgument(
            f"{text!r} is not an age.", hint="Write it like 90s, 15min, 1h, 30d or 2w."
        )
    return float(match[1]) * _AGE_UNITS_S[match[2]]
