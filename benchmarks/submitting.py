"""
How long a notebook waits until a background job is submitted, on the embedded default.
"""

from __future__ import annotations

import tempfile

from benchmarks.timing import median_ms, seconds, table
from fusion_magic import connect


def main(runs: int = 200) -> None:
    """
    Print the median, beside that of the same statement run at once.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(data_dir=folder, worker_start="never") as fusion,
    ):
        fusion.submit("SELECT 1")
        fusion.run("SELECT 1")
        rows = [
            ("submit", median_ms(seconds(lambda: fusion.submit("SELECT 1"), runs=runs)), "ms"),
            ("run", median_ms(seconds(lambda: fusion.run("SELECT 1"), runs=runs)), "ms"),
        ]
    table(f"One statement, median of {runs}", rows, base="run")


if __name__ == "__main__":
    main()
