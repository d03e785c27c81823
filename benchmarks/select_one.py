"""
A ``SELECT 1`` cell on the embedded default, each with its durable job, against peers without any.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.timing import peers_python, run_json, table

TURNS = 10
CODE = """
import contextlib, io, json, os, statistics, sys, time, warnings
warnings.simplefilter("ignore")
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
extension, setup, cell = sys.argv[1:4]
with contextlib.redirect_stdout(io.StringIO()):
    shell.run_line_magic("load_ext", extension)
    for line in filter(None, setup.splitlines()):
        shell.run_cell(line)
    for _ in range(20):
        shell.run_cell(cell)
    taken = []
    for _ in range(300):
        started = time.perf_counter()
        shell.run_cell(cell)
        taken.append(time.perf_counter() - started)
print(json.dumps({"ms": statistics.median(taken) * 1000}))
"""


def main() -> None:
    """
    Print the medians of 300 cells each: the best of ten processes, taken in turns.
    """
    peers = peers_python()
    with tempfile.TemporaryDirectory() as folder:
        setup = f"%config FusionMagics.data_dir = '{folder}'"
        cells: list[tuple[str, Path | str, str, str, str]] = [
            (
                "fusion-magic, a durable job each",
                sys.executable,
                "fusion_magic",
                setup,
                "%%fusion\nSELECT 1",
            ),
            ("JupySQL on DuckDB, no job", peers, "sql", "%sql duckdb://", "%%sql\nSELECT 1"),
            ("magic-duckdb, no job", peers, "magic_duckdb", "", "%%dql\nSELECT 1"),
        ]
        taken: dict[str, list[float]] = {}
        for _ in range(TURNS):
            for name, python, extension, lines, cell in cells:
                found = run_json(python, CODE, extension, lines, cell)
                taken.setdefault(name, []).append(found["ms"])
        rows = [(name, min(times), "ms") for name, times in taken.items()]
    table("SELECT 1, a whole cell", rows, base="fusion-magic, a durable job each")


if __name__ == "__main__":
    main()
