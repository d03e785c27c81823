"""
What the server answers: a status with a body, or a refusal in the words of a real server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """
    One answer.

    Attributes:
        status: The HTTP status.
        body: What becomes JSON; a text is sent as it is, None is an empty body.
        headers: Besides those that every answer has.
    """

    status: int = 200
    body: Json | list[Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """
    An answer that is an error.

    Attributes:
        status: The HTTP status.
        body: The error as JSON.
    """

    def __init__(self, status: int, message: str, body: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body or {"code": status, "message": message}


def bad_request(message: str) -> Refusal:
    return Refusal(400, message)


def unauthorized(message: str) -> Refusal:
    return Refusal(401, message)


def forbidden(user: str, operation: str) -> Refusal:
    return Refusal(
        403, f"Principal: CatalogPrincipal{{name='{user}'}} operations [{operation}] not allowed"
    )


def not_found(kind: str, name: str) -> Refusal:
    return Refusal(404, f"{kind} instance for {name} not found")


def conflict() -> Refusal:
    return Refusal(409, "Entity already exists")


def unhandled(message: str) -> Refusal:
    """
    A real server answers much that is the client's mistake like an outage of its own.
    """
    text = f"An exception with message [{message}] was thrown while processing request."
    return Refusal(500, text, {"responseMessage": text, "errorType": "UNHANDLED_SERVER_EXCEPTION"})


def unrecognized(name: str, owner: str, known: frozenset[str]) -> Refusal:
    """
    A property that *owner* does not have.
    """
    return bad_request(
        f'Unrecognized field "{name}" (class org.openmetadata.schema.{owner}), not marked as ignorable '
        f"({len(known)} known properties: {_quoted(known)}])"
    )


def _quoted(names: frozenset[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))
