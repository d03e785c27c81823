"""
The status card of a background job: one piece of HTML that a single poller keeps up to date.

It is a display that is updated in place, no widget: a notebook that is saved, and opened without a kernel, shows the
last state. Its ``text/plain`` never changes, and nothing is ever printed from the poller's thread.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from html import escape
from typing import Any

from fusion_magic.errors import FusionError
from fusion_magic.handle import JobHandle, info_url_of, progress_of
from fusion_magic.notebook.progress import describe
from fusion_magic.store import Job, JobStatus

POLL_S = 0.5
PLAIN = "Background job"
_STYLE = """<style>
.fusion-card{border:1px solid var(--jp-border-color1,#8888);border-radius:4px;padding:.5em .75em;max-width:60em;
font-family:var(--jp-ui-font-family,sans-serif);font-size:var(--jp-ui-font-size1,13px);color:var(--jp-ui-font-color1,inherit)}
.fusion-card>div{margin:.15em 0}
.fusion-card progress{width:100%;max-width:30em;display:block;margin:.4em 0}
.fusion-card code{background:var(--jp-layout-color2,#8882);border-radius:3px;padding:0 .3em;margin-right:.4em}
.fusion-card .fusion-error{color:var(--jp-error-color1,#c00);white-space:pre-wrap}
</style>"""


def card_html(job: Job, models: tuple[str, ...]) -> str:
    """
    The card of one job as it is now. Everything from outside is escaped.
    """
    progress = progress_of(job)
    lines = [f"<b>{escape(_state(job))}</b> job <code>{str(job.id)[:8]}</code>"]
    if models:
        lines.append(" ".join(f"<code>{escape(name)}</code>" for name in models))
    if not job.status.is_final:
        fraction = progress.fraction if progress is not None else None
        value = f' value="{fraction:.3f}"' if fraction is not None else ""
        lines.append(f'<progress max="1"{value} aria-label="Progress of the job"></progress>')
        text = describe(progress) if progress is not None else "waits for a worker"
        lines.append(f'<span role="status">{escape(text)}</span>')
        lines.append(f"<code>%fusion cancel {str(job.id)[:8]}</code>")
    lines += _end(job)
    url = info_url_of(job)
    if url is not None and url.startswith(("http://", "https://")):
        lines.append(f'<a href="{escape(url)}" target="_blank" rel="noopener">Engine\'s page</a>')
    return (
        f'{_STYLE}<div class="fusion-card">{"".join(f"<div>{line}</div>" for line in lines)}</div>'
    )


def _state(job: Job) -> str:
    is_ending = job.is_cancel_wanted and not job.status.is_final
    return "CANCELING" if is_ending else job.status.value


def _end(job: Job) -> list[str]:
    if job.status is JobStatus.FAILED:
        text = "\n".join(filter(None, (job.error, job.hint and f"Hint: {job.hint}")))
        return [f'<span class="fusion-error" role="alert">{escape(text)}</span>']
    if job.status is not JobStatus.FINISHED:
        return []
    if job.row_count is None:
        changed = "" if job.rows_changed is None else f": {job.rows_changed:,} rows"
        return [escape(f"{job.update_type or 'Done'}{changed}")]
    name = job.result_name or str(job.id)[:8]
    return [f"{job.row_count:,} rows", f"<code>%fusion result {escape(name)}</code>"]


class Poller:
    """
    Keeps the cards of one kernel up to date, in one thread that ends with the last open job.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cards: dict[str, tuple[JobHandle, Any]] = {}
        self._thread: threading.Thread | None = None

    def add(self, handle: JobHandle, display: Any) -> None:
        """
        Keep *display*, the card of *handle*, up to date.
        """
        with self._lock:
            self._cards[handle.id] = (handle, display)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fusion-cards", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(POLL_S)
            with self._lock:
                cards = dict(self._cards)
                if not cards:
                    self._thread = None
                    return
            for job_id, (handle, display) in cards.items():
                if self._refresh(handle, display):
                    with self._lock:
                        self._cards.pop(job_id, None)

    def _refresh(self, handle: JobHandle, display: Any) -> bool:
        """
        Whether the card needs no more.
        """
        try:
            job = handle.job
            display.update(_Html(handle, job))
        except FusionError:
            return False
        except RuntimeError:
            return True
        return job.status.is_final


class _Html:
    """
    What IPython shows of a card.
    """

    def __init__(self, handle: JobHandle, job: Job) -> None:
        models = handle.models()
        self._bundle = {"text/plain": PLAIN, "text/html": card_html(job, models)}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self._bundle


_pollers: weakref.WeakKeyDictionary[Any, Poller] = weakref.WeakKeyDictionary()


def show_card(shell: Any, handle: JobHandle) -> None:
    """
    Show the card of *handle* below the cell, and keep it up to date where somebody looks.
    """
    from IPython.display import display

    shown = display(_Html(handle, handle.job), display_id=True)  # type: ignore[no-untyped-call]
    is_watched = hasattr(shell, "kernel") and os.environ.get("FUSION_PROGRESS") != "none"
    if is_watched and shown is not None:
        _pollers.setdefault(shell, Poller()).add(handle, shown)
