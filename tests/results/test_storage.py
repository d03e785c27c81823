"""
Stored results: whole or absent, on a disk and in a bucket alike.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fsspec.core import url_to_fs

from fusion_magic.errors import FusionError, QueryFailed, ResultsUnavailable
from fusion_magic.results.export import export
from fusion_magic.results.storage import ResultStorage
from fusion_magic.results.stored import StoredResult

BATCH = pa.record_batch(
    {
        "id": [1, 2, 3],
        "text": ["a", None, "=1+1"],
        "price": pa.array([Decimal("1.10"), Decimal("2.20"), None], pa.decimal128(38, 2)),
    }
)


@pytest.fixture(params=["disk", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "results")
    return str(request.getfixturevalue("bucket")) + f"/{tmp_path.name}"


def files(url: str) -> list[str]:
    filesystem, path = url_to_fs(url)
    filesystem.invalidate_cache()
    return sorted(filesystem.find(path)) if filesystem.exists(path) else []


def test_a_result_comes_back_as_it_went(url: str) -> None:
    writer = ResultStorage(url).writer("spend", "j-1")
    for _ in range(3):
        writer.write(BATCH)
    stored = writer.close(BATCH.schema, {"job": "j"})

    result = StoredResult(stored.path)
    assert result.arrow().equals(pa.Table.from_batches([BATCH] * 3))
    assert (stored.row_count, result.row_count, len(result.rows(2))) == (9, 9, 2)
    assert result.dataset().count_rows() == 9
    facts_file, rows_file = files(url)
    assert rows_file.endswith("spend/j-1/rows.parquet")
    facts = json.loads(url_to_fs(url)[0].cat_file(facts_file))
    assert (facts["rows"], facts["sha256"], facts["job"]) == (9, stored.checksum, "j")
    assert [c["name"] for c in facts["columns"]] == ["id", "text", "price"]


def test_nothing_stands_under_the_name_before_it_is_whole(url: str) -> None:
    writer = ResultStorage(url).writer("spend", "j-1")
    writer.write(BATCH)
    writer._flush(BATCH.schema)

    assert [path for path in files(url) if "/spend/" in path.replace("/.parts/", "")] == []
    writer.abort()
    assert files(url) == []


def test_a_result_without_rows_keeps_its_columns(url: str) -> None:
    stored = ResultStorage(url).writer("", "j-1").close(BATCH.schema, {})

    result = StoredResult(stored.path)
    assert (result.row_count, result.columns) == (0, ("id", "text", "price"))


def test_columns_and_conditions_read_no_more_than_they_need(url: str) -> None:
    writer = ResultStorage(url).writer("", "j-1")
    writer.write(BATCH)
    result = StoredResult(writer.close(BATCH.schema, {}).path)

    part = result.part(columns=["text"], where="id <> 2", order="id DESC", limit=1)

    assert part.to_pylist() == [{"text": "=1+1"}]
    with pytest.raises(QueryFailed, match="nope"):
        result.part(columns=["nope"])


@pytest.mark.parametrize(
    "where",
    [
        "id IN (SELECT 1 FROM read_text('/etc/passwd'))",
        "1 = 1) UNION ALL SELECT * FROM read_csv('/etc/passwd'",
        "1 = 1); COPY stored TO 'x.csv'; SELECT (1",
    ],
)
def test_a_condition_reaches_nothing_but_the_rows(tmp_path: Path, where: str) -> None:
    writer = ResultStorage(str(tmp_path)).writer("", "j-1")
    writer.write(BATCH)
    result = StoredResult(writer.close(BATCH.schema, {}).path)

    with pytest.raises(QueryFailed):
        result.part(where=where)


def test_a_removed_result_says_so_and_leaves_nothing_of_its_job(url: str) -> None:
    storage = ResultStorage(url)
    for version in ("j-1", "j-2", "other-1"):
        writer = storage.writer("spend", version)
        writer.write(BATCH)
        stored = writer.close(BATCH.schema, {})
    path = stored.path.replace("other-1", "j-2")

    storage.remove(path, job_id="j")
    storage.remove(path, job_id="j")

    with pytest.raises(ResultsUnavailable, match="gone"):
        StoredResult(path).arrow()
    assert [name for name in files(url) if "other-1" not in name] == []
    assert StoredResult(stored.path).row_count == BATCH.num_rows


KILLED = """
import os, sys
import pyarrow as pa
from fusion_magic.results.storage import ResultStorage

rows = pa.record_batch({"noise": [os.urandom(6 << 20)]})
writers = [ResultStorage(sys.argv[1]).writer("spend", v) for v in ("j-1", "j-2", "j-10", "jj-1")]
for writer in writers:
    writer.write(rows)
    writer._flush(rows.schema)
    writer._file._file.blocksize = 5 << 20
    writer._file._file.flush()
os._exit(0)
"""


def test_what_killed_attempts_left_is_removed_by_a_later_one(url: str) -> None:
    """
    On a disk half a file, in a bucket an upload that no listing of files shows.
    """
    subprocess.run([sys.executable, "-c", KILLED, url], check=True, timeout=120)
    storage = ResultStorage(url)
    assert left(url) == {"j-1", "j-2", "j-10", "jj-1"}

    storage.remove_attempts("j", before=2)
    assert left(url) == {"j-2", "j-10", "jj-1"}
    storage.remove_attempts("j")
    assert left(url) == {"jj-1"}
    assert [name for name in files(url) if "/j-" in name] == []


def left(url: str) -> set[str]:
    """
    The versions of which a part is there.
    """
    filesystem, root = url_to_fs(url)
    if "s3" not in filesystem.protocol:
        return {Path(name).parent.name for name in files(url)}
    uploads = filesystem.call_s3("list_multipart_uploads", Bucket=root.partition("/")[0])
    return {Path(upload["Key"]).parent.name for upload in uploads.get("Uploads", ())}


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """
    ``/dev/full`` is a real device that has no space left.
    """
    writer = ResultStorage(str(tmp_path)).writer("", "j-1")
    writer.write(BATCH)
    writer._flush(BATCH.schema)
    writer._file._file.close()
    writer._file._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the writer closes it

    with pytest.raises(ResultsUnavailable, match="No space left"):
        writer.close(BATCH.schema, {})
    writer.abort()
    assert files(str(tmp_path)) == []


def test_a_bucket_that_does_not_answer_is_told(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResultsUnavailable, match=r"gone|cannot be used"):
        ResultStorage("s3://no-such-bucket/x").check()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FusionError, match="cannot be used"):
        ResultStorage(str(tmp_path / "file" / "below")).check()


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".arrow", ".jsonl", ".xlsx"])
def test_each_kind_of_file_holds_the_rows(tmp_path: Path, ending: str) -> None:
    import pandas as pd

    writer = ResultStorage(str(tmp_path / "r")).writer("", "j-1")
    writer.write(BATCH)
    result = StoredResult(writer.close(BATCH.schema, {}).path)

    path = export(result, tmp_path / f"out{ending}", columns=["id", "text"], where="id > 1")

    read: dict[str, Any] = {
        ".parquet": pd.read_parquet,
        ".csv": pd.read_csv,
        ".arrow": pd.read_feather,
        ".jsonl": lambda p: pd.read_json(p, lines=True),
        ".xlsx": pd.read_excel,
    }
    frame = read[ending](path)
    assert frame["id"].tolist() == [2, 3]
    # A sheet must not run what a column says.
    assert frame["text"].tolist()[1] == ("'=1+1" if ending == ".xlsx" else "=1+1")


def test_writers_side_by_side_do_not_mix(tmp_path: Path) -> None:
    storage = ResultStorage(str(tmp_path))
    stored: dict[int, Any] = {}

    def write(number: int) -> None:
        writer = storage.writer("same", f"j{number}-1")
        for _ in range(number):
            writer.write(BATCH)
        stored[number] = writer.close(BATCH.schema, {})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {n: StoredResult(s.path).row_count for n, s in stored.items()} == {
        n: 3 * n for n in range(1, 6)
    }
