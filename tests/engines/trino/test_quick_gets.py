"""
GETs that differ in their addresses alone: what they send, and what they leave to requests.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from fusion_magic.engines.trino.quick_gets import QuickGets

HEADERS = {"X-Trino-User": "ana"}


class Answers(BaseHTTPRequestHandler):
    """
    ``/200``, ``/503`` … answer with that status; every answer sets the next cookie.
    """

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, str | None]]
    cookies_for = "/"

    def do_GET(self) -> None:
        names = ("X-Trino-User", "Authorization", "Accept-Encoding", "Cookie")
        self.seen.append({name: self.headers.get(name) for name in names})
        content = self.path.encode()
        self.send_response(int(self.path[1:4]))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Set-Cookie", f"route={len(self.seen)}; Path={self.cookies_for}")
        self.send_header("Location", "/200")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, str | None]]]]:
    handler = type("Handler", (Answers,), {"seen": []})
    made = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_address[1]}", handler.seen  # type: ignore[attr-defined]
    made.shutdown()
    made.server_close()


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("ana", "secret")
        yield session


def quick_gets(http: requests.Session) -> QuickGets:
    return QuickGets(http, HEADERS, verify=True, timeout_s=5)


def test_what_requests_would_send_is_sent(
    http: requests.Session, server: tuple[str, list[dict[str, str | None]]]
) -> None:
    url, seen = server
    gets = quick_gets(http)

    answers = [gets.get(f"{url}/200?page={page}") for page in (1, 2)]
    http.get(f"{url}/200", headers=HEADERS)

    assert [answer and answer.data for answer in answers] == [b"/200?page=1", b"/200?page=2"]
    assert [each["Cookie"] for each in seen] == [None, "route=1", "route=2"]
    assert all({**each, "Cookie": ""} == {**seen[2], "Cookie": ""} for each in seen)
    assert str(seen[0]["Authorization"]).startswith("Basic ")


def test_a_cookie_for_some_paths_is_left_to_requests(
    http: requests.Session,
    server: tuple[str, list[dict[str, str | None]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, seen = server
    monkeypatch.setattr(Answers, "cookies_for", "/200")
    gets = quick_gets(http)

    assert gets.get(f"{url}/200") is not None
    assert gets.get(f"{url}/200") is None
    assert len(seen) == 1


@pytest.mark.parametrize("url", ["http://[::1", "http:///x", "ftp://host/x", "http://a b/x"])
def test_an_address_that_is_none_is_left_to_requests(http: requests.Session, url: str) -> None:
    assert quick_gets(http).get(url) is None


@pytest.mark.parametrize("status", [204, 302, 401, 404, 503])
def test_another_status_is_left_to_requests(
    http: requests.Session, server: tuple[str, list[dict[str, str | None]]], status: int
) -> None:
    url, seen = server

    assert quick_gets(http).get(f"{url}/{status}") is None
    assert len(seen) == 1


def test_so_are_a_proxy_and_a_server_that_is_away(http: requests.Session) -> None:
    away = "http://127.0.0.1:1/200"
    assert quick_gets(http).get(away) is None
    http.proxies = {"http": "http://127.0.0.1:2"}
    gets = quick_gets(http)
    assert gets.get(away) is None
    assert not gets._pools
