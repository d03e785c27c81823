"""
What the operating system knows of a process: whether it is there, and when it was started.

    Linux          /proc
    Windows        kernel32, since a signal that asks would end the process there
    elsewhere      ps, as macOS and the BSDs have it
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_QUERY_LIMITED_INFORMATION = 0x1000
_ACCESS_DENIED = 5
_GONE = frozenset("ZX")  # a process that has ended and that nobody has waited for yet


@cache
def this_machine() -> tuple[str, str]:
    """
    The host's name, and a text that is the same for two processes exactly where each finds the other by its number.

    The second is empty where the system does not tell.
    """
    parts = []
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return socket.gethostname(), " ".join(parts)


def start_time(pid: int) -> str | None:
    """
    When the process was started, in the system's own form; empty where the system does not tell, None where it is gone.
    """
    if sys.platform == "win32":
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.OpenProcess.restype = ctypes.c_void_p
        return start_time_by_kernel32(pid, kernel32, ctypes.get_last_error)
    if Path("/proc/self/stat").exists():
        return _by_proc(pid)
    return start_time_by_ps(pid)


def _by_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold anything; behind it stand the state and, 19 words later, the time.
    words = stat.rpartition(")")[2].split()
    return None if words[0] in _GONE else words[19]


def start_time_by_ps(pid: int) -> str | None:
    """
    ``start_time`` where there is no ``/proc``.
    """
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(  # noqa: S603 - a number is all that varies
            command, env=environment, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    state, _, started = done.stdout.strip().partition(" ")
    return None if not state or state[0] in _GONE else started.strip()


def start_time_by_kernel32(pid: int, kernel32: Any, last_error: Callable[[], int]) -> str | None:
    """
    ``start_time`` on Windows.

    Source: https://learn.microsoft.com/en-us/windows/win32/api/processthreadsapi/nf-processthreadsapi-getprocesstimes
    """
    found = kernel32.OpenProcess(_QUERY_LIMITED_INFORMATION, False, pid)
    if not found:
        return "" if last_error() == _ACCESS_DENIED else None
    handle = ctypes.c_void_p(found)
    created, ended, in_kernel, in_user = (ctypes.c_uint64() for _ in range(4))
    times = [ctypes.byref(time) for time in (created, ended, in_kernel, in_user)]
    is_told = kernel32.GetProcessTimes(handle, *times)
    kernel32.CloseHandle(handle)
    if not is_told:
        return ""
    # A process that has ended stays for as long as somebody holds a handle on it.
    return None if ended.value else str(created.value)
