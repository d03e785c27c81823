"""
A store that cannot be used is told in one error, and the statement is not run.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from fusion_magic import Fusion, connect
from fusion_magic.errors import InvalidSettings, StoreError, StoreUnavailable
from fusion_magic.store import NewJob
from fusion_magic.store.sql.store import SqlStore, open_store


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_text("This is a letter, not a database, and long enough to be looked at. " * 20)

    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("This is a letter")


def test_a_place_where_no_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable, match="cannot be made") as caught:
        open_store(f"sqlite:///{tmp_path / 'file' / 'below' / 'jobs.db'}")
    assert "FUSION_DATA_DIR" in (caught.value.hint or "")


def test_a_server_that_is_not_there_and_the_password_is_not_told() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql+psycopg://ana:s3cret@127.0.0.1:1/fusion")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x", "sqlite"])
def test_a_url_that_names_no_database(url: str) -> None:
    with pytest.raises((InvalidSettings, StoreError)):
        open_store(url)


def test_a_full_disk_is_told_and_the_store_stays_readable(tmp_path: Path) -> None:
    """
    SQLite itself refuses to grow the file, as on a full disk.
    """
    with connect(data_dir=str(tmp_path)) as fusion:
        fusion.run("SELECT 1")

        def no_space(connection: sqlite3.Connection, _record: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")

        sa.event.listen(fusion.store.database.engine, "connect", no_space)  # type: ignore[attr-defined]
        fusion.store.database.engine.dispose()  # type: ignore[attr-defined]

        with pytest.raises(StoreUnavailable, match="full"):
            _run_until_full(fusion)

        store = fusion.store
        assert [job for job in store.jobs.list(limit=10_000) if job.status == "FINISHED"]


def _run_until_full(fusion: Fusion) -> None:
    for _ in range(1000):
        fusion.run(f"SELECT '{'x' * 5000}' AS v")


def test_a_store_that_cannot_be_written_runs_nothing(tmp_path: Path) -> None:
    with connect(data_dir=str(tmp_path)) as fusion:
        fusion.run("SELECT 1")

        def read_only(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA query_only = ON")

        sa.event.listen(fusion.store.database.engine, "connect", read_only)  # type: ignore[attr-defined]
        fusion.store.database.engine.dispose()  # type: ignore[attr-defined]

        with pytest.raises(StoreUnavailable, match="readonly") as caught:
            fusion.run("CREATE TABLE memory.main.made AS SELECT 1 AS x")
        assert "Nothing was run" in (caught.value.hint or "")
        assert not fusion.engine.has_table(("memory", "main", "made"))


@pytest.mark.parametrize("moment", range(9))
def test_a_process_killed_while_it_finishes_a_job_leaves_all_of_it_or_nothing(
    tmp_path: Path, moment: int
) -> None:
    """
    FINISHED and the outbox rows are one transaction.
    """
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    code = textwrap.dedent(
        f"""
        import os, signal, uuid
        from fusion_magic.store import Converted, NewJob, Outcome, QueueRow
        from fusion_magic.store.sql.store import open_store
        from fusion_magic.store.sql.statements import Compiled
        store = open_store({url!r})
        job = uuid.uuid4()
        store.jobs.create(NewJob(id=job, user_query="SELECT 1"))
        store.jobs.start(job, Converted("SELECT 1"))
        left = [{moment}]
        given = Compiled.given
        def count(*values):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return given(*values)
        Compiled.given = count
        rows = [QueueRow(model_name_fqn="t", from_fqn=f"s{{n}}", command="LINEAGE") for n in range(3)]
        store.jobs.finish(job, Outcome(queue=rows))
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)

    assert done.returncode == -signal.SIGKILL
    store = open_store(url)
    [job] = store.jobs.list()
    queued = len(store.outbox.pending())
    assert (job.status.value, queued) in {("RUNNING", 0), ("FINISHED", 3)}
    store.close()


@pytest.mark.postgres
def test_a_text_that_the_store_cannot_keep_is_told_at_once(
    postgres_url: str, tmp_path: Path
) -> None:
    """
    A worker would wait for a store that is away, and this one never comes back.
    """
    with (
        connect(store_url=postgres_url, data_dir=str(tmp_path), worker_start="never") as fusion,
        pytest.raises(StoreError, match="NUL") as caught,
    ):
        fusion.run("SELECT 'a\0b'")
    assert not isinstance(caught.value, StoreUnavailable)


@pytest.mark.postgres
def test_a_connection_that_breaks_in_the_middle_of_a_change_is_told_once(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    In the error, and not in a log as well; the next change has a new connection.
    """
    store, job_id = open_store(postgres_url), uuid4()
    with pytest.raises(StoreUnavailable, match="terminat"):
        _break_in_the_middle(store)

    store.jobs.create(NewJob(id=job_id, user_query="SELECT 1"))

    assert store.jobs.find(job_id) is not None
    assert caplog.records == []
    store.close()


def _break_in_the_middle(store: SqlStore) -> None:
    with store.database.writing() as transaction:
        [(pid,)] = transaction.rows(sa.select(sa.func.pg_backend_pid()), {})
        store.database.read(sa.select(sa.func.pg_terminate_backend(pid)))
        transaction.rows(sa.select(sa.literal(1)), {})
