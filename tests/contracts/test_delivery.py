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
from fusion_magic.delivery import Delivery, DeliveryContext, JobFacts
from fusion_magic.delivery.local import LocalDelivery
from fusion_magic.delivery.openlineage import OpenLineageDelivery
from fusion_magic.delivery.openmetadata.receiver import open_delivery as open_openmetadata
from fusion_magic.errors import FusionError, PermanentDeliveryError
from fusion_magic.metadata import Column
from fusion_magic.openmetadata.address import parse_address
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.store import ModelRow, NewJob
from fusion_magic.testing.openmetadata import OpenMetadataServer
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


class OpenMetadata:
    """
    Its effect are the edges that the server holds, and the tables that it was made to know.
    """

    def __init__(self, folder: Path) -> None:
        self._server = OpenMetadataServer().start()
        for fqn in (SOURCES[0], "lake.warehouse.crm.other", "a.b.c.strange"):
            self._server.add_table(fqn, {"id": "BIGINT"})
        self._server.add_container(SOURCES[1], {"id": "BIGINT"})
        made: Any = lambda *_: [Column("key", "bigint")]  # noqa: E731 - one line says it
        context = DeliveryContext(token=self._server.token, engine="duckdb", made_columns=made)
        self.delivery: Delivery = open_openmetadata(f"openmetadata+{self._server.url}", context)

    def effect(self) -> set[str]:
        found = {}
        for source in (*SOURCES, "a.b.c.strange"):
            kind = "container" if source == SOURCES[1] else "table"
            graph = self._graph(kind, source)
            names = {n["id"]: n["fullyQualifiedName"] for n in graph["nodes"]}
            for edge in graph["downstreamEdges"]:
                found[f"{source} → {names[edge['toEntity']]}"] = edge["lineageDetails"]
        return {f"{names} {json.dumps(details)}" for names, details in found.items()}

    def _graph(self, kind: str, fqn: str) -> Any:
        client = OpenMetadataClient(
            parse_address(self._server.url, setting="", token=None), token=self._server.token
        )
        path = f"lineage/{kind}/name/{segment(fqn)}"
        try:
            return client.get(path, dict, {"downstreamDepth": 1})
        finally:
            client.close()

    def break_(self) -> None:
        self._server.stop()

    def close(self) -> None:
        self._server.stop()


RECEIVERS: dict[str, Any] = {
    "local": Local,
    "openlineage": OpenLineage,
    "openmetadata": OpenMetadata,
    "markdown": Markdown,
}


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
    Its job has no edges in our own tables; its models name both ends, since a receiver that writes with rights of its own tells
    nothing that the job does not bear out.
    """
    before = receiver.effect()
    models = [
        ModelRow(model_id_of_om=None, fully_qualified_name=name, trino_model_name=name[2:])
        for name in ("a.b.c.strange", "a.b.c.made")
    ]
    told = JobFacts(facts().job, models)

    receiver.delivery.deliver(message(source="a.b.c.strange", target="a.b.c.made"), told)

    assert "strange" in str(receiver.effect() - before)


def test_a_receiver_that_is_away_is_an_error_that_may_pass(receiver: Any) -> None:
    receiver.break_()

    with pytest.raises(FusionError) as caught:
        receiver.delivery.deliver(message(), facts())
    assert not isinstance(caught.value, PermanentDeliveryError)


def test_closing_twice_does_no_harm(receiver: Any) -> None:
    receiver.delivery.close()
    receiver.delivery.close()
