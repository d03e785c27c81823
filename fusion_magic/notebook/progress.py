"""
Progress of a running cell, in the cell's own thread: shown after a moment, gone at the end.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from fusion_magic.engines import Progress


class ProgressLine:
    """
    One line of progress: a widget in a notebook, a line in a terminal, nothing where nobody looks.

    ``FUSION_PROGRESS=none`` turns it off, for runs without a person such as papermill's.
    """

    def __init__(self, shell: Any, *, after_s: float = 0.3) -> None:
        self._after_s = after_s
        self._started = time.monotonic()
        self._is_notebook = hasattr(shell, "kernel")
        self._is_off = os.environ.get("FUSION_PROGRESS") == "none" or not (
            self._is_notebook or sys.stderr.isatty()
        )
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
        elif self._is_shown and not self._is_notebook:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201 - a terminal
        self._is_shown = False

    def _show_widget(self, text: str, fraction: float | None) -> None:
        if self._widget is None:
            try:
                from ipywidgets import FloatProgress, HBox, Label
            except ImportError:
                self._is_off = True
                return
            from IPython.display import display

            self._widget = HBox([FloatProgress(min=0, max=1), Label()])
            display(self._widget)  # type: ignore[no-untyped-call]
        bar, label = self._widget.children
        bar.value = fraction or 0
        label.value = text


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def describe(progress: Progress) -> str:
    """
    One line for a person, each number with its unit.
    """
    parts = [progress.state.lower()]
    if progress.fraction is not None:
        parts.append(f"{progress.fraction:.0%}")
    if progress.splits_total:
        parts.append(f"{progress.splits_done:,} of {progress.splits_total:,} splits")
    if progress.rows:
        parts.append(f"{progress.rows:,} rows read")
    parts.append(f"{progress.elapsed_s:.0f} s")
    return ", ".join(parts)
