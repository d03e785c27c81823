"""
10 million rows × 10 columns through the results' storage and back, page by page, against pyarrow's writer with all in memory.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.timing import table
from fusion_magic.results.storage import ResultStorage
from fusion_magic.results.stored import StoredResult

ROWS = 10_000_000
PAGE_ROWS = 50_000


def main() -> None:
    """
    Print seconds and peaks; each way runs in a process of its own.
    """
    found = {kind: _run(kind) for kind in ("fusion-magic", "pyarrow")}
    rows = [(f"{kind}, written", found[kind][0], "s") for kind in found]
    rows += [(f"{kind}, read back", found[kind][1], "s") for kind in found]
    table(f"{ROWS:,} rows × 10 columns as Parquet (zstd)", rows, base="pyarrow, written")
    size_mb = _page(0).nbytes * (ROWS // PAGE_ROWS) / 1e6
    print(f"  as one Arrow table they take {size_mb:.0f} MB")
    for kind, (_, _, before, after) in found.items():
        print(f"  {kind:<14} added {after - before:.0f} MB of memory at most to {before:.0f} MB")


def _run(kind: str) -> tuple[float, float, float, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.stored_results", kind],
        check=True,
        capture_output=True,
        text=True,
    )
    written, read, before, after = map(float, done.stdout.split())
    return written, read, before, after


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _page(number: int) -> pa.RecordBatch:
    """
    One page of numbers, decimals, dates and texts that repeat as those of a business do.
    """
    chance = np.random.default_rng(number)
    ids = np.arange(number * PAGE_ROWS, (number + 1) * PAGE_ROWS)
    words = pa.array([f"customer {n}" for n in range(1000)])
    columns = [
        pa.array(ids),
        pa.array(chance.integers(0, 1 << 40, PAGE_ROWS)),
        pa.array(chance.normal(size=PAGE_ROWS)),
        pa.array(chance.normal(size=PAGE_ROWS)),
        pa.array(chance.integers(0, 100, PAGE_ROWS).astype("int32")),
        pa.array(chance.integers(0, 20_000, PAGE_ROWS).astype("int32")).cast(pa.date32()),
        pa.array(ids * 1_000_000).cast(pa.timestamp("us")),
        pa.array(chance.integers(0, 2, PAGE_ROWS).astype(bool)),
        words.take(pa.array(chance.integers(0, 1000, PAGE_ROWS))),
        words.take(pa.array(chance.integers(0, 10, PAGE_ROWS))),
    ]
    return pa.RecordBatch.from_arrays(columns, names=[f"c{n}" for n in range(len(columns))])


def _pages() -> Iterator[pa.RecordBatch]:
    return map(_page, range(ROWS // PAGE_ROWS))


def _measured(kind: str) -> None:
    first = _page(0)
    before = _peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        if kind == "pyarrow":
            path = f"{folder}/rows.parquet"
            pq.write_table(pa.Table.from_batches(_pages()), path, compression="zstd")
        else:
            writer = ResultStorage(folder).writer("bench", "1-1")
            for page in _pages():
                writer.write(page)
            path = writer.close(first.schema, {}).path
        written = time.perf_counter() - started
        started = time.perf_counter()
        if kind == "pyarrow":
            count = pq.read_table(path).num_rows
        else:
            count = sum(batch.num_rows for batch in StoredResult(path).dataset().to_batches())
        read = time.perf_counter() - started
    assert count == ROWS
    print(written, read, before, _peak_mb())


if __name__ == "__main__":
    if sys.argv[1:]:
        _measured(sys.argv[1])
    else:
        main()
