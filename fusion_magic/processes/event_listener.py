"""
A door for the messages that a metadata server posts: one path, POST alone, each answered at once.

Anybody may knock. Connections are few and short, messages are limited, and what is wrong with one is a status and nothing else. There is
no TLS: a proxy before it has that.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from fusion_magic.errors import InvalidArgument, InvalidSettings

logger = logging.getLogger(__name__)

PATH = "/events"
LARGEST_BYTES = 8 << 20
MOST_CONNECTIONS = 16
CONNECTION_S = 10.0  # from its first byte to its last
WARN_EVERY_S = 60.0
_LINE = 1024
Take = Callable[[bytes, str], bool]


class EventListener:
    """
    Listens on one address while ``listening`` runs.

    Args:
        address: ``HOST:PORT``.

        header: In which the signature stands.

        take: Is given a message and its signature; False where it is not signed as it must be. Called by several threads at once.

        has_secret: Whether *take* looks at signatures: else only this machine is listened to.

    Raises:
        InvalidArgument: *address* is none.
        InvalidSettings: It is another machine's to reach, and nothing is signed.
    """

    def __init__(self, address: str, *, header: str, take: Take, has_secret: bool) -> None:
        self._host, self._port = _parse(address)
        if not has_secret and not _is_loopback(self._host):
            raise InvalidSettings(
                f"Other machines can reach {address}, and events.secret is not set.",
                hint="Set events.secret_file to a file with the secret of the webhook, or listen on 127.0.0.1.",
            )
        self._header = header
        self._take = take
        self._warned_at = float("-inf")

    @contextmanager
    def listening(self) -> Iterator[str]:
        """
        Take messages while the block runs; gives the address that they are posted to.

        Raises:
            InvalidArgument: The address is in use, or is not this machine's.
        """
        try:
            server = _Server((self._host, self._port), self)
        except OSError as exc:
            raise InvalidArgument(
                f"--events: nobody can listen on {self._host}:{self._port}: {exc.strerror}.",
                hint="Give another port, or an address of this machine.",
            ) from exc
        name = f"[{self._host}]" if ":" in self._host else self._host
        url = f"http://{name}:{server.server_address[1]}{PATH}"
        thread = threading.Thread(
            target=server.serve_forever, args=(0.2,), name="fusion-events", daemon=True
        )
        thread.start()
        logger.info("listening for events on %s", url)
        try:
            yield url
        finally:
            server.shutdown()
            server.end(float("inf"))
            server.server_close()
            thread.join()

    def status_for(self, body: bytes, headers: Any) -> HTTPStatus:
        """
        What a message is answered.
        """
        if self._take(body, headers.get(self._header, "")):
            return HTTPStatus.OK
        if time.monotonic() - self._warned_at > WARN_EVERY_S:
            self._warned_at = time.monotonic()
            logger.warning("an event is not signed with events.secret, and was left out")
        return HTTPStatus.UNAUTHORIZED


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], listener: EventListener) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.listener = listener
        self._open: dict[socket.socket, float] = {}
        super().__init__(address, _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return len(self._open) < MOST_CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open[request] = time.monotonic() + CONNECTION_S
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        self.end(time.monotonic())

    def end(self, now: float) -> None:
        """
        Break the connections that should be over by *now*.
        """
        for connection, until in list(self._open.items()):
            if until < now:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        Somebody who goes away is nobody's mistake.
        """
        logger.debug("a connection broke")


class _Refused(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = CONNECTION_S
    server: _Server

    def do_POST(self) -> None:
        """
        Take one message.
        """
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            status = self.server.listener.status_for(self._body(), self.headers)
        except _Refused as refused:
            status = refused.status
        self.send_error(status)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """
        Answer with a status alone; nothing that was sent is said again.
        """
        self.close_connection = True
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def version_string(self) -> str:
        return "fusion-magic"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """
        What anybody sends is not worth a line in a log.
        """

    def _body(self) -> bytes:
        encodings = self.headers.get_all("Transfer-Encoding", [])
        lengths = self.headers.get_all("Content-Length", [])
        if encodings == ["chunked"] and not lengths:
            return b"".join(self._chunks())
        if encodings or len(lengths) != 1 or not _is_count(lengths[0]):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED)
        return self._read(int(lengths[0]), LARGEST_BYTES)

    def _chunks(self) -> Iterator[bytes]:
        """
        A large message comes in pieces, each with its size before it.
        """
        left = LARGEST_BYTES
        while True:
            size = self.rfile.readline(_LINE).partition(b";")[0].strip()
            if not size or not set(size) <= set(b"0123456789abcdefABCDEF") or len(size) > 8:
                raise _Refused(HTTPStatus.BAD_REQUEST)
            if int(size, 16) == 0:
                return
            chunk = self._read(int(size, 16), left)
            left -= len(chunk)
            yield chunk
            if self._read(2, 2) != b"\r\n":
                raise _Refused(HTTPStatus.BAD_REQUEST)

    def _read(self, size: int, most: int) -> bytes:
        if size > most:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        found = self.rfile.read(size)
        if len(found) < size:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        return found


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12


def _parse(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not _is_count(port) or int(port) > 65_535:
        raise InvalidArgument(
            f"--events: {address!r} is not an address to listen on.",
            hint="Write it like 127.0.0.1:8787.",
        )
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
