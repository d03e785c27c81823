"""
Results on disk or in a bucket: Parquet, written page by page, whole or absent.

    <results.url>/<name>/<job id>-<attempt>/rows.parquet     the rows, zstd
    <results.url>/<name>/<job id>-<attempt>/_result.json     their number, checksum and types

On a local disk both are written into a folder beside it that is renamed at the end; in a bucket the rows' upload is
completed at the end, and ``_result.json`` comes last. Who finds a folder without ``_result.json`` finds no result.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fusion_magic.errors import InvalidArgument, MissingExtra, ResultsUnavailable
from fusion_magic.results import Result, type_texts

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_FILE = "rows.parquet"
FACTS_FILE = "_result.json"
UNNAMED = "unnamed"
PARTS = ".parts"
ROW_GROUP_BYTES = 32 << 20  # of Arrow data: what a writer holds at most, beside one page
ROW_GROUP_ROWS = 200_000
_CHUNK = 1 << 20


def check_name(name: str) -> str:
    """
    *name*, if a result can have it: it is a path's part and a table's name in SQL.

    Raises:
        InvalidArgument: It cannot.
    """
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name) is None or name.lower() == UNNAMED:
        raise InvalidArgument(
            f"A result cannot be named {name!r}.",
            hint="Use letters, digits and _, a letter first: daily_spend.",
        )
    return name


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


class ResultStorage:
    """
    The place of stored results.

    Args:
        url: A folder, or a URL that fsspec knows (``s3://lake/fusion``).
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def writer(self, name: str, version: str) -> ResultWriter:
        """
        What writes one result.

        Args:
            name: A result's name, checked by ``check_name``, or empty.

            version: Names it among those of the same name: the job's id and attempt.
        """
        filesystem, root = _filesystem(self._url)
        return ResultWriter(filesystem, root.rstrip("/"), name or UNNAMED, version)

    def remove(self, path: str | None, *, job_id: str) -> None:
        """
        Remove the result whose Parquet file is *path*, and what broken attempts of that job left behind.

        Nothing happens where they are gone already.

        Raises:
            ResultsUnavailable: Something is there and cannot be removed.
        """
        self.remove_attempts(job_id)
        if path is None:
            return
        with _translated(path):
            filesystem, file = _filesystem(path)
            folder = file.rpartition("/")[0]
            if filesystem.exists(folder):
                filesystem.rm(folder, recursive=True)

    def remove_attempts(self, job_id: str, *, before: int | None = None) -> None:
        """
        Remove what attempts at that job left behind whose worker was killed, in a bucket their uploads too.

        Args:
            before: Only of attempts with a smaller number; None for all.

        Raises:
            ResultsUnavailable: Something is there and cannot be removed.
        """
        filesystem, root = _filesystem(self._url)
        root = root.rstrip("/")

        def is_meant(folder: str) -> bool:
            job, _, attempt = folder.rpartition("/")[2].rpartition("-")
            is_before = before is None or (attempt.isdecimal() and int(attempt) < before)
            return job == job_id and is_before

        with _translated(self._url):
            exactly = glob.escape(root)
            places = (f"{exactly}/*/{job_id}-*", f"{exactly}/{PARTS}/{job_id}-*")
            for folder in filter(is_meant, {f for place in places for f in filesystem.glob(place)}):
                filesystem.rm(folder, recursive=True)
            for path, upload in _open_uploads(filesystem, root):
                if is_meant(path.rpartition("/")[0]):
                    _abort_upload(filesystem, path, upload)

    def check(self) -> str:
        """
        Write, read and remove a small file; the place, for a person.

        Raises:
            ResultsUnavailable: One of them failed.
        """
        filesystem, root = _filesystem(self._url)
        with _translated(self._url):
            _make_folder(filesystem, root)
            mark = uuid4().hex
            path = f"{root.rstrip('/')}/.check-{mark}"
            filesystem.pipe_file(path, mark.encode())
            found = filesystem.cat_file(path)
            filesystem.rm_file(path)
        if found != mark.encode():
            raise ResultsUnavailable(f"{self._url} gives back something else than was written.")
        return self._url


class ResultWriter:
    """
    One result on its way to storage. Use ``write`` for each batch, then ``close`` or ``abort``.
    """

    def __init__(self, filesystem: Any, root: str, name: str, version: str) -> None:
        self._filesystem = filesystem
        self._is_local = _is_local(filesystem)
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
        with _translated(self._final):
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
                _make_folder(self._filesystem, self._final.rpartition("/")[0])
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

        with _translated(self._final):
            if self._parquet is None:
                _make_folder(self._filesystem, self._folder)
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
        self._is_uploaded = "s3" in _protocols(filesystem)
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


class StoredResult(Result):
    """
    A stored result: its rows are read when they are asked for.

    Attributes:
        path: Its Parquet file.
        name: The name it was stored under; empty for none.
        version: Counted from 1 among the results of that name; 0 without a name.
    """

    def __init__(self, path: str, *, name: str = "", version: int = 0, **facts: Any) -> None:
        self.path = path
        self.name = name
        self.version = version
        self._read: pa.Table | None = None
        self._file: Any = None
        super().__init__(None, **facts)

    @property
    def _table(self) -> pa.Table:
        if self._read is None:
            with _translated(self.path):
                self._read = self._parquet().read()
        return self._read

    @_table.setter
    def _table(self, table: pa.Table | None) -> None:
        self._read = table

    @property
    def row_count(self) -> int:
        """See ``Result.row_count``; from the file's footer."""
        with _translated(self.path):
            return int(self._parquet().metadata.num_rows)

    @property
    def schema(self) -> pa.Schema:
        """See ``Result.schema``; from the file's footer."""
        with _translated(self.path):
            return self._parquet().schema_arrow

    def dataset(self) -> Any:
        """
        The rows as a ``pyarrow.dataset``, of which columns and rows are read as they are needed.
        """
        import pyarrow.dataset as ds

        filesystem, path = _filesystem(self.path)
        with _translated(self.path):
            return ds.dataset(path, filesystem=filesystem, format="parquet")

    def part(
        self,
        *,
        columns: list[str] | None = None,
        where: str | None = None,
        order: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> pa.Table:
        """
        Some columns, and the rows for which a condition holds; only what is needed is read.

        Args:
            where: A condition in DuckDB's SQL (``spent > 100 AND day = DATE '2026-01-31'``).

            order: What to sort by, as it stands behind ORDER BY.

            limit: Most rows, or None.

        Raises:
            QueryFailed: There is no such column, or the condition cannot be read.
        """
        import duckdb

        from fusion_magic.errors import QueryFailed

        if where is None and columns is None and order is None and limit is None:
            return self._table
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns or ()) or "*"
        with duckdb.connect() as connection:
            # Nothing but these rows can be read: no other file, no setting.
            connection.register("stored", self.dataset())
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            sql = f"SELECT {names} FROM stored"
            sql += f" WHERE ({where}\n)" if where else ""
            sql += f" ORDER BY {order}\n" if order else ""
            sql += f" LIMIT {int(limit)}" if limit is not None else ""
            sql += f" OFFSET {int(offset)}" if offset else ""
            try:
                return connection.sql(sql).to_arrow_table()
            except duckdb.Error as exc:
                text = str(exc).partition("\n")[0]
                raise QueryFailed(f"The stored result cannot be read so: {text}") from exc

    def null_counts(self) -> list[int | None]:
        """
        How many values of each column are NULL, where the file's footer tells it.
        """
        with _translated(self.path):
            footer = self._parquet().metadata
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        counts: list[int | None] = []
        leaf = 0
        for field in self.schema:
            leaves = _leaves(field.type)
            parts = [group.column(leaf).statistics for group in groups]
            is_told = field.type.num_fields == 0 and all(p and p.has_null_count for p in parts)
            counts.append(sum(p.null_count for p in parts) if is_told else None)
            leaf += leaves
        return counts

    def open_for(self, connection: Any) -> str:
        """
        Let DuckDB's *connection* read the file; the file's name as ``read_parquet`` takes it.
        """
        filesystem, _ = _filesystem(self.path)
        if not _is_local(filesystem):
            connection.register_filesystem(filesystem)
        # Else these would be a pattern of names.
        return re.sub(r"([\[\]*?])", r"[\1]", self.path)

    def check_there(self) -> None:
        """
        Raises:
            ResultsUnavailable: The file is gone.
        """
        filesystem, path = _filesystem(self.path)
        with _translated(self.path):
            filesystem.invalidate_cache()
            filesystem.info(path)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        with _translated(self.path):
            for batch in self._parquet().iter_batches():
                yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def rows(self, limit: int | None = None) -> list[tuple[Any, ...]]:
        """See ``Result.rows``; reads no more than it must."""
        if limit is None or self._read is not None:
            return super().rows(limit)
        found: list[tuple[Any, ...]] = []
        for row in self:
            if len(found) >= limit:
                break
            found.append(row)
        return found

    def _parquet(self) -> Any:
        import pyarrow.parquet as pq

        if self._file is None:
            filesystem, path = _filesystem(self.path)
            self._file = pq.ParquetFile(filesystem.open(path, "rb"))
        return self._file


def _leaves(kind: pa.DataType) -> int:
    """
    How many of Parquet's columns a column of that type takes.
    """
    return sum(_leaves(kind.field(i).type) for i in range(kind.num_fields)) or 1


def _filesystem(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        filesystem, path = url_to_fs(url)
    except ImportError as exc:
        raise MissingExtra(f"Results at {url.partition('://')[0]}://", extra="s3") from exc
    except ValueError as exc:
        raise ResultsUnavailable(
            f"results.url is {url}, which names no place that is known: {exc}."
        ) from exc
    return filesystem, path


def _is_local(filesystem: Any) -> bool:
    return "file" in _protocols(filesystem)


def _make_folder(filesystem: Any, path: str) -> None:
    # A bucket has no folders, and one that does not exist must not be made by a typing mistake.
    if _is_local(filesystem):
        filesystem.makedirs(path, exist_ok=True)


def _open_uploads(filesystem: Any, root: str) -> Iterator[tuple[str, str]]:
    """
    Path and id of each upload below *root* that was begun and neither completed nor aborted.

    A bucket keeps their parts, and has them paid for, and lists no file of them.
    """
    if "s3" not in _protocols(filesystem):
        return
    bucket, _, key = root.partition("/")
    place = {"Bucket": bucket, "Prefix": f"{key}/" if key else ""}
    after: dict[str, str] = {}
    while True:
        page = filesystem.call_s3("list_multipart_uploads", **place, **after)
        for upload in page.get("Uploads", ()):
            yield f"{bucket}/{upload['Key']}", upload["UploadId"]
        if not page.get("IsTruncated"):
            return
        after = {
            "KeyMarker": page["NextKeyMarker"],
            "UploadIdMarker": page["NextUploadIdMarker"],
        }


def _abort_upload(filesystem: Any, path: str, upload: str) -> None:
    bucket, _, key = path.partition("/")
    with suppress(FileNotFoundError):
        filesystem.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload)


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowNotImplementedError as exc:
        raise ResultsUnavailable(
            f"Parquet has no place for a column of this result: {exc}.",
            hint="Cast it in the query, for example to varchar.",
        ) from exc
    except (OSError, pa.ArrowException, *_client_errors()) as exc:
        if isinstance(exc, FileNotFoundError):
            raise ResultsUnavailable(
                f"The stored result {where} is gone.", hint="Run its query again."
            ) from exc
        reason = getattr(exc, "strerror", None) or str(exc).partition("\n")[0] or type(exc).__name__
        raise ResultsUnavailable(
            f"The results' place {where} cannot be used: {reason}.",
            hint="Is there space, and may you write there? `fusion doctor` checks it.",
        ) from exc


def _client_errors() -> tuple[type[Exception], ...]:
    """
    What a bucket's client raises beside ``OSError``; a client that is not loaded has raised nothing.
    """
    names = (
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("aiohttp", "ClientError"),
    )
    return tuple(
        getattr(sys.modules[module], name) for module, name in names if module in sys.modules
    )
