"""
The status card of a background job.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.engines import Progress
from fusion_magic.notebook.card import PLAIN, JobSource, Poller, Shown, card_html, card_of
from fusion_magic.notebook.card_protocol import LivePage, live_page
from fusion_magic.store import Job, JobStatus
from tests.workers import run_next


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    with connect(data_dir=str(tmp_path), worker_start="never") as opened:
        yield opened


@pytest.fixture
def job(fusion: Fusion) -> Job:
    return fusion.submit("SELECT 1 AS x").job


HOSTILE = '<script>alert(1)</script>" onload="x'


def html_of(job: Job, models: tuple[str, ...] = ()) -> str:
    return card_html(card_of(job, models))


def test_a_waiting_job_says_so_and_how_to_stop_it(job: Job) -> None:
    html = html_of(job, ("a.b.c.t",))

    assert "QUEUED" in html
    assert "waits for a worker" in html
    assert "a.b.c.t" in html
    assert f"%fusion cancel {str(job.id)[:8]}" in html
    assert "aria-label" in html


def test_whatever_comes_from_outside_is_escaped(job: Job) -> None:
    failed = replace(job, status=JobStatus.FAILED, error=HOSTILE, hint=HOSTILE)
    finished = replace(job, status=JobStatus.FINISHED, row_count=1, result_name=HOSTILE)
    running = replace(
        job,
        status=JobStatus.RUNNING,
        progress='{"state": "<script>", "info_url": "javascript:alert(1)"}',
    )

    for one in (failed, finished, running):
        html = html_of(one, (HOSTILE,))
        assert "<script" not in html
        assert "javascript:" not in html


def test_a_write_tells_its_rows_and_a_query_its_result(job: Job) -> None:
    write = replace(job, status=JobStatus.FINISHED, update_type="INSERT", rows_changed=1234)
    read = replace(job, status=JobStatus.FINISHED, row_count=1234, result_name="daily")

    assert "INSERT: 1,234 rows" in html_of(write)
    assert "%fusion result daily" in html_of(read)


def test_a_failed_job_tells_why_and_a_canceled_one_that_it_was(job: Job) -> None:
    failed = replace(job, status=JobStatus.FAILED, error="No table x.", hint="Try y.")

    assert "No table x.\nHint: Try y." in html_of(failed)
    assert "CANCELED" in html_of(replace(job, status=JobStatus.CANCELED))
    assert "CANCELING" in html_of(replace(job, is_cancel_wanted=True))


def test_a_running_job_tells_splits_rows_bytes_and_time(job: Job) -> None:
    progress = Progress("RUNNING", 0.5, 12_000, 3_400_000, 7.0, 3, 6)
    running = replace(job, status=JobStatus.RUNNING, progress=json.dumps(asdict(progress)))

    text = "running, 50%, 3 of 6 splits, 12,000 rows read, 3.4 MB read, 7 s"
    assert text in html_of(running)


class Display:
    """
    An output that is updated in place.
    """

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, html: object) -> None:
        bundle = html._repr_mimebundle_()  # type: ignore[attr-defined]
        assert bundle["text/plain"] == PLAIN
        self.shown.append(bundle["text/html"])


def test_a_card_is_kept_up_to_date_until_its_job_has_ended(fusion: Fusion) -> None:
    """
    The poller's thread ends with the last open job.
    """
    handle = fusion.submit("SELECT 1 AS x")
    display = Display()
    poller = Poller()
    poller.add(Shown(handle, JobSource(handle), display=display))
    handle.cancel()
    thread = poller._thread
    assert thread is not None
    thread.join(10)

    assert not thread.is_alive()
    assert "CANCELED" in display.shown[-1]


def test_an_attached_page_is_told_and_its_output_left_alone(fusion: Fusion) -> None:
    """
    Each update of the output draws it anew; a live card needs that at its end alone.
    """
    told: list[dict[str, Any]] = []
    page = LivePage(told.append)
    handle = fusion.submit("SELECT 1 AS x")
    source, display = JobSource(handle), Display()
    shown = Shown(handle, source, key="k", page=page, display=display)
    page.add("k", source)
    page.receive({"do": "attach", "keys": ["k"]})
    shown.bundle(handle.job)

    assert not shown.refresh()
    assert not display.shown
    handle.cancel()
    assert shown.refresh()
    assert [message["state"]["card"]["status"] for message in told] == ["QUEUED"] * 2 + ["CANCELED"]
    assert 'data-fusion-card="k"' in display.shown[-1]
    assert "CANCELED" in display.shown[-1]


def test_a_finished_card_stores_its_first_rows(fusion: Fusion) -> None:
    """
    Whoever opens the saved notebook without a kernel sees them.
    """
    handle = fusion.submit("SELECT x FROM UNNEST(sequence(1, 50)) AS t(x)")
    run_next(fusion)
    shown = Shown(handle, JobSource(handle), preview_rows=3)

    html = shown.bundle(handle.job)["text/html"]
    assert "3 of 50 rows" in html
    assert html.count("<tr>") == 4


class Shell:
    """
    As much of a kernel's shell as cards ask for.
    """

    kernel = None


@pytest.mark.parametrize("name", ["anywidget", "FUSION_PROGRESS"])
def test_nothing_is_live_where_nobody_looks_or_nothing_is_installed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "anywidget":
        monkeypatch.delitem(sys.modules, "fusion_magic.notebook.widgets", raising=False)
        monkeypatch.setitem(sys.modules, "anywidget", None)
    else:
        monkeypatch.setenv("FUSION_PROGRESS", "none")

    assert live_page(Shell()) is None


def test_the_model_has_no_view_that_a_notebook_could_store() -> None:
    """
    A reference to a widget would be "model not found" once the kernel is gone.
    """
    from fusion_magic.notebook.widgets import CardModel

    model = CardModel()

    assert model._repr_mimebundle_() is None
    assert "initialize" in str(model._esm)
    assert "fusion-live" in str(model._css)
