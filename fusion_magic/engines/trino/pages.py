"""
Pages of a result from their bytes to Arrow.

A page is JSON, and nearly all of it is ``data``, an array of rows. Arrow's CSV reader reads those bytes without making a Python
object of each value: a row of JSON is a row of CSV once ``],[`` is replaced by a line's end. Two things differ: a backslash (JSON's
escapes are not CSV's) and a nested value. Pages with either go to the JSON reader in ``types``.

Source: Trino, "Client protocol", https://trino.io/docs/476/develop/client-protocol.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from fusion_magic.engines.trino.types import decode_column, decode_rows

BLOCK_BYTES = 4 << 20  # of CSV: what one thread parses
SMALL_BYTES = 1 << 16  # below it the reader of JSON is as quick
_START, _END = b'"data":[[', b"]]"
_ROW_END, _LINE_END = b"],[", b"\n"


class RawRows:
    """
    The rows of a page as the bytes between ``[[`` and ``]]``.
    """

    __slots__ = ("body",)

    def __init__(self, body: bytes) -> None:
        self.body = body

    def __bool__(self) -> bool:
        return True

    def parsed(self) -> list[list[Any]]:
        """
        The rows as JSON's values.
        """
        rows: list[list[Any]] = orjson.loads(b"[[" + self.body + b"]]")
        return rows


def parse_page(content: bytes) -> dict[str, Any]:
    """
    A page, its ``data`` left as ``RawRows`` where it is large.

    A quote inside a string is escaped in JSON, so that neither mark can be part of a value.
    """
    start = content.find(_START) if len(content) > SMALL_BYTES else -1
    end = content.rfind(b']],"stats":') if start >= 0 else -1
    if end < 0:
        return dict(orjson.loads(content))
    first = start + len(_START)
    page = orjson.loads(content[:start] + b'"data":[]' + content[end + len(_END) :])
    page["data"] = RawRows(content[first:end])
    return dict(page)


def decode_page(
    columns: Sequence[Mapping[str, Any]], data: RawRows | Sequence[Any], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """
    The rows of a page as record batches.

    Raises:
        QueryFailed: A value that Arrow's type does not hold.
    """
    if not isinstance(data, RawRows):
        yield decode_rows(columns, data, schema)
        return
    is_plain = not any(pa.types.is_nested(field.type) for field in schema)
    if is_plain and b"\\" not in data.body:
        try:
            yield from _read_lines(columns, data.body, schema)
            return
        except pa.ArrowInvalid:
            # A value that CSV's converters do not take, or a row longer than a block: the other reader takes it, or says why not.
            pass
    yield decode_rows(columns, data.parsed(), schema)


def _read_lines(
    columns: Sequence[Mapping[str, Any]], body: bytes, schema: pa.Schema
) -> list[pa.RecordBatch]:
    names = [str(place) for place in range(len(schema))]
    table = csv.read_csv(
        pa.py_buffer(body.replace(_ROW_END, _LINE_END)),
        read_options=csv.ReadOptions(column_names=names, block_size=BLOCK_BYTES),
        parse_options=csv.ParseOptions(
            quote_char='"', double_quote=False, newlines_in_values=True, ignore_empty_lines=False
        ),
        convert_options=csv.ConvertOptions(
            column_types={n: _csv_type(f.type) for n, f in zip(names, schema, strict=True)},
            null_values=["null"],
            true_values=["true"],
            false_values=["false"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    arrays = [
        _finished(column, table.column(place), field.type)
        for place, (column, field) in enumerate(zip(columns, schema, strict=True))
    ]
    batches: list[pa.RecordBatch] = pa.Table.from_arrays(arrays, schema=schema).to_batches()
    return batches


def _csv_type(kind: pa.DataType) -> pa.DataType:
    """
    The type that the reader of CSV is asked for: *kind* where it reads that exactly, else text.
    """
    is_exact = (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_date(kind)
        or (pa.types.is_timestamp(kind) and kind.tz is None)
    )
    return kind if is_exact else pa.string()


def _finished(column: Mapping[str, Any], read: pa.ChunkedArray, kind: pa.DataType) -> Any:
    if read.type == kind and not pa.types.is_string(kind):
        return read
    if pa.types.is_string(read.type):
        # The only line's end inside a text is one that was made above.
        read = pc.replace_substring(read, "\n", "],[")
    if read.type == kind:
        return read
    return pa.chunked_array(
        [decode_column(column["typeSignature"], kind, chunk.to_pylist()) for chunk in read.chunks],
        kind,
    )
