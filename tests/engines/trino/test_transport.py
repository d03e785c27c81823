"""
HTTP as Trino and a storage see it: who asks, cookies, redirects, proxies, TLS and compression.
"""

from __future__ import annotations

import base64
import gzip
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from requests.cookies import RequestsCookieJar

from fusion_magic.engines.trino.auth import sign_in
from fusion_magic.engines.trino.settings import TrinoSettings
from fusion_magic.engines.trino.transport import MOST_REDIRECTS, NoAnswer, Request, Transport
from fusion_magic.errors import EngineUnavailable, InvalidSettings
from tests.servers.certificates import Authority

GET = Request(method="GET", url="", headers={"X-Trino-User": "ana"}, timeout_s=5)
SHOWN = f"Basic {base64.b64encode(b'ana:secret').decode()}"


class Answers(BaseHTTPRequestHandler):
    """
    ``/200``, ``/503`` … answer with that status; a proxy's requests carry a whole address, which is answered here as well.
    """

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, str]]
    moved_to = ""
    cookie = ""
    is_compressing = False

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def do_DELETE(self) -> None:
        self._answer()

    def do_CONNECT(self) -> None:
        self.seen.append({"method": "CONNECT", "path": self.path, **self.headers})
        self.send_error(403)

    def _answer(self, body: bytes = b"") -> None:
        given = {"method": self.command, "path": self.path, "body": body.decode()}
        self.seen.append({**given, **{n.title(): v for n, v in self.headers.items()}})
        path = self.path.removeprefix("http://nowhere.invalid")
        status = int(path[1:4])
        content = gzip.compress(self.path.encode()) if self.is_compressing else self.path.encode()
        self.send_response(status)
        headers = {
            "Content-Length": str(len(content)),
            "Content-Encoding": "gzip" if self.is_compressing else "",
            "Location": self.moved_to if 300 <= status < 400 else "",
            "Set-Cookie": self.cookie,
        }
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return None


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        A handshake that is meant to fail is not told.
        """


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    handler: Any = type("Handler", (Answers,), {"seen": []})
    made = Quiet(("127.0.0.1", 0), handler)
    if context is not None:
        made.socket = context.wrap_socket(made.socket, server_side=True)
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    scheme = "http" if context is None else "https"
    yield Server(handler, f"{scheme}://127.0.0.1:{made.server_address[1]}")
    made.shutdown()
    made.server_close()


class Server:
    """
    One that answers, and what it has seen.
    """

    def __init__(self, handler: Any, url: str) -> None:
        self.handler = handler
        self.url = url

    @property
    def seen(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.handler.seen
        return found

    def get(self, path: str) -> Request:
        return replace(GET, url=self.url + path)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An environment without proxies and authorities.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def with_certificate(authority: Authority) -> ssl.SSLContext:
    """
    TLS of a server whose certificate *authority* has signed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server"))
    return context


@pytest.fixture
def transport() -> Iterator[Transport]:
    """
    One that shows a password.
    """
    made = signed()
    yield made
    made.close()


def signed(**options: Any) -> Transport:
    settings = TrinoSettings(base_url="https://t", user="ana", password="secret")
    cookies = RequestsCookieJar()
    shown = sign_in(settings, ask=lambda _url: None, cookies=cookies)
    return Transport(sign_in=shown, cookies=cookies, **options)


def test_each_request_says_who_asks(transport: Transport, server: Server) -> None:
    answers = [transport.send(server.get(f"/200?page={page}")) for page in (1, 2)]

    assert [answer.content for answer in answers] == [b"/200?page=1", b"/200?page=2"]
    for each in server.seen:
        assert (each["Authorization"], each["X-Trino-User"]) == (SHOWN, "ana")
        assert each["User-Agent"] == "fusion-magic"


def test_one_connection_carries_many_requests(transport: Transport, server: Server) -> None:
    for _ in range(3):
        transport.send(server.get("/200"))

    [route] = transport._routes.values()
    assert (route.pool.num_connections, route.pool.num_requests) == (1, 3)


@pytest.mark.parametrize("status", [204, 401, 404, 503])
def test_any_status_is_an_answer(transport: Transport, server: Server, status: int) -> None:
    assert transport.send(server.get(f"/{status}")).status == status
    assert len(server.seen) == 1


def test_a_cookie_is_sent_where_it_was_set_for(transport: Transport, server: Server) -> None:
    """
    By one, a balancer knows the coordinator that has the query.
    """
    server.handler.cookie = "route=7; Path=/200"
    for path in ("/200", "/200/x", "/201"):
        transport.send(server.get(path))

    assert [each.get("Cookie") for each in server.seen] == [None, "route=7", None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_get_is_redirected(transport: Transport, server: Server, status: int) -> None:
    server.handler.moved_to = "/200"

    assert transport.send(server.get(f"/{status}")).content == b"/200"
    assert server.seen[1]["Authorization"] == SHOWN


@pytest.mark.parametrize(("status", "ends_with"), [(303, 303), (302, 302), (307, 200), (308, 200)])
def test_a_statement_is_redirected_as_one_or_not_at_all(
    transport: Transport, server: Server, status: int, ends_with: int
) -> None:
    server.handler.moved_to = "/200"
    statement = replace(server.get(f"/{status}"), method="POST", body=b"SELECT 1")

    assert transport.send(statement).status == ends_with
    assert {(each["method"], each["body"]) for each in server.seen} == {("POST", "SELECT 1")}


def test_another_server_is_not_told_who_asks(
    transport: Transport, server: Server, other: Server
) -> None:
    server.handler.moved_to = f"{other.url}/200"

    assert transport.send(server.get("/307")).status == 200
    assert "Authorization" in server.seen[0]
    assert "Authorization" not in other.seen[0]


def test_a_circle_of_redirects_ends(transport: Transport, server: Server) -> None:
    server.handler.moved_to = "/307"

    assert transport.send(server.get("/307")).status == 307
    assert len(server.seen) == MOST_REDIRECTS + 1


def test_a_redirect_to_plain_http_is_refused(server: Server, authority: Authority) -> None:
    with serving(with_certificate(authority)) as secure:
        secure.handler.moved_to = f"{server.url}/200"
        with pytest.raises(EngineUnavailable, match="plain HTTP"):
            signed(verify=str(authority.path), is_tls_only=True).send(secure.get("/307"))
    assert server.seen == []


@pytest.mark.parametrize("url", ["http://[::1", "http:///x", "ftp://host/x", "http://a b/x"])
def test_an_address_that_is_none_is_no_answer(transport: Transport, url: str) -> None:
    with pytest.raises((NoAnswer, InvalidSettings)):
        transport.send(replace(GET, url=url))


def test_a_server_that_is_away_is_no_answer(transport: Transport) -> None:
    with pytest.raises(NoAnswer, match="connection failed") as caught:
        transport.send(replace(GET, url="http://127.0.0.1:1/200"))
    assert not caught.value.is_connect_timeout


@pytest.mark.parametrize("value", ["gü€ss", "a\nb"])
def test_what_a_header_cannot_carry_is_told_without_it(server: Server, value: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Transport().send(replace(server.get("/200"), headers={"X-Trino-User": value}))
    assert caught.value.__cause__ is None
    assert value not in str(caught.value)


@pytest.mark.parametrize(("is_compressed", "wanted"), [(False, "identity"), (True, "gzip")])
def test_answers_are_compressed_where_that_is_wanted(
    server: Server, is_compressed: bool, wanted: str
) -> None:
    server.handler.is_compressing = is_compressed

    answer = Transport(is_compressed=is_compressed).send(server.get("/200"))

    assert answer.content == b"/200"
    assert wanted in server.seen[0]["Accept-Encoding"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_taken(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name.lower(), server.url.replace("http://", "bo:p%20w@"))

    answer = Transport().send(replace(GET, url="http://nowhere.invalid/200?page=1"))

    assert answer.content == b"http://nowhere.invalid/200?page=1"
    assert server.seen[0]["Host"] == "nowhere.invalid"
    shown = server.seen[0]["Proxy-Authorization"].removeprefix("Basic ")
    assert base64.b64decode(shown) == b"bo:p w"


def test_a_server_may_be_excepted_from_the_proxy(
    server: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", other.url)
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")

    assert Transport().send(server.get("/200")).status == 200
    assert other.seen == []


def test_https_goes_through_a_proxy_as_a_tunnel(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)

    with pytest.raises(NoAnswer, match="connection failed"):
        signed().send(replace(GET, url="https://nowhere.invalid/200"))
    [seen] = server.seen
    assert (seen["method"], seen["path"]) == ("CONNECT", "nowhere.invalid:443")
    assert "Authorization" not in seen


def test_a_proxy_that_is_away_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:2")

    with pytest.raises(NoAnswer, match="connection failed"):
        Transport().send(replace(GET, url="http://nowhere.invalid/200"))


@pytest.mark.filterwarnings("ignore:SOCKS support")
def test_a_socks_proxy_asks_for_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.setenv("all_proxy", "socks5h://127.0.0.1:2")

    with pytest.raises(InvalidSettings, match="PySocks"):
        Transport().send(replace(GET, url="http://nowhere.invalid/200"))


def test_a_server_must_prove_who_it_is(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    To authorities that are given, to those of the environment, or to none where that is said.
    """
    with serving(with_certificate(authority)) as secure:
        with pytest.raises(NoAnswer, match="certificate is not accepted") as caught:
            Transport().send(secure.get("/200"))
        assert caught.value.is_tls
        assert Transport(verify=str(authority.path)).send(secure.get("/200")).status == 200
        with pytest.warns(match="Unverified HTTPS"):
            assert Transport(verify=False).send(secure.get("/200")).status == 200
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
        assert Transport().send(secure.get("/200")).status == 200
        stranger = str(Authority(tmp_path / "stranger").path)
        with pytest.raises(NoAnswer, match="certificate is not accepted"):
            Transport(verify=stranger).send(secure.get("/200"))


def test_a_certificate_shows_who_asks(authority: Authority) -> None:
    context = with_certificate(authority)
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.issue("carl")
    with serving(context) as secure:
        shown = Transport(verify=str(authority.path), certificate=str(certificate), key=str(key))
        assert shown.send(secure.get("/200")).status == 200
        with pytest.raises(NoAnswer):
            Transport(verify=str(authority.path)).send(secure.get("/200"))
