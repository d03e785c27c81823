"""
What every test shares: a clean environment, and the real servers, started once a run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.distribution import Distribution, build
from tests.servers.trino import announce_with

if TYPE_CHECKING:
    from fusion_magic import Fusion
    from tests.servers.lake_trino import LakeTrino


# A machine that is busy with other things is no finding.
hypothesis.settings.register_profile("fusion", deadline=None)
hypothesis.settings.load_profile("fusion")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """
    What the servers do is told past the capture: a first run fetches 821 MB, and silence looks like a hang.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None:
        return

    def write_line(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    announce_with(write_line)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """
    A developer's own FUSION_* settings and data directory must not reach a test.
    """
    for name in list(os.environ):
        if name.startswith("FUSION_") and not name.startswith("FUSION_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FUSION_DATA_DIR", str(tmp_path_factory.mktemp("data")))


@pytest.fixture
def five_tables(tmp_path: Path) -> Iterator[Fusion]:
    """
    An embedded default whose tables are ``a.b.c.t0`` to ``a.b.c.t4``, without a worker.
    """
    from fusion_magic import connect

    (tmp_path / "t.csv").write_text("id,x\n1,a\n")
    catalog = tmp_path / "catalog.yaml"
    models = "".join(f"  a.b.c.t{n}: {{source: t.csv}}\n" for n in range(5))
    catalog.write_text(f"version: 1\nmodels:\n{models}")
    with connect(
        metadata_url=str(catalog), data_dir=str(tmp_path / "data"), worker_start="never"
    ) as opened:
        yield opened


@pytest.fixture(scope="session")
def trino_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """
    The base URL of a real Trino: ``FUSION_TEST_TRINO_URL``, or one started for this run.
    """
    if url := os.environ.get("FUSION_TEST_TRINO_URL"):
        yield url.rstrip("/")
        return
    from tests.servers.trino import TrinoServer

    server = TrinoServer(Path(tmp_path_factory.mktemp("trino")) / "server").start()
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeTrino]:
    """
    A real Trino of its own with a bucket and a folder, which puts rows aside and has Hive catalogs.
    """
    from tests.servers.lake_trino import LakeTrino

    made = LakeTrino(Path(tmp_path_factory.mktemp("lake"))).start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """
    The SQLAlchemy URL of a real PostgreSQL: ``FUSION_TEST_STORE_URL``, or one started for this run.
    """
    if url := os.environ.get("FUSION_TEST_STORE_URL"):
        yield url
        return
    from tests.servers.postgres import PostgresServer

    server = PostgresServer().start()
    try:
        yield server.url
    finally:
        server.remove()


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """
    A place in a bucket of an S3 server, which the environment's AWS settings lead to.
    """
    from fsspec import get_filesystem_class
    from fsspec.core import url_to_fs
    from moto.server import ThreadedMotoServer

    # One that was made under other settings would go on with those.
    get_filesystem_class("s3").clear_instance_cache()
    patch = pytest.MonkeyPatch()
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # What moto keeps lasts as long as the process, so that another module may have made it.
    url_to_fs("s3://lake")[0].makedirs("lake", exist_ok=True)
    yield "s3://lake/fusion"
    server.stop()
    patch.undo()


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """
    The sdist and the wheel of this checkout.
    """
    return build(tmp_path_factory.mktemp("distribution"))
