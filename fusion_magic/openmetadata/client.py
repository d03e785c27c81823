"""
Requests to OpenMetadata's REST API, and its answers understood.

Everything goes over urllib3, whose connections are kept open and shared by threads. What a server answers instead of what was
asked becomes an error that says which mistake it comes from; none holds the token.

Source: a real server that reports ``1.6.0-SNAPSHOT``, and the official client of 1.6.13 and 2.0.7, observed. A route or a slash that
the server does not know is a 500 whose text says 404.
"""

from __future__ import annotations

import itertools
import re
import ssl
import time
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as TooSlow

from fusion_magic.errors import MetadataError, MetadataRefuses, MetadataUnavailable
from fusion_magic.openmetadata.address import Address

AGENT = "fusion-magic"
TIMEOUT_S = 20.0
MOST_CONNECTIONS = 16
MOST_URL_BYTES = 6_000  # the request line and all headers must stay below 8 KiB, and a bot's token takes one of them
LONGEST_WAIT_S = 5.0  # for a server that asks for patience; longer is for the caller's own repeats
TURNS = 3
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
_BUSY = frozenset({502, 503, 504})
_NO_ROUTE = "HTTP 404 Not Found"  # an entity that is not there is "… instance for NAME not found"
_CODE = b'"code"'  # in every 404 of the API itself; a web server's own has none
_NO_RETRIES = urllib3.Retry(False)
_Message = TypeVar("_Message")
Query = Mapping[str, "str | int | Sequence[str] | None"]


class OpenMetadataClient:
    """
    One server, asked with one token. Safe to use from several threads.

    Args:
        token: A bot's JWT or a person's access token; None asks as nobody.

        setting: Where the address stands, for messages.

        timeout_s: For one answer.
    """

    def __init__(
        self,
        address: Address,
        *,
        token: str | None,
        setting: str = "metadata.url",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.address = address
        self._setting = setting
        self._token = token
        self._timeout_s = timeout_s
        self._pool = _open_pool(address)
        self._path = urlsplit(address.url).path
        self._headers = {"User-Agent": AGENT, "Accept": JSON, "Accept-Encoding": "gzip"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, kind: type[_Message], query: Query | None = None) -> _Message | None:
        """
        What stands at a path, or None where there is nothing.

        Args:
            path: Below ``/v1``, each name in it a ``segment``.

        Raises:
            MetadataUnavailable: The server cannot be reached, or does not answer as OpenMetadata does.
            MetadataRefuses: The token is not accepted, or may not do that.
            MetadataError: It says no for another reason.
        """
        answer = self._send("GET", path, query=query)
        return None if answer is None else self._decode(answer, kind)

    def put(self, path: str, body: Any, kind: type[_Message]) -> _Message:
        """
        Make or change what *body* says; raises as ``get`` does, and ``MetadataError`` where a part of it is not there.
        """
        return self._decode(self._there(self._send("PUT", path, body=body), path), kind)

    def post(self, path: str, kind: type[_Message], body: Any = None) -> _Message:
        """
        Ask for something that is not the same when it comes twice; raises as ``put`` does.
        """
        return self._decode(self._there(self._send("POST", path, body=body), path), kind)

    def send(self, method: str, path: str, body: Any = None, query: Query | None = None) -> bool:
        """
        A request whose answer says nothing; False where there is nothing at that path.
        """
        content = JSON_PATCH if method == "PATCH" else JSON
        return self._send(method, path, query=query, body=body, content=content) is not None

    def close(self) -> None:
        """
        Let go of the connections.
        """
        self._pool.close()

    def fits(self, path: str, query: Query) -> bool:
        """
        Whether a request is short enough for the server to take.
        """
        return len(_target(self._path, path, query)) <= MOST_URL_BYTES

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content: str = JSON,
    ) -> bytes | None:
        target = _target(self._path, path, query)
        headers = {**self._headers, "Content-Type": content} if body is not None else self._headers
        data = msgspec.json.encode(body) if body is not None else None
        for turn in range(1, TURNS + 1):
            answer = self._exchange(method, target, headers, data, turn)
            if answer is None:
                continue
            wait_s = _wait_s(answer, turn)
            if wait_s is None or turn == TURNS:
                break
            time.sleep(wait_s)
        asked = f"{method} {_route(path)}"
        return self._understood(answer, asked) if answer is not None else None

    def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], data: bytes | None, turn: int
    ) -> urllib3.BaseHTTPResponse | None:
        """
        The answer; None where the connection was lost and the request, which is the same when it comes twice, may be sent again.
        """
        try:
            return self._pool.urlopen(
                *(method, target),
                body=data,
                headers=headers,
                timeout=self._timeout_s,
                retries=_NO_RETRIES,
                redirect=False,
            )
        except (HTTPError, OSError) as exc:
            if isinstance(exc, ProtocolError) and turn < TURNS and method != "POST":
                return None
            raise MetadataUnavailable(
                f"OpenMetadata at {self.address.url} cannot be asked: {_reason(exc)}.",
                hint=f"Is {self._setting} right, and does the network lead there?",
            ) from exc

    def _understood(self, answer: urllib3.BaseHTTPResponse, asked: str) -> bytes | None:
        status, data = answer.status, answer.data
        is_page = data.lstrip()[:1] == b"<" or "html" in answer.headers.get("Content-Type", "")
        if is_page and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise MetadataUnavailable(
                f"{self.address.url} answers with a web page instead of data.",
                hint=f"Does {self._setting} end in /api? A login page of a proxy looks the same.",
            )
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return data
        if status < HTTPStatus.BAD_REQUEST:
            raise MetadataUnavailable(
                f"{self.address.url} sends the request elsewhere (HTTP {status}), where no token is sent.",
                hint=f"Give {self._setting} the address that answers itself: https:// instead of http://, for instance.",
            )
        text = _said(data, self._token)
        if status == HTTPStatus.NOT_FOUND and (_CODE not in data or _NO_ROUTE in text):
            raise MetadataUnavailable(
                f"There is no OpenMetadata at {self.address.url}.",
                hint=f"Does {self._setting} end in /api?",
            )
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise self._refused(status, text, asked)
        raise _failed(status, text)

    def _refused(self, status: int, text: str, asked: str) -> MetadataRefuses:
        if status == HTTPStatus.FORBIDDEN:
            return MetadataRefuses(
                f"OpenMetadata does not allow {asked}: {text}",
                status=status,
                hint="Give the token's bot or person a role with that right.",
            )
        token = "metadata.token" if self._setting == "metadata.url" else "delivery.token"
        hint = (
            "It may have run out, or a newer one was made for the same bot (Settings > Bots); a person's stands under "
            "Access Tokens."
            if self._token
            else f"Set {token}: a bot's (Settings > Bots) or a person's (Access Tokens)."
        )
        what = f"does not accept {token}" if self._token else "wants a token"
        return MetadataRefuses(f"OpenMetadata {what}: {text}", status=status, hint=hint)

    def _decode(self, data: bytes, kind: type[_Message]) -> _Message:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise MetadataUnavailable(
                f"{self.address.url} answers with something that is not OpenMetadata's.",
                hint=f"Does {self._setting} lead to an OpenMetadata server, 1.5 or newer?",
            ) from exc

    def _there(self, answer: bytes | None, path: str) -> bytes:
        if answer is None:
            raise MetadataError(
                f"OpenMetadata does not know a part of what is written to {path}.",
                status=int(HTTPStatus.NOT_FOUND),
            )
        return answer


def segment(name: str) -> str:
    """
    A name or an FQN as one part of a path.

    >>> segment("shop.a/b.c d")
    'shop.a%2Fb.c%20d'
    """
    return quote(name, safe="")


def _target(base: str, path: str, query: Query | None) -> str:
    pairs = [(k, str(v)) for k, values in (query or {}).items() for v in _each(values)]
    # A blank is %20 there as in a path: a plus sign would be one in some of the server's parameters.
    text = urlencode(pairs, quote_via=quote)
    return f"{base}/v1/{path}?{text}" if text else f"{base}/v1/{path}"


def _each(values: str | int | Sequence[str] | None) -> Iterable[str | int]:
    if values is None:
        return ()
    return (values,) if isinstance(values, (str, int)) else values


def _wait_s(answer: urllib3.BaseHTTPResponse, turn: int) -> float | None:
    """
    Seconds until a request is worth sending again; None where it is not.
    """
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = answer.headers.get("Retry-After", "")
        wait_s = float(asked) if re.fullmatch(r"\d{1,6}", asked) else 1.0
        return wait_s if wait_s <= LONGEST_WAIT_S else None
    return 0.2 * turn if answer.status in _BUSY else None


def _route(path: str) -> str:
    """
    The kind of thing that stands at a path.

    >>> _route("services/databaseServices/name/pg"), _route("queries/7f0c/usage")
    ('services/databaseServices', 'queries')
    """
    words = itertools.takewhile(lambda word: word.isalpha() and word != "name", path.split("/"))
    return "/".join(words)


def _failed(status: int, text: str) -> MetadataError:
    if _NO_ROUTE in text:
        return MetadataError(
            "This OpenMetadata server does not have what was asked for.",
            status=int(HTTPStatus.NOT_FOUND),
            hint="Is it 1.5 or newer?",
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return MetadataUnavailable(
            f"OpenMetadata has no answer now (HTTP {status}): {text}",
            status=status,
            hint="Try again in a moment; its own log says more.",
        )
    return MetadataError(f"OpenMetadata says no (HTTP {status}): {text}", status=status)


def _said(data: bytes, token: str | None) -> str:
    """
    What an error's body says, in one line.
    """
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    told = body if isinstance(body, dict) else {}
    text = " ".join(str(told.get("message") or told.get("responseMessage") or "no reason").split())
    return (text.replace(token, "…") if token else text)[:300]


def _reason(exc: Exception) -> str:
    cause: object = exc.reason if isinstance(exc, MaxRetryError) else exc
    if isinstance(cause, SSLError):
        found = re.search(r"certificate verify failed: ([^(\]]{1,80}?)\s*[(\]]", str(cause))
        if found:
            return f"its certificate is not accepted, {found[1].rstrip('. ').lower()}"
        return "the TLS handshake failed"
    if isinstance(cause, TooSlow) and not isinstance(cause, NewConnectionError):
        return "it takes too long"
    return "the connection failed"


def _open_pool(address: Address) -> urllib3.HTTPConnectionPool:
    parts = urlsplit(address.url)
    origin = f"{parts.scheme}://{parts.netloc}"
    options: dict[str, Any] = {"maxsize": MOST_CONNECTIONS}
    if parts.scheme == "https":
        options["ssl_context"] = _tls(address.verify)
    host = parts.hostname or ""
    proxy = (
        ""
        if urllib.request.proxy_bypass(host)
        else urllib.request.getproxies().get(parts.scheme, "")
    )
    if not proxy:
        return urllib3.PoolManager(**options).connection_from_url(origin)
    url = proxy if "://" in proxy else f"http://{proxy}"
    login = urlsplit(url)
    secret = f"{login.username}:{login.password or ''}" if login.username else None
    headers = urllib3.make_headers(proxy_basic_auth=secret)
    return urllib3.ProxyManager(url, proxy_headers=headers, **options).connection_from_url(origin)


def _tls(verify: bool | str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
