"""
Who asks: tokens, users and bots, and what each may do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field

from .answers import Answer, Json, unauthorized
from .present import fields_of, present
from .routing import BOT_RIGHTS, PERSON_RIGHTS, ROUTER, Principal, Request
from .versions import ordered

_KEY = b"openmetadata test server"
_OPERATIONS = ordered(
    "Create Delete ViewAll ViewBasic ViewUsage ViewTests ViewQueries EditAll EditCustomFields EditDescription "
    "EditDisplayName EditLineage EditOwners EditQueries EditStatus EditTags EditTests EditUsage Trigger Deploy",
    (0, 0),
)


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def make_token(name: str, *, is_bot: bool, number: int = 1) -> str:
    """
    A token that looks like a real one.
    """
    kind = "BOT" if is_bot else "PERSONAL_ACCESS"
    claims = {
        "iss": "open-metadata.org",
        "sub": name,
        "isBot": is_bot,
        "tokenType": kind,
        "iat": number,
        "exp": None,
    }
    head = _part(json.dumps({"kid": "test", "alg": "RS256", "typ": "JWT"}).encode())
    body = f"{head}.{_part(json.dumps(claims).encode())}"
    return f"{body}.{_part(hmac.new(_KEY, body.encode(), hashlib.sha256).digest())}"


def _principals() -> dict[str, Principal]:
    found = (
        Principal("ingestion-bot", is_bot=True, rights=set(BOT_RIGHTS)),
        Principal("admin", is_admin=True),
        Principal("ada", rights=set(PERSON_RIGHTS)),
    )
    return {one.name: one for one in found}


@dataclass(eq=False)
class People:
    """
    The principals and their tokens.
    """

    by_name: dict[str, Principal] = field(default_factory=_principals)
    by_token: dict[str, str] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)

    def who(self, header: str | None) -> Principal:
        """
        Who the header ``Authorization`` names.

        Raises:
            Refusal: Nobody (401).
        """
        if not header or not header.startswith("Bearer"):
            raise unauthorized("Not Authorized! Token not present")
        token = header[len("Bearer ") :]
        if token in self.expired:
            raise unauthorized("Expired token!")
        if token in self.by_token:
            return self.by_name[self.by_token[token]]
        raise unauthorized(f"Not Authorized! {_why_refused(token)}")


def _why_refused(token: str) -> str:
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
        signed = _part(hmac.new(_KEY, ".".join(parts[:2]).encode(), hashlib.sha256).digest())
    except (IndexError, ValueError):
        return "Unable to decode the token."
    if len(parts) != 3 or signed != parts[2]:
        return "Token verification failed. Public key mismatch."
    if claims.get("isBot"):
        return "The given token does not match the current bot's token!"
    return "Invalid personal access token!"


@ROUTER.on("GET", "users/loggedInUser")
def logged_in_user(request: Request) -> Answer:
    """
    The user that asks.
    """
    user = request.state.named("user", request.principal.name)
    return Answer(200, present(request, user, fields_of(request, user.kind)))


@ROUTER.on("GET", "permissions/{}")
def permissions(request: Request, resource: str) -> Answer:
    """
    What the user may do to a kind of entity.
    """
    return Answer(200, _permissions(request.principal, resource))


@ROUTER.on("GET", "permissions/{}/name/{}")
def permissions_by_name(request: Request, resource: str, fqn: str) -> Answer:
    """
    What the user may do to one entity.
    """
    request.state.named(resource, fqn)
    return Answer(200, _permissions(request.principal, resource))


@ROUTER.on("GET", "permissions/{}/{}")
def permissions_by_id(request: Request, resource: str, entity_id: str) -> Answer:
    """
    As ``permissions_by_name``, by id.
    """
    request.state.get(resource, entity_id)
    return Answer(200, _permissions(request.principal, resource))


def _permissions(principal: Principal, resource: str) -> Json:
    # Who may do everything has the four that mean that, and not each by name.
    named = [one for one in _OPERATIONS if not principal.is_bot or one in principal.rights]
    told = [
        {"operation": one, "access": "allow" if principal.may(one) else "notAllow"} for one in named
    ]
    return {"resource": resource, "permissions": told}


@ROUTER.on("GET", "system/version")
def version(request: Request) -> Answer:
    """
    What the server is; needs no token.
    """
    return Answer(200, {"version": request.state.version_text, "revision": "test", "timestamp": 1})
