"""
The contract of a job store, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from fusion_magic.errors import IllegalTransition, StoreTooNew, StoreUnavailable
from fusion_magic.store import (
    ColumnEdge,
    Converted,
    JobFilter,
    JobStatus,
    MadeCatalog,
    ModelRow,
    NewJob,
    NewTask,
    Outcome,
    QueueRow,
)
from fusion_magic.store.sql.store import SqlStore, open_store
from fusion_magic.store.sql.tables import metadata

TASK = NewTask(payload="{}", engine_url="duckdb://", owner="ana")


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    opened = open_store(store_url)
    yield opened
    opened.close()


def running(store: SqlStore) -> UUID:
    job_id = uuid4()
    store.jobs.create(NewJob(id=job_id, user_query="SELECT 1", owner="ana"))
    model = ModelRow(model_id_of_om="1", fully_qualified_name="a.b.c.d", trino_model_name="a.c.d")
    store.jobs.start(job_id, Converted("SELECT 1", limit=2**40, models=[model]))
    return job_id


def test_a_finished_job_keeps_everything(store: SqlStore) -> None:
    job_id = running(store)
    edge = ColumnEdge(source_fqn="a.b.c.d", source_column="x", target_fqn="t", target_column="y")
    row = QueueRow(model_name_fqn="t", from_fqn="a.b.c.d", command="LINEAGE")

    store.jobs.finish(job_id, Outcome(queue=[row], column_edges=[edge], row_count=3))

    job = store.jobs.find(job_id)
    assert job is not None
    assert (job.status, job.limit_, job.row_count, job.owner) == (
        JobStatus.FINISHED,
        2**40,
        3,
        "ana",
    )
    assert job.created.utcoffset() is not None
    assert job.created <= job.updated
    assert [r for _, r in store.outbox.pending(job_id)] == [row]
    assert store.lineage.columns_of_job(job_id) == [edge]
    assert store.lineage.of_job(job_id) == [("a.b.c.d", "t")]
    assert store.models.of_job(job_id)[0].trino_model_name == "a.c.d"
    assert store.jobs.find_by_prefix(str(job_id)[:8])[0].id == job_id


def test_stored_results_have_versions_and_are_found_by_what_was_asked(store: SqlStore) -> None:
    before = datetime.now(UTC)
    for number in (1, 2):
        outcome = Outcome(result_name="daily", result_path=f"/r/{number}", fingerprint="asked")
        store.jobs.finish(running(store), outcome)
    stored = store.results

    assert (stored.count("daily"), stored.count("other")) == (2, 0)
    paths = [job and job.result_path for job in (stored.version("daily", n) for n in (1, 2, 3))]
    assert paths == ["/r/1", "/r/2", None]
    newest = stored.newest("daily")
    assert newest is not None
    assert newest.result_path == "/r/2"
    assert stored.find("asked", owner="ana", since=before) == newest
    assert stored.find("asked", owner="bob", since=before) is None
    assert stored.find("asked", owner="ana", since=datetime.now(UTC)) is None
    assert not stored.is_written_since(["a.c.d"], before)
    store.jobs.finish(running(store), Outcome(update_type="INSERT"))
    assert stored.is_written_since(["a.c.d"], before)
    assert not stored.is_written_since(["a.c.e"], before)


def test_what_is_forgotten_is_gone_unless_lineage_mentions_it(store: SqlStore) -> None:
    row = QueueRow(model_name_fqn="t", from_fqn="a.b.c.d", command="LINEAGE")
    plain, mentioned = running(store), running(store)
    store.jobs.finish(plain, Outcome(result_path="/r/1"))
    store.jobs.finish(mentioned, Outcome(result_path="/r/2", queue=[row]))
    now = datetime.now(UTC)

    assert {job.id for job in store.results.expired(now, owner="ana")} == {plain, mentioned}
    for job_id in (plain, mentioned):
        store.results.forget(job_id)

    assert store.jobs.find(plain) is None
    kept = store.jobs.find(mentioned)
    assert kept is not None
    assert kept.result_path is None
    assert store.lineage.of_job(mentioned) == [("a.b.c.d", "t")]
    assert store.lineage.of_job(plain) == []
    assert list(store.results.expired(now, owner="ana")) == []


@pytest.mark.parametrize("change", ["queue", "start", "finish", "fail", "cancel"])
def test_a_final_state_never_changes(store: SqlStore, change: str) -> None:
    job_id = running(store)
    store.jobs.fail(job_id, error="no", hint="yes")

    with pytest.raises(IllegalTransition):
        {
            "queue": lambda: store.jobs.queue(job_id, Converted(""), TASK),
            "start": lambda: store.jobs.start(job_id, Converted("")),
            "finish": lambda: store.jobs.finish(
                job_id,
                Outcome(queue=[QueueRow(model_name_fqn="t", from_fqn="s", command="LINEAGE")]),
            ),
            "fail": lambda: store.jobs.fail(job_id, error="again"),
            "cancel": lambda: store.jobs.cancel(job_id),
        }[change]()

    job = store.jobs.find(job_id)
    assert job is not None
    assert (job.status, job.error, job.hint) == (JobStatus.FAILED, "no", "yes")
    assert store.outbox.pending(job_id) == []


def test_jobs_are_listed_newest_first_and_filtered(store: SqlStore) -> None:
    first, second = running(store), running(store)
    store.jobs.cancel(first)

    assert [j.id for j in store.jobs.list()] == [second, first]
    assert [j.id for j in store.jobs.list(JobFilter(statuses=frozenset({JobStatus.CANCELED})))] == [
        first
    ]
    assert store.jobs.list(JobFilter(owner="eve")) == []
    assert store.jobs.list(JobFilter(text="%")) == []
    for known in (JobFilter(sent="select"), JobFilter(named="a.b.c.d"), JobFilter(named="a.c.d")):
        assert [j.id for j in store.jobs.list(known)] == [second, first]
    assert store.jobs.list(JobFilter(sent="VIEW")) == []
    assert store.jobs.list(JobFilter(named="A.b.c.d")) == []


def test_names_in_use_are_those_that_the_metadata_knew(store: SqlStore) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=1)
    for fqn, known in (("a.b.c.x", "1"), ("a.b.c.y", "2"), ("a.b.c.made", None), ("a.b.c.x", "1")):
        job_id = uuid4()
        store.jobs.create(NewJob(id=job_id, user_query="SELECT 1"))
        model = ModelRow(model_id_of_om=known, fully_qualified_name=fqn, trino_model_name="t")
        store.jobs.start(job_id, Converted("SELECT 1", models=[model]))

    assert store.models.lately_used(begun, limit=9) == ["a.b.c.x", "a.b.c.y"]
    assert store.models.lately_used(begun, limit=1) == ["a.b.c.x"]
    assert store.models.lately_used(begun + timedelta(hours=1), limit=9) == []


def test_the_migrations_make_the_tables_of_the_code(store: SqlStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_a_newer_schema_is_left_alone(store: SqlStore) -> None:
    with store.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreTooNew, match="9999"):
        store.migrate()


def test_a_change_that_fails_leaves_nothing_and_the_store_goes_on(store: SqlStore) -> None:
    job_id = running(store)
    row = QueueRow(model_name_fqn="t", from_fqn="a.b.c.d", command="LINEAGE")
    nameless = QueueRow(model_name_fqn=None, from_fqn="s", command="LINEAGE")  # type: ignore[arg-type]

    for _ in range(20):  # more often than there are connections
        with pytest.raises(StoreUnavailable, match="model_name_fqn"):
            store.jobs.finish(job_id, Outcome(queue=[row, nameless], row_count=3))

    job = store.jobs.find(job_id)
    assert job is not None
    assert (job.status, job.row_count, job.finished) == (JobStatus.RUNNING, None, None)
    assert list(store.outbox.pending(job_id)) == []
    store.jobs.finish(job_id, Outcome(queue=[row]))
    assert [queued for _, queued in store.outbox.pending(job_id)] == [row]


def work(url: str, count: int) -> None:
    store = open_store(url)
    for _ in range(count):
        store.jobs.finish(running(store), Outcome())
    store.close()


def test_kernels_that_make_and_write_one_file_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """
    "database is locked" reaches nobody, and no row is lost.
    """
    url = f"sqlite:///{tmp_path / 'new' / 'jobs.db'}"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(url, 30)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [p.exitcode for p in processes] == [0, 0, 0]
    store = open_store(url)
    assert len(store.jobs.list(limit=200)) == 90
    store.close()


def test_a_store_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_text("this is no database, but a text that is long enough" * 20)

    with pytest.raises(StoreUnavailable, match=r"jobs\.db"):
        open_store(f"sqlite:///{tmp_path / 'jobs.db'}")
    with pytest.raises(StoreUnavailable):
        open_store(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreUnavailable) as caught:
        open_store("postgresql+psycopg://ana:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in str(caught.value)


def test_a_store_of_an_earlier_version_is_brought_up_to_date_with_its_jobs(store_url: str) -> None:
    """
    Jobs that an earlier program wrote stay as they are; those that it left open are nobody's to end.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "fusion_magic:store/migrations")
    engine = sa.create_engine(store_url)
    job_id, now = uuid4(), datetime.now(UTC)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(
            sa.insert(metadata.tables["job"]),
            {
                "id": job_id,
                "status": "RUNNING",
                "user_query": "SELECT 1",
                "created": now,
                "updated": now,
            },
        )
        detail = metadata.tables["job_detail"]
        old = sa.table("job_detail", *(sa.column(c.name, c.type) for c in detail.c))
        values = {"owner": "ana", "origin": "", "engine": "trino", "profile": "", "query_id": "q"}
        connection.execute(sa.insert(old), {"job_id": job_id, **values})
    engine.dispose()

    opened = open_store(store_url)

    found = opened.jobs.find(job_id)
    assert found is not None
    assert (found.status, found.owner, found.query_id) == (JobStatus.RUNNING, "ana", "q")
    assert opened.processes.foreground_jobs() == []
    opened.jobs.finish(job_id, Outcome())
    opened.close()


def made(name: str, digest: str = "1", engine: str = "trino://a") -> MadeCatalog:
    return MadeCatalog(
        engine=engine,
        name=name,
        metadata_url="https://om.example/api",
        source_fqn=f"{name}.db",
        digest=digest,
        owner="ana",
        made=datetime(2026, 1, 2, tzinfo=UTC),
    )


def test_catalogs_that_were_made_are_told_by_engine(store: SqlStore) -> None:
    for one in (made("b"), made("a"), made("c", engine="trino://other")):
        store.catalogs.record(one)

    assert store.catalogs.of("trino://a") == [made("a"), made("b")]

    store.catalogs.record(made("a", digest="2"))
    store.catalogs.forget(made("a", digest="1"))  # it was made again since
    store.catalogs.forget(made("b"))
    assert store.catalogs.of("trino://a") == [made("a", digest="2")]


def test_one_process_alone_makes_a_catalog_anew(store: SqlStore) -> None:
    store.catalogs.record(made("a"))

    assert not store.catalogs.claim(made("a", digest="other"), seconds=60)
    assert store.catalogs.claim(made("a"), seconds=0.0)
    assert store.catalogs.claim(made("a"), seconds=60)  # the first one's time is over
    assert not store.catalogs.claim(made("a"), seconds=60)
    store.catalogs.record(made("a", digest="2"))
    assert store.catalogs.claim(made("a", digest="2"), seconds=60)


def test_an_open_job_names_a_catalog(store: SqlStore) -> None:
    job_id = running(store)

    assert store.catalogs.is_named("a.")
    assert not store.catalogs.is_named("_.")
    assert not store.catalogs.is_named("b.")
    store.jobs.fail(job_id, error="no")
    assert not store.catalogs.is_named("a.")
