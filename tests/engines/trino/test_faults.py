"""
A network that breaks between this program and a real Trino: a result is whole, or it is an error.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import trino
import urllib3

from fusion_magic.engines import EngineQuery
from fusion_magic.engines.trino import client
from fusion_magic.engines.trino.engine import TrinoEngine
from fusion_magic.engines.trino.settings import TrinoSettings
from fusion_magic.errors import EngineUnavailable, FusionError, QueryGone

pytestmark = pytest.mark.trino
SQL = "SELECT orderkey, comment FROM tpch.sf1.orders LIMIT 300000"
Fault = Callable[["Relay", requests.Response], bool]


class Proxy:
    """
    Passes requests to Trino, and lets *fault* spoil the answer of the n-th page.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.faults: dict[int, Fault] = {}
        self.seen: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        handler = type("Bound", (Relay,), {"proxy": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Relay(BaseHTTPRequestHandler):
    """
    One request on its way.
    """

    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._relay("GET")

    def do_POST(self) -> None:
        self._relay("POST")

    def do_DELETE(self) -> None:
        self._relay("DELETE")

    def _relay(self, method: str) -> None:
        proxy = self.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {
            k: v for k, v in self.headers.items() if k.lower() not in {"host", "accept-encoding"}
        }
        with proxy.lock:
            proxy.seen.append((method, self.path))
            fault = proxy.faults.pop(len(proxy.seen), None) if method != "DELETE" else None
        answer = requests.request(
            method, proxy.target + self.path, data=body, headers=headers, timeout=60
        )
        if fault is not None and fault(self, answer):
            return
        self.answer(
            answer.status_code, answer.content.replace(proxy.target.encode(), proxy.url.encode())
        )

    def answer(self, status: int, content: bytes, *, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return None


def status(number: int) -> Fault:
    def fault(relay: Relay, answer: requests.Response) -> bool:
        relay.answer(number, b"busy")
        return True

    return fault


def broken(relay: Relay, answer: requests.Response) -> bool:
    """
    The connection ends before an answer.
    """
    relay.close_connection = True
    relay.connection.close()
    return True


def truncated(relay: Relay, answer: requests.Response) -> bool:
    """
    Half of the answer, and the connection ends.
    """
    content = answer.content
    relay.answer(200, content[: len(content) // 2], length=len(content))
    relay.close_connection = True
    return True


def cut(relay: Relay, answer: requests.Response) -> bool:
    """
    Half of the answer that claims to be all of it.
    """
    relay.answer(200, answer.content[: len(answer.content) // 2])
    return True


@pytest.fixture
def proxy(trino_url: str) -> Iterator[Proxy]:
    made = Proxy(trino_url)
    yield made
    made.stop()


@pytest.fixture
def engine(proxy: Proxy) -> Iterator[TrinoEngine]:
    made = TrinoEngine(TrinoSettings(base_url=proxy.url, user="ana"))
    yield made
    made.close()


def rows(engine: TrinoEngine, sql: str = SQL) -> int:
    execution = engine.execute(EngineQuery(sql=sql, job_id=""))
    return sum(batch.num_rows for batch in execution.batches())


@pytest.mark.parametrize(
    "fault", [status(429), status(502), status(503), status(504), broken, truncated, cut]
)
@pytest.mark.parametrize("page", [2, 4])
def test_a_page_that_is_spoiled_is_asked_for_again(
    engine: TrinoEngine, proxy: Proxy, fault: Fault, page: int
) -> None:
    """
    The same place, not the next one, and the rows are all there.
    """
    proxy.faults[page] = fault

    found = rows(engine)

    assert found == 300_000
    spoiled = proxy.seen[page - 1]
    assert proxy.seen[page] == spoiled
    assert [method for method, _ in proxy.seen].count("POST") == 1


@pytest.mark.parametrize("fault", [broken, truncated])
def test_a_statement_whose_answer_is_lost_is_not_sent_again(
    engine: TrinoEngine, proxy: Proxy, fault: Fault
) -> None:
    """
    The server may have taken it: an INSERT must not run twice.
    """
    proxy.faults[1] = fault

    with pytest.raises(EngineUnavailable, match="does not answer"):
        rows(engine)
    assert [method for method, _ in proxy.seen].count("POST") == 1


def test_a_statement_that_was_refused_as_busy_is_sent_again(
    engine: TrinoEngine, proxy: Proxy
) -> None:
    proxy.faults[1] = status(503)

    assert rows(engine, "SELECT 1") == 1


def test_a_server_that_stays_away_is_an_error_after_a_while(
    engine: TrinoEngine, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.5)
    proxy.faults.update({page: status(503) for page in range(3, 500)})

    with pytest.raises(EngineUnavailable, match="503"):
        rows(engine)


@pytest.mark.parametrize("number", [404, 410])
def test_a_place_that_is_gone_is_said_to_be_gone(
    engine: TrinoEngine, proxy: Proxy, number: int
) -> None:
    proxy.faults[3] = status(number)

    with pytest.raises(QueryGone):
        rows(engine)


def test_a_refused_user_is_told_what_to_check(engine: TrinoEngine, proxy: Proxy) -> None:
    proxy.faults[1] = status(401)

    with pytest.raises(EngineUnavailable, match="refuses the user") as caught:
        rows(engine)
    assert "FUSION_ENGINE_PASSWORD" in (caught.value.hint or "")


def errors_of(*modules: Any) -> list[type[Exception]]:
    """
    The errors that these modules define.
    """
    names = {module.__name__ for module in modules}
    found = {kind for m in modules for kind in vars(m).values() if isinstance(kind, type)}
    errors = [kind for kind in found if issubclass(kind, Exception) and kind.__module__ in names]
    return sorted(errors, key=lambda kind: f"{kind.__module__}.{kind.__name__}")


def of_a_connection() -> list[type[Exception]]:
    """
    What urllib3 and what is below it can raise.
    """
    found = errors_of(urllib3.exceptions, http.client)
    errors = [kind for kind in found if not issubclass(kind, Warning)]
    return [*errors, OSError, ssl.SSLError, TimeoutError]


def of_a_login() -> list[type[Exception]]:
    """
    What requests and the ``trino`` library's authentication can raise.
    """
    not_of_a_request = (
        requests.exceptions.RequestsWarning,
        # The library's own client raises these for what a query answers; ours reads the answer itself.
        trino.exceptions.TrinoQueryError,
        trino.exceptions.Warning,
        trino.exceptions.HttpError,
    )
    found = errors_of(requests.exceptions, trino.exceptions)
    errors = [kind for kind in found if not issubclass(kind, not_of_a_request)]
    return [*errors, json.JSONDecodeError]


def raising(kind: type[Exception]) -> Callable[..., None]:
    """
    A function that fails with such an error, whatever its constructor wants to know.
    """

    def fail(*_: Any, **__: Any) -> None:
        error = kind.__new__(kind)
        error.args = ("secret-token",)
        raise error

    return fail


def is_told(ask: Callable[[], object]) -> None:
    with pytest.raises(FusionError) as caught:
        ask()
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize("kind", of_a_connection())
def test_every_error_of_a_connection_becomes_one_of_ours(
    trino_url: str, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """
    A foreign exception that nobody translated would reach the notebook as a traceback, perhaps with a secret in it.
    """
    monkeypatch.setattr(client, "PATIENCE_S", 0.1)
    monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", raising(kind))
    engine = TrinoEngine(TrinoSettings(base_url=trino_url, user="ana"))
    for ask in (
        lambda: engine._client.submit(EngineQuery("SELECT 1", "")),
        lambda: engine._client.next_page(trino_url),
        lambda: engine._client.cancel(trino_url),
        lambda: engine._client.segment("http://s3/x", {}, size_bytes=1, is_wanted=lambda: True),
    ):
        is_told(ask)
    engine.close()


@pytest.mark.parametrize("kind", of_a_login())
def test_every_error_of_a_login_becomes_one_of_ours(
    trino_url: str, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.1)
    refusal = urllib3.HTTPResponse(status=401)
    monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", lambda *_, **__: refusal)
    monkeypatch.setattr(requests.Session, "request", raising(kind))
    engine = TrinoEngine(TrinoSettings(base_url=trino_url, user="ana", auth="oauth2"))
    for ask in (
        lambda: engine._client.submit(EngineQuery("SELECT 1", "")),
        lambda: engine._client.next_page(trino_url),
        lambda: engine._client.cancel(trino_url),
    ):
        is_told(ask)
    engine.close()


def test_the_lists_of_foreign_errors_are_the_whole_lists() -> None:
    assert len(of_a_connection()) > 40
    assert len(of_a_login()) > 25


def test_an_address_without_tls_is_not_told_a_secret(trino_url: str) -> None:
    """
    A proxy that ends TLS, in front of a Trino that does not know of it.
    """
    settings = TrinoSettings(base_url=trino_url.replace("http:", "https:"), user="ana")
    engine = TrinoEngine(settings)

    with pytest.raises(EngineUnavailable, match="plain HTTP"):
        engine._client.next_page(f"{trino_url}/v1/statement/queued/x/y/1")
    engine.close()
