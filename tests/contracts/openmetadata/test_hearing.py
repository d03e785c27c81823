"""
What changes is in the next look-up, told by a webhook or asked for; and after a burst everything is right within the promised age.

    pytest tests/contracts/openmetadata/test_hearing.py --openmetadata-url URL --openmetadata-token-file FILE --openmetadata-burst 2000 -s

prints how long it took, and what the server told twice or never. ``--openmetadata-batch 10/10`` lets it read its events as it does by default.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fusion_magic.config import load_settings
from fusion_magic.metadata.changes import ChangeSource, MetadataChange, ToldChanges
from fusion_magic.metadata.openmetadata.metadata import OpenMetadataMetadata, open_metadata
from fusion_magic.processes.hearing import hearing_of_changes
from fusion_magic.store.sql.store import SqlStore, open_store
from tests.contracts.openmetadata.client import Json, Place
from tests.contracts.openmetadata.marks import needs
from tests.contracts.openmetadata.test_events import SECRET, subscription
from tests.servers.openmetadata import free_address

PROMISED_S = 2.0
TOLD_WITHIN_S = 90.0
QUIET_S = 45.0
AT_ONCE = 8


@dataclass
class Listening:
    """
    A source of changes that notes what it was told and when.
    """

    source: ChangeSource
    told: list[tuple[float, MetadataChange]] = field(default_factory=list)

    @property
    def signature_header(self) -> str:
        return self.source.signature_header

    def is_signed(self, body: bytes, signature: str, secret: str) -> bool:
        return self.source.is_signed(body, signature, secret)

    def changes_in(self, body: bytes) -> Sequence[MetadataChange]:
        return self._noted(self.source.changes_in(body))

    def changes_after(self, time_ms: int) -> ToldChanges:
        answer = self.source.changes_after(time_ms)
        self._noted(answer.changes)
        return answer

    def updated_ms(self, fqns: Sequence[str]) -> Mapping[str, int]:
        return self.source.updated_ms(fqns)

    def _noted(self, changes: Sequence[MetadataChange]) -> Sequence[MetadataChange]:
        self.told += [(time.monotonic(), change) for change in changes]
        return changes


@dataclass
class Ear:
    """
    Somebody who looks names up, and whoever hears of changes for them.
    """

    place: Place
    store: SqlStore
    folder: Path
    stack: ExitStack
    batch: tuple[int, int]

    def names(self, max_age: str) -> OpenMetadataMetadata:
        target = self.place.target
        given = {"metadata_url": target.url, "metadata_token": target.token}
        given |= {"data_dir": str(self.folder / max_age), "metadata_max_age": max_age}
        opened = open_metadata(load_settings(overrides=given, environment={}, folder=self.folder))
        opened.follow(self.store.changes.since)
        return self.stack.enter_context(closing(opened))

    @contextmanager
    def by_webhook(self) -> Iterator[Listening]:
        listening, address = self._source(), free_address()
        hearing = hearing_of_changes(
            listening, self.store, address=address, secret=SECRET, poll_s=None
        )
        with hearing:
            body = subscription(self.place, f"http://{address}/events")
            body |= dict(zip(("batchSize", "pollInterval"), self.batch, strict=True))
            made = self.place.call("POST", "events/subscriptions", body)
            assert made.status == 201, made.text
            try:
                yield listening
            finally:
                self.place.delete(f"events/subscriptions/{made.body['id']}", hardDelete="true")

    @contextmanager
    def by_poll(self) -> Iterator[Listening]:
        listening = self._source()
        with hearing_of_changes(listening, self.store, address=None, secret=None, poll_s=1.0):
            yield listening

    def _source(self) -> Listening:
        return Listening(self.names("1h").change_source)


@pytest.fixture
def ear(place: Place, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ear]:
    batch = request.config.getoption("--openmetadata-batch", default=None) or "1000/1"
    size, _, pause_s = batch.partition("/")
    with ExitStack() as stack:
        store = stack.enter_context(closing(open_store(f"sqlite:///{tmp_path / 'jobs.db'}")))
        yield Ear(place, store, tmp_path, stack, (int(size), int(pause_s)))


def waited(is_so: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def columns(names: OpenMetadataMetadata, fqns: Sequence[str]) -> dict[str, int]:
    """
    How many columns each of those has that are there.
    """
    found: dict[str, int] = {}
    for start in range(0, len(fqns), 100):
        entities = names.find_by_fqn(fqns[start : start + 100])
        found |= {fqn: len(e.columns) for fqn, e in entities.items() if e.deleted is None}
    return found


def _is_told(listening: Listening, table: Json, happened: str) -> bool:
    return any(
        (change.fqn, change.event_type) == (table["fullyQualifiedName"], happened)
        for _, change in list(listening.told)
    )


@needs("loopback")
@pytest.mark.parametrize("way", ["by_webhook", "by_poll"])
def test_what_was_told_is_in_the_next_look_up(place: Place, ear: Ear, way: str) -> None:
    names = ear.names("7d")
    table, other = place.table(), place.table("other")
    fqns = [table["fullyQualifiedName"], other["fullyQualifiedName"]]
    assert columns(names, fqns) == dict.fromkeys(fqns, 2)
    with getattr(ear, way)() as listening:
        if way == "by_poll":
            # What happened before is told first.
            assert waited(lambda: _is_told(listening, other, "entityCreated"), TOLD_WITHIN_S)
            time.sleep(1)
            columns(names, fqns)
        begun = time.monotonic()
        place.table(columns=["a", "b", "c"])

        assert waited(lambda: columns(names, fqns)[fqns[0]] == 3, TOLD_WITHIN_S)
        seen = time.monotonic()
        told = next(
            at
            for at, change in listening.told
            if (change.fqn, change.event_type) == (fqns[0], "entityUpdated")
        )
        print(
            f"\n{way}: told {told - begun:.2f} s after the change, seen {seen - told:.2f} s later"
        )
        assert seen - told < PROMISED_S
        place.delete(f"tables/{table['id']}")
        assert waited(lambda: fqns[0] not in columns(names, fqns), TOLD_WITHIN_S)


@needs("loopback")
def test_a_large_event_is_heard_of(place: Place, ear: Ear) -> None:
    """
    A server may send it in pieces.
    """
    described = {"dataType": "INT", "description": "What it holds. " * 20}
    wide = [{"name": f"c{number}", **described} for number in range(500)]
    with ear.by_webhook() as listening:
        table = place.table("wide", wide)

        assert waited(lambda: _is_told(listening, table, "entityCreated"), TOLD_WITHIN_S)


@needs("loopback")
@pytest.mark.timeout(3600)
def test_after_a_burst_everything_is_right_within_the_age(
    place: Place, ear: Ear, request: pytest.FixtureRequest
) -> None:
    """
    Events get lost, come twice and in any order; nothing rests on them alone.
    """
    many = int(request.config.getoption("--openmetadata-burst", default=None) or 40)
    age_s = 180 if place.target.own is None else 2
    patient, names = ear.names("7d"), ear.names(f"{age_s}s")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tables = list(pool.map(lambda number: place.table(f"t{number}"), range(many)))
        doomed = list(pool.map(lambda number: place.table(f"d{number}"), range(many // 10)))
        fqns = [table["fullyQualifiedName"] for table in (*tables, *doomed)]
        right = dict.fromkeys(fqns[:many], 3)
        for one in (patient, names):
            assert columns(one, fqns) == dict.fromkeys(fqns, 2)
        with ear.by_webhook() as listening:
            time.sleep(2)
            begun = time.monotonic()
            list(pool.map(lambda t: place.table(t["name"], ["a", "b", "c"]), tables))
            list(pool.map(lambda t: _delete(place, t), doomed))
            changed = time.monotonic()
            _wait_for_quiet(listening, set(fqns), is_all_told=place.target.own is not None)
            time.sleep(1)
            # What was read after the change is right for its own sake; the patient one has read nothing since.
            wrong = _wrong(patient, fqns, right)
            time.sleep(max(0.0, age_s - (time.monotonic() - changed)))
            late = _wrong(names, fqns, right)

    _print_figures(listening, fqns, begun, changed, wrong)
    assert late == []
    if place.target.own is not None:
        assert wrong == []


def _delete(place: Place, table: Json) -> None:
    reply = place.delete(f"tables/{table['id']}", hardDelete="true")
    assert reply.status == 200, reply.text


def _wait_for_quiet(listening: Listening, fqns: set[str], *, is_all_told: bool) -> None:
    """
    Until every change was told, where the server tells all of them; else until none of them is told any more.
    """
    last = time.monotonic()
    while time.monotonic() - last < QUIET_S:
        mine = [at for at, change in list(listening.told) if change.fqn in fqns]
        if is_all_told and len(mine) >= len(fqns):
            return
        last = max([last, *mine[-1:]])
        time.sleep(0.1)


def _wrong(names: OpenMetadataMetadata, fqns: Sequence[str], right: dict[str, int]) -> list[str]:
    found = columns(names, fqns)
    return [fqn for fqn in fqns if found.get(fqn) != right.get(fqn)]


def _print_figures(
    listening: Listening, fqns: Sequence[str], begun: float, changed: float, wrong: Sequence[str]
) -> None:
    mine = [(at, change) for at, change in listening.told if change.fqn in set(fqns)]
    wanted = [one for one in mine if one[1].event_type in {"entityUpdated", "entityDeleted"}]
    times = Counter(change.event_id for _, change in wanted)
    last = max((at for at, _ in wanted), default=begun) - begun
    print(
        f"\n{len(fqns)} changes in {changed - begun:.0f} s: {len(times)} events told, {len(wanted) - len(times)} of them again, "
        f"{len(fqns) - len(times)} never; the last after {last:.0f} s; wrong by events alone: {len(wrong)}"
    )
