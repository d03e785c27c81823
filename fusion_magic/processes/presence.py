"""
Who is alive: workers, schedulers and runners send heartbeats to the store, and whoever reads them looks whether it is so.

    on this machine       alive while the process is there, unless another has its number now
    on another machine    alive until its last heartbeat runs out
"""

from __future__ import annotations

import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import uuid4

from fusion_magic.processes.system import start_time, this_machine
from fusion_magic.store import Processes, ProcessRow

Role = Literal["worker", "scheduler", "runner"]

HEARTBEAT_EVERY_S = 20.0
ALIVE_FOR_S = 60.0


class Presence:
    """
    This process's heartbeat in one of its roles. Safe to use from several threads.

    Args:
        engine_url: Of the jobs that it runs, without secrets; empty for a scheduler.

        every_s: Seconds after which ``heartbeat_if_due`` sends the next one.

        for_s: Seconds for which others believe one.
    """

    def __init__(
        self,
        processes: Processes,
        role: Role,
        *,
        engine_url: str = "",
        every_s: float = HEARTBEAT_EVERY_S,
        for_s: float = ALIVE_FOR_S,
    ) -> None:
        self._processes = processes
        self._role: Role = role
        self._engine_url = engine_url
        self._every_s = every_s
        self._for_s = for_s
        self._lock = threading.RLock()
        self._begin()

    @property
    def id(self) -> str:
        """
        The process's id in the store. A process that is forked from another has one of its own.
        """
        with self._lock:
            if self._pid != os.getpid():
                self._begin()
            return self._id

    def heartbeat(self) -> None:
        """
        Say that this process is alive.

        Raises:
            StoreUnavailable: The store cannot be written.
        """
        with self._lock:
            self._processes.heartbeat(self._row())
            self._sent_at = time.monotonic()

    def heartbeat_if_due(self) -> str:
        """
        Say so again where the last heartbeat is some time ago; the process's id.

        Raises:
            StoreUnavailable: The store cannot be written.
        """
        with self._lock:
            id_ = self.id
            if time.monotonic() - self._sent_at > self._every_s:
                self.heartbeat()
            return id_

    def deregister(self) -> None:
        """
        Leave the store; a later heartbeat is another process's to others.
        """
        with self._lock:
            if self._pid == os.getpid() and self._sent_at > float("-inf"):
                self._processes.deregister(self._id)
                self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._id = f"{socket.gethostname()[:30]}-{self._pid}-{uuid4().hex[:8]}"
        self._sent_at = float("-inf")

    def _row(self) -> ProcessRow:
        host, boot_id = this_machine()
        return ProcessRow(
            id=self.id,
            role=self._role,
            engine_url=self._engine_url,
            host=host,
            boot_id=boot_id,
            pid=self._pid,
            started=start_time(self._pid) or "",
            alive_until=datetime.now(UTC) + timedelta(seconds=self._for_s),
        )


def is_alive(row: ProcessRow | None, now: datetime) -> bool:
    """
    Whether the process can still bring its jobs to their end.
    """
    if row is None:
        return False
    is_believed = row.alive_until >= now
    if (row.host, row.boot_id) != this_machine():
        return is_believed
    started = start_time(row.pid)
    if started and row.started:
        return started == row.started
    # Nothing tells processes of one number apart, so that the heartbeat decides about one that is there.
    return started is not None and is_believed


def find_alive(processes: Processes, role: Role, engine_url: str = "") -> list[ProcessRow]:
    """
    The workers or schedulers that are alive, those of one engine where *engine_url* is given.
    """
    now = datetime.now(UTC)
    return [
        row
        for row in processes.alive()
        if row.role == role and engine_url in {"", row.engine_url} and is_alive(row, now)
    ]
