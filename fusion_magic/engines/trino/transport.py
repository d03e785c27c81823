"""
HTTP to Trino, and to the storage of spooled rows: connections, TLS, proxies, cookies and redirects.

All of it goes over urllib3. A worker with a thousand waiting queries asks for nearly a thousand pages a second, and requests
would take twice the time for each of them. What the libraries below raise becomes ``NoAnswer``, in words of our own: theirs may
hold a secret.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import requests
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as TooSlow

from fusion_magic.engines.trino.auth import SignIn
from fusion_magic.errors import EngineUnavailable, InvalidSettings

AGENT = "fusion-magic"
MOST_CONNECTIONS = 64  # kept open to one server: a worker's threads, and some
MOST_REDIRECTS = 5
_NO_RETRIES = urllib3.Retry(False)
_FOREIGN = (HTTPError, requests.RequestException, HTTPException, OSError)
_BROKEN = (NewConnectionError, ProtocolError, ProxyError)
_MOVED = frozenset({307, 308})
_MOVED_OR_ELSEWHERE = frozenset({301, 302, 303}) | _MOVED  # a POST would become a GET by these


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One request, without what shows who asks.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A whole answer. ``headers`` finds names in upper and lower case.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


class NoAnswer(Exception):
    """
    No whole answer came.

    Attributes:
        reason: Why, in a few words.
        is_tls: The two do not trust each other.
        is_connect_timeout: The server was not reached in time, so that it has nothing of the request.
    """

    def __init__(
        self, reason: str, *, is_tls: bool = False, is_connect_timeout: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_tls = is_tls
        self.is_connect_timeout = is_connect_timeout


class Transport:
    """
    Connections to the servers that addresses name. Safe to use from several threads.

    Args:
        verify: Whether servers must prove who they are, or the file of the authorities that are trusted.

        certificate: The PEM file that shows who asks, and ``key`` its key's where that is another file.

        sign_in: What shows who asks with each request. Where a redirect leads to another server, that one is not told.

        cookies: What servers have set, shared with the requests of a login.

        is_compressed: Whether answers may be compressed.

        is_tls_only: Whether plain HTTP is refused.
    """

    def __init__(
        self,
        *,
        verify: bool | str = True,
        certificate: str = "",
        key: str = "",
        sign_in: SignIn | None = None,
        cookies: CookieJar | None = None,
        is_compressed: bool = False,
        is_tls_only: bool = False,
    ) -> None:
        self._verify = verify
        self._files = {"cert_file": certificate, "key_file": key or certificate}
        self._sign_in = sign_in or SignIn()
        self._cookies = CookieJar() if cookies is None else cookies
        self._is_tls_only = is_tls_only
        # Trino compresses slower than most networks carry: 1.3 s of 1.8 for 38 MB, measured on loopback.
        accepted = urllib3.make_headers(accept_encoding=True)["accept-encoding"]
        self._headers = {
            "User-Agent": AGENT,
            "Accept": "*/*",
            "Accept-Encoding": accepted if is_compressed else "identity",
        }
        self._routes: dict[str, _Route] = {}

    def send(self, request: Request) -> Answer:
        """
        The answer to a request, whatever its status is; redirects are followed.

        Raises:
            NoAnswer: None came, or half of one.
            InvalidSettings: A header that HTTP has no place for.
            EngineRefuses: There is no ticket, or the login failed.
            EngineUnavailable: The address is plain HTTP, and that is refused.
        """
        with _translated():
            answer = self._exchange(request, self._shown(request))
            following = request
            for _ in range(MOST_REDIRECTS):
                address = _moved_to(following, answer)
                if address is None:
                    break
                following = replace(following, url=address)
                is_same = origin_of(address) == origin_of(request.url)
                answer = self._exchange(following, self._shown(following) if is_same else "")
            if answer.status == HTTPStatus.UNAUTHORIZED:
                return self._logged_in(request) or answer
            return answer

    def close(self) -> None:
        """
        Let go of the connections.
        """
        while self._routes:
            self._routes.popitem()[1].manager.clear()

    def _exchange(self, request: Request, shown: str) -> Answer:
        parts = urlsplit(request.url)
        if self._is_tls_only and parts.scheme != "https":
            raise EngineUnavailable(
                "Trino answers over HTTPS and gives addresses that are plain HTTP; no secret is sent there.",
                hint="Behind a proxy Trino needs http-server.process-forwarded=true.",
            )
        origin = f"{parts.scheme}://{parts.netloc}"
        route = self._routes.get(origin) or self._open(origin)
        headers = {**self._headers, **request.headers, **self._cookie(request.url)}
        if shown:
            headers["Authorization"] = shown
        answer = route.pool.urlopen(
            *(request.method, route.target(parts)),
            body=request.body,
            headers=headers,
            timeout=request.timeout_s,
            retries=_NO_RETRIES,
            redirect=False,
            assert_same_host=False,
        )
        if "Set-Cookie" in answer.headers:
            self._cookies.extract_cookies(cast("Any", answer), _address(request.url))
        return Answer(answer.status, answer.headers, answer.data)

    def _shown(self, request: Request) -> str:
        return self._sign_in.authorization(request.url, request.headers)

    def _cookie(self, url: str) -> dict[str, str]:
        if not len(self._cookies):
            return {}
        asked = _address(url)
        self._cookies.add_cookie_header(asked)
        return {"Cookie": str(asked.get_header("Cookie"))} if asked.has_header("Cookie") else {}

    def _logged_in(self, request: Request) -> Answer | None:
        """
        The answer after a login; None where there is none to be had.
        """
        found = self._sign_in.log_in(
            request.method,
            request.url,
            headers={**self._headers, **request.headers},
            body=request.body,
            timeout_s=request.timeout_s,
        )
        return (
            Answer(found.status_code, found.headers, found.content) if found is not None else None
        )

    def _open(self, origin: str) -> _Route:
        """
        The way to a server, as the environment wants it: through a proxy or not, with authorities of its own or requests'.
        """
        with requests.Session() as session:
            found = session.merge_environment_settings(origin, {}, None, self._verify, None)
        manager = _manager(
            _proxy(origin, found["proxies"]),
            **_trusted(found["verify"]),
            **(self._files if self._files["cert_file"] else {}),
        )
        route = _Route(manager, manager.connection_from_url(origin))
        return self._routes.setdefault(origin, route)


@dataclass(frozen=True, slots=True)
class _Route:
    """
    The connections to one server.
    """

    manager: urllib3.PoolManager
    pool: urllib3.HTTPConnectionPool

    def target(self, parts: SplitResult) -> str:
        """
        What stands in a request's first line: for a proxy that passes requests on, the whole address.
        """
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        is_passed_on = self.pool.proxy is not None and parts.scheme == "http"
        return f"{parts.scheme}://{parts.netloc}{path}" if is_passed_on else path


def _address(url: str) -> urllib.request.Request:
    """
    What a jar of cookies takes an address as; nothing is requested by it.
    """
    return urllib.request.Request(url)  # noqa: S310 - not opened


def _proxy(origin: str, proxies: Mapping[str, str]) -> str:
    """
    The address of the proxy on the way to *origin*; empty for none.
    """
    found = proxies.get(origin.partition(":")[0]) or proxies.get("all", "")
    return f"http://{found}" if found and "://" not in found else found


def _trusted(verify: bool | str) -> dict[str, str]:
    if not verify:
        return {"cert_reqs": "CERT_NONE"}
    place = requests.certs.where() if verify is True else verify  # type: ignore[attr-defined] # documented there, defined in certifi
    kind = "ca_cert_dir" if Path(place).is_dir() else "ca_certs"
    return {"cert_reqs": "CERT_REQUIRED", kind: place}


def _manager(proxy: str, **tls: Any) -> urllib3.PoolManager:
    if proxy.startswith("socks"):
        try:
            from urllib3.contrib.socks import SOCKSProxyManager
        except ImportError as exc:
            raise InvalidSettings(
                "The way to Trino goes through a SOCKS proxy, and the package PySocks is not installed.",
                hint="pip install PySocks; or take ALL_PROXY and HTTPS_PROXY out of the environment.",
            ) from exc
        return SOCKSProxyManager(proxy, maxsize=MOST_CONNECTIONS, **tls)
    if not proxy:
        return urllib3.PoolManager(maxsize=MOST_CONNECTIONS, **tls)
    parts = urlsplit(proxy)
    secret = (
        f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    )
    headers = urllib3.make_headers(proxy_basic_auth=secret)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, maxsize=MOST_CONNECTIONS, **tls)


def _moved_to(request: Request, answer: Answer) -> str | None:
    """
    Where a redirect sends *request*; None where it does not, or not as the request that it is.
    """
    followed = _MOVED_OR_ELSEWHERE if request.method == "GET" else _MOVED
    if answer.status not in followed or "Location" not in answer.headers:
        return None
    return urljoin(request.url, answer.headers["Location"])


def origin_of(url: str) -> str:
    """
    Scheme, host and port.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"


@contextmanager
def _translated() -> Iterator[None]:
    """
    Errors of the libraries below in our words.
    """
    try:
        yield
    except _FOREIGN as exc:
        raise _no_answer(exc) from exc
    except ValueError:
        # Without its cause, which holds the secret.
        raise InvalidSettings(
            "The user, password, token, catalog or schema for Trino has a character that its protocol has no place for.",
            hint="Letters beyond Latin-1, such as €, cannot be sent so.",
        ) from None


def _no_answer(exc: Exception) -> NoAnswer:
    if isinstance(exc, (SSLError, requests.exceptions.SSLError)):
        return NoAnswer(_tls_reason(exc), is_tls=True)
    # A connection that is refused is one that timed out in urllib3's family of errors.
    if isinstance(exc, (TooSlow, requests.Timeout)) and not isinstance(exc, NewConnectionError):
        is_connect = isinstance(exc, (ConnectTimeoutError, requests.ConnectTimeout))
        return NoAnswer("it takes too long", is_connect_timeout=is_connect)
    is_broken = isinstance(exc, (*_BROKEN, requests.ConnectionError))
    return NoAnswer("the connection failed" if is_broken else type(exc).__name__)


def _tls_reason(exc: Exception) -> str:
    """
    What OpenSSL says, in a few words.
    """
    text = str(exc)
    found = re.search(r"certificate verify failed: ([^(\]]{1,80}?)\s*[(\]]", text)
    if found:
        return f"its certificate is not accepted, {found[1].rstrip('. ').lower()}"
    return "the TLS handshake failed"
