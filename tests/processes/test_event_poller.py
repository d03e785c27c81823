"""
Asking for events: from where the last answer ended, and on after a server that did not answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fusion_magic.errors import MetadataUnavailable
from fusion_magic.metadata.changes import MetadataChange, ToldChanges
from fusion_magic.processes.event_poller import BEFORE_START_MS, OVERLAP_MS, polling

CHANGE = MetadataChange("e1", "entityUpdated", "table", "s.d.p.t")


class Source:
    """
    Answers as it was told to, and then with nothing.
    """

    signature_header = ""

    def __init__(self, *answers: ToldChanges | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []
        self.is_enough = threading.Event()

    def changes_after(self, time_ms: int) -> ToldChanges:
        self.asked.append(time_ms)
        if not self.answers:
            self.is_enough.set()
            return ToldChanges((), None)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def updated_ms(self, fqns: Sequence[str]) -> Mapping[str, int]:
        raise NotImplementedError

    def is_signed(self, body: bytes, signature: str, secret: str) -> bool:
        raise NotImplementedError

    def changes_in(self, body: bytes) -> Sequence[MetadataChange]:
        raise NotImplementedError


def polled(source: Source) -> list[Any]:
    taken: list[Any] = []
    with polling(source, taken.extend, every_s=0.01):
        assert source.is_enough.wait(10)
    return taken


def test_events_are_asked_for_from_before_the_newest_one() -> None:
    now = int(time.time() * 1000)
    source = Source(ToldChanges((CHANGE,), now - 50), ToldChanges((), None))

    assert polled(source) == [CHANGE]
    assert abs(source.asked[0] - (now - BEFORE_START_MS)) < 10_000
    assert source.asked[1:3] == [now - 50 - OVERLAP_MS] * 2


def test_a_server_that_does_not_answer_is_asked_again_from_the_same_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Source(MetadataUnavailable("It is away."), ToldChanges((CHANGE,), None))

    assert polled(source) == [CHANGE]
    assert source.asked[0] == source.asked[1]
    assert [record.getMessage() for record in caplog.records] == ["fusion-poll: It is away."]


def test_an_answer_that_nobody_foresaw_does_not_end_the_asking() -> None:
    assert polled(Source(ValueError("odd"), ToldChanges((CHANGE,), None))) == [CHANGE]


def test_an_event_of_a_time_to_come_hides_nothing() -> None:
    source = Source(ToldChanges((CHANGE,), 1 << 50))
    polled(source)

    assert source.asked[1] <= time.time() * 1000
