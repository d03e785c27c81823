"""
Places for results, on disk or in a bucket: one file system for both, its errors in our words.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from fusion_magic.errors import MissingExtra, ResultsUnavailable


def filesystem_of(url: str) -> tuple[Any, str]:
    """
    The file system of *url* and the path in it.

    Raises:
        MissingExtra: Its package is not installed.
        ResultsUnavailable: The URL names no place that is known.
    """
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


def is_local(filesystem: Any) -> bool:
    """
    Whether it is this machine's disk.
    """
    return "file" in protocols_of(filesystem)


def make_folder(filesystem: Any, path: str) -> None:
    """
    Make a folder of the local disk with those above it.
    """
    # A bucket has no folders, and one that does not exist must not be made by a typing mistake.
    if is_local(filesystem):
        filesystem.makedirs(path, exist_ok=True)


def open_uploads(filesystem: Any, root: str) -> Iterator[tuple[str, str]]:
    """
    Path and id of each upload below *root* that was begun and neither completed nor aborted.

    A bucket keeps their parts, and has them paid for, and lists no file of them.
    """
    if "s3" not in protocols_of(filesystem):
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


def abort_upload(filesystem: Any, path: str, upload: str) -> None:
    """
    Let go of what an upload has sent.
    """
    bucket, _, key = path.partition("/")
    with suppress(FileNotFoundError):
        filesystem.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload)


def protocols_of(filesystem: Any) -> tuple[str, ...]:
    """
    The names of the protocols that a file system speaks.
    """
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """
    What a file system or Arrow raises becomes an error of ours that names *where*.
    """
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
