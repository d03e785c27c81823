"""
The ``fusion`` command at a terminal, with a person's keys: a real process behind a pseudo-terminal.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

# ``pty.spawn`` forks: in a process of its own, since this one has threads.
_BEHIND_A_TERMINAL = (
    "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
)
INTERRUPT = b"\x03"
WAIT_S = 120.0


class Terminal:
    """
    One run of the command.

    Args:
        columns: The terminal's width in characters.
    """

    def __init__(
        self, *arguments: str, columns: int = 80, environment: Mapping[str, str] | None = None
    ) -> None:
        command = (sys.executable, "-m", "fusion_magic.cli", *arguments)
        self._printed = b""
        self._has_more = threading.Condition()
        self._process = subprocess.Popen(
            (sys.executable, "-c", _BEHIND_A_TERMINAL, *command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "COLUMNS": str(columns),
                "TERM": "xterm-256color",
                **(environment or {}),
            },
        )
        threading.Thread(target=self._read, daemon=True).start()

    def press(self, keys: bytes) -> None:
        """
        Type *keys*.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(keys)
        self._process.stdin.flush()

    def wait_for(self, text: str) -> None:
        """
        Until *text* has been printed.
        """
        with self._has_more:
            found = self._has_more.wait_for(lambda: text.encode() in self._printed, WAIT_S)
        assert found, self.text()

    def end(self) -> int:
        """
        The exit code, once the command has ended.
        """
        code = self._process.wait(WAIT_S)
        with self._has_more:
            self._has_more.wait_for(lambda: self._is_read, WAIT_S)
        assert self._process.stdin is not None
        self._process.stdin.close()
        return code

    def raw(self) -> str:
        """
        All that was printed, with the terminal's control sequences.
        """
        return self._printed.decode()

    def text(self) -> str:
        """
        What a person sees: without colours.
        """
        return re.sub(r"\x1b\[[\d;]*m", "", self.raw()).replace("\r\n", "\n")

    _is_read = False

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 65536):
            with self._has_more:
                self._printed += chunk
                self._has_more.notify_all()
        self._process.stdout.close()
        with self._has_more:
            self._is_read = True
            self._has_more.notify_all()
