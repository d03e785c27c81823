"""
A server that speaks as much of Trino's protocol as a waiting query needs, so that a thousand of them cost it next to nothing.

``python -m benchmarks.stand_in PORT SECONDS``: every query takes so long and has one row; ``/ended`` gives the time at which
each of them ended. Source: Trino, https://trino.io/docs/476/develop/client-protocol.html
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

LONGEST_WAIT_S = 1.0
BACKLOG = 1024
PORT, WAIT_S = (int(text) for text in sys.argv[1:3])
ends: dict[str, float] = {}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """
    One connection, its requests one after the other.
    """
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, target, _ = head[0].split(" ")
            content = json.dumps(await _answer(method, target, body.decode())).encode()
            kind = "Content-Type: application/json"
            writer.write(
                f"HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
                + content
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _answer(method: str, target: str, text: str) -> dict[str, Any]:
    parts = urlsplit(target)
    if method == "POST":
        return _take(text)
    if method == "DELETE":
        return {}
    if parts.path == "/ended":
        return ends
    longest = parse_qs(parts.query).get("maxWait", [""])[0]
    wait_s = float(longest.removesuffix("ms")) / 1000 if longest else LONGEST_WAIT_S
    return await _look(parts.path.rpartition("/")[2], wait_s)


def _take(statement: str) -> dict[str, Any]:
    if statement.startswith("SHOW CATALOGS"):
        return _page("catalogs", kind="varchar", rows=[["blackhole"]])
    query = f"query_{len(ends)}"
    ends[query] = time.time() + WAIT_S
    return _page(query, state="QUEUED", is_open=True)


async def _look(query: str, wait_s: float) -> dict[str, Any]:
    """
    The next page, at once or when *wait_s* is over.
    """
    await asyncio.sleep(max(0.0, min(wait_s, ends[query] - time.time())))
    is_open = time.time() < ends[query]
    return _page(query, is_open=is_open, rows=[] if is_open else [[1]])


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


async def main() -> None:
    """
    Serve until killed.
    """
    server = await asyncio.start_server(serve, "127.0.0.1", PORT, backlog=BACKLOG)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
