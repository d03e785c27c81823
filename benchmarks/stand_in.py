"""
A server that speaks as much of Trino's protocol as a waiting query needs, so that a thousand of them cost it next to nothing.

``python -m benchmarks.stand_in PORT SECONDS``: every query takes so long and has one row; ``/ended`` gives the time at which
each of them ended. Source: Trino, https://trino.io/docs/476/develop/client-protocol.html
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.json_server import JsonAnswers

LONGEST_WAIT_S = 1.0
PORT, WAIT_S = (int(text) for text in sys.argv[1:3])
ends: dict[str, float] = {}


class Request(JsonAnswers, BaseHTTPRequestHandler):
    """
    One connection.
    """

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """
        Take a statement.
        """
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if text.startswith("SHOW CATALOGS"):
            self.answer(_page("catalogs", kind="varchar", rows=[["blackhole"]]))
            return
        query = f"query_{len(ends)}"
        ends[query] = time.time() + WAIT_S
        self.answer(_page(query, state="QUEUED", is_open=True))

    def do_GET(self) -> None:
        """
        The next page, at once or when ``maxWait`` is over.
        """
        parts = urlsplit(self.path)
        if parts.path == "/ended":
            self.answer(ends)
            return
        query = parts.path.rpartition("/")[2]
        longest = parse_qs(parts.query).get("maxWait", [""])[0]
        wait_s = float(longest.removesuffix("ms")) / 1000 if longest else LONGEST_WAIT_S
        time.sleep(max(0.0, min(wait_s, ends[query] - time.time())))
        is_open = time.time() < ends[query]
        self.answer(_page(query, is_open=is_open, rows=[] if is_open else [[1]]))

    def do_DELETE(self) -> None:
        """
        Forget a query.
        """
        self.answer({})


def _page(
    query: str,
    *,
    kind: str = "bigint",
    state: str = "RUNNING",
    is_open: bool = False,
    rows: list[Any] | None = None,
) -> dict[str, Any]:
    page: dict[str, Any] = {
        "id": query,
        "infoUri": f"http://127.0.0.1:{PORT}/ui/{query}",
        "stats": {"state": state if is_open else "FINISHED", "nodes": 1, "totalSplits": 1},
    }
    if is_open:
        page["nextUri"] = f"http://127.0.0.1:{PORT}/v1/statement/executing/{query}"
    if rows:
        signature = {"rawType": kind, "arguments": []}
        page["columns"] = [{"name": "x", "type": kind, "typeSignature": signature}]
        page["data"] = rows
    return page


class Server(ThreadingHTTPServer):
    """
    Takes many connections at once.
    """

    request_queue_size = 1024
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", PORT), Request).serve_forever()
