"""
One result on its way to storage: Parquet, written page by page, read back, whole or absent.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_magic.errors import ResultsUnavailable
from fusion_magic.results import type_texts
from fusion_magic.results.places import is_local, make_folder, protocols_of, storage_errors

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_FILE = "rows.parquet"
FACTS_FILE = "_result.json"
PARTS = ".parts"
ROW_GROUP_BYTES = 32 << 20  # of Arrow data: what a writer holds at most, beside one page
ROW_GROUP_ROWS = 200_000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """
    A result that was written and read back.

    Attributes:
        path: Its Parquet file, as fsspec takes it.
        row_count: How many rows.
        size_bytes: Of the file.
        checksum: SHA-256 of the file, hexadecimal.
    """

    path: str
    row_count: int
    size_bytes: int
    checksum: str


class ResultWriter:
    """
    One result on its way to storage. Use ``write`` for each batch, then ``close`` or ``abort``.
    """

    def __init__(self, filesystem: Any, root: str, name: str, version: str) -> None:
        self._filesystem = filesystem
        self._is_local = is_local(filesystem)
        self._final = f"{root}/{name}/{version}"
        self._folder = f"{root}/{PARTS}/{version}" if self._is_local else self._final
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0
        self._pending_rows = 0
        self._file: Any = None
        self._parquet: Any = None
        self._row_count = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """
        Add rows.

        Raises:
            ResultsUnavailable: The place is full or does not answer.
        """
        self._pending.append(batch)
        self._pending_bytes += batch.nbytes
        self._pending_rows += batch.num_rows
        if self._pending_bytes >= ROW_GROUP_BYTES or self._pending_rows >= ROW_GROUP_ROWS:
            self._flush(batch.schema)

    def close(self, schema: pa.Schema, facts: dict[str, object]) -> Stored:
        """
        Complete the result, read it back, and only then give it its name.

        Args:
            schema: Its columns, which must be known even where it has no rows.

            facts: What else stands in ``_result.json``.

        Raises:
            ResultsUnavailable: It could not be written, or came back otherwise than it went.
        """
        self._flush(schema)
        with storage_errors(self._final):
            self._parquet.close()
            size_bytes = self._file.size
            checksum = self._file.hexdigest()
            self._file.commit()
            self._read_back(size_bytes, checksum)
            facts = {
                **facts,
                "rows": self._row_count,
                "size_bytes": size_bytes,
                "sha256": checksum,
                "columns": [
                    {"name": name, "type": kind}
                    for name, kind in zip(schema.names, type_texts(schema), strict=True)
                ],
            }
            text = json.dumps(facts, ensure_ascii=False, indent=1).encode()
            self._filesystem.pipe_file(f"{self._folder}/{FACTS_FILE}", text)
            if self._is_local:
                make_folder(self._filesystem, self._final.rpartition("/")[0])
                # A rename of a folder is one step; fsspec's own move of folders is none.
                shutil.move(self._folder, self._final)
        path = f"{self._final}/{ROWS_FILE}"
        if not self._is_local:
            path = self._filesystem.unstrip_protocol(path)
        return Stored(path, self._row_count, size_bytes, checksum)

    def abort(self) -> None:
        """
        Leave nothing behind.
        """
        for part, end in ((self._parquet, "close"), (self._file, "discard")):
            with suppress(Exception):
                if part is not None:
                    getattr(part, end)()
        for folder in {self._folder, self._final}:
            with suppress(Exception):
                self._filesystem.rm(folder, recursive=True)

    def _flush(self, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with storage_errors(self._final):
            if self._parquet is None:
                make_folder(self._filesystem, self._folder)
                self._file = _HashedFile(self._filesystem, f"{self._folder}/{ROWS_FILE}")
                self._parquet = pq.ParquetWriter(
                    self._file, schema, compression="zstd", write_page_index=True
                )
            if self._pending:
                table = pa.Table.from_batches(self._pending, schema=schema)
                self._parquet.write_table(table, row_group_size=ROW_GROUP_ROWS)
                self._row_count += table.num_rows
        self._pending, self._pending_bytes, self._pending_rows = [], 0, 0

    def _read_back(self, size_bytes: int, checksum: str) -> None:
        import pyarrow.parquet as pq

        path = f"{self._folder}/{ROWS_FILE}"
        found = hashlib.sha256()
        with self._filesystem.open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
            file.seek(0)
            rows = pq.ParquetFile(file).metadata.num_rows
        if (found.hexdigest(), rows) != (checksum, self._row_count):
            raise ResultsUnavailable(
                f"The stored result {path} came back otherwise than it was written "
                f"({rows:,} rows of {self._row_count:,}, {size_bytes:,} bytes written).",
                hint="Is the disk sound, and does nobody else write to this folder?",
            )


class _HashedFile:
    """
    A file for writing that knows its checksum, and that exists only once it is committed, where the place can do that.
    """

    closed = False

    def __init__(self, filesystem: Any, path: str) -> None:
        self._is_uploaded = "s3" in protocols_of(filesystem)
        options = {"autocommit": False} if self._is_uploaded else {}
        self._file = filesystem.open(path, "wb", **options)
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        return None

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def commit(self) -> None:
        self._file.close()
        if self._is_uploaded:
            self._file.commit()

    def discard(self) -> None:
        if not self._is_uploaded:
            self._file.close()
            return
        try:
            self._file.discard()
        finally:
            # Else it is closed when it is forgotten, which uploads what it still holds.
            self._file.closed = True
