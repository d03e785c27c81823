"""
Measuring: medians of repeated runs, and tables of ratios.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PEERS = (
    "jupysql",
    "duckdb-engine",
    "magic-duckdb",
    "ipython",
    "pandas",
    "trino",
    "connectorx",
    "pyarrow",
    "duckdb==1.5.5",
)


def seconds(action: Callable[[], object], *, runs: int) -> list[float]:
    """
    How long each of *runs* calls took, in seconds.
    """
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return taken


def median_ms(taken: Sequence[float]) -> float:
    """
    The median of seconds, in milliseconds.
    """
    return statistics.median(taken) * 1000


def table(title: str, rows: Sequence[tuple[str, float, str]], *, base: str) -> None:
    """
    Print name, value with unit, and the ratio to the row named *base*.
    """
    reference = next(value for name, value, _ in rows if name == base)
    print(f"\n{title}")
    for name, value, unit in rows:
        print(f"  {name:<44} {value:>10.2f} {unit:<3} {value / reference:>7.2f} ×")


def machine() -> str:
    """
    One line about where this was measured.
    """
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )


def peers_python() -> Path:
    """
    The interpreter of an environment with the peers, made on the first call.
    """
    home = Path(os.environ.get("FUSION_BENCH_PEERS", Path(".cache") / "peers")).absolute()
    python = home / "bin" / "python"
    if not python.exists():
        print(f"making an environment with the peers in {home}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS], check=True)
    return python


def run_json(python: Path | str, code: str, *arguments: str) -> dict[str, float]:
    """
    What *code*, run by another interpreter, prints as one line of JSON; other lines are passed over.
    """
    done = subprocess.run(
        [str(python), "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("{"))
    return dict(json.loads(line))
