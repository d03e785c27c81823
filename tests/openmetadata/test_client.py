"""
The client of OpenMetadata's REST API: every answer is understood, whatever stands where the server should.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fusion_magic.errors import MetadataError, MetadataRefuses, MetadataUnavailable
from fusion_magic.openmetadata.address import parse_address
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.openmetadata.messages import Asset, AssetList, Version
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.certificates import Authority

ORDERS = "pg.shop.public.orders"
PATH = f"tables/name/{ORDERS}"


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        started.add_table(ORDERS, {"id": "BIGINT"})
        started.clear_requests()
        yield started


def client_of(
    server: OpenMetadataServer, token: str | None = "", **options: Any
) -> OpenMetadataClient:
    token = server.token if token == "" else token
    address = parse_address(server.url, setting="metadata.url", token=token)
    return OpenMetadataClient(address, token=token, **options)


def test_what_is_there_is_given_and_what_is_not_is_none(server: OpenMetadataServer) -> None:
    client = client_of(server)

    found = client.get(PATH, Asset, {"fields": "columns"})

    assert found is not None
    assert found.fully_qualified_name == ORDERS
    assert [column.name for column in found.columns or ()] == ["id"]
    assert client.get("tables/name/pg.shop.public.none", Asset) is None
    assert client.get("system/version", Version) == Version(version="1.6.0")


@pytest.mark.parametrize("name", ["a/b", "a b", "a%2Fb", "a?b", "ä#ö", "a&b=c", "a+b"])
def test_any_name_is_one_part_of_a_path(server: OpenMetadataServer, name: str) -> None:
    server.add_table(f"pg.shop.public.{name}", {"id": "BIGINT"})

    found = client_of(server).get(f"tables/name/{segment(f'pg.shop.public.{name}')}", Asset)

    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("token", [None, "no.such.token"])
def test_a_token_that_is_not_accepted_is_told_with_the_way_on(
    server: OpenMetadataServer, token: str | None
) -> None:
    with pytest.raises(MetadataRefuses) as caught:
        client_of(server, token).get(PATH, Asset)

    assert caught.value.status == 401
    assert "metadata.token" in str(caught.value) or "wants a token" in str(caught.value)
    assert "no.such.token" not in str(caught.value)


def test_a_right_that_is_missing_is_named(server: OpenMetadataServer) -> None:
    server.deny("ViewBasic", "ViewAll")

    with pytest.raises(MetadataRefuses) as caught:
        client_of(server).get(PATH, Asset)

    assert caught.value.status == 403
    assert "ViewBasic" in caught.value.message or "ViewAll" in caught.value.message
    assert caught.value.message.startswith("OpenMetadata does not allow GET tables: ")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_is_busy_for_a_moment_is_asked_again(
    server: OpenMetadataServer, status: int
) -> None:
    server.fail(status, times=2)

    assert client_of(server).get(PATH, Asset) is not None
    assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_away(server: OpenMetadataServer) -> None:
    server.fail(503, times=10)

    with pytest.raises(MetadataUnavailable) as caught:
        client_of(server).get(PATH, Asset)
    assert caught.value.status == 503


def test_a_server_that_asks_for_patience_gets_it(server: OpenMetadataServer) -> None:
    server.fail(429, headers={"Retry-After": "0"})
    client = client_of(server)

    assert client.get(PATH, Asset) is not None

    server.clear_requests()
    server.fail(429, headers={"Retry-After": "3600"})
    with pytest.raises(MetadataUnavailable):
        client.get(PATH, Asset)
    assert len(server.requests) == 1


def test_a_connection_that_breaks_is_taken_up_again(server: OpenMetadataServer) -> None:
    server.fail(cut=True)

    assert client_of(server).get(PATH, Asset) is not None


def test_a_server_that_was_away_answers_the_same_client_when_it_is_back(
    server: OpenMetadataServer,
) -> None:
    client = client_of(server)
    client.get(PATH, Asset)
    server.stop()
    with pytest.raises(MetadataUnavailable, match="the connection failed"):
        client.get(PATH, Asset)

    server.start()

    assert client.get(PATH, Asset) is not None


def test_a_page_instead_of_data_is_told(server: OpenMetadataServer) -> None:
    server.fail(200, page=True)

    with pytest.raises(MetadataUnavailable) as caught:
        client_of(server).get(PATH, Asset)
    assert "web page" in caught.value.message
    assert "/api" in (caught.value.hint or "")


@pytest.mark.parametrize("base", ["", "/other", "/api/sub"])
def test_an_address_that_leads_beside_the_api_is_told(
    server: OpenMetadataServer, base: str
) -> None:
    address = parse_address(
        server.url.removesuffix("/api") + base, setting="metadata.url", token=None
    )

    with pytest.raises(MetadataError):
        OpenMetadataClient(address, token=None).get(PATH, Asset)


def test_a_route_that_the_server_does_not_have_is_no_outage(server: OpenMetadataServer) -> None:
    with pytest.raises(MetadataError) as caught:
        client_of(server).get("nothing/like/that", Asset)
    assert type(caught.value) is MetadataError


def test_what_the_server_says_no_to_is_told_in_its_words(server: OpenMetadataServer) -> None:
    with pytest.raises(MetadataError) as caught:
        client_of(server).get(PATH, Asset, {"fields": "nonsense"})
    assert caught.value.status == 400
    assert "nonsense" in caught.value.message


def test_a_server_that_is_slow_is_given_up(server: OpenMetadataServer) -> None:
    server.delay_s = 2.0

    with pytest.raises(MetadataUnavailable, match="takes too long"):
        client_of(server, timeout_s=0.1).get(PATH, Asset)


def test_a_list_of_nothing_is_a_list(server: OpenMetadataServer) -> None:
    found = client_of(server).get("databases", AssetList, {"service": "none"})

    assert found is None or found.data == []


class _Elsewhere(BaseHTTPRequestHandler):
    """
    A server of another kind: a redirect, a text that is no JSON, an answer of another shape.
    """

    seen: list[str | None] = []  # noqa: RUF012 - one server a test

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        path = self.path
        self.send_response(302 if "moved" in path else 200)
        if "moved" in path:
            self.send_header("Location", "https://elsewhere.example/login")
        body = b'["x"]' if "list" in path else b"not JSON"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def elsewhere() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "part"),
    [("moved", "elsewhere"), ("list", "not OpenMetadata's"), ("text", "not OpenMetadata's")],
)
def test_another_server_is_not_taken_for_one(
    elsewhere: ThreadingHTTPServer, path: str, part: str
) -> None:
    url = f"http://127.0.0.1:{elsewhere.server_port}/api"
    client = OpenMetadataClient(parse_address(url, setting="metadata.url", token="t"), token="t")

    with pytest.raises(MetadataUnavailable, match=part):
        client.get(path, Asset)


def test_https_needs_a_certificate_that_is_trusted(
    elsewhere: ThreadingHTTPServer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost"))
    elsewhere.socket = context.wrap_socket(elsewhere.socket, server_side=True)
    url = f"https://localhost:{elsewhere.server_port}/api"

    def ask(url: str) -> None:
        OpenMetadataClient(parse_address(url, setting="x", token=None), token=None).get(
            "list", Asset
        )

    with pytest.raises(MetadataUnavailable, match="certificate is not accepted"):
        ask(url)
    # It is the answer that is wrong now, and no longer the certificate.
    with pytest.raises(MetadataUnavailable, match="not OpenMetadata's"):
        ask(f"{url}?verify={authority.path}")
