"""
The door for events: what is signed comes in, and whatever else is sent is a status, no line of a traceback, and no memory.
"""

from __future__ import annotations

import http.client
import socket
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from fusion_magic.errors import InvalidArgument, InvalidSettings
from fusion_magic.processes import event_listener
from fusion_magic.processes.event_listener import LARGEST_BYTES, MOST_CONNECTIONS, EventListener

GOOD = {"X-OM-Signature": "right"}


@pytest.fixture
def taken() -> list[bytes]:
    return []


@pytest.fixture
def port(taken: list[bytes]) -> Iterator[int]:
    def take(body: bytes, signature: str) -> bool:
        if signature != "right":
            return False
        taken.append(body)
        return True

    listener = EventListener("127.0.0.1:0", header="X-OM-Signature", take=take, has_secret=True)
    with listener.listening() as url:
        yield int(url.removesuffix("/events").rpartition(":")[2])


def send(port: int, method: str = "POST", path: str = "/events", **others: object) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, **{"body": b"{}", "headers": GOOD, **others})  # type: ignore[arg-type]
        answer = connection.getresponse()
        assert answer.read() == b""
        return answer.status


def raw(port: int, data: bytes) -> bytes:
    """
    What is answered to *data*, until the connection ends.
    """
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
        found = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(4096):
                found += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # it is broken already, while it is written to or after
        return found


def test_a_signed_message_is_taken(port: int, taken: list[bytes]) -> None:
    assert send(port, body=b'{"a": 1}') == 200
    assert send(port, path="/events?from=om", body=b'{"a": 2}') == 200
    assert taken == [b'{"a": 1}', b'{"a": 2}']


def test_a_large_message_comes_in_pieces(port: int, taken: list[bytes]) -> None:
    assert send(port, body=iter([b"a" * 9000, b"b" * 9000])) == 200
    assert taken == [b"a" * 9000 + b"b" * 9000]


def test_only_post_on_one_path(port: int, taken: list[bytes]) -> None:
    assert send(port, path="/") == 404
    assert send(port, path="/events/x") == 404
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert send(port, method, body=None) == 501
    assert taken == []


def test_what_is_not_signed_is_not_taken(
    port: int, taken: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        assert send(port, headers={}) == 401
    assert send(port, headers={"X-OM-Signature": "wrong"}) == 401

    assert taken == []
    # Who sends many does not fill the log.
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "an event is not signed with events.secret, and was left out"
    ]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /events HTTP/1.1\r\n\r\n", 411),
        (b"POST /events HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST /events HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 411),
        (b"POST /events HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 411),
        (b"POST /events HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n", 411),
        (b"POST /events HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BYTES + 1), 413),
        (b"POST /events HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}", 400),
        (b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx", 400),
        (b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
        (b"POST /events HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 411),
        (b"GET\r\n\r\n", None),
        (b"POST /events HTTP/9.9\r\n\r\n", None),
        (b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /events HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", None),
    ],
)  # fmt: skip
def test_what_is_no_message_is_a_status(
    port: int,
    taken: list[bytes],
    data: bytes,
    status: int | None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    answer = raw(port, data)

    # What is no HTTP gets no answer.
    assert (b" %d " % status in answer.split(b"\r\n")[0]) if status else (answer == b"")
    assert b"Python" not in answer
    assert send(port) == 200
    assert taken == [b"{}"]
    assert capfd.readouterr().err == ""


def test_who_says_nothing_holds_no_place_for_long(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nor does who sends a byte now and then.
    """
    monkeypatch.setattr(event_listener, "CONNECTION_S", 0.5)
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(MOST_CONNECTIONS)]
    slow = silent[0]
    slow.sendall(b"POST /events HTTP/1.1\r\nA: ")
    until, is_open = time.monotonic() + 20, True
    while is_open and time.monotonic() < until:
        time.sleep(0.1)
        try:
            slow.sendall(b"a")
        except OSError:
            is_open = False

    assert not is_open
    assert send(port) == 200
    for connection in silent:
        connection.close()


def test_more_connections_than_there_are_places_for_are_broken_at_once(port: int) -> None:
    with ExitStack() as held:
        for _ in range(MOST_CONNECTIONS):
            held.enter_context(socket.create_connection(("127.0.0.1", port)))
        time.sleep(0.3)

        assert raw(port, b"POST /events HTTP/1.1\r\n\r\n") == b""


def test_bad_messages_leave_nothing_behind(port: int) -> None:
    def flood() -> None:
        for _ in range(150):
            send(port, body=b"x" * 50_000, headers={})
            raw(port, b"POST /events HTTP/1.1\r\nContent-Length: 9999\r\n\r\n{}")

    flood()
    tracemalloc.start()
    flood()
    time.sleep(0.3)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert left < 200_000


@pytest.mark.parametrize("address", ["8787", "127.0.0.1", ":8787", "127.0.0.1:x", "h:70000", ""])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    with pytest.raises(InvalidArgument, match="is not an address to listen on"):
        EventListener(address, header="S", take=lambda *_: True, has_secret=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "[::]", "om.example", "127.0.0.1.example"])
def test_without_a_secret_only_this_machine_is_listened_to(host: str) -> None:
    with pytest.raises(InvalidSettings, match=r"events\.secret is not set"):
        EventListener(f"{host}:8787", header="S", take=lambda *_: True, has_secret=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_this_machine_needs_none(host: str) -> None:
    EventListener(f"{host}:8787", header="S", take=lambda *_: True, has_secret=False)


def test_a_port_in_use_is_said(port: int) -> None:
    other = EventListener(f"127.0.0.1:{port}", header="S", take=lambda *_: True, has_secret=True)

    with pytest.raises(InvalidArgument, match="nobody can listen on"), other.listening():
        pass
