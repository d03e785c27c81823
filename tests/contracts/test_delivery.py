"""
The contract of deliveries: what a scheduler counts on, for each of them.

A new receiver needs an adapter and one entry of ``RECEIVERS``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import connect
from fusion_magic.delivery import Delivery, DeliveryContext
from fusion_magic.delivery.local import LocalDelivery
from fusion_magic.delivery.openlineage import OpenLineageDelivery
from fusion_magic.errors import DeliveryError, FusionError
from fusion_magic.store import NewJob
from tests.delivery.facts import JOB, SOURCES, TARGET, facts, message
from tests.plugins.fusion_example.receiver import open_delivery as open_markdown
from tests.stores import delivered_edges


class Local:
    """
    Its effect is the store's graph.
    """

    def __init__(self, folder: Path) -> None:
        self._fusion = connect(data_dir=str(folder))
        self._fusion.store.jobs.create(NewJob(id=JOB, user_query="SELECT 1"))
        self.delivery: Delivery = LocalDelivery(self._fusion.store.outbox)

    def effect(self) -> set[str]:
        return {f"{source} → {target}" for source, target in delivered_edges(self._fusion.store)}

    def break_(self) -> None:
        self._fusion.store.database.engine.dispose()  # type: ignore[attr-defined]
        database = Path(self._fusion.settings.store_url.removeprefix("sqlite:///"))
        database.write_text("no database any more, and long enough to be looked at " * 200)

    def close(self) -> None:
        self._fusion.close()


class OpenLineage:
    """
    Its effect are the different lines of the file.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "folder" / "events.jsonl"
        self._path.parent.mkdir()
        self.delivery: Delivery = OpenLineageDelivery(f"openlineage+file://{self._path}")

    def effect(self) -> set[str]:
        return set(self._path.read_text().splitlines()) if self._path.exists() else set()

    def break_(self) -> None:
        self._path.unlink(missing_ok=True)
        self._path.parent.rmdir()

    def close(self) -> None:
        return None


class Markdown:
    """
    The receiver of another package: its effect are the lines of the file.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "folder" / "lineage.md"
        self._path.parent.mkdir()
        self.delivery: Delivery = open_markdown(f"markdown://{self._path}", DeliveryContext())

    def effect(self) -> set[str]:
        return set(self._path.read_text().splitlines()) if self._path.exists() else set()

    def break_(self) -> None:
        self._path.unlink(missing_ok=True)
        self._path.parent.rmdir()

    def close(self) -> None:
        return None


RECEIVERS: dict[str, Any] = {"local": Local, "openlineage": OpenLineage, "markdown": Markdown}


@pytest.fixture(params=RECEIVERS)
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = RECEIVERS[request.param](tmp_path)
    yield made
    made.delivery.close()
    made.close()


def deliver_all(delivery: Delivery) -> None:
    for number, source in enumerate((None, *SOURCES)):
        delivery.deliver(message(number, source=source), facts())


def test_every_source_and_target_arrives(receiver: Any) -> None:
    deliver_all(receiver.delivery)

    told = json.dumps(sorted(receiver.effect()), ensure_ascii=False)
    for name in (*SOURCES, TARGET):
        assert name.rpartition(".")[2] in told


def test_what_is_delivered_twice_has_the_effect_of_once(receiver: Any) -> None:
    deliver_all(receiver.delivery)
    once = receiver.effect()

    deliver_all(receiver.delivery)

    assert receiver.effect() == once


def test_rows_of_another_program_arrive(receiver: Any) -> None:
    """
    Its job has no edges in our own tables.
    """
    before = receiver.effect()

    receiver.delivery.deliver(message(source="a.b.c.strange", target="a.b.c.made"), facts())

    assert "strange" in str(receiver.effect() - before)


def test_a_receiver_that_is_away_is_an_error_that_may_pass(receiver: Any) -> None:
    receiver.break_()

    with pytest.raises(FusionError) as caught:
        receiver.delivery.deliver(message(), facts())
    assert not isinstance(caught.value, DeliveryError) or type(caught.value) is DeliveryError


def test_closing_twice_does_no_harm(receiver: Any) -> None:
    receiver.delivery.close()
    receiver.delivery.close()
