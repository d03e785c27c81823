"""
HTTP to Trino: headers, authentication, retries, and its errors in our words.
"""

from __future__ import annotations

# More than 500 lines: the settings of a connection and its requests stand together until one transport serves both.
import itertools
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
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
    from requests.adapters import HTTPAdapter
    from trino.exceptions import Error as TrinoLibraryError

    from fusion_magic.engines.trino.auth import KERBEROS_OPTIONS, authenticate, check_kind
    from fusion_magic.engines.trino.pages import parse_page
    from fusion_magic.engines.trino.quick_gets import QuickGets
    from fusion_magic.engines.trino.session import Session, parse_roles
    from fusion_magic.engines.trino.spooling import ENCODINGS
except ImportError as exc:  # pragma: no cover - tested in an environment without them
    raise MissingExtra("The Trino engine", extra="trino") from exc

SOURCE = "fusion-magic"
CAPABILITIES = "PARAMETRIC_DATETIME,PATH,SESSION_AUTHORIZATION"
OPTIONS = (  # of engine.url
    *("compress", "encoding", "http_scheme", "roles", "verify"),
    *KERBEROS_OPTIONS,
)
TIMEOUT_S = 60.0
CANCEL_TIMEOUT_S, CANCEL_ATTEMPTS = 10.0, 3
LONGEST_MESSAGE = 300  # of a refusal; a proxy's page is no message
PATIENCE_S = (
    90.0  # with a page that does not come: a coordinator may be restarted, a proxy reloaded
)
LONGEST_PAUSE_S = 5.0  # between two attempts at it
PAGE_SIZE = "16MB"
MOST_CONNECTIONS = 64  # that are kept open: a worker's threads, and some
_SAME_EACH_TIME = frozenset({"", "basic", "jwt", "certificate"})  # what shows who asks
_GONE = frozenset({403, 404, 410})  # of a segment: its time is over
_BUSY = frozenset({429, 502, 503, 504})
FOREIGN = (requests.RequestException, TrinoLibraryError, orjson.JSONDecodeError, OSError)
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
    roles: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True
    is_compressed: bool = False
    encodings: str = ""
    auth: str = ""
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    certificate: str = ""
    key: str = ""
    kerberos: Mapping[str, str] = field(default_factory=dict)

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
        From ``trino://user@host:port/catalog/schema?http_scheme=https&roles=…&verify=/path/ca.pem&compress=true``.

        With ``kerberos_service`` and the others of ``auth.KERBEROS_OPTIONS`` where ``engine.auth`` is ``kerberos``.

        Port 443 and 8443, and every secret, mean HTTPS unless the URL says http. Without a user in it, the user is the
        one whom the token or certificate names, and *user* where there is only a password or nothing.

        Raises:
            InvalidSettings: No host, an option that does not exist, or a secret over plain HTTP.
        """
        parts, port = _split(url)
        options = _options(parts.query)
        password = password or (unquote(parts.password) if parts.password else None)
        has_secret = any((password, *map(others.get, ("token", "certificate", "auth"))))
        is_tls = port in {443, 8443} or has_secret
        scheme = parts.scheme if parts.scheme != "trino" else "https" if is_tls else "http"
        scheme = options.get("http_scheme", scheme)
        if has_secret and scheme != "https":
            raise InvalidSettings(
                "A password, token or login is not sent over plain HTTP.",
                hint="Use https for Trino.",
            )
        host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
        path = [*map(unquote, filter(None, parts.path.split("/"))), "", ""]
        made = cls(
            base_url=f"{scheme}://{host}:{port or (443 if scheme == 'https' else 8080)}",
            user=unquote(parts.username or ""),
            catalog=path[0],
            schema=path[1],
            roles=parse_roles(options.get("roles", "")),
            verify=_verification(options.get("verify", "true")),
            is_compressed=options.get("compress", "false") == "true",
            encodings=_encodings(options.get("encoding", "none")),
            password=password,
            kerberos={name: value for name, value in options.items() if name in KERBEROS_OPTIONS},
            **others,
        )
        check_kind(made)
        names_user = made.signs_in_by in {"jwt", "certificate", "oauth2", "kerberos"}
        return made if made.user or names_user else replace(made, user=user)


def _split(url: str) -> tuple[Any, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise InvalidSettings(
            "engine.url cannot be read.", hint="trino://user@host:8443/catalog"
        ) from exc
    if not parts.hostname:
        raise InvalidSettings("engine.url names no host.", hint="trino://user@host:8443/catalog")
    return parts, port


def _options(query: str) -> dict[str, str]:
    options = {key: values[-1] for key, values in parse_qs(query).items()}
    for name in options:
        if name not in OPTIONS:
            raise InvalidSettings(
                f"engine.url has no option {name}.", hint=f"It has {', '.join(OPTIONS)}."
            )
    return options


def _encodings(text: str) -> str:
    """
    How spooled rows may come, most wanted first; empty for rows in Trino's own answers.
    """
    wanted = [] if text == "none" else text.replace(" ", "+").split(",")
    for name in wanted:
        if name not in ENCODINGS:
            raise InvalidSettings(
                f"encoding is {text} in engine.url.",
                hint=f"It is {', '.join(ENCODINGS)} (several with commas), or none.",
            )
    return ",".join(wanted)


def _verification(text: str) -> bool | str:
    """
    What the option ``verify`` says: yes, no, or the file of the authorities that are trusted.
    """
    if text in {"true", "false"}:
        return text == "true"
    path = Path(text).expanduser()
    if not path.exists():
        raise InvalidSettings(
            f"verify is {text} in engine.url, and there is no such file.",
            hint="It is the PEM file of the authority that signed Trino's certificate; or true, or false.",
        )
    return str(path)


class TrinoClient:
    """
    The requests of one connection. Safe to use from several threads.
    """

    def __init__(self, settings: TrinoSettings) -> None:
        self._settings = settings
        self.session = Session(
            catalog=settings.catalog, schema=settings.schema, roles=settings.roles
        )
        self.login_url: str | None = None
        self._http, self._storage = requests.Session(), requests.Session()
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(pool_maxsize=MOST_CONNECTIONS))
        if not settings.is_compressed:
            # Trino compresses slower than most networks carry: 1.3 s of 1.8 for 38 MB, measured on loopback.
            self._http.headers["Accept-Encoding"] = "identity"
        authenticate(self._http, settings, ask=self._ask)
        # Looked up at each request, the environment's proxies and authorities took a third of a request's time.
        found = self._http.merge_environment_settings(
            settings.base_url, {}, None, settings.verify, None
        )
        self._verify: bool | str = found["verify"]
        self._http.proxies, self._http.trust_env = found["proxies"], False
        self._quick = (
            QuickGets(self._http, self._identity(), verify=self._verify, timeout_s=TIMEOUT_S)
            if settings.signs_in_by in _SAME_EACH_TIME
            else None
        )

    @property
    def address(self) -> str:
        """
        Host and port.
        """
        return self._settings.base_url.partition("://")[2]

    def submit(
        self, query: EngineQuery, *, properties: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """
        The first page of a statement, with session *properties* that are for it alone.

        A connection that breaks is not tried again here: the server may have taken the statement.
        """
        url = f"{self._settings.base_url}/v1/statement"
        return self._page(
            "POST",
            url,
            data=query.sql.encode(),
            headers=self._headers(query, properties or {}),
            is_repeatable=False,
            is_remembered=query.session is None,
        )

    def next_page(
        self, uri: str, *, wait_s: float | None = None, is_remembered: bool = True
    ) -> Mapping[str, Any]:
        """
        The page at *uri*, which may be asked for again until its successor is.

        Args:
            wait_s: Seconds that Trino waits for news before it answers; None for its own second.

            is_remembered: Whether what the statement changes of the session is for later ones of this connection.
        """
        mark = "&" if "?" in uri else "?"
        wait = "" if wait_s is None else f"&maxWait={wait_s * 1000:.0f}ms"
        url = f"{uri}{mark}targetResultSize={PAGE_SIZE}{wait}"
        page = self._quick_page(url, is_remembered=is_remembered)
        if page is not None:
            return page
        return self._page("GET", url, headers=self._identity(), is_remembered=is_remembered)

    def segment(
        self,
        uri: str,
        headers: Mapping[str, str],
        *,
        size_bytes: int,
        is_wanted: Callable[[], bool],
    ) -> bytes:
        """
        A spooled part of a result, whole.

        Args:
            is_wanted: Asked before another attempt.

        Raises:
            EngineUnavailable: It could not be fetched for a while, or is gone.
        """
        deadline = time.monotonic() + PATIENCE_S
        for attempt in itertools.count():
            is_last = time.monotonic() > deadline
            try:
                response = self._fetch(uri, headers)
                content = response.content
                if response.status_code == requests.codes.ok and len(content) == size_bytes:
                    return content
                is_hopeless = response.status_code in _GONE
                reason = f"status {response.status_code}, {len(content):,} bytes of {size_bytes:,}"
            except FOREIGN as exc:
                is_hopeless, reason = False, _reason(exc)
            if is_hopeless or is_last or not is_wanted():
                raise EngineUnavailable(
                    f"A part of the result at {_origin(uri)} could not be fetched: {reason}.",
                    hint="Is that storage reachable from here? With encoding=none in engine.url, which is the default, rows come through Trino.",
                )
            _pause(attempt)
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def acknowledge(self, uri: str, headers: Mapping[str, str]) -> None:
        """
        Tell Trino that a part of a result was read; one that is not told removes it later.
        """
        with suppress(*FOREIGN):
            self._fetch(uri, headers)

    def _fetch(self, uri: str, headers: Mapping[str, str]) -> requests.Response:
        """
        From Trino as who asks; from a storage, whose address is its own leave, as nobody.
        """
        if _origin(uri) == _origin(self._settings.base_url):
            return self._send(
                "GET", uri, headers={**self._identity(), **headers}, timeout=TIMEOUT_S
            )
        verify = self._settings.verify if self._settings.verify is False else True
        return self._storage.get(uri, headers=dict(headers), timeout=TIMEOUT_S, verify=verify)

    def cancel(self, uri: str | None) -> None:
        """
        Stop the statement whose next page is at *uri*; nothing happens where it has ended.
        """
        if uri is None:
            return
        for attempt in range(CANCEL_ATTEMPTS):
            try:
                response = self._send(
                    "DELETE", uri, headers=self._identity(), timeout=CANCEL_TIMEOUT_S
                )
                if response.status_code not in _BUSY:
                    return
            except FOREIGN as exc:
                if attempt == CANCEL_ATTEMPTS - 1:
                    raise EngineUnavailable(
                        f"Trino could not be told to stop the query: {_reason(exc)}."
                    ) from exc
            time.sleep(0.2 * 2**attempt)

    def close(self) -> None:
        """
        Let go of the connections.
        """
        self._http.close()
        self._storage.close()

    def _ask(self, url: str) -> None:
        self.login_url = url

    def _identity(self, session: Mapping[str, str] | None = None) -> dict[str, str]:
        acting_for = (session or {}).get("X-Trino-User", "")
        headers = {
            "X-Trino-User": acting_for or self._settings.user,
            "X-Trino-Original-User": self._settings.user if acting_for else "",
            "X-Trino-Source": SOURCE,
        }
        return {name: value for name, value in headers.items() if value}

    def _headers(self, query: EngineQuery, properties: Mapping[str, str]) -> dict[str, str]:
        tags = [f"job:{query.job_id}", *query.tags] if query.job_id else list(query.tags)
        session = self.session.headers() if query.session is None else query.session
        own = [f"{name}={quote(value)}" for name, value in properties.items()]
        headers = {
            **session,
            **self._identity(session),
            "X-Trino-Session": ",".join(filter(None, (session.get("X-Trino-Session"), *own))),
            "X-Trino-Client-Tags": ",".join(quote(tag, safe=":") for tag in tags),
            "X-Trino-Client-Capabilities": CAPABILITIES,
            "X-Trino-Trace-Token": query.job_id,
            "X-Trino-Query-Data-Encoding": self._settings.encodings,
        }
        return {name: value for name, value in headers.items() if value}

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        """
        One request, its answer whatever it is.

        Raises:
            InvalidSettings: What cannot even be sent.
        """
        self._refuse_plain(url)
        try:
            # Given with each request: REQUESTS_CA_BUNDLE would win over what the session says.
            return self._http.request(method, url, verify=self._verify, **options)
        except UnicodeError:
            # Without its cause, which holds the secret.
            raise InvalidSettings(
                "The user, password, token, catalog or schema for Trino has a character that its protocol has no place for.",
                hint="Letters beyond Latin-1, such as €, cannot be sent so.",
            ) from None
        finally:
            self.login_url = None

    def _refuse_plain(self, url: str) -> None:
        if self._settings.base_url.startswith("https:") and not url.startswith("https:"):
            raise EngineUnavailable(
                "Trino answers over HTTPS and gives addresses that are plain HTTP; no secret is sent there.",
                hint="Behind a proxy Trino needs http-server.process-forwarded=true.",
            )

    def _quick_page(self, url: str, *, is_remembered: bool) -> Mapping[str, Any] | None:
        self._refuse_plain(url)
        answer = self._quick.get(url) if self._quick is not None else None
        if answer is None:
            return None
        try:
            page = parse_page(answer.data)
        except orjson.JSONDecodeError:
            return None
        if is_remembered:
            self.session.remember(answer.headers)
        return page

    def _page(
        self,
        method: str,
        url: str,
        *,
        is_repeatable: bool = True,
        is_remembered: bool = True,
        **options: Any,
    ) -> Mapping[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        for attempt in itertools.count():
            is_last = time.monotonic() > deadline
            try:
                response = self._send(method, url, timeout=TIMEOUT_S, **options)
                if response.status_code == requests.codes.ok:
                    if is_remembered:
                        self.session.remember(response.headers)
                    return parse_page(response.content)
                if response.status_code not in _BUSY or is_last:
                    raise _refused(response, self._settings)
            except FOREIGN as exc:
                is_lost = not is_repeatable and not isinstance(exc, requests.ConnectTimeout)
                if is_lost or is_last or isinstance(exc, TrinoLibraryError):
                    raise _unreachable(self._settings, exc) from exc
            _pause(attempt)
        raise AssertionError  # pragma: no cover - the last attempt returns or raises


def _pause(attempt: int) -> None:
    pause_s = min(LONGEST_PAUSE_S, 0.05 * 2 ** min(attempt, 10))
    time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - a pause


def _origin(url: str) -> str:
    """
    Scheme, host and port.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"


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


def _refused(response: requests.Response, settings: TrinoSettings) -> EngineUnavailable | QueryGone:
    status = response.status_code
    if status in {404, 410}:
        return QueryGone(
            "Trino no longer knows the query: it was restarted, or nobody asked for the result in time."
        )
    if status in {401, 403}:
        return EngineRefuses(
            f"Trino refuses the user{_said(response, settings)} ({status}).", hint=_hint(settings)
        )
    return EngineUnavailable(f"Trino answers with status {status}.")


def _said(response: requests.Response, settings: TrinoSettings) -> str:
    """
    The server's own words, without markup and whatever secret they might hold.
    """
    text = response.text.strip().partition("\n")[0]
    if not text or text.startswith("<") or len(text) > LONGEST_MESSAGE:
        return ""
    for secret in filter(None, (settings.password, settings.token)):
        text = text.replace(secret, "…")
    return f": {text.rstrip('.')}"


def _hint(settings: TrinoSettings) -> str:
    shown = {
        "basic": "engine.url's user, and FUSION_ENGINE_PASSWORD",
        "jwt": "FUSION_ENGINE_TOKEN; engine.url's user must be the one whom it names, or none",
        "certificate": "engine.certificate; engine.url's user must be the one whom it names, or none",
        "": "engine.url's user, and FUSION_ENGINE_PASSWORD or FUSION_ENGINE_TOKEN",
    }
    return f"Check {shown.get(settings.signs_in_by, 'engine.url and engine.auth')}."


def _unreachable(settings: TrinoSettings, exc: Exception) -> EngineUnavailable:
    if isinstance(exc, requests.exceptions.SSLError):
        return EngineRefuses(
            f"Trino at {settings.base_url} cannot be trusted, or does not trust us: {_tls_reason(exc)}.",
            hint="engine.url with ?verify=/path/ca.pem trusts the authority in that file; engine.certificate shows who asks.",
        )
    if isinstance(exc, TrinoLibraryError):
        return EngineRefuses(
            f"Logging in to Trino at {settings.base_url} failed: {type(exc).__name__}.",
            hint="Try again and log in with the browser; the server must offer engine.auth's kind.",
        )
    return EngineUnavailable(
        f"Trino at {settings.base_url} does not answer: {_reason(exc)}.",
        hint="Is engine.url right, and is the server up? `%fusion doctor` checks it.",
    )


def _reason(exc: Exception) -> str:
    if isinstance(exc, requests.Timeout):
        return "it takes too long"
    if isinstance(exc, requests.exceptions.SSLError):
        return _tls_reason(exc)
    return (
        "the connection failed" if isinstance(exc, requests.ConnectionError) else type(exc).__name__
    )


def _tls_reason(exc: Exception) -> str:
    """
    What OpenSSL says, in a few words.
    """
    text = str(exc)
    found = re.search(r"certificate verify failed: ([^(\]]{1,80}?)\s*[(\]]", text)
    if found:
        return f"its certificate is not accepted, {found[1].rstrip('. ').lower()}"
    return "the TLS handshake failed"
