"""
The status card of a background job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.notebook.card import PLAIN, Poller, card_html
from fusion_magic.store import Job, JobStatus


@pytest.fixture
def fusion(tmp_path: Path) -> Iterator[Fusion]:
    with connect(data_dir=str(tmp_path), worker_start="never") as opened:
        yield opened


@pytest.fixture
def job(fusion: Fusion) -> Job:
    return fusion.submit("SELECT 1 AS x").job


HOSTILE = '<script>alert(1)</script>" onload="x'


def test_a_waiting_job_says_so_and_how_to_stop_it(job: Job) -> None:
    html = card_html(job, ("a.b.c.t",))

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
        html = card_html(one, (HOSTILE,))
        assert "<script" not in html
        assert "javascript:" not in html


def test_a_write_tells_its_rows_and_a_query_its_result(job: Job) -> None:
    write = replace(job, status=JobStatus.FINISHED, update_type="INSERT", rows_changed=1234)
    read = replace(job, status=JobStatus.FINISHED, row_count=1234, result_name="daily")

    assert "INSERT: 1,234 rows" in card_html(write, ())
    assert "%fusion result daily" in card_html(read, ())


def test_a_card_is_kept_up_to_date_until_its_job_has_ended(fusion: Fusion) -> None:
    """
    The poller's thread ends with the last open job.
    """
    shown: list[str] = []

    class Display:
        def update(self, html: object) -> None:
            bundle = html._repr_mimebundle_()  # type: ignore[attr-defined]
            assert bundle["text/plain"] == PLAIN
            shown.append(bundle["text/html"])

    handle = fusion.submit("SELECT 1 AS x")
    poller = Poller()
    poller.add(handle, Display())
    handle.cancel()
    thread = poller._thread
    assert thread is not None
    thread.join(10)

    assert not thread.is_alive()
    assert "CANCELED" in shown[-1]
