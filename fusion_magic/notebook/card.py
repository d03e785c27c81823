"""
The status card of a background job: one piece of HTML that a single poller keeps up to date.

It is a display that is updated in place, no widget: a notebook that is saved, and opened without a kernel, shows the
last state. Its ``text/plain`` never changes, and nothing is ever printed from the poller's thread. Where anywidget is
installed and a page is open, ``live`` makes it a card with buttons, which becomes the table of the rows.
"""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fusion_magic.errors import FusionError
from fusion_magic.handle import JobHandle, info_url_of, progress_of
from fusion_magic.jobs.stored_results import open_result
from fusion_magic.notebook.card_protocol import LivePage, TableSource, live_page
from fusion_magic.present.progress import describe, is_watched
from fusion_magic.present.tables import Table, count, result_table
from fusion_magic.store import Job, JobStatus

if TYPE_CHECKING:
    from fusion_magic.results.stored import StoredResult

POLL_S = 0.5
STORED_S = 10.0  # how often the stored HTML follows, where an open page shows the live card
PLAIN = "Background job"
_STYLE = """<style>
.fusion-card{border:1px solid var(--jp-border-color1,#8888);border-radius:4px;padding:.5em .75em;max-width:60em;
font-family:var(--jp-ui-font-family,sans-serif);font-size:var(--jp-ui-font-size1,13px);color:var(--jp-ui-font-color1,inherit)}
.fusion-card>div{margin:.15em 0}
.fusion-card progress{width:100%;max-width:30em;display:block;margin:.4em 0}
.fusion-card code{background:var(--jp-layout-color2,#8882);border-radius:3px;padding:0 .3em;margin-right:.4em}
.fusion-card .fusion-error{color:var(--jp-error-color1,#c00);white-space:pre-wrap}
</style>"""


@dataclass(frozen=True, slots=True)
class Card:
    """
    What a card says of a job, for the stored HTML and for a live page alike.

    Attributes:
        job: The first digits of its id.
        status: Of the job, or CANCELING.
        fraction: Done, 0 to 1, or None where nobody knows.
        progress: How far it is, for a person; empty at the end.
        outcome: What came of it; empty before the end.
        command: What to type for the next step.
        url: The engine's page, or empty.
    """

    job: str
    status: str
    is_open: bool
    models: tuple[str, ...]
    fraction: float | None
    progress: str
    outcome: str
    error: str
    hint: str
    command: str
    url: str


def card_of(job: Job, models: tuple[str, ...], *, waiting: str = "waits for a worker") -> Card:
    """
    The card of one job as it is now.

    Args:
        models: The names that it reads.

        waiting: Why it has not begun.
    """
    is_open = not job.status.is_final
    progress = progress_of(job)
    is_failed = job.status is JobStatus.FAILED
    url = info_url_of(job) or ""
    return Card(
        job=str(job.id)[:8],
        status="CANCELING" if is_open and job.is_cancel_wanted else job.status.value,
        is_open=is_open,
        models=models,
        fraction=progress.fraction if progress is not None and is_open else None,
        progress="" if not is_open else waiting if progress is None else describe(progress),
        outcome=_outcome(job),
        error=(job.error or "The job failed.") if is_failed else "",
        hint=(job.hint or "") if is_failed else "",
        command=_command(job),
        url=url if url.startswith(("http://", "https://")) else "",
    )


def card_html(card: Card, *, key: str = "", rows: str = "") -> str:
    """
    The card as HTML. Everything from outside is escaped.

    Args:
        key: By which a live page finds it; empty for none.

        rows: HTML of its first rows.
    """
    lines = [f"<b>{escape(card.status)}</b> job <code>{escape(card.job)}</code>"]
    if card.models:
        lines.append(" ".join(f"<code>{escape(name)}</code>" for name in card.models))
    if card.is_open:
        value = f' value="{card.fraction:.3f}"' if card.fraction is not None else ""
        lines.append(f'<progress max="1"{value} aria-label="Progress of the job"></progress>')
        lines.append(f'<span role="status">{escape(card.progress)}</span>')
    if card.error:
        text = "\n".join(filter(None, (card.error, card.hint and f"Hint: {card.hint}")))
        lines.append(f'<span class="fusion-error" role="alert">{escape(text)}</span>')
    lines += filter(None, (escape(card.outcome), rows))
    if card.command:
        lines.append(f"<code>{escape(card.command)}</code>")
    if card.url:
        lines.append(
            f'<a href="{escape(card.url)}" target="_blank" rel="noopener">Engine\'s page</a>'
        )
    attribute = f' data-fusion-card="{escape(key)}"' if key else ""
    body = "".join(f"<div>{line}</div>" for line in lines)
    return f'{_STYLE}<div class="fusion-card"{attribute}>{body}</div>'


def _outcome(job: Job) -> str:
    if job.status is not JobStatus.FINISHED:
        return ""
    took = ""
    if job.started is not None and job.finished is not None:
        took = f" in {(job.finished - job.started).total_seconds():,.1f} s"
    if job.row_count is not None:
        return count(job.row_count, "row") + took
    changed = "" if job.rows_changed is None else f": {count(job.rows_changed, 'row')}"
    return f"{job.update_type or 'Done'}{changed}{took}"


def _command(job: Job) -> str:
    short = str(job.id)[:8]
    if not job.status.is_final:
        return f"%fusion cancel {short}"
    return f"%fusion result {job.result_name or short}" if _has_rows(job) else ""


def _has_rows(job: Job) -> bool:
    return job.status is JobStatus.FINISHED and job.row_count is not None


class JobSource:
    """
    A job as a page is told of it.
    """

    def __init__(self, handle: JobHandle) -> None:
        self._handle = handle
        self._models: tuple[str, ...] | None = None

    def card(self, job: Job) -> Card:
        """
        Its card.
        """
        if self._models is None:
            self._models = tuple(
                model.fully_qualified_name or model.trino_model_name
                for model in self._handle.models()
            )
        return card_of(job, self._models, waiting=self._handle.waiting_reason(job))

    def state(self, job: Job | None = None) -> dict[str, Any]:
        """See ``live.Source.state``."""
        job = job or self._handle.job
        return {
            "card": asdict(self.card(job)),
            "title": f"Rows of job {str(job.id)[:8]}",
            "has_rows": _has_rows(job) and job.result_path is not None,
        }

    def cancel(self) -> object:
        """See ``live.Source.cancel``."""
        return self._handle.cancel()

    def result(self) -> StoredResult:
        """See ``live.Source.result``."""
        return open_result(self._handle.job)


@dataclass(slots=True)
class Shown:
    """
    One card in a notebook.

    Attributes:
        display: Its output, with ``update``; None before it is shown.
        key: By which a live page finds it; empty for none.
    """

    handle: JobHandle
    source: JobSource
    key: str = ""
    page: LivePage | None = None
    preview_rows: int = 0
    display: Any = None
    _html: str = field(default="", init=False)
    _status: str = field(default="", init=False)
    _stored_at: float = field(default=0.0, init=False)

    def refresh(self) -> bool:
        """
        Show the job as it is now, and whether this is the end of it.
        """
        job = self.handle.job
        if self.page is not None:
            self.page.tell(self.key, self.source.state(job))
        if self._is_due(job):
            bundle = self.bundle(job)
            if bundle["text/html"] != self._html and self.display is not None:
                self.display.update(_Bundle(bundle))
            self._html = bundle["text/html"]
        return job.status.is_final

    def bundle(self, job: Job) -> dict[str, str]:
        """
        What IPython shows and the notebook stores.
        """
        card = self.source.card(job)
        self._status, self._stored_at = card.status, time.monotonic()
        html = card_html(card, key=self.key, rows=self._preview(job))
        return {"text/plain": PLAIN, "text/html": html}

    def _is_due(self, job: Job) -> bool:
        """
        Each update makes the page draw the output anew, which a live card does not need.
        """
        if self.page is None or not self.page.is_attached(self.key):
            return True
        is_old = time.monotonic() - self._stored_at >= STORED_S
        return is_old or self.source.card(job).status != self._status

    def _preview(self, job: Job) -> str:
        if not self.preview_rows or not _has_rows(job) or job.result_path is None:
            return ""
        try:
            return result_table(open_result(job), preview_rows=self.preview_rows).html()
        except FusionError:
            return ""  # the rows are gone; the card says how many there were


class _Bundle:
    """
    What IPython shows of a card.
    """

    def __init__(self, bundle: dict[str, str]) -> None:
        self._bundle = bundle

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self._bundle


class Poller:
    """
    Keeps the cards of one kernel up to date, in one thread that ends with the last open job.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cards: list[Shown] = []
        self._thread: threading.Thread | None = None

    def add(self, shown: Shown) -> None:
        """
        Keep a card up to date.
        """
        with self._lock:
            self._cards.append(shown)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fusion-cards", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(POLL_S)
            with self._lock:
                cards = list(self._cards)
                if not cards:
                    self._thread = None
                    return
            for shown in cards:
                if self._is_done(shown):
                    with self._lock:
                        self._cards.remove(shown)

    def _is_done(self, shown: Shown) -> bool:
        """
        Whether the card needs no more.
        """
        try:
            return shown.refresh()
        except FusionError:
            return False
        except RuntimeError:
            return True


_pollers: weakref.WeakKeyDictionary[Any, Poller] = weakref.WeakKeyDictionary()


def show_card(shell: Any, handle: JobHandle) -> None:
    """
    Show the card of *handle* below the cell, and keep it up to date where somebody looks.
    """
    from IPython.display import display

    page = live_page(shell)
    shown = Shown(handle, JobSource(handle), page=page)
    if is_watched(shell):
        shown.preview_rows = getattr(shell.fusion_magics, "preview_rows", 0)
    if page is not None:
        # Nobody can guess it, so that no stored output of elsewhere poses as this card.
        shown.key = uuid4().hex
        page.add(shown.key, shown.source)
    job = handle.job
    shown.display = display(_Bundle(shown.bundle(job)), display_id=True)  # type: ignore[no-untyped-call] # IPython's display is untyped
    if is_watched(shell) and shown.display is not None and not job.status.is_final:
        _pollers.setdefault(shell, Poller()).add(shown)


def show_rows(shell: Any, result: StoredResult, table: Table) -> Table:
    """
    *table*, the first rows of *result*, of which a live page makes all of them.
    """
    page = live_page(shell)
    if page is not None:
        # The job's id: the stored output is the same each time the same result is shown.
        table.key = f"result-{result.job_id}"
        page.add(table.key, TableSource(result))
    return table
