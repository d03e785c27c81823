"""
Starting workers: as this process's own work, or in the background beside an embedded store.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fusion_magic.processes.presence import find_alive

if TYPE_CHECKING:
    from fusion_magic.config import Settings
    from fusion_magic.processes.scheduler import Scheduler
    from fusion_magic.processes.worker import Worker
    from fusion_magic.store import Processes

LOG_FILE = "worker.log"
START_PATIENCE_S = 5.0  # until the first heartbeat of a worker that was started
SCHEDULER_PATIENCE_S = 20.0  # for the row that a scheduler is delivering
_started_at: dict[str, float] = {}
_children: list[subprocess.Popen[bytes]] = []  # that this process started; they outlive it


def stop_on_signals(stop: Callable[[], None]) -> None:
    """
    Let SIGTERM and SIGINT call *stop*.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())


def serve(worker: Worker, scheduler: Scheduler | None = None) -> None:
    """
    Run *worker* as this process's work: SIGTERM and SIGINT stop it.

    Args:
        scheduler: Runs in a thread of this process: an embedded store has no other for it.
    """
    stop_on_signals(worker.stop)
    _keep_pandas_out()
    thread = None
    if scheduler is not None:
        thread = threading.Thread(target=scheduler.run, name="fusion-scheduler", daemon=True)
        thread.start()
    worker.run()
    if scheduler is not None and thread is not None:
        scheduler.stop()
        thread.join(SCHEDULER_PATIENCE_S)
    if worker.has_left_jobs:
        # Their statements go on: what closes their readers on the way out would stop them.
        os._exit(0)


def start_in_background(settings: Settings, processes: Processes, engine_url: str) -> None:
    """
    Start a worker for this data directory where none is alive. It outlives this process.
    """
    if find_alive(processes, "worker", engine_url):
        return
    key = f"{settings.store_url} {engine_url}"
    if time.monotonic() - _started_at.get(key, float("-inf")) < START_PATIENCE_S:
        return
    _started_at[key] = time.monotonic()
    _spawn(settings)


def _spawn(settings: Settings) -> None:
    folder = Path(settings.data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG_FILE).open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "fusion_magic.cli", "worker", "--embedded"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=settings.environment(),
            start_new_session=True,
        )
    if not _children:
        atexit.register(_forget_children)
    _children.append(child)


def _forget_children() -> None:
    """
    Workers outlive this process: that they still run is no mistake of which Python should warn.
    """
    for child in _children:
        child.returncode = child.returncode or 0


def _keep_pandas_out() -> None:
    """
    Make pyarrow believe that pandas is not installed: its first conversion would import it, which takes 60 MB, and seconds
    in which no other thread runs. A worker shows nobody a DataFrame.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.modules["pandas"] = cast("Any", None)
    try:
        # Its Python and its C++ each look for pandas once; the former stumbles over what it finds.
        for _ in range(2):
            with suppress(ImportError, AttributeError):
                pa.array([1, None])
    finally:
        del sys.modules["pandas"]
