"""
The HTTP side: connections that stay open, faults on demand, and a record of what was asked.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .answers import Answer, Refusal, unhandled
from .people import People
from .routing import ROUTER, Principal, Request
from .state import State
from .subscriptions import Hooks

# A real server refuses a request line with headers above this.
MOST_HEADER_BYTES = 8192

_PAGE = "<!DOCTYPE html><html><head><title>OpenMetadata</title></head><body><div id='root'></div></body></html>"
_OPEN = frozenset({"/v1/system/version"})
_NOBODY = Principal("anonymous")


@dataclass(frozen=True)
class RecordedRequest:
    """
    One request that the server answered.

    Attributes:
        method: ``GET``, ``PUT`` …
        path: Without ``/api``, decoded: ``/v1/tables/name/shop.db.public.orders``.
        query: Each parameter with its last value.
        body: The JSON that was sent, or None.
        status: What was answered; 0 where the connection was cut.
        answer: The JSON that was answered, or None.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    answer: Any


@dataclass
class Fault:
    """
    What the next answers are instead of right.
    """

    status: int
    times: int
    path: str | None
    headers: Mapping[str, str]
    is_page: bool
    is_cut: bool

    def answer(self) -> Answer:
        """
        The wrong answer.
        """
        if self.is_page:
            return Answer(self.status, _PAGE, {"Content-Type": "text/html", **self.headers})
        body = {"code": self.status, "message": f"Fault {self.status} of the test server"}
        return Answer(self.status, body, self.headers)


@dataclass(eq=False)
class Core:
    """
    What outlives a start and a stop.
    """

    state: State
    people: People
    delay_s: float = 0.0
    requests: list[RecordedRequest] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    hooks: Hooks = field(default_factory=Hooks)
    on_trigger: Callable[[str], None] | None = None

    def fault_for(self, path: str) -> Fault | None:
        """
        The fault that *path* meets, counted down.
        """
        with self.state.lock:
            for fault in self.faults:
                if fault.path is None or fault.path in path:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
        return None


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, core: Core) -> None:
        self.core = core
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        A client that goes away is nobody's mistake.
        """


class Connection:
    """
    The server's port, open from ``start`` to ``stop``.
    """

    def __init__(self, core: Core, port: int) -> None:
        self._listener = _Listener(port, core)
        self.port: int = self._listener.server_address[1]
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """
        Take no more, and break what is open.
        """
        self._listener.shutdown()
        for one in list(self._listener.open):
            _break(one)
        self._listener.server_close()
        self._thread.join()


def _break(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Listener
    raw_requestline: bytes

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """
        Nothing is told on standard error; ``requests`` has it all.
        """

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        core = self.server.core
        if core.delay_s:
            time.sleep(core.delay_s)
        path = unquote(urlsplit(self.path).path).removeprefix("/api")
        fault = core.fault_for(path)
        if fault is not None and fault.is_cut:
            self._record(raw, 0, None)
            self.close_connection = True
            _break(self.connection)
            return
        answer, request = (fault.answer(), None) if fault else self._right_answer(raw)
        self._record(raw, answer.status, answer.body)
        self._send(answer)
        for follow in request.after if request else ():
            follow()

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815 - the base class's names

    def _right_answer(self, raw: bytes) -> tuple[Answer, Request | None]:
        if len(self.raw_requestline) + len(str(self.headers)) > MOST_HEADER_BYTES:
            return Answer(431, "", {}), None
        target = urlsplit(self.path)
        if not target.path.startswith("/api/"):
            return Answer(200, _PAGE, {"Content-Type": "text/html"}), None
        request = self._request(target.path, target.query, raw)
        try:
            return self._routed(request, target.path), request
        except Refusal as error:
            return Answer(error.status, error.body), request
        except Exception as error:  # noqa: BLE001 - a real server answers its own mistakes with 500, too
            failed = unhandled(str(error))
            return Answer(failed.status, failed.body), request

    def _request(self, path: str, query: str, raw: bytes) -> Request:
        port = self.server.server_address[1]
        core = self.server.core
        return Request(
            state=core.state,
            method=self.command,
            path=unquote(path).removeprefix("/api"),
            query=parse_qs(query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            raw=raw,
            url=f"http://127.0.0.1:{port}/api",
            principal=_NOBODY,
            on_trigger=core.on_trigger,
        )

    def _routed(self, request: Request, path: str) -> Answer:
        if request.path not in _OPEN:
            request.principal = self.server.core.people.who(self.headers.get("Authorization"))
        parts = [unquote(part) for part in path.removeprefix("/api/v1/").rstrip("/").split("/")]
        if not path.startswith("/api/v1/"):
            raise unhandled("HTTP 404 Not Found")
        with request.state.lock:
            return ROUTER.answer(request, parts)

    def _record(self, raw: bytes, status: int, answer: Any) -> None:
        target = urlsplit(self.path)
        query = {
            name: values[-1]
            for name, values in parse_qs(target.query, keep_blank_values=True).items()
        }
        path = unquote(target.path).removeprefix("/api")
        self.server.core.requests.append(
            RecordedRequest(self.command, path, query, _read(raw), status, answer)
        )

    def _send(self, answer: Answer) -> None:
        body = b""
        headers = {"Content-Type": "application/json", **answer.headers}
        if answer.body is not None:
            text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            body = text.encode()
        if len(body) > 1024 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
        self.send_response_only(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")
        self.wfile.flush()


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")
