"""
The doctor: what it finds, what it says of it, and what it never says.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from fusion_magic import Fusion, connect, doctor
from fusion_magic.cli import DONE, UNAVAILABLE, WRONG, main
from fusion_magic.config import KEYS, SECRETS
from fusion_magic.delivery import JobFacts
from fusion_magic.doctor import Check, examine
from fusion_magic.processes.presence import Presence
from fusion_magic.store import Message
from tests.distribution import ROOT

SECRET = "hunter2-Zq"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def found(
    patience_s: float = 60.0, profile: str | None = None, **settings: object
) -> dict[str, Check]:
    with connect(profile, worker_start="never", **settings) as fusion:
        return {check.part: check for check in examine(fusion.wiring, patience_s=patience_s)}


def queue_lineage(fusion: Fusion, folder: Path) -> None:
    (folder / "t.csv").write_text("id\n1\n")
    (folder / "catalog.yaml").write_text("version: 1\nmodels:\n  a.b.c.t: {source: t.csv}\n")
    fusion.run("SELECT id FROM a.b.c.t", origin="n.ipynb")


def test_the_embedded_default_is_well_and_every_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels:\n  a.b.c.t: {source: t.csv}\n")
    (tmp_path / "fusion.toml").write_text("[profiles.prod]\n")

    checks = found(profile="prod")

    assert list(checks) == [
        *("settings", "store", "metadata", "engine", "results", "packages", "notebook"),
        *("worker", "scheduler", "queue"),
    ]
    assert {check.state for check in checks.values()} == {"ok", "not used"}
    assert checks["settings"].what.startswith(f"profile prod, {tmp_path}/fusion.toml")
    assert checks["metadata"].what == f"{tmp_path}/catalog.yaml, 1 name of 1 service"
    assert "schema 0" in checks["store"].what
    assert checks["engine"].what.startswith(f"DuckDB {version('duckdb')} at ")


@pytest.mark.parametrize(
    ("lab", "state"),
    [
        *(("4.3.0", "ok"), ("4.6.6", "ok"), ("4.10.0", "ok"), ("4.7.0a1", "ok")),
        *(("4.2.7", "wrong"), ("3.6.8", "wrong"), ("5.0.0", "wrong")),
    ],
)
def test_an_extension_that_jupyterlab_does_not_load_is_said(
    lab: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "share" / "jupyter" / "labextensions" / "fusion-magic" / "package.json"
    installed.parent.mkdir(parents=True)
    shutil.copy(ROOT / "labextension" / "package.json", installed)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    packages = {"jupyterlab": lab, "ipykernel": "7.0"}
    monkeypatch.setattr(doctor, "_version", packages.get)

    check = found()["notebook"]

    assert check.state == state
    assert f"JupyterLab {lab}" in check.what + check.problem
    assert ("pip install 'jupyterlab>=4.3.0,<5'" in check.hint) == (state == "wrong")


def test_a_secret_of_any_setting_is_never_said(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Every setting that can hold one does, and every part that reads one fails with it.
    """
    values = dict.fromkeys(SECRETS, SECRET) | {
        "engine_url": f"https://ana:{SECRET}@127.0.0.1:1/hive?password={SECRET}",
        "store_url": f"postgresql+psycopg://ana:{SECRET}@127.0.0.1:1/db?sslpassword={SECRET}",
        "metadata_url": f"http://ana:{SECRET}@127.0.0.1:1/api?token={SECRET}",
        "results_url": f"s3://key:{SECRET}@no-such-bucket/x",
        "results_trino_url": f"s3://key:{SECRET}@no-such-bucket/x",
        "delivery_url": f"openlineage+https://ana:{SECRET}@127.0.0.1:1/api",
    }
    assert {name for name in KEYS.values() if name.endswith("_url")} <= set(values)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"FUSION_{name.upper()}", value)
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        codes = [main(["doctor"]), main(["doctor", "--json"])]

    printed = capsys.readouterr()
    assert codes == [WRONG, WRONG]
    assert SECRET not in printed.out + printed.err
    assert "127.0.0.1:1" in printed.out


def test_a_part_that_hangs_is_given_up_and_the_others_are_examined() -> None:
    """
    A server that takes the connection and never answers must not hold up the doctor.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        checks = found(patience_s=5.0, store_url=f"postgresql+psycopg://ana@{host}:{port}/db")

    assert (checks["store"].state, checks["store"].is_away) == ("wrong", True)
    assert "given up" in checks["store"].problem
    assert checks["queue"].state == "not checked"
    assert checks["engine"].state == "ok"


def test_settings_that_cannot_be_read_are_the_only_thing_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fusion.toml").write_text('[engine]\nurll = "x"\n')

    assert main(["doctor", "--json"]) == WRONG
    [check] = json.loads(capsys.readouterr().out)
    assert (check["part"], check["hint"]) == ("settings", "Did you mean engine.url?")


def test_a_catalog_that_cannot_be_read_is_wrong_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels:\n  a.b: [}\n")

    assert "line 3" in found()["metadata"].problem


def test_a_package_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import importlib.util

    really = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "openlineage" else really(name)
    )

    check = found(delivery_url="openlineage+file:///events.jsonl")["packages"]

    assert (check.state, check.hint) == ("wrong", "pip install 'fusion-magic[openlineage]'")


def test_waiting_jobs_and_lineage_without_anybody_for_them_are_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(worker_start="never") as fusion:
        queue_lineage(fusion, tmp_path)
        fusion.submit("SELECT 1")

    checks = found()

    assert checks["worker"].hint == "Start one: fusion worker"
    assert checks["scheduler"].hint == "Start one: fusion scheduler"
    assert main(["doctor"]) == DONE  # where they are started by themselves
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FUSION_WORKER_START", "never")
        assert main(["doctor"]) == UNAVAILABLE
    assert "Jobs wait, and no worker is at work." in capsys.readouterr().out


def test_processes_that_send_heartbeats_are_at_work(tmp_path: Path) -> None:
    with connect(worker_start="never") as fusion:
        processes, key = fusion.store.processes, fusion.wiring.engine_key
        Presence(processes, "worker", engine_url=key).heartbeat()
        Presence(processes, "scheduler").heartbeat()

    checks = found()

    for part in ("worker", "scheduler"):
        assert f"1 at work: {socket.gethostname()} (process {os.getpid()})" in checks[part].what
    assert "none at work" in found(engine_url=f"duckdb:///{tmp_path}/x.duckdb")["worker"].what


class Refusing:
    """
    A receiver that never takes anything.
    """

    name = "refusing"

    def deliver(self, message: Message, facts: JobFacts) -> None:
        from fusion_magic.errors import PermanentDeliveryError

        raise PermanentDeliveryError("It knows no such table.")

    def close(self) -> None:
        return None


def test_dead_letters_are_wrong_and_told_with_their_reason(tmp_path: Path) -> None:
    from fusion_magic.processes.scheduler import Scheduler

    with connect(worker_start="never") as fusion:
        queue_lineage(fusion, tmp_path)
        Scheduler(fusion.store, [Refusing()]).deliver_due()

    check = found()["queue"]

    assert check.state == "wrong"
    assert "It knows no such table." in check.problem
    assert "fusion queue" in check.hint


def test_a_folder_that_cannot_be_written_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert found(results_url=str(tmp_path / "file" / "results"))["results"].state == "wrong"


def test_results_in_a_bucket_are_written_read_and_removed(bucket: str) -> None:
    from fsspec.core import url_to_fs

    assert found(results_url=f"{bucket}/doctor")["results"].state == "ok"
    filesystem, path = url_to_fs(f"{bucket}/doctor")
    filesystem.invalidate_cache()
    assert not filesystem.exists(path) or filesystem.find(path) == []
    assert found(results_url="s3://no-such-bucket/x")["results"].state == "wrong"


@pytest.mark.trino
@pytest.mark.postgres
def test_real_servers_are_told_with_version_user_and_catalogs(
    trino_url: str, postgres_url: str
) -> None:
    url = trino_url.replace("http://", "trino://ana@")

    checks = found(engine_url=url, store_url=postgres_url)

    assert checks["engine"].what.startswith("Trino 4")
    assert " with no authentication as ana at trino://ana@" in checks["engine"].what
    assert "catalogs" in checks["engine"].what
    assert "writable" in checks["store"].what
    assert checks["packages"].what == "postgres, trino"


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    opened = InteractiveShell()  # type: ignore[no-untyped-call]
    opened.run_line_magic("load_ext", "fusion_magic")
    yield opened
    opened.run_line_magic("unload_ext", "fusion_magic")


def test_a_notebook_is_told_the_same(shell: InteractiveShell, tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text("version: 2\n")

    table = shell.run_line_magic("fusion", "doctor")

    text = table._repr_mimebundle_()["text/plain"]
    assert "wrong        metadata" in text
    assert "wrong" in text
    assert [part for _, part, _ in table.lines() if part] == list(found())
