"""
Threads that are kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from fusion_magic.jobs.thread_pool import DaemonThreadPool

WAIT_S = 10.0


def named(seen: list[str], go_on: threading.Event, done: threading.Semaphore) -> Callable[[], None]:
    def order() -> None:
        seen.append(threading.current_thread().name)
        go_on.wait(WAIT_S)
        done.release()

    return order


@pytest.mark.parametrize(("most", "threads"), [(None, 3), (2, 2)])
def test_so_many_threads_as_there_are_orders_up_to_the_most(most: int | None, threads: int) -> None:
    pool, seen = DaemonThreadPool(most, name=f"crew-{most}"), []  # type: ignore[var-annotated]
    go_on, done = threading.Event(), threading.Semaphore(0)

    for _ in range(3):
        pool.submit(named(seen, go_on, done))
    go_on.set()
    assert all(done.acquire(timeout=WAIT_S) for _ in range(3))

    assert len(seen) == 3
    assert sum(one.name.startswith(f"crew-{most}-") for one in threading.enumerate()) == threads


def test_a_thread_is_kept_for_the_next_order() -> None:
    pool, seen = DaemonThreadPool(name="kept"), []  # type: ignore[var-annotated]
    go_on, done = threading.Event(), threading.Semaphore(0)
    go_on.set()

    for _ in range(2):
        pool.submit(named(seen, go_on, done))
        assert done.acquire(timeout=WAIT_S)
        while not pool._idle._value:
            os.sched_yield()

    assert seen == ["kept-1", "kept-1"]


def test_a_crew_that_forgot_its_threads_starts_new_ones() -> None:
    pool, seen = DaemonThreadPool(name="new"), []  # type: ignore[var-annotated]
    go_on, done = threading.Event(), threading.Semaphore(0)
    pool.submit(named(seen, go_on, done))

    pool.forget()
    pool.submit(named(seen, go_on, done))
    go_on.set()

    assert all(done.acquire(timeout=WAIT_S) for _ in range(2))
    assert seen == ["new-1", "new-1"]
