"""
Two processes on one store, their steps mixed at random, against a model that says what each of them may see.

Steps are done one after the other and, as races, at the same moment: what a race gives must be what one of its two
orders gives. The clocks of the processes differ by seconds. The seed is printed, and FUSION_TEST_SEED repeats it.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fusion_magic.errors import IllegalTransition, LeaseLost, UnknownJob
from fusion_magic.store import (
    ColumnEdge,
    Converted,
    Ended,
    Job,
    JobFilter,
    JobStatus,
    ModelRow,
    NewJob,
    NewTask,
    Outcome,
    QueueRow,
)
from fusion_magic.store.sql.store import SqlStore
from fusion_magic.store.sql.tables import fusion_model, job, job_task, model_queue

EXAMPLES = int(os.environ.get("FUSION_TEST_EXAMPLES", "15"))
STEPS = 25
SEED = int(os.environ.get("FUSION_TEST_SEED", "0")) or random.randrange(1, 10**6)
MOST_TURNS = 10  # until a job has come to its end
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEASE_S = 10
BEHIND_S = 3  # the other process's clock
MOST_JOBS = 4
OPEN = ("INIT", "QUEUED", "RUNNING")
UNKNOWN = {
    "record_query_id": None,
    "want_cancel": "UnknownJob",
    "release": "LeaseLost",
    "finish_all": False,
}


@dataclass(frozen=True)
class Step:
    """
    What one process does: to which job, as which worker, at what time, and how many rows it writes.
    """

    kind: str
    job: int = 0
    is_background: bool = False
    is_late: bool = False  # in the name of an attempt before the present one
    rows: int = 0
    worker: str = "w1"
    owner: str = ""
    attempt: int | None = None
    now: datetime = NOON

    @property
    def job_id(self) -> UUID:
        return uuid5(UUID(int=0), f"{self.owner} {self.job}")


@dataclass
class KnownJob:
    """
    What the model knows of one job.
    """

    status: str = "INIT"
    task: str = ""
    attempt: int = 0
    worker: str | None = None
    lease_until: datetime = NOON
    is_cancel_wanted: bool = False
    query_id: str | None = None
    models: int = 0
    queued: int = 0


@dataclass
class Model:
    """
    What the store must hold, and ``allows`` what a step may answer.
    """

    jobs: dict[UUID, KnownJob] = field(default_factory=dict)
    is_racing: bool = False

    def allows(self, step: Step, answer: object) -> bool:
        """
        Whether the step may have given *answer*; if so, the model has taken it.
        """
        if step.kind == "create":
            self.jobs[step.job_id] = KnownJob()
            return answer is None
        if step.kind == "claim":
            return self._claim(step, answer)
        if step.kind == "renew":
            self._renew(step)
            return answer is None
        known = self.jobs.get(step.job_id)
        if step.kind == "look":
            return answer == (known and (known.status, known.task, known.models, known.queued))
        if known is None:
            return answer == UNKNOWN.get(step.kind, "IllegalTransition")
        return bool(answer == getattr(self, f"_{step.kind}")(step, known))

    def facts(self) -> dict[UUID, tuple[Any, ...]]:
        """
        What the store must show of each job.
        """
        return {
            job_id: (
                *(known.status, known.task, known.models, known.queued),
                *(known.query_id, known.is_cancel_wanted, known.attempt),
            )
            for job_id, known in self.jobs.items()
        }

    def _claim(self, step: Step, answer: object) -> bool:
        stalled = {
            i for i, k in self.jobs.items() if k.task == "CLAIMED" and k.lease_until < step.now
        }
        waiting = {i for i, k in self.jobs.items() if k.task == "WAITING"}
        # A row that the other process has locked at this moment is passed over.
        allowed = stalled | waiting if self.is_racing else stalled or waiting
        if answer is None or answer not in allowed:
            return answer is None and (self.is_racing or not allowed)
        known = self.jobs[answer]  # type: ignore[index]
        known.task, known.worker, known.attempt = "CLAIMED", step.worker, known.attempt + 1
        known.lease_until = step.now + timedelta(seconds=LEASE_S)
        known.status = "RUNNING" if known.status == "QUEUED" else known.status
        return True

    def _renew(self, step: Step) -> None:
        for known in self.jobs.values():
            if known.worker == step.worker and known.task == "CLAIMED":
                known.lease_until = step.now + timedelta(seconds=LEASE_S)

    def _queue(self, step: Step, known: KnownJob) -> str | None:
        if known.status != "INIT":
            return "IllegalTransition"
        known.status, known.models, known.task = "QUEUED", step.rows, "WAITING"
        return None

    def _start(self, step: Step, known: KnownJob) -> str | None:
        if known.status != "INIT":
            return "IllegalTransition"
        known.status, known.models = "RUNNING", step.rows
        return None

    def _record_query_id(self, step: Step, known: KnownJob) -> None:
        if known.status == "RUNNING":
            known.query_id = f"q{step.rows}"

    def _finish(self, step: Step, known: KnownJob) -> str | None:
        if step.attempt == known.attempt and known.task == "DONE" and known.status == "FINISHED":
            return None  # by this attempt, before
        ended = self._end(step, known, "FINISHED", ("RUNNING",))
        known.queued = known.queued if ended else step.rows
        return ended

    def _finish_all(self, step: Step, known: KnownJob) -> bool | str:
        if known.task == "DONE":
            return False
        ended = self._finish(step, known)
        return ended or True if ended != "LeaseLost" else False

    def _fail(self, step: Step, known: KnownJob) -> str | None:
        return self._end(step, known, "FAILED", OPEN)

    def _cancel(self, step: Step, known: KnownJob) -> str | None:
        return self._end(step, known, "CANCELED", OPEN)

    def _end(self, step: Step, known: KnownJob, status: str, before: tuple[str, ...]) -> str | None:
        if step.attempt is not None and not self._holds(step, known):
            return "LeaseLost"
        if known.status not in before:
            return "IllegalTransition"
        is_taken_back = known.task == "WAITING" and status != "FINISHED"
        known.status = status
        known.task = "DONE" if step.attempt is not None or is_taken_back else known.task
        return None

    def _release(self, step: Step, known: KnownJob) -> str | None:
        if not self._holds(step, known):
            return "LeaseLost"
        known.worker, known.lease_until = None, step.now
        return None

    def _holds(self, step: Step, known: KnownJob) -> bool:
        return known.task == "CLAIMED" and known.attempt == step.attempt

    def _want_cancel(self, step: Step, known: KnownJob) -> str:
        if known.task == "WAITING":
            known.task, known.status = "DONE", "CANCELED"
        elif known.status in OPEN:
            known.is_cancel_wanted = True
        return known.status


class Process:
    """
    A store with a clock that can be set; ``begin`` and ``end`` of a step are apart, as in a process of its own.
    """

    def __init__(self, url: str) -> None:
        self._now = NOON
        self.store = SqlStore(url, clock=lambda: self._now)
        self.store.migrate()
        self._step = Step("look")

    def begin(self, step: Step) -> None:
        self._step = step

    def end(self) -> object:
        self._now = self._step.now
        try:
            return _do(self.store, self._step)
        except (IllegalTransition, LeaseLost, UnknownJob) as error:
            return type(error).__name__

    def close(self) -> None:
        self.store.close()


class OtherProcess:
    """
    The same in another process.
    """

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(url, theirs), daemon=True)
        self._process.start()

    def begin(self, step: Step) -> None:
        self._pipe.send(step)

    def end(self) -> object:
        answer: object = self._pipe.recv()
        return answer

    def close(self) -> None:
        self._pipe.send(None)
        self._process.join()


def serve(url: str, pipe: Any) -> None:
    process = Process(url)
    while (step := pipe.recv()) is not None:
        process.begin(step)
        pipe.send(process.end())
    process.close()


def _do(store: SqlStore, step: Step) -> object:
    job_id, attempt = step.job_id, step.attempt
    task = NewTask(payload="{}", engine_url=step.owner, owner=step.owner)
    model = ModelRow(model_id_of_om=None, fully_qualified_name=None, trino_model_name="a.b.c")
    row = QueueRow(model_name_fqn=step.owner, from_fqn="a.b", command="LINEAGE")
    edge = ColumnEdge(source_fqn="a.b", source_column="x", target_fqn="t", target_column="y")
    outcome = Outcome(queue=[row] * step.rows, column_edges=[edge] * step.rows)
    converted = Converted("SELECT 1", limit=1, models=[model] * step.rows)
    changes: dict[str, Any] = {
        "create": lambda: store.jobs.create(
            NewJob(id=job_id, user_query="SELECT 1", owner=step.owner, runner="r")
        ),
        "queue": lambda: store.jobs.queue(job_id, converted, task),
        "finish": lambda: store.jobs.finish(job_id, outcome, attempt=attempt),
        "finish_all": lambda: bool(store.jobs.finish_all([Ended(job_id, outcome, attempt or 0)])),
        "claim": lambda: _claim(store, step),
        "start": lambda: store.jobs.start(job_id, converted),
        "record_query_id": lambda: store.jobs.record_query_id(job_id, f"q{step.rows}"),
        "fail": lambda: store.jobs.fail(job_id, error="no", attempt=attempt),
        "cancel": lambda: store.jobs.cancel(job_id, attempt=attempt),
        "want_cancel": lambda: store.jobs.want_cancel(job_id).value,
        "renew": lambda: store.tasks.renew(step.worker, lease_s=LEASE_S, progress={}),
        "release": lambda: store.tasks.release(job_id, attempt=attempt or 0),
        "look": lambda: _look(store, job_id),
    }
    return changes[step.kind]()


def _claim(store: SqlStore, step: Step) -> UUID | None:
    tasks = store.tasks.claim(step.worker, engine_url=step.owner, lease_s=LEASE_S)
    return tasks[0].job_id if tasks else None


def _look(store: SqlStore, job_id: UUID) -> tuple[Any, ...] | None:
    """
    Status, its task's state and numbers of rows in one statement: whether they were committed together.
    """
    state = sa.select(job_task.c.state).where(job_task.c.job_id == job.c.id).scalar_subquery()
    counts = [
        sa.select(sa.func.count()).where(table.c.job_id == job.c.id).scalar_subquery()
        for table in (fusion_model, model_queue)
    ]
    rows = store.database.read(
        sa.select(job.c.status, sa.func.coalesce(state, ""), *counts).where(job.c.id == job_id)
    )
    return tuple(rows[0]) if rows else None


STEPS_OF_JOBS = st.builds(
    Step,
    kind=st.sampled_from(
        [
            "queue",
            "start",
            "record_query_id",
            "finish",
            "finish",
            "finish_all",
            "fail",
            "cancel",
            "want_cancel",
            "look",
            "claim",
            "claim",
            "renew",
            "release",
        ]
    ),
    job=st.integers(0, MOST_JOBS),
    is_background=st.booleans(),
    is_late=st.sampled_from((False, False, True)),
    rows=st.integers(0, 3),
    worker=st.sampled_from(("w1", "w2")),
)


class Interleavings(RuleBasedStateMachine):
    """
    The rules are what the two processes do; the invariants are what holds between their steps.
    """

    processes: tuple[Process, OtherProcess]

    def __init__(self) -> None:
        super().__init__()
        self.owner = uuid4().hex
        self.now = NOON
        self.model = Model()
        self.seen: dict[UUID, Any] = {}

    @rule(by=st.integers(0, 1))
    def create(self, by: int) -> None:
        if len(self.model.jobs) < MOST_JOBS:
            self._one(Step("create", job=len(self.model.jobs)), by)

    @rule(step=STEPS_OF_JOBS, by=st.integers(0, 1))
    def advance(self, step: Step, by: int) -> None:
        """
        The step that comes next for a job, so that many reach their end.
        """
        known = self.model.jobs.get(Step("look", job=step.job, owner=self.owner).job_id)
        if known is not None and known.status in OPEN:
            first = "queue" if step.is_background else "start"
            kinds = {"INIT": first, "QUEUED": "claim", "RUNNING": "finish"}
            self._one(Step(**{**vars(step), "kind": kinds[known.status], "is_late": False}), by)

    @rule(step=STEPS_OF_JOBS, by=st.integers(0, 1))
    def one(self, step: Step, by: int) -> None:
        self._one(step, by)

    @rule(here=STEPS_OF_JOBS, there=STEPS_OF_JOBS, is_same=st.booleans())
    def race(self, here: Step, there: Step, is_same: bool) -> None:
        """
        Both at once, more often than not on the same job.
        """
        steps = [
            self._ready(here, 0),
            self._ready(Step(**{**vars(there), "job": here.job}) if is_same else there, 1),
        ]
        for by, step in enumerate(steps):
            self.processes[by].begin(step)
        answers = [process.end() for process in self.processes]
        pairs = list(zip(steps, answers, strict=True))
        for order in (pairs, pairs[::-1]):
            model = copy.deepcopy(self.model)
            model.is_racing = True
            is_allowed = all(model.allows(step, answer) for step, answer in order)
            # Both orders may have given these answers; one of them has left what is stored.
            if is_allowed and self._stored() == model.facts():
                model.is_racing = False
                self.model = model
                return
        raise AssertionError(f"in no order: {pairs}")

    @rule(seconds=st.integers(1, 2 * LEASE_S))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def the_store_holds_what_the_model_says(self) -> None:
        """
        No row lost, final rows unchanged, and ``updated`` never goes back.
        """
        assert self._stored() == self.model.facts()
        for job_id, found in self._jobs().items():
            before = self.seen.get(job_id)
            if before is not None:
                assert before.updated <= found.updated
                assert before.created == found.created
                assert not before.status.is_final or before == found
            self.seen[job_id] = found

    def _jobs(self) -> dict[UUID, Job]:
        store = self.processes[0].store
        return {
            found.id: found for found in store.jobs.list(JobFilter(owner=self.owner), limit=100)
        }

    def _stored(self) -> dict[UUID, tuple[Any, ...]]:
        store = self.processes[0].store
        return {
            job_id: (
                *(_look(store, job_id) or ()),
                *(found.query_id, found.is_cancel_wanted, found.attempt),
            )
            for job_id, found in self._jobs().items()
        }

    def _one(self, step: Step, by: int) -> None:
        ready, process = self._ready(step, by), self.processes[by]
        process.begin(ready)
        answer = process.end()
        assert self.model.allows(ready, answer), (ready, answer)

    def _ready(self, step: Step, by: int) -> Step:
        """
        *step* as its process does it: with its clock, and with the attempt by which a background job is changed.
        """
        now = self.now - timedelta(seconds=BEHIND_S * by)
        attempt = None
        ready = Step(**{**vars(step), "owner": self.owner, "now": now})
        known = self.model.jobs.get(ready.job_id, KnownJob())
        if known.task or step.kind in {"release", "finish_all"}:
            attempt = known.attempt - step.is_late
        return Step(**{**vars(ready), "attempt": attempt})


@pytest.fixture
def processes(store_url: str) -> Iterator[tuple[Process, OtherProcess]]:
    here = Process(store_url)
    there = OtherProcess(store_url)
    yield here, there
    there.close()
    here.close()


@pytest.mark.timeout(600)
def test_two_processes_never_break_a_job(processes: tuple[Process, OtherProcess]) -> None:
    """
    No illegal transition, no lost row, whatever two kernels and workers do to the same jobs.
    """
    print(f"seed {SEED}, {EXAMPLES} runs of up to {STEPS} steps")
    machine = type("Mixed", (Interleavings,), {"processes": processes})
    for turn in range(MOST_TURNS):
        run_state_machine_as_test(
            seed(SEED + turn)(machine),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
                print_blob=True,
            ),
        )
        # Seeds differ; one by which no job came to its end proves little.
        if processes[0].store.jobs.list(JobFilter(statuses=frozenset({JobStatus.FINISHED}))):
            return
    raise AssertionError("No job came to its end.")
