"""
Schedulers killed (-9) while they write to OpenMetadata: no edge lost, none doubled, no cell of a notebook missing.

Twenty kills by default; ``make faults`` sets FUSION_TEST_KILLS=200.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fusion_magic.fusion import Fusion
from fusion_magic.processes.scheduler import LEASE_S
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.openmetadata_graph import Graph

KILLS = int(os.environ.get("FUSION_TEST_KILLS", "20"))


@pytest.mark.timeout(600 + 20 * KILLS)
def test_no_edge_is_lost_or_doubled_when_schedulers_are_killed_and_the_server_goes_away(
    five_tables: Fusion, request: pytest.FixtureRequest
) -> None:
    """
    Two at once, each killed (-9) at random moments, and a server that is away now and then.
    """
    server = OpenMetadataServer(version="1.6.0").start()
    request.addfinalizer(server.stop)
    tables = [f"a.b.c.t{number}" for number in range(5)]
    for fqn in tables:
        server.add_table(fqn, {"id": "BIGINT", "x": "STRING"})
    chance = random.Random(11)
    environment = {
        **five_tables.settings.environment(os.environ),
        "FUSION_DELIVERY_URL": f"openmetadata+{server.url}",
        "FUSION_DELIVERY_TOKEN": server.token,
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
        if number % 4 == 1:
            server.stop()
        if number % 4 == 2:
            server.start()
    server.start()
    wait_until_delivered(five_tables)

    for process in running:
        process.terminate()
        # One that had only just been started has no handler yet.
        assert process.wait(30) in (0, -signal.SIGTERM)

    graph = Graph(server, *(("table", fqn) for fqn in tables))
    found = [(fqn, t["fullyQualifiedName"]) for fqn in tables for t, _ in graph.below("table", fqn)]
    graph.close()
    assert five_tables.store.outbox.dead() == []
    assert sorted(found) == sorted(
        (fqn, f'fusion."n{origin}.ipynb"') for fqn in tables for origin in range(5)
    )
    for origin in range(5):
        assert len(server.get("pipeline", f'fusion."n{origin}.ipynb"')["tasks"]) == 5


def wait_until_delivered(fusion: Fusion) -> None:
    """
    What a killed one had claimed is due when its lease has run out.
    """
    left, moved_at = len(fusion.store.outbox.pending(limit=10_000)), time.monotonic()
    while left:
        assert time.monotonic() - moved_at < 2 * LEASE_S
        time.sleep(0.5)
        if (still := len(fusion.store.outbox.pending(limit=10_000))) != left:
            left, moved_at = still, time.monotonic()
