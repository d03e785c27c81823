"""
Spooled rows: segments that are fetched several at a time, decoded, and returned in order.

A page of the spooling protocol lists segments instead of rows. A segment stands in the page itself (inline), or at an address of
the storage or of Trino. Each one that was read is acknowledged, so that Trino may remove it.

Source: Trino, "Client protocol", https://trino.io/docs/476/client/client-protocol.html
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from fusion_magic.engines.trino.pages import RawRows, decode_page
from fusion_magic.errors import EngineUnavailable

if TYPE_CHECKING:
    from fusion_magic.engines.trino.client import TrinoClient

AT_ONCE = 4  # segments on their way or decoded and not yet taken; Trino makes them of 16 MB at most as a rule
_CODECS = {"json+zstd": "zstd", "json+lz4": "lz4_raw"}


@dataclass(frozen=True, slots=True)
class Segment:
    """
    A part of a result.

    Attributes:
        first_row: How many rows stand before it.
        row_count: How many rows it has.
        size_bytes: As it is sent; ``full_bytes`` what it is decompressed, None where it was not compressed.
        data: What an inline segment holds; None for one that must be fetched from ``uri``.
    """

    encoding: str
    first_row: int
    row_count: int
    size_bytes: int
    full_bytes: int | None
    data: bytes | None
    uri: str = ""
    ack_uri: str = ""
    headers: Mapping[str, str] | None = None


def segments_of(data: Mapping[str, Any]) -> list[Segment]:
    """
    The segments that a page's ``data`` lists.
    """
    return [_segment(data["encoding"], raw) for raw in data["segments"]]


def _segment(encoding: str, raw: Mapping[str, Any]) -> Segment:
    facts = raw["metadata"]
    is_inline = raw["type"] == "inline"
    full = facts.get("uncompressedSize")
    return Segment(
        encoding=encoding,
        first_row=int(facts["rowOffset"]),
        row_count=int(facts["rowsCount"]),
        size_bytes=int(facts["segmentSize"]),
        full_bytes=int(full) if full is not None else None,
        data=base64.b64decode(raw["data"]) if is_inline else None,
        uri=raw.get("uri", ""),
        ack_uri=raw.get("ackUri", ""),
        headers={name: ",".join(values) for name, values in (raw.get("headers") or {}).items()},
    )


class Segments:
    """
    A result's segments on their way. One thread adds and takes.
    """

    def __init__(self, client: TrinoClient) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fusion-segment")
        self._loads: deque[Future[list[pa.RecordBatch]]] = deque()
        self._row_count = 0
        self._is_closed = False

    def read(
        self, data: Mapping[str, Any], columns: Sequence[Mapping[str, Any]], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """
        Begin to fetch the segments that a page lists. Yields rows of earlier segments while too many are on their way.

        Raises:
            EngineUnavailable: A segment is missing, or cannot be had.
        """
        for segment in segments_of(data):
            if segment.first_row != self._row_count:
                raise EngineUnavailable(
                    f"A part of the result is missing: row {self._row_count:,} is followed by row {segment.first_row:,}."
                )
            self._row_count += segment.row_count
            yield from self.rows(lambda: len(self._loads) < AT_ONCE)
            self._loads.append(self._pool.submit(self._load, segment, columns, schema))

    def rows(self, is_enough: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        """
        The rows of the segments on their way, in order, until *is_enough* or none is left.
        """
        while self._loads and not is_enough():
            yield from self._loads.popleft().result()

    def close(self) -> None:
        """
        Give up the segments on their way.
        """
        self._is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _load(
        self, segment: Segment, columns: Sequence[Mapping[str, Any]], schema: pa.Schema
    ) -> list[pa.RecordBatch]:
        content = segment.data
        if content is None:
            content = self._client.segment(
                segment.uri,
                segment.headers or {},
                size_bytes=segment.size_bytes,
                is_wanted=lambda: not self._is_closed,
            )
        batches = list(decode_page(columns, _rows_of(segment, content), schema))
        found = sum(batch.num_rows for batch in batches)
        if found != segment.row_count:
            raise EngineUnavailable(
                f"A part of the result has {found:,} rows where Trino wrote {segment.row_count:,}."
            )
        if segment.ack_uri:
            self._client.acknowledge(segment.ack_uri, segment.headers or {})
        return batches


def _rows_of(segment: Segment, content: bytes) -> RawRows | list[Any]:
    try:
        if segment.full_bytes is not None:
            codec = _CODECS[segment.encoding]
            content = pa.decompress(content, segment.full_bytes, codec=codec, asbytes=True)
        if content.startswith(b"[[") and content.endswith(b"]]"):
            return RawRows(content[2:-2])
        return list(orjson.loads(content))
    except (OSError, pa.ArrowException, orjson.JSONDecodeError) as exc:
        raise EngineUnavailable(
            f"A part of the result cannot be read as {segment.encoding}."
        ) from exc
