"""
Results on disk or in a bucket: Parquet, written page by page, whole or absent.

    <results.url>/<name>/<job id>-<attempt>/rows.parquet     the rows, zstd
    <results.url>/<name>/<job id>-<attempt>/_result.json     their number, checksum and types

On a local disk both are written into a folder beside it that is renamed at the end; in a bucket the rows' upload is
completed at the end, and ``_result.json`` comes last. Who finds a folder without ``_result.json`` finds no result.
"""

from __future__ import annotations

import glob
import re
from uuid import uuid4

from fusion_magic.errors import InvalidArgument, ResultsUnavailable
from fusion_magic.results.places import (
    abort_upload,
    filesystem_of,
    make_folder,
    open_uploads,
    storage_errors,
)
from fusion_magic.results.writer import PARTS, ResultWriter

UNNAMED = "unnamed"


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
        filesystem, root = filesystem_of(self._url)
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
        with storage_errors(path):
            filesystem, file = filesystem_of(path)
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
        filesystem, root = filesystem_of(self._url)
        root = root.rstrip("/")

        def is_meant(folder: str) -> bool:
            job, _, attempt = folder.rpartition("/")[2].rpartition("-")
            is_before = before is None or (attempt.isdecimal() and int(attempt) < before)
            return job == job_id and is_before

        with storage_errors(self._url):
            exactly = glob.escape(root)
            places = (f"{exactly}/*/{job_id}-*", f"{exactly}/{PARTS}/{job_id}-*")
            for folder in filter(is_meant, {f for place in places for f in filesystem.glob(place)}):
                filesystem.rm(folder, recursive=True)
            for path, upload in open_uploads(filesystem, root):
                if is_meant(path.rpartition("/")[0]):
                    abort_upload(filesystem, path, upload)

    def check(self) -> str:
        """
        Write, read and remove a small file; the place, for a person.

        Raises:
            ResultsUnavailable: One of them failed.
        """
        filesystem, root = filesystem_of(self._url)
        with storage_errors(self._url):
            make_folder(filesystem, root)
            mark = uuid4().hex
            path = f"{root.rstrip('/')}/.check-{mark}"
            filesystem.pipe_file(path, mark.encode())
            found = filesystem.cat_file(path)
            filesystem.rm_file(path)
        if found != mark.encode():
            raise ResultsUnavailable(f"{self._url} gives back something else than was written.")
        return self._url
