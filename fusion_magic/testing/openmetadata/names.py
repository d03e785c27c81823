"""
OpenMetadata's names: parts joined by dots, and what a part may hold.

Only a part with a dot in it is quoted, and a quote cannot be escaped: ``lake."raw.events".2024``. A part that is
quoted without need has no quotes in the FQN, and is not found when it is looked up.
"""

from __future__ import annotations

import re

from .answers import bad_request
from .versions import Version

LONGEST_NAME = 256
LONGEST_FQN = 3072

_PART = re.compile(r'"[^"]*"|[^".]+')
_SINCE_2_FORBIDDEN = re.compile(r'[>"\x00-\x1f]')


def quote(part: str) -> str:
    """
    *part* as it stands in an FQN.
    """
    return f'"{part}"' if "." in part else part


def child_fqn(parent: str | None, name: str) -> str:
    """
    The FQN of *name* below *parent*; quotes that *name* does not need are not in it.
    """
    name = unquoted(name)
    return quote(name) if parent is None else f"{parent}.{quote(name)}"


def split(fqn: str) -> list[str]:
    """
    The parts of *fqn*, quotes kept.

    Raises:
        Refusal: It is none (400).
    """
    parts, at = [], 0
    while found := _PART.match(fqn, at):
        parts.append(found[0])
        at = found.end()
        if at == len(fqn):
            return parts
        if fqn[at] != ".":
            break
        at += 1
    raise bad_request(f"Invalid fully qualified name {fqn}")


def unquoted(name: str) -> str:
    """
    *name* without quotes around it.
    """
    return name[1:-1] if re.fullmatch(r'"[^"]+"', name) else name


def check_name(name: str, version: Version) -> None:
    """
    Refuse what no entity may be called.

    Raises:
        Refusal: It is too long, or has what this version forbids (400).
    """
    if not 1 <= len(name) <= LONGEST_NAME:
        raise bad_request(f"[name size must be between 1 and {LONGEST_NAME}]")
    if "::" in name or "\n" in name or (version >= (2, 0) and _SINCE_2_FORBIDDEN.search(name)):
        raise bad_request('[name must match "^((?!::).)*$"]')
    if '"' in unquoted(name):
        raise bad_request(f"Invalid name {name}")
