"""
Worker processes that tests kill, stop and starve.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fusion_magic import Fusion
from fusion_magic.store import Job


class Workers:
    """
    Worker processes, one at a time.
    """

    def __init__(self, fusion: Fusion, log: Path) -> None:
        self._environment = fusion.settings.environment(os.environ)
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, before: Callable[[], None] | None = None) -> None:
        """
        Start one; *before* is called in its process first.
        """
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fusion_magic.cli", "worker"],
                env={**self._environment, "PYTHONPATH": str(Path(__file__).parents[3])},
                stdout=log,
                stderr=log,
                preexec_fn=before,
            )

    def is_registered(self, fusion: Fusion) -> Callable[[], bool]:
        """
        Whether the process that was started last is at work.
        """
        assert self.process is not None
        pid = self.process.pid
        return lambda: any(row.pid == pid for row in fusion.store.processes.alive())

    def kill(self) -> None:
        """
        End it with -9.
        """
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """
        Ask it to end, and give its exit code.
        """
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=60)


def wait_until(condition: Callable[[], object], *, patience_s: float) -> None:
    """
    Look until *condition* holds.
    """
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def wait_for_all(fusion: Fusion, ids: Sequence[str], *, patience_s: float) -> list[Job]:
    """
    The jobs, once all of them have ended.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        jobs = [fusion.job(job_id).job for job_id in ids]
        if all(job.status.is_final for job in jobs):
            return jobs
        time.sleep(0.5)
    raise AssertionError([(job.status, job.attempt, job.user_query[:30]) for job in jobs])
