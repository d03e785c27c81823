"""
What ``%load_ext`` adds to a bare IPython, in a new process each time.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from benchmarks.timing import peers_python, run_json, table

CODE = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell()
shell.run_cell("1 + 1", silent=True)
started = time.perf_counter()
shell.run_line_magic("load_ext", sys.argv[1])
print(json.dumps({"s": time.perf_counter() - started}))
"""


def main(runs: int = 7) -> None:
    """
    Print the medians.
    """
    peers = peers_python()
    extensions: list[tuple[str, Path | str, str]] = [
        ("fusion-magic", sys.executable, "fusion_magic"),
        ("JupySQL", peers, "sql"),
        ("magic-duckdb", peers, "magic_duckdb"),
    ]
    rows = []
    for name, python, extension in extensions:
        taken = [run_json(python, CODE, extension)["s"] for _ in range(runs)]
        rows.append((name, statistics.median(taken) * 1000, "ms"))
    table("%load_ext, added to a bare IPython", rows, base="fusion-magic")


if __name__ == "__main__":
    main()
