"""
Jobs whose kernel died while it ran them itself: they become FAILED, once their query is stopped on the engine.

Who runs a job itself signs in the store (``Driver``): before its first job, and again while a job takes long. Whoever looks
at jobs ends those that were left (``recover``). Background jobs are not concerned: workers hold them under a lease.

    on this machine       left when the process is gone, even where another has its number now
    on another machine    left when the driver's word has run out

A job of which the query cannot be stopped from here (another engine, an engine that is away, somebody else's query) waits
for somebody who can, until Trino itself has given the query up, whose client no longer asks for it.
Source: Trino, ``query.client.timeout``, 5 minutes by default;
https://trino.io/docs/476/admin/properties-query-management.html
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

from fusion_magic.engines import Engine, RemoteQueries
from fusion_magic.errors import EngineError, FusionError, IllegalTransition
from fusion_magic.store import DrivenJob, DriverRow, Drivers, JobStatus, Store

logger = logging.getLogger(__name__)

SIGN_FOR_S = 60.0
SIGN_EVERY_S = 20.0
GIVEN_UP_AFTER = timedelta(minutes=10)
PATROL_EVERY_S = 30.0
_ENDED = frozenset({"FINISHED", "FAILED", None})


class Driver:
    """
    This process's word that it is alive, for the jobs that it runs itself. Safe to use from several threads.
    """

    def __init__(self, drivers: Drivers, engine_url: str) -> None:
        self._drivers = drivers
        self._engine_url = engine_url
        self._lock = threading.Lock()
        self._id = ""
        self._pid = 0
        self._signed_at = float("-inf")

    def beat(self) -> str:
        """
        Sign where the last word is some time ago; the driver's id.

        Raises:
            StoreUnavailable: The store cannot be written.
        """
        with self._lock:
            if self._pid != os.getpid():
                # A process that was forked from a driver is another driver.
                self._id, self._pid, self._signed_at = str(uuid4()), os.getpid(), float("-inf")
            if time.monotonic() - self._signed_at > SIGN_EVERY_S:
                self._drivers.sign(self._row())
                self._signed_at = time.monotonic()
            return self._id

    def sign_off(self) -> None:
        """
        Drive no more.
        """
        with self._lock:
            if self._pid == os.getpid():
                self._drivers.sign_off(self._id)
                self._pid = 0

    def _row(self) -> DriverRow:
        return DriverRow(
            id=self._id,
            engine_url=self._engine_url,
            machine=_this_machine(),
            pid=self._pid,
            began=_began(self._pid) or "",
            alive_until=datetime.now(UTC) + timedelta(seconds=SIGN_FOR_S),
        )


def recover(store: Store, open_engine: Callable[[], Engine], *, engine_url: str) -> list[UUID]:
    """
    End the jobs that were left by their drivers; the ids of those that were ended.

    Args:
        open_engine: Gives the engine on which a query is stopped; called where there is one.

        engine_url: That engine's URL without secrets.

    Raises:
        StoreUnavailable: The store cannot be read or written.
    """
    now = datetime.now(UTC)
    left = [job for job in store.drivers.driven() if not is_alive(job.driver, now)]
    ended = [job for job in left if _end(job, store, open_engine, engine_url, now)]
    open_ = {job.driver.id for job in left if job.driver is not None and job not in ended}
    for driver in {job.driver.id for job in ended if job.driver is not None} - open_:
        store.drivers.sign_off(driver)
    return [job.id for job in ended]


def is_alive(driver: DriverRow | None, now: datetime) -> bool:
    """
    Whether the driver can still bring its jobs to their end.
    """
    if driver is None:
        return False
    has_word = driver.alive_until >= now
    if driver.machine != _this_machine() or sys.platform == "win32":
        return has_word
    began = _began(driver.pid)
    # Where nothing tells processes of one number apart, the word decides.
    return began == driver.began and (began != "" or has_word)


@contextmanager
def patrol(look: Callable[[], object]) -> Iterator[None]:
    """
    Look for left jobs now and then while the block runs, in a thread of its own: an engine may be slow to stop a query.
    """
    is_over = threading.Event()

    def walk() -> None:
        while not is_over.wait(PATROL_EVERY_S):
            try:
                look()
            except FusionError:
                logger.warning("left jobs not looked for", extra={"action": "recover"})

    threading.Thread(target=walk, name="fusion-patrol", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _end(
    job: DrivenJob,
    store: Store,
    open_engine: Callable[[], Engine],
    engine_url: str,
    now: datetime,
) -> bool:
    state = None
    if job.query_id is not None and not _is_given_up(job, now):
        if job.driver is None or job.driver.engine_url != engine_url:
            return False
        try:
            state = _stop(job.query_id, open_engine().remote_queries)
        except EngineError:
            logger.warning("query not stopped", extra={"action": "recover", "job_id": str(job.id)})
            return False
        if state not in _ENDED:
            return False
    # Somebody else may have looked at the same moment, or the driver was alive after all.
    with suppress(IllegalTransition):
        store.fail(job.id, error=_reason(job), hint=_hint(job, state))
    return True


def _stop(query_id: str, queries: RemoteQueries | None) -> str | None:
    """
    Stop the query where it still runs; the engine's word for its state.
    """
    if queries is None:
        return None
    state = queries.state_of(query_id)
    if state in _ENDED:
        return state
    queries.cancel_query(query_id)
    return queries.state_of(query_id)


def _is_given_up(job: DrivenJob, now: datetime) -> bool:
    alive_until = job.driver.alive_until if job.driver is not None else job.updated
    return alive_until + GIVEN_UP_AFTER < now


def _reason(job: DrivenJob) -> str:
    if job.driver is None:
        return "The kernel or script that ran it left it before it was done."
    host = job.driver.machine.partition(" ")[0]
    return (
        f"The kernel or script that ran it (process {job.driver.pid} on {host}) "
        "ended before it was done."
    )


def _hint(job: DrivenJob, state: str | None) -> str:
    if job.status is not JobStatus.RUNNING:
        return "It was not begun: run it again."
    if state == "FINISHED":
        return "The engine had carried it out; if it writes, its target has the rows."
    return "Run it again; if it writes, look at its target first."


@cache
def _this_machine() -> str:
    """
    A text that is the same for two processes exactly where each finds the other by its number.
    """
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _began(pid: int) -> str | None:
    """
    When the process began, in the system's ticks; empty where the system does not tell, None where it is gone.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "" if not Path("/proc/self/stat").exists() and _is_there(pid) else None
    # The name in parentheses may hold anything; behind it stand the state and, 19 words later, the time.
    words = stat.rpartition(")")[2].split()
    return None if words[0] in {"Z", "X"} else words[19]


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
