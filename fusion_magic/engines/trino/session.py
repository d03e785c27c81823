"""
What statements change of a connection: Trino announces it in headers, and expects it back with each statement.

    SET SESSION, SET TIME ZONE, RESET SESSION     properties
    SET ROLE                                      a role for each catalog
    PREPARE, DEALLOCATE PREPARE                   statements by name
    SET PATH, SET SESSION AUTHORIZATION           the path, and for whom the user acts

Pairs of names and values come url-encoded and go back so, single names come as they are. All are kept as they came.
Source: Trino, "Client protocol", https://trino.io/docs/476/develop/client-protocol.html
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from urllib.parse import quote

from fusion_magic.errors import InvalidSettings

_PAIRS = {
    "X-Trino-Session": ("X-Trino-Set-Session", "X-Trino-Clear-Session"),
    "X-Trino-Prepared-Statement": ("X-Trino-Added-Prepare", "X-Trino-Deallocated-Prepare"),
    "X-Trino-Role": ("X-Trino-Set-Role", ""),
    "X-Trino-Original-Roles": ("X-Trino-Set-Original-Roles", ""),
}
_SINGLE = {
    "X-Trino-Catalog": "X-Trino-Set-Catalog",
    "X-Trino-Schema": "X-Trino-Set-Schema",
    "X-Trino-Path": "X-Trino-Set-Path",
}
_AUTHORIZATION_USER = "X-Trino-Set-Authorization-User"
_NO_AUTHORIZATION_USER = "X-Trino-Reset-Authorization-User"
_ANSWERS = frozenset(
    name.lower()
    for name in (
        *_SINGLE.values(),
        *itertools.chain(*_PAIRS.values()),
        *(_AUTHORIZATION_USER, _NO_AUTHORIZATION_USER),
    )
)


class Session:
    """
    One connection's session. Safe to use from several threads.

    Args:
        catalog: Of names that have none, ``schema`` likewise.

        roles: As ``parse_roles`` gives them.
    """

    def __init__(self, *, catalog: str, schema: str, roles: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._single = {"X-Trino-Catalog": catalog, "X-Trino-Schema": schema}
        self._pairs: dict[str, dict[str, str]] = {name: {} for name in _PAIRS}
        self._pairs["X-Trino-Role"].update(roles)
        self._acting_for = ""

    def headers(self) -> dict[str, str]:
        """
        The headers of a statement. They are all that another process needs to run it in the same session.
        """
        with self._lock:
            joined = {
                name: ",".join(f"{key}={value}" for key, value in pairs.items())
                for name, pairs in self._pairs.items()
            }
            found = {**self._single, **joined, "X-Trino-User": self._acting_for}
        return {name: value for name, value in found.items() if value}

    def with_properties(self, properties: Mapping[str, str]) -> dict[str, str]:
        """
        The headers of a statement that is to have more session properties than the others.
        """
        found = self.headers()
        own = [f"{name}={quote(value)}" for name, value in properties.items()]
        joined = ",".join(filter(None, (found.get("X-Trino-Session"), *own)))
        return found | {"X-Trino-Session": joined}

    @property
    def default_schema(self) -> tuple[str, ...]:
        """
        Catalog and schema of names that have none; shorter where there is none.
        """
        with self._lock:
            named = (self._single["X-Trino-Catalog"], self._single["X-Trino-Schema"])
        return tuple(name for name in named if name)

    def remember(self, headers: Mapping[str, str]) -> None:
        """
        Note what an answer of Trino changes.
        """
        if _ANSWERS.isdisjoint(map(str.lower, headers)):
            return  # nearly every page, and there are a thousand a second
        with self._lock:
            for name, answer in _SINGLE.items():
                self._single[name] = headers.get(answer, self._single.get(name, ""))
            for name, (added, removed) in _PAIRS.items():
                kept = self._pairs[name]
                kept.update(_pairs_of(headers.get(added, "")))
                for key in _list_of(headers.get(removed, "")):
                    kept.pop(key, None)
            self._remember_user(headers)

    def _remember_user(self, headers: Mapping[str, str]) -> None:
        acting_for = headers.get(_AUTHORIZATION_USER)
        if acting_for is None and _NO_AUTHORIZATION_USER not in headers:
            return
        self._acting_for = acting_for or ""
        if acting_for is None:
            self._pairs["X-Trino-Role"] = self._pairs["X-Trino-Original-Roles"]
            self._pairs["X-Trino-Original-Roles"] = {}
        else:
            self._pairs["X-Trino-Role"] = {}


def parse_roles(text: str) -> dict[str, str]:
    """
    Catalog to role, in Trino's words and url-encoded, from ``analyst`` or ``hive:admin;system:analyst``.

    A role without a catalog is a system role; ``all`` and ``none`` mean what they mean in SET ROLE.

    >>> parse_roles("hive:admin;analyst")
    {'hive': 'ROLE%7Badmin%7D', 'system': 'ROLE%7Banalyst%7D'}
    """
    roles = {}
    for part in filter(None, text.split(";")):
        catalog, _, role = part.rpartition(":")
        if not role:
            raise InvalidSettings(
                f"roles is {text!r} in engine.url.", hint="Write roles=analyst or roles=hive:admin."
            )
        word = role.upper() if role.lower() in {"all", "none"} else f"ROLE{{{role}}}"
        roles[quote(catalog or "system")] = quote(word)
    return roles


def _list_of(header: str) -> list[str]:
    return [part.strip() for part in header.split(",") if part.strip()]


def _pairs_of(header: str) -> dict[str, str]:
    return {key: value for key, _, value in (pair.partition("=") for pair in _list_of(header))}
