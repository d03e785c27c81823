"""
Requests, and which function answers which path.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .answers import Answer, Refusal, bad_request, forbidden, unhandled
from .state import State
from .versions import Version, words

# What a bot of the ingestion's role may do, and an ordinary user.
BOT_RIGHTS = words("Create Delete EditAll ViewAll Trigger")
PERSON_RIGHTS = words("EditDescription EditTags EditOwners ViewAll")


@dataclass(eq=False)
class Principal:
    """
    Who asks.

    Attributes:
        rights: Operations that the principal may do on everything.
        denied: Operations that a rule forbids, whatever allows them.
    """

    name: str
    is_bot: bool = False
    is_admin: bool = False
    rights: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)

    def may(self, operation: str) -> bool:
        """
        Whether *operation* is allowed: itself, or by ``EditAll`` and ``ViewAll``, unless it is denied.
        """
        if self.is_admin or operation in self.rights:
            return self.is_admin or operation not in self.denied
        every = "EditAll" if operation.startswith("Edit") else "ViewAll"
        is_part = operation.startswith(("Edit", "View"))
        return is_part and every in self.rights and self.denied.isdisjoint({operation, every})

    def demand(self, operation: str) -> None:
        """
        Go on where *operation* is allowed.

        Raises:
            Refusal: It is not (403).
        """
        if not self.may(operation):
            raise forbidden(self.name, operation)


@dataclass(eq=False)
class Request:
    """
    One request.

    Attributes:
        query: Each parameter with its values, in order.
        headers: By their names in lower case.
        url: The server's own, ``http://host:port/api``.
        principal: Who asks.
        after: What runs when the state is no longer locked.
    """

    state: State
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    raw: bytes
    url: str
    principal: Principal
    after: list[Callable[[], None]] = field(default_factory=list)
    on_trigger: Callable[[str], None] | None = None

    @property
    def version(self) -> Version:
        """
        That of the server.
        """
        return self.state.version

    def one(self, name: str, default: str = "") -> str:
        """
        The parameter of that *name*.
        """
        return self.query.get(name, [default])[-1]

    def flag(self, name: str) -> bool:
        """
        Whether the parameter is true.
        """
        return self.one(name).lower() == "true"

    def number(self, name: str, default: int) -> int:
        """
        The parameter as a number.

        Raises:
            Refusal: It is none (a real server says 404 of its own, wrapped).
        """
        text = self.one(name, str(default))
        if not text.lstrip("-").isdigit():
            raise unhandled("HTTP 404 Not Found")
        return int(text)

    def header(self, name: str) -> str:
        """
        The header of that *name*, in any case, or nothing.
        """
        return self.headers.get(name.lower(), "")

    def json(self) -> Any:
        """
        The body.

        Raises:
            Refusal: It is no JSON (400), or does not say that it is (500).
        """
        content = self.header("Content-Type").split(";")[0].strip().lower()
        wanted = "application/json-patch+json" if self.method == "PATCH" else "application/json"
        if content != wanted:
            raise unhandled("HTTP 415 Unsupported Media Type")
        try:
            return json.loads(self.raw)
        except ValueError:
            raise bad_request("Unable to process JSON") from None


Handler = Callable[..., Answer]


@dataclass(frozen=True)
class Route:
    """
    One path that is answered. Parts in braces are given to the handler.
    """

    method: str
    parts: tuple[str, ...]
    handler: Handler
    since: Version
    until: Version

    def arguments(self, parts: list[str], version: Version) -> list[str] | None:
        """
        What stands where the route has braces, or None where the path is another.
        """
        if not self.since <= version < self.until:
            return None
        found = []
        for wanted, given in zip(self.parts, parts, strict=True):
            if wanted == "{}":
                found.append(given)
            elif wanted != given:
                return None
        return found


class Router:
    """
    The routes, those with fewer braces first.
    """

    def __init__(self) -> None:
        self._routes: dict[tuple[str, int], list[Route]] = {}

    def on(
        self, method: str, path: str, *, since: Version = (0, 0), until: Version = (99, 0)
    ) -> Callable[[Handler], Handler]:
        """
        Let the decorated function answer *path*, ``tables/{}`` for one.
        """

        def keep(handler: Handler) -> Handler:
            parts = tuple(path.split("/"))
            routes = self._routes.setdefault((method, len(parts)), [])
            routes.append(Route(method, parts, handler, since, until))
            routes.sort(key=lambda route: route.parts.count("{}"))
            return handler

        return keep

    def answer(self, request: Request, parts: list[str]) -> Answer:
        """
        What the route of these *parts* answers.

        Raises:
            Refusal: It refuses, or there is none: 500 in 1.6, 404 later.
        """
        for route in self._routes.get((request.method, len(parts)), ()):
            arguments = route.arguments(parts, request.version)
            if arguments is not None:
                return route.handler(request, *arguments)
        if request.version < (1, 8):
            raise unhandled("HTTP 404 Not Found")
        raise Refusal(404, "HTTP 404 Not Found")


ROUTER = Router()
