"""
HTTP to Trino: headers, authentication, retries, and its errors in our words.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from fusion_magic.engines import EngineQuery
from fusion_magic.errors import (
    EngineBusy,
    EngineRefuses,
    EngineUnavailable,
    InvalidSettings,
    MissingExtra,
    QueryCanceled,
    QueryFailed,
    QueryGone,
    Span,
)

try:
    import orjson
    import requests
    from trino import auth as trino_auth

    from fusion_magic.engines.trino.pages import parse_page
except ImportError as exc:  # pragma: no cover - tested in an environment without them
    raise MissingExtra("The Trino engine", extra="trino") from exc

SOURCE = "fusion-magic"
TIMEOUT_S = 60.0
PATIENCE_S = (
    90.0  # with a page that does not come: a coordinator may be restarted, a proxy reloaded
)
LONGEST_PAUSE_S = 5.0  # between two attempts at it
PAGE_SIZE = "16MB"
_BUSY = frozenset({429, 502, 503, 504})
_CANCELED = frozenset({"USER_CANCELED", "ADMINISTRATIVELY_KILLED"})
# Trino's names for "later": before it began the query, and while it ran it.
_NO_ROOM = frozenset({"QUERY_QUEUE_FULL", "SERVER_STARTING_UP", "NO_NODES_AVAILABLE"})
_OVERLOADED = frozenset({"TOO_MANY_REQUESTS_FAILED", "CLUSTER_OUT_OF_MEMORY"})
_OVERLOADED_TEXT = "Max requests queued per destination"  # Trino's own requests to its workers


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoSettings:
    """
    Where Trino is and who asks. Secrets do not show in the repr.
    """

    base_url: str
    user: str
    catalog: str = ""
    schema: str = ""
    roles: str = ""
    is_verified: bool = True
    is_compressed: bool = False
    auth: str = ""
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    certificate: str = ""
    key: str = ""

    @property
    def signs_in_by(self) -> str:
        """
        The kind of authentication: what was set, else what the secrets are for; empty for none.
        """
        return self.auth or (
            "jwt"
            if self.token
            else "basic"
            if self.password
            else "certificate"
            if self.certificate
            else ""
        )

    @classmethod
    def from_url(
        cls, url: str, *, user: str, password: str | None = None, **others: Any
    ) -> TrinoSettings:
        """
        From ``trino://user@host:port/catalog/schema?http_scheme=https&roles=…&verify=false&compress=true``.

        Port 443 and 8443, and every secret, mean HTTPS unless the URL says http.

        Raises:
            InvalidSettings: No host, or a secret over plain HTTP.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            raise InvalidSettings(
                "engine.url names no host.", hint="trino://user@host:8443/catalog"
            )
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        password = password or (unquote(parts.password) if parts.password else None)
        has_secret = bool(password or others.get("token"))
        is_tls = parts.port in {443, 8443} or has_secret
        scheme = parts.scheme if parts.scheme != "trino" else "https" if is_tls else "http"
        scheme = options.get("http_scheme", scheme)
        if has_secret and scheme != "https":
            raise InvalidSettings(
                "A password or token is not sent over plain HTTP.", hint="Use https for Trino."
            )
        port = parts.port or (443 if scheme == "https" else 8080)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        path = [*filter(None, parts.path.split("/")), "", ""]
        return cls(
            base_url=f"{scheme}://{host}:{port}",
            user=unquote(parts.username) if parts.username else user,
            catalog=path[0],
            schema=path[1],
            roles=options.get("roles", ""),
            is_verified=options.get("verify", "true") != "false",
            is_compressed=options.get("compress", "false") == "true",
            password=password,
            **others,
        )


class TrinoClient:
    """
    The requests of one connection. Safe to use from several threads.
    """

    def __init__(self, settings: TrinoSettings) -> None:
        self._settings = settings
        self._http = requests.Session()
        self._http.verify = settings.is_verified
        if not settings.is_compressed:
            # Trino compresses slower than most networks carry: 1.3 s of 1.8 for 38 MB, measured on loopback.
            self._http.headers["Accept-Encoding"] = "identity"
        authentication = _authentication(settings)
        if authentication is not None:
            authentication.set_http_session(self._http)
        _read_environment_once(self._http, settings.base_url)
        self._lock = threading.Lock()
        self._session: dict[str, str] = {}
        self._prepared: dict[str, str] = {}
        self._role = settings.roles

    def submit(self, query: EngineQuery) -> Mapping[str, Any]:
        """
        The first page of a statement.

        A connection that breaks is not tried again here: the server may have taken the statement.
        """
        url = f"{self._settings.base_url}/v1/statement"
        return self._page(
            "POST", url, data=query.sql.encode(), headers=self._headers(query), is_repeatable=False
        )

    def next_page(self, uri: str, *, wait_s: float | None = None) -> Mapping[str, Any]:
        """
        The page at *uri*, which may be asked for again until its successor is.

        Args:
            wait_s: Seconds that Trino waits for news before it answers; None for its own second.
        """
        mark = "&" if "?" in uri else "?"
        wait = "" if wait_s is None else f"&maxWait={wait_s * 1000:.0f}ms"
        return self._page(
            "GET", f"{uri}{mark}targetResultSize={PAGE_SIZE}{wait}", headers=self._identity()
        )

    def cancel(self, uri: str | None) -> None:
        """
        Stop the statement whose next page is at *uri*; nothing happens where it has ended.
        """
        if uri is None:
            return
        try:
            self._http.delete(uri, headers=self._identity(), timeout=TIMEOUT_S)
        except requests.RequestException as exc:
            raise EngineUnavailable(
                f"Trino could not be told to stop the query: {_reason(exc)}."
            ) from exc

    def close(self) -> None:
        """
        Let go of the connections.
        """
        self._http.close()

    def _identity(self) -> dict[str, str]:
        return {"X-Trino-User": self._settings.user, "X-Trino-Source": SOURCE}

    def _headers(self, query: EngineQuery) -> dict[str, str]:
        tags = [f"job:{query.job_id}", *query.tags] if query.job_id else list(query.tags)
        headers = {
            **self._identity(),
            "X-Trino-Client-Tags": ",".join(quote(tag, safe=":") for tag in tags),
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
            "X-Trino-Trace-Token": query.job_id,
            "X-Trino-Catalog": self._settings.catalog,
            "X-Trino-Schema": self._settings.schema,
            "X-Trino-Role": self._role,
        }
        with self._lock:
            headers["X-Trino-Session"] = ",".join(f"{k}={v}" for k, v in self._session.items())
            prepared = ",".join(f"{k}={v}" for k, v in self._prepared.items())
            headers["X-Trino-Prepared-Statement"] = prepared
        return {name: value for name, value in headers.items() if value}

    def _page(
        self, method: str, url: str, *, is_repeatable: bool = True, **options: Any
    ) -> Mapping[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        for attempt in itertools.count():
            is_last = time.monotonic() > deadline
            try:
                response = self._http.request(method, url, timeout=TIMEOUT_S, **options)
                if response.status_code == requests.codes.ok:
                    self._remember(response.headers)
                    return parse_page(response.content)
                if response.status_code not in _BUSY or is_last:
                    raise _refused(response)
            except (requests.RequestException, orjson.JSONDecodeError) as exc:
                is_lost = not is_repeatable and not isinstance(exc, requests.ConnectTimeout)
                if is_lost or is_last:
                    raise _unreachable(self._settings, exc) from exc
            pause_s = min(LONGEST_PAUSE_S, 0.05 * 2 ** min(attempt, 10))
            time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - a pause
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _remember(self, headers: Mapping[str, str]) -> None:
        """
        What a statement changed of the session is sent with later ones.
        """
        with self._lock:
            for name, kept in (
                ("X-Trino-Set-Session", self._session),
                ("X-Trino-Added-Prepare", self._prepared),
            ):
                for pair in filter(None, headers.get(name, "").split(",")):
                    key, _, value = pair.strip().partition("=")
                    kept[key] = value
            self._session.pop(headers.get("X-Trino-Clear-Session", ""), None)
            self._prepared.pop(headers.get("X-Trino-Deallocated-Prepare", ""), None)
            self._role = headers.get("X-Trino-Set-Role", self._role)


def _read_environment_once(http: requests.Session, url: str) -> None:
    """
    What the environment says of proxies and certificates is looked up now: at each request it took a third of its time.
    """
    found = http.merge_environment_settings(url, {}, None, http.verify, http.cert)
    http.proxies, http.verify, http.cert = found["proxies"], found["verify"], found["cert"]
    http.trust_env = False


def failure(error: Mapping[str, Any], sql: str, query_id: str | None) -> Exception:
    """
    Trino's error in our words, its line and column as a span of *sql*.
    """
    message = str(error.get("message", "The query failed."))
    name = str(error.get("errorName", ""))
    if name in _CANCELED:
        return QueryCanceled(message, query_id=query_id)
    is_overloaded = name in _OVERLOADED or _OVERLOADED_TEXT in message
    if name in _NO_ROOM or is_overloaded:
        return EngineBusy(message, is_begun=is_overloaded, query_id=query_id, error_name=name)
    place = error.get("errorLocation")
    span = None
    if place:
        message = message.removeprefix(f"line {place['lineNumber']}:{place['columnNumber']}: ")
        lines = sql.split("\n")
        start = sum(len(line) + 1 for line in lines[: place["lineNumber"] - 1])
        start += place["columnNumber"] - 1
        span = Span(start, start + 1)
    return QueryFailed(message, span=span, query_id=query_id, error_name=name)


def _authentication(settings: TrinoSettings) -> Any:
    kind = settings.signs_in_by
    makers = {
        "": lambda: None,
        "basic": lambda: trino_auth.BasicAuthentication(settings.user, settings.password or ""),
        "jwt": lambda: trino_auth.JWTAuthentication(settings.token or ""),
        "oauth2": lambda: trino_auth.OAuth2Authentication(),
        "certificate": lambda: trino_auth.CertificateAuthentication(
            settings.certificate, settings.key
        ),
        "kerberos": lambda: trino_auth.KerberosAuthentication(),
    }
    if kind not in makers:
        known = ", ".join(filter(None, makers))
        raise InvalidSettings(f"engine.auth is {kind!r}.", hint=f"Known are {known}.")
    return makers[kind]()  # type: ignore[no-untyped-call]


def _refused(response: requests.Response) -> EngineUnavailable | QueryGone:
    status = response.status_code
    if status in {404, 410}:
        return QueryGone(
            "Trino no longer knows the query: it was restarted, or nobody asked for the result in time."
        )
    if status in {401, 403}:
        return EngineRefuses(
            f"Trino refuses the user ({status}).",
            hint="Check engine.url's user, and FUSION_ENGINE_PASSWORD or FUSION_ENGINE_TOKEN.",
        )
    return EngineUnavailable(f"Trino answers with status {status}.")


def _unreachable(settings: TrinoSettings, exc: Exception) -> EngineUnavailable:
    return EngineUnavailable(
        f"Trino at {settings.base_url} does not answer: {_reason(exc)}.",
        hint="Is engine.url right, and is the server up? `%fusion doctor` checks it.",
    )


def _reason(exc: Exception) -> str:
    if isinstance(exc, requests.Timeout):
        return "it takes too long"
    if isinstance(exc, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    return (
        "the connection failed" if isinstance(exc, requests.ConnectionError) else type(exc).__name__
    )
