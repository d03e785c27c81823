"""
A change in OpenMetadata is in the next cell, whoever tells of it and wherever the scheduler runs.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import connect
from fusion_magic.errors import InvalidArgument, InvalidSettings, UnknownFqn
from fusion_magic.fusion import Fusion
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.openmetadata import free_address

SECRET = "what the webhook knows"
ORDERS, GONE = "pg.shop.public.orders", "pg.shop.public.gone"
QUERY = f"SELECT id FROM {ORDERS}"
PROMISED_S = 2.0


@pytest.fixture(params=["1.5.15", "1.6.0", "1.12.0", "2.0.7"])
def server(request: pytest.FixtureRequest) -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version=request.param) as started:
        for fqn in (ORDERS, GONE):
            started.add_table(fqn, {"id": "INT"})
        yield started


@pytest.fixture
def kernel(server: OpenMetadataServer, tmp_path: Path) -> Iterator[Fusion]:
    with connected(server, tmp_path, "kernel") as opened:
        for fqn in (ORDERS, GONE):
            opened.run(f"CREATE TABLE {fqn} AS SELECT 1 AS id")
            opened.run(f"SELECT id FROM {fqn}")
        yield opened


def connected(server: OpenMetadataServer, folder: Path, name: str, **settings: Any) -> Fusion:
    """
    Somebody with a data directory of their own, at the store of all.
    """
    given = {
        "metadata_url": server.url,
        "metadata_token": server.token,
        "data_dir": str(folder / name),
        "store_url": f"sqlite:///{folder / 'jobs.db'}",
        "worker_start": "never",
    }
    return connect(**(given | settings))


@contextmanager
def scheduler(
    server: OpenMetadataServer, folder: Path, events: str | None = None, **settings: Any
) -> Iterator[None]:
    with connected(server, folder, "scheduler", **settings) as fusion:
        running = fusion.wiring.open_scheduler(events=events)
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            yield
        finally:
            running.stop()
            thread.join()


def subscribe(server: OpenMetadataServer, address: str, secret: str = SECRET) -> None:
    is_new = server.version >= "2"
    secrets = (
        {"authType": {"type": "bearer", "secretKey": secret}} if is_new else {"secretKey": secret}
    )
    webhook = {"endpoint": f"http://{address}/events", **secrets}
    server.add(
        "eventsubscription",
        name="fusion",
        alertType="Notification",
        trigger={"triggerType": "RealTime"},
        resources=["all"],
        destinations=[{"category": "External", "type": "Webhook", "config": webhook}],
    )


@contextmanager
def by_webhook(server: OpenMetadataServer, folder: Path) -> Iterator[None]:
    address = free_address()
    with scheduler(server, folder, address, events_secret=SECRET):
        wait_until(lambda: is_listening(address))
        subscribe(server, address)
        yield


@contextmanager
def by_poll(server: OpenMetadataServer, folder: Path) -> Iterator[None]:
    with scheduler(server, folder, events_poll="1s"):
        yield


def is_listening(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except OSError:
        return False
    return True


def wait_until(is_so: Callable[[], bool], seconds: float = 20.0) -> float:
    """
    Until *is_so*; how many seconds it took.
    """
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < seconds
        time.sleep(0.05)
    return time.monotonic() - begun


def warnings(kernel: Fusion) -> str:
    return " ".join(kernel.run(QUERY).warnings)


@pytest.mark.parametrize("way", [by_webhook, by_poll])
def test_a_change_is_told_by_the_next_cell(
    server: OpenMetadataServer, kernel: Fusion, tmp_path: Path, way: Any
) -> None:
    with way(server, tmp_path):
        assert warnings(kernel) == ""
        server.add_table(ORDERS, {"id": "INT"}, tags=[{"tagFQN": "PII.Sensitive"}])

        took_s = wait_until(lambda: "personal data" in warnings(kernel))

    assert took_s < PROMISED_S + (1.0 if way is by_poll else 0.0)


@pytest.mark.parametrize("server", ["2.0.7"], indirect=True)
def test_a_deprecated_table_warns_in_the_next_cell(
    server: OpenMetadataServer, kernel: Fusion, tmp_path: Path
) -> None:
    with by_webhook(server, tmp_path):
        server.add_table(ORDERS, {"id": "INT"}, entityStatus="Deprecated")

        assert wait_until(lambda: "is deprecated" in warnings(kernel)) < PROMISED_S


@pytest.mark.parametrize("is_hard", [False, True])
def test_a_deleted_table_is_refused_by_the_next_cell(
    server: OpenMetadataServer, kernel: Fusion, tmp_path: Path, is_hard: bool
) -> None:
    def refused() -> str:
        try:
            kernel.run(f"SELECT id FROM {GONE}")
        except UnknownFqn as error:
            return error.message
        return ""

    with by_webhook(server, tmp_path):
        assert refused() == ""
        (server.hard_delete if is_hard else server.soft_delete)(GONE)

        assert wait_until(lambda: refused() != "") < PROMISED_S
        assert ("It was deleted in OpenMetadata by" in refused()) != is_hard


def test_a_deleted_table_warns_where_the_engines_own_name_leads_to_it(
    server: OpenMetadataServer, kernel: Fusion, tmp_path: Path
) -> None:
    def told() -> str:
        return " ".join(kernel.run("SELECT id FROM pg.public.gone").warnings)

    with by_webhook(server, tmp_path):
        assert told() == ""
        server.soft_delete(GONE)

        assert wait_until(lambda: told() != "") < PROMISED_S
        assert f"{GONE}: It was deleted in OpenMetadata by" in told()


def test_what_is_signed_with_another_secret_is_not_heard(
    server: OpenMetadataServer, kernel: Fusion, tmp_path: Path
) -> None:
    address = free_address()
    with scheduler(server, tmp_path, address, events_secret=SECRET):
        wait_until(lambda: is_listening(address))
        subscribe(server, address, "another")
        server.add_table(ORDERS, {"id": "INT"}, tags=[{"tagFQN": "PII.Sensitive"}])

        assert {delivery.status for delivery in server.deliveries()} == {401}
        time.sleep(0.6)
        assert warnings(kernel) == ""


@pytest.mark.parametrize("server", ["1.6.0"], indirect=True)
def test_events_need_a_server_that_has_them(server: OpenMetadataServer, tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels: {}\n")
    catalog = str(tmp_path / "catalog.yaml")
    for events, poll in (("127.0.0.1:0", None), (None, "30s")):
        with (
            connected(server, tmp_path, "s", metadata_url=catalog, events_poll=poll) as fusion,
            pytest.raises(InvalidSettings, match="no server that tells of changes"),
        ):
            fusion.wiring.open_scheduler(events=events)
    with (
        connected(server, tmp_path, "s") as fusion,
        pytest.raises(InvalidArgument, match="is not an address"),
    ):
        fusion.wiring.open_scheduler(events="everywhere").run()
