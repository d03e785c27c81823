"""
The scheduler: every row delivered, in order for its target, whatever breaks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from fusion_magic import Fusion, connect
from fusion_magic.delivery import JobFacts
from fusion_magic.errors import DeliveryError, PermanentDeliveryError
from fusion_magic.scheduler import ATTEMPTS, Scheduler
from fusion_magic.store import Message
from fusion_magic.store.tables import queue_delivery

KILLS = int(os.environ.get("FUSION_TEST_KILLS", "20"))


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    (tmp_path / "t.csv").write_text("id,x\n1,a\n")
    catalog = tmp_path / "catalog.yaml"
    models = "".join(f"  a.b.c.t{n}: {{source: t.csv}}\n" for n in range(5))
    catalog.write_text(f"version: 1\nmodels:\n{models}")
    with connect(
        metadata_url=str(catalog), data_dir=str(tmp_path / "data"), worker_start="never"
    ) as opened:
        yield opened


class Receiver:
    """
    Takes what it is told, after as many errors as it was given.
    """

    name = "receiver"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.taken: list[Message] = []

    def deliver(self, message: Message, facts: JobFacts) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(message)

    def close(self) -> None:
        return None


def test_queued_lineage_is_delivered_and_kept_once(fusion: Fusion) -> None:
    for _ in range(2):
        fusion.run("SELECT id FROM a.b.c.t0", origin="n.ipynb")
    scheduler = fusion.scheduler()

    while fusion.queued():
        scheduler.deliver_due()

    assert fusion.store.outbox.edges() == [("a.b.c.t0", 'fusion.notebooks."n.ipynb"')]


def test_a_scheduler_signs_while_it_is_at_work(fusion: Fusion) -> None:
    """
    ``fusion doctor`` tells a scheduler that is there from one that is not.
    """
    scheduler = fusion.scheduler()
    thread = Thread(target=scheduler.run)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not fusion.store.tasks.workers():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        [row] = fusion.store.tasks.workers()
        assert (row.id, row.role, row.pid) == (scheduler.id, "scheduler", os.getpid())
    finally:
        scheduler.stop()
        thread.join()

    assert fusion.store.tasks.workers() == []


def test_a_row_that_fails_is_tried_again_and_then_kept_aside(fusion: Fusion) -> None:
    fusion.run("CREATE TABLE a.b.c.new AS SELECT 1 AS x")
    receiver = Receiver(*[DeliveryError("away")] * ATTEMPTS)
    scheduler = Scheduler(fusion.store, [receiver])

    for _ in range(ATTEMPTS):
        _make_due(fusion)
        scheduler.deliver_due()

    [letter] = fusion.store.outbox.dead()
    assert (letter.error, letter.attempts) == ("away", ATTEMPTS)
    assert fusion.store.outbox.revive(letter.id)
    scheduler.deliver_due()
    assert [m.row.model_name_fqn for m in receiver.taken] == ["a.b.c.new"]


def _make_due(fusion: Fusion) -> None:
    """
    As if all waiting were over.
    """
    with fusion.store._engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(sa.update(queue_delivery).values(due=datetime(2000, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize("error", [PermanentDeliveryError("no such table"), ValueError("a bug")])
def test_one_broken_row_holds_up_no_other(fusion: Fusion, error: Exception) -> None:
    fusion.run("CREATE TABLE a.b.c.new AS SELECT 1 AS x")
    fusion.run("CREATE TABLE a.b.c.other AS SELECT 1 AS x")
    receiver = Receiver(error)

    Scheduler(fusion.store, [receiver]).deliver_due()

    assert [m.row.model_name_fqn for m in receiver.taken] == ["a.b.c.other"]


@pytest.mark.timeout(120 + 10 * KILLS)
def test_nothing_is_lost_or_doubled_when_schedulers_are_killed(
    fusion: Fusion, tmp_path: Path
) -> None:
    """
    Two at once, each killed (-9) at random moments.
    """
    chance = random.Random(7)
    events = tmp_path / "events.jsonl"
    environment = {
        **fusion.settings.environment(os.environ),
        "FUSION_DELIVERY_URL": f"openlineage+file://{events}",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "fusion_magic.cli", "scheduler"]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    running = [start(), start()]
    for number in range(KILLS):
        for origin in range(5):
            fusion.run(f"SELECT id FROM a.b.c.t{number % 5}", origin=f"n{origin}.ipynb")
        time.sleep(chance.uniform(0.1, 1.2))
        place = chance.randrange(2)
        running[place].kill()
        running[place].wait()
        running[place] = start()
    deadline = time.monotonic() + 100
    while fusion.queued():
        assert time.monotonic() < deadline
        # What a killed one had claimed would be due after a minute.
        _make_due(fusion)
        time.sleep(1)
    for process in running:
        process.terminate()
        # One that had only just been started has no handler yet.
        assert process.wait(30) in (0, -signal.SIGTERM)

    wanted = {(f"a.b.c.t{n}", f'fusion.notebooks."n{o}.ipynb"') for n in range(5) for o in range(5)}
    assert fusion.store.outbox.dead() == []
    assert set(fusion.store.outbox.edges()) == wanted
    assert len(fusion.store.outbox.edges()) == len(wanted)
    told = [json.loads(line) for line in events.read_text().splitlines() if line]
    assert {event["run"]["runId"] for event in told} == {
        str(job.id) for job in fusion.jobs(limit=9999)
    }
