"""
A way to a server on loopback that tests close and open again.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

from tests.servers.trino import free_port


class Relay:
    """
    A way to a server that can be closed and opened again: nobody listens there meanwhile.

    Args:
        target: The server's port on loopback, or the file of its socket.

    Attributes:
        port: Where it listens.
        carried_bytes: How much went to the server.
    """

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self.port = free_port()
        self.carried_bytes = 0
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """
        Let connections pass.
        """
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """
        Break those that are open, and take no more.
        """
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            one.close()
        self._open = []

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = self._connect()
            except OSError:
                return
            self._open += [near, far]
            for pair in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        far = socket.socket(socket.AF_UNIX)
        far.connect(str(self._target))
        return far

    def _pump(self, source: socket.socket, target: socket.socket, is_counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
                self.carried_bytes += len(data) if is_counted else 0
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
