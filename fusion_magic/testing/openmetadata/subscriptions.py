"""
Subscriptions: each change event that fits is posted to a webhook, signed, one at a time and never twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from . import entities
from .answers import Answer, Json, bad_request, unrecognized
from .kinds import Kind
from .messages import CLEAN, PLACE
from .routing import ROUTER, Request
from .state import Entity, State, new_id
from .versions import select

SIGNATURE = "X-OM-Signature"
TIMEOUT_S = 5.0

_WEBHOOK = (
    "endpoint receivers sendToAdmins sendToOwners sendToFollowers secretKey<2.0 authType>=2.0 headers>=1.6 httpMethod>=1.6 "
    "queryParams>=1.8"
)


def signed(body: bytes, secret: str) -> str:
    """
    The signature of a message: base64, not hexadecimal.
    """
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return f"sha256={base64.b64encode(digest).decode()}"


@dataclass(frozen=True)
class Delivery:
    """
    One message that was posted.

    Attributes:
        endpoint: Where to.
        body: What was posted.
        status: What was answered, or 0 where nobody was there.
    """

    endpoint: str
    body: Any
    status: int


@dataclass(eq=False)
class Hooks:
    """
    What posts to webhooks, in a thread of its own that begins with the first message.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    _waiting: queue.Queue[tuple[Json, bytes]] = field(default_factory=queue.Queue)
    _thread: threading.Thread | None = None

    def send(self, config: Json, body: bytes) -> None:
        """
        Post *body* soon.
        """
        self._waiting.put((config, body))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """
        Until everything was posted.
        """
        self._waiting.join()

    def _run(self) -> None:
        while True:
            config, body = self._waiting.get()
            status = post(config, body)
            self.deliveries.append(Delivery(config["endpoint"], _read(body), status))
            self._waiting.task_done()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()


def post(config: Json, body: bytes) -> int:
    """
    Post *body* as the webhook *config* says; redirects are not followed.

    Returns:
        The status, or 0 where nobody answers.
    """
    parts = urlsplit(config["endpoint"])
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        connection.request(config.get("httpMethod", "POST"), path, body, _headers(config, body))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _headers(config: Json, body: bytes) -> Mapping[str, str]:
    secret = config.get("secretKey") or (config.get("authType") or {}).get("secretKey")
    found = {"Content-Type": "application/json", **(config.get("headers") or {})}
    return {**found, SIGNATURE: signed(body, secret)} if secret else found


def deliver(state: State, hooks: Hooks, event: Json) -> None:
    """
    Post *event* to each subscription that it fits.
    """
    body = json.dumps(event).encode()
    for subscription in list(state.of_kind("eventsubscription")):
        if _fits(subscription, event):
            for config in subscription.fact("webhooks", list):
                hooks.send(config, body)


def _fits(subscription: Entity, event: Json) -> bool:
    data = subscription.data
    resources = data["filteringRules"]["resources"]
    is_asked = event["entityType"] in resources or "all" in resources
    return bool(data.get("enabled", True)) and is_asked and _passes(data.get("input"), event)


def _passes(given: Json | None, event: Json) -> bool:
    """
    What filters by FQN lets through; others let everything.
    """
    fqn = json.loads(event["entity"])["fullyQualifiedName"]
    for one in (given or {}).get("filters", ()):
        names = [
            name for argument in one.get("arguments", ()) for name in argument.get("input", ())
        ]
        if one["name"].lower() == "filterbyfqn" and (fqn in names) != (
            one.get("effect") == "include"
        ):
            return False
    return True


def _place(_request: Request, body: Json) -> tuple[str, Entity | None]:
    resources = body.pop("resources", None) or []
    if len(resources) != 1:
        raise bad_request(
            "One resource can be specified. Zero or Multiple resources are not supported."
        )
    body["filteringRules"] = {"resources": resources, "rules": [], "actions": []}
    for name, value in {
        "batchSize": 10,
        "pollInterval": 10,
        "retries": 3,
        "enabled": True,
        "provider": "user",
    }.items():
        body.setdefault(name, value)
    return body["name"], None


def _destinations(request: Request, _kind: Kind, given: Any) -> Any:
    known = select(_WEBHOOK, request.version)
    for one in given:
        for name in one.get("config") or {}:
            if one.get("type") == "Webhook" and name not in known:
                raise unrecognized(name, "type.Webhook", known)
    return [{"id": new_id(), "enabled": True, **one} for one in given]


def _written(_request: Request, subscription: Entity) -> None:
    """
    Keep the secrets where only the webhooks see them.
    """
    shown = subscription.data.get("destinations", [])
    webhooks = [
        one["config"] for one in shown if one.get("type") == "Webhook" and one.get("enabled", True)
    ]
    subscription.set_fact("webhooks", webhooks)
    hidden = [{**one, "config": _hidden(one.get("config") or {})} for one in shown]
    subscription.data = {**subscription.data, "destinations": hidden}


def _hidden(config: Json) -> Json:
    def token(secret: str) -> str:
        return f"fernet:{base64.b64encode(hashlib.sha256(secret.encode()).digest()).decode()}"

    if config.get("secretKey"):
        return {**config, "secretKey": token(config["secretKey"])}
    if (config.get("authType") or {}).get("secretKey"):
        return {
            **config,
            "authType": {**config["authType"], "secretKey": token(config["authType"]["secretKey"])},
        }
    return config


PLACE["eventsubscription"] = _place
CLEAN["destinations"] = _destinations
entities.WRITTEN["eventsubscription"] = _written


@ROUTER.on("POST", "events/subscriptions/testDestination")
def test_destination(request: Request) -> Answer:
    """
    Post a message that is no event to each destination of the body.
    """
    request.principal.demand("Create")
    shown = []
    for one in request.json().get("destinations", ()):
        status = post(
            one["config"], b"This is a test message from OpenMetadata to confirm your destination."
        )
        told = "Success" if status == 200 else "Failed"
        shown.append({**one, "statusDetails": {"status": told, "statusCode": status}})
    return Answer(200, shown)
