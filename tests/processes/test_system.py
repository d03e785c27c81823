"""
What the operating system is asked: this one in earnest, Windows by a stand-in for its kernel32.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fusion_magic.processes.system import (
    start_time,
    start_time_by_kernel32,
    start_time_by_ps,
    this_machine,
)

NOBODY = 2**22 + 1  # no process of Linux has a higher number
WAYS = [start_time, start_time_by_ps]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("ask", WAYS)
def test_a_process_has_the_same_start_time_for_as_long_as_it_is_there(
    child: subprocess.Popen[bytes], ask: Callable[[int], str | None]
) -> None:
    started = ask(child.pid)

    assert started
    assert ask(child.pid) == started
    child.kill()
    # Nobody has waited for it yet: its number is still taken.
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT) is None:
        time.sleep(0.01)
    assert ask(child.pid) is None
    assert ask(NOBODY) is None


def test_two_processes_of_one_machine_name_it_alike() -> None:
    code = "from fusion_magic.processes.system import this_machine; print(*this_machine(), sep='|')"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert tuple(told.stdout.strip().split("|")) == this_machine()


def test_where_there_is_no_ps_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "defpath", "/nowhere")

    assert start_time_by_ps(os.getpid()) == ""


class Kernel32:
    """
    One process, number 7, started at 130 ticks.
    """

    def __init__(self, *, ended: int = 0, is_told: bool = True) -> None:
        self.ended = ended
        self.is_told = is_told
        self.open_handles = 0

    def OpenProcess(self, access: int, _inherit: bool, pid: int) -> int | None:  # noqa: N802 - Windows' name
        assert access == 0x1000  # which asks for nothing but times
        self.open_handles += pid == 7
        return 2**40 if pid == 7 else None

    def GetProcessTimes(self, handle: Any, created: Any, ended: Any, *_: Any) -> bool:  # noqa: N802 - Windows' name
        assert handle.value == 2**40
        for time_, value in ((created, 130), (ended, self.ended)):
            ctypes.cast(time_, ctypes.POINTER(ctypes.c_uint64)).contents.value = value
        return self.is_told

    def CloseHandle(self, _handle: Any) -> None:  # noqa: N802 - Windows' name
        self.open_handles -= 1


@pytest.mark.parametrize(
    ("kernel32", "pid", "error", "expected"),
    [
        (Kernel32(), 7, 0, "130"),
        (Kernel32(ended=140), 7, 0, None),
        (Kernel32(is_told=False), 7, 0, ""),
        (Kernel32(), 8, 87, None),
        (Kernel32(), 8, 5, ""),  # somebody else's, who denies it
    ],
)
def test_windows_is_asked_for_times_and_never_by_a_signal(
    kernel32: Kernel32, pid: int, error: int, expected: str | None
) -> None:
    assert start_time_by_kernel32(pid, kernel32, lambda: error) == expected
    assert kernel32.open_handles == 0
