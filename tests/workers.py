"""
A worker's part in the test's own process.
"""

from __future__ import annotations

import time

from fusion_magic import Fusion
from fusion_magic.processes.attempt import TaskAttempt


def run_next(fusion: Fusion) -> None:
    """
    Claim the next waiting job and run it to its end.
    """
    [task] = fusion.store.tasks.claim("worker", engine_url=fusion.wiring.engine_key, lease_s=60)
    run_to_end(TaskAttempt(task, fusion.wiring.services(), max_attempts=1))


def run_to_end(attempt: TaskAttempt) -> None:
    """
    What a worker does in turns, for one attempt alone.
    """
    while not attempt.has_ended:
        attempt.advance()
        time.sleep(attempt.pause_s or 0)
