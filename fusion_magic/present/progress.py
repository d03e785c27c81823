"""
Progress of a running cell, in the cell's own thread: shown after a moment, gone at the end.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from fusion_magic.config import is_progress_off
from fusion_magic.engines import Progress
from fusion_magic.units import show_size


class ProgressLine:
    """
    One line of progress: a widget in a notebook, a line in a terminal, nothing where nobody looks.

    Who runs a notebook without a person (nbclient, papermill, nbval) lets no cell ask for input; ``FUSION_PROGRESS=none``
    turns it off for those who do.
    """

    def __init__(self, shell: Any, *, after_s: float = 0.3) -> None:
        self._after_s = after_s
        self._started = time.monotonic()
        self._is_notebook = hasattr(shell, "kernel")
        self._is_off = not (is_watched(shell) if self._is_notebook else _is_terminal())
        self._shell = shell
        self._widget: Any = None
        self._is_shown = False

    def update(self, progress: Progress) -> None:
        """
        Show how far the query is.
        """
        if self._is_off or time.monotonic() - self._started < self._after_s:
            return
        text = describe(progress)
        if self._is_notebook:
            self._show_widget(text, progress.fraction)
        else:
            # A line that is wider than the terminal could not be taken away again.
            text = text[: _terminal_width() - 1]
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)  # noqa: T201 - a terminal
        self._is_shown = True

    def close(self) -> None:
        """
        Take it away.
        """
        if self._widget is not None:
            self._widget.close()
            self._take_away()
        elif self._is_shown and not self._is_notebook:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - a terminal
        self._is_shown = False

    def _take_away(self) -> None:
        """
        A closed widget leaves an empty output behind, which a saved notebook could not show.
        """
        from IPython.display import clear_output

        if str(_request(self._shell).get("code", "")).startswith("%%"):
            clear_output()  # type: ignore[no-untyped-call] # IPython's display is untyped
        else:
            # Other lines of the cell may have shown something.
            self._handle.update({"text/plain": ""}, raw=True)

    def _show_widget(self, text: str, fraction: float | None) -> None:
        if self._widget is None:
            try:
                from ipywidgets import FloatProgress, HBox, Label
            except ImportError:
                self._is_off = True
                return
            from IPython.display import display

            self._widget = HBox([FloatProgress(min=0, max=1), Label()])
            self._handle: Any = display(self._widget, display_id=True)  # type: ignore[no-untyped-call] # IPython's display is untyped
        bar, label = self._widget.children
        bar.value = fraction or 0
        label.value = text


def _request(shell: Any) -> dict[str, Any]:
    """
    What the front end asked the kernel for.
    """
    parent = shell.kernel.get_parent() if hasattr(shell.kernel, "get_parent") else {}
    return parent.get("content", {})  # type: ignore[no-any-return] # Jupyter's messages are untyped


def is_watched(shell: Any) -> bool:
    """
    Whether a person may be looking: there is a kernel, its front end allows input, and ``FUSION_PROGRESS`` is not ``none``.
    """
    if not hasattr(shell, "kernel") or is_progress_off():
        return False
    return bool(_request(shell).get("allow_stdin", True))


def _is_terminal() -> bool:
    return sys.stderr.isatty() and not is_progress_off()


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def describe(progress: Progress) -> str:
    """
    One line for a person, each number with its unit.
    """
    parts = [progress.reason or progress.state.lower().replace("_", " ")]
    if progress.fraction is not None:
        parts.append(f"{progress.fraction:.0%}")
    if progress.splits_total:
        parts.append(f"{progress.splits_done:,} of {progress.splits_total:,} splits")
    if progress.rows:
        parts.append(f"{progress.rows:,} rows read")
    if progress.size_bytes:
        parts.append(f"{show_size(progress.size_bytes)} read")
    parts.append(f"{progress.elapsed_s:.0f} s")
    return ", ".join(parts)
