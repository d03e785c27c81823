"""
Schedulers killed (-9) at random moments: nothing lost, no edge doubled.

Twenty kills by default; ``make faults`` sets FUSION_TEST_KILLS=200.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fusion_magic import Fusion
from fusion_magic.processes.scheduler import LEASE_S
from tests.stores import delivered_edges

KILLS = int(os.environ.get("FUSION_TEST_KILLS", "20"))


def _waiting(fusion: Fusion) -> int:
    return len(fusion.store.outbox.pending(limit=1_000_000))


@pytest.mark.timeout(600 + 20 * KILLS)
def test_nothing_is_lost_or_doubled_when_schedulers_are_killed(
    five_tables: Fusion, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """
    Two at once, each killed (-9) at random moments.
    """
    chance = random.Random(7)
    events = tmp_path / "events.jsonl"
    environment = {
        **five_tables.settings.environment(os.environ),
        "FUSION_DELIVERY_URL": f"openlineage+file://{events}",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "fusion_magic.cli", "scheduler"]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    running = [start(), start()]
    request.addfinalizer(lambda: running[0].kill())
    request.addfinalizer(lambda: running[1].kill())
    for number in range(KILLS):
        for origin in range(5):
            five_tables.run(f"SELECT id FROM a.b.c.t{number % 5}", origin=f"n{origin}.ipynb")
        time.sleep(chance.uniform(0.1, 1.2))
        place = chance.randrange(2)
        running[place].kill()
        running[place].wait()
        running[place] = start()
    left, moved_at = _waiting(five_tables), time.monotonic()
    while left:
        # What a killed one had claimed is due when its lease has run out.
        assert time.monotonic() - moved_at < 2 * LEASE_S
        time.sleep(0.5)
        if (still := _waiting(five_tables)) != left:
            left, moved_at = still, time.monotonic()
    for process in running:
        process.terminate()
        # One that had only just been started has no handler yet.
        assert process.wait(30) in (0, -signal.SIGTERM)

    wanted = {(f"a.b.c.t{n}", f'fusion.notebooks."n{o}.ipynb"') for n in range(5) for o in range(5)}
    assert five_tables.store.outbox.dead() == []
    assert set(delivered_edges(five_tables.store)) == wanted
    assert len(delivered_edges(five_tables.store)) == len(wanted)
    told = [json.loads(line) for line in events.read_text().splitlines() if line]
    assert {event["run"]["runId"] for event in told} == {
        str(job.id) for job in five_tables.jobs(limit=9999)
    }
