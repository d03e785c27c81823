"""
When catalogs are made, made anew and dropped, with an engine of which only the catalogs count.

``tests/engines/trino/test_catalogs.py`` does the same on real Trino.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fusion_magic import connect
from fusion_magic.engines.duckdb.engine import DuckDBEngine
from fusion_magic.errors import InvalidArgument, MetadataUnavailable, MissingCatalog, QueryFailed
from fusion_magic.fusion import Fusion
from fusion_magic.jobs import catalogs as module
from fusion_magic.sql.create_catalog import CatalogPlan
from fusion_magic.store import Converted, NewJob
from fusion_magic.testing.openmetadata import OpenMetadataServer

ORDERS = "pg.shop.public.orders"
READS = f"SELECT 1 FROM {ORDERS}"
CONNECTION = {
    "hostPort": "db.example:5432",
    "username": "ana",
    "database": "shop",
    "authType": {"password": "s3cret"},
}


class Maker:
    """
    The port ``CatalogMaker`` in memory.
    """

    def __init__(self) -> None:
        self.there = {"memory": ""}
        self.used: set[str] = set()
        self.log: list[str] = []
        self.fails = False
        self._lock = threading.Lock()

    def make(self, plan: CatalogPlan) -> bool:
        if self.fails:
            raise QueryFailed("No.")
        with self._lock:
            if plan.name in self.there:
                return False
            self.log.append(f"make {plan.name}")
            self.there[plan.name] = plan.statement
            return True

    def drop(self, name: str) -> None:
        self.log.append(f"drop {name}")
        self.there.pop(name, None)

    def is_used(self, name: str) -> bool:
        return name in self.used


class Engine(DuckDBEngine):
    """
    Its catalogs are those of its maker.
    """

    def __init__(self) -> None:
        super().__init__("duckdb://")
        self.maker = Maker()

    @property
    def catalog_maker(self) -> Maker:
        return self.maker

    def catalogs(self) -> frozenset[str]:
        return frozenset(self.maker.there)


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        put(started)
        started.add_table(ORDERS, {"id": "BIGINT"})
        yield started


def put(server: OpenMetadataServer, **changed: Any) -> None:
    body: dict[str, Any] = {"name": "pg", "serviceType": "Postgres"}
    server.add("databaseService", **body, connection={"config": CONNECTION | changed})


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


@pytest.fixture
def maker(engine: Engine) -> Maker:
    return engine.maker


@pytest.fixture
def fusion(server: OpenMetadataServer, engine: Engine, tmp_path: Path) -> Iterator[Fusion]:
    with opened(server, engine, tmp_path) as made:
        yield made


def opened(server: OpenMetadataServer, engine: Engine, folder: Path, **settings: Any) -> Fusion:
    given = {
        "metadata_url": server.url,
        "metadata_token": server.token,
        "data_dir": str(folder),
        "engine_create_catalogs": "always",
    }
    fusion = connect(**(given | settings))
    fusion.wiring.engine = engine
    return fusion


def ensure(fusion: Fusion, sql: str = READS, *, is_allowed: bool = False) -> None:
    fusion.wiring.catalogs.ensure(fusion.translate(sql), is_allowed=is_allowed)


def reread(fusion: Fusion) -> None:
    """
    Let go of what is kept of the connection, as time would.
    """
    fusion.metadata._cache.forget_fact("connection:pg")  # type: ignore[attr-defined]


def recorded(fusion: Fusion) -> list[tuple[str, str]]:
    return [(one.name, one.source_fqn) for one in fusion.store.catalogs.of("duckdb")]


def changes(fusion: Fusion) -> list[tuple[str, str]]:
    return [(change.made.name, change.action) for change in fusion.wiring.catalogs.changes()]


def test_a_catalog_is_made_once_and_written_down(fusion: Fusion, maker: Maker) -> None:
    ensure(fusion)
    ensure(fusion)
    ensure(fusion, f"CREATE TABLE pg.shop.public.other AS SELECT * FROM {ORDERS}")

    assert maker.log == ["make pg"]
    assert "s3cret" not in maker.there["pg"]
    assert recorded(fusion) == [("pg", "pg.shop")]


def test_without_leave_the_cell_shows_what_would_be_made(
    server: OpenMetadataServer, engine: Engine, tmp_path: Path
) -> None:
    with opened(server, engine, tmp_path, engine_create_catalogs="ask") as fusion:
        with pytest.raises(MissingCatalog) as caught:
            fusion.run(READS)

        told = str(caught.value)
        assert "jdbc:postgresql://db.example:5432/shop" in told
        assert "s3cret" not in told
        assert "--create-catalogs" in told
        assert "FUSION_CATALOG_PG_PASSWORD where it runs" in told
        assert "^" * len(ORDERS) in told
        assert engine.maker.log == []
        assert fusion.jobs()[0].error == caught.value.message

        ensure(fusion, is_allowed=True)
        assert engine.maker.log == ["make pg"]


def test_never_means_never(server: OpenMetadataServer, engine: Engine, tmp_path: Path) -> None:
    with opened(server, engine, tmp_path, engine_create_catalogs="never") as fusion:
        ensure(fusion)
        with pytest.raises(InvalidArgument, match=r"create_catalogs is never"):
            ensure(fusion, is_allowed=True)

    assert engine.maker.log == []


def test_an_engine_that_makes_none_is_not_asked(server: OpenMetadataServer, tmp_path: Path) -> None:
    settings = {"metadata_url": server.url, "metadata_token": server.token}
    with connect(**settings, data_dir=str(tmp_path), engine_create_catalogs="always") as fusion:
        server.clear_requests()
        ensure(fusion)
        assert fusion.wiring.catalogs.changes() == []

    assert [request for request in server.requests if "services" in request.path] == []


def test_a_catalog_of_somebody_elses_is_used_as_it_is(
    server: OpenMetadataServer, fusion: Fusion, maker: Maker
) -> None:
    maker.there["pg"] = "theirs"
    translation = fusion.translate(READS)
    server.clear_requests()

    fusion.wiring.catalogs.ensure(translation, is_allowed=True)

    assert (maker.log, maker.there["pg"], recorded(fusion)) == ([], "theirs", [])
    assert server.requests == []


def test_whoever_comes_second_goes_on(
    fusion: Fusion, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Somebody makes it by hand between the look and the statement.
    """
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    monkeypatch.setattr(engine, "catalogs", lambda: frozenset({"memory"}))
    engine.maker.there["pg"] = "theirs"

    ensure(fusion)

    assert (engine.maker.there["pg"], recorded(fusion)) == ("theirs", [])


def test_jobs_at_the_same_time_make_one(fusion: Fusion, maker: Maker) -> None:
    translation = fusion.translate(READS)
    start = threading.Barrier(8)
    errors: list[BaseException] = []

    def job() -> None:
        start.wait()
        try:
            fusion.wiring.catalogs.ensure(translation, is_allowed=False)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=job) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert maker.log == ["make pg"]
    assert recorded(fusion) == [("pg", "pg.shop")]


def test_two_databases_are_not_taken_for_one_another(
    server: OpenMetadataServer, fusion: Fusion, engine: Engine, tmp_path: Path
) -> None:
    """
    The catalog of the database ``b_c`` of ``a`` would be called as that of the database ``c`` of ``a_b``.
    """
    for service, databases in {"a": ("b_c", "x"), "a_b": ("c", "x")}.items():
        body: dict[str, Any] = {"name": service, "serviceType": "Postgres"}
        server.add("databaseService", **body, connection={"config": CONNECTION})
        for database in databases:
            server.add_table(f"{service}.{database}.public.t", {"id": "BIGINT"})
    ensure(fusion, "SELECT 1 FROM a.b_c.public.t")

    with pytest.raises(MissingCatalog) as caught:
        ensure(fusion, "SELECT 1 FROM a_b.c.public.t")

    assert "which was made for a.b_c" in caught.value.message
    assert '[tool.fusion.catalogs] "a_b.c"' in (caught.value.hint or "")
    assert recorded(fusion) == [("a_b_c", "a.b_c")]


def test_a_changed_connection_makes_it_anew_when_nobody_uses_it(
    server: OpenMetadataServer, fusion: Fusion, maker: Maker
) -> None:
    ensure(fusion)
    put(server, hostPort="new.example:5432")
    reread(fusion)

    maker.used.add("pg")
    ensure(fusion)
    assert "db.example" in maker.there["pg"]
    assert changes(fusion) == [("pg", "stays")]

    maker.used.clear()
    assert changes(fusion) == [("pg", "make anew")]
    ensure(fusion)
    assert "new.example" in maker.there["pg"]
    assert maker.log == ["make pg", "drop pg", "make pg"]
    assert changes(fusion) == [("pg", "stays")]


def test_a_job_that_waits_keeps_its_catalog(
    server: OpenMetadataServer, fusion: Fusion, maker: Maker
) -> None:
    ensure(fusion)
    job_id = uuid4()
    fusion.store.jobs.create(NewJob(id=job_id, user_query=READS, owner="ana"))
    fusion.store.jobs.start(job_id, Converted("", models=fusion.translate(READS).models))
    put(server, hostPort="new.example:5432")
    reread(fusion)

    assert changes(fusion) == [("pg", "stays")]
    fusion.store.jobs.fail(job_id, error="")
    assert changes(fusion) == [("pg", "make anew")]


def test_a_connection_that_is_not_shown_any_more_changes_nothing(
    server: OpenMetadataServer, fusion: Fusion, maker: Maker
) -> None:
    ensure(fusion)
    server.add("databaseService", name="pg", serviceType="Postgres", connection={"config": {}})
    reread(fusion)

    ensure(fusion)

    assert maker.log == ["make pg"]
    assert changes(fusion) == [("pg", "stays")]


def test_what_trino_forgot_is_made_again(fusion: Fusion, maker: Maker) -> None:
    """
    A catalog in memory ends with Trino.
    """
    ensure(fusion)
    maker.there.pop("pg")

    assert changes(fusion) == [("pg", "forget")]
    ensure(fusion)
    assert maker.log == ["make pg", "make pg"]
    assert recorded(fusion) == [("pg", "pg.shop")]


def test_what_could_not_be_made_is_not_written_down(fusion: Fusion, maker: Maker) -> None:
    maker.fails = True

    with pytest.raises(QueryFailed):
        ensure(fusion)

    assert recorded(fusion) == []


def test_the_catalog_of_a_deleted_service_is_dropped(
    server: OpenMetadataServer, fusion: Fusion, maker: Maker
) -> None:
    ensure(fusion)
    maker.there["theirs"] = ""
    server.hard_delete("pg", kind="databaseService")
    keeper = fusion.wiring.catalogs

    maker.used.add("pg")
    assert changes(fusion) == [("pg", "stays")]
    maker.used.clear()
    [change] = keeper.changes()
    assert (change.action, "not in the metadata any more" in change.why) == ("drop", True)

    assert keeper.apply(change) == "dropped"
    assert set(maker.there) == {"memory", "theirs"}
    assert (recorded(fusion), changes(fusion)) == ([], [])


def test_a_server_that_is_away_drops_nothing(
    server: OpenMetadataServer, fusion: Fusion, maker: Maker
) -> None:
    ensure(fusion)
    server.stop()

    with pytest.raises(MetadataUnavailable):
        fusion.wiring.catalogs.changes()


def test_what_another_server_had_made_is_its_own_affair(
    fusion: Fusion, engine: Engine, tmp_path: Path
) -> None:
    """
    The same store and engine with other names: to them the service is not there, and nothing follows from that.
    """
    ensure(fusion)
    with OpenMetadataServer(version="1.6.0") as other, opened(other, engine, tmp_path) as second:
        assert second.wiring.catalogs.changes() == []
        put(other)
        other.add_table(ORDERS, {"id": "BIGINT"})
        with pytest.raises(MissingCatalog, match="was made for"):
            ensure(second)


def test_a_second_database_gives_the_first_another_catalog(
    server: OpenMetadataServer, fusion: Fusion, maker: Maker
) -> None:
    ensure(fusion)
    server.add_table("pg.hr.public.staff", {"id": "BIGINT"})

    [change] = fusion.wiring.catalogs.changes()

    assert (change.action, change.why) == ("drop", "pg.shop is the catalog pg_shop now")


def test_settings_forbid_changes_too(
    server: OpenMetadataServer, fusion: Fusion, engine: Engine, tmp_path: Path
) -> None:
    ensure(fusion)
    server.hard_delete("pg", kind="databaseService")
    with opened(server, engine, tmp_path, engine_create_catalogs="never") as forbidden:
        [change] = forbidden.wiring.catalogs.changes()
        with pytest.raises(InvalidArgument):
            forbidden.wiring.catalogs.apply(change)

    assert "pg" in engine.maker.there


def test_a_change_that_another_process_makes_is_left_to_it(
    server: OpenMetadataServer, fusion: Fusion, maker: Maker
) -> None:
    ensure(fusion)
    put(server, hostPort="new.example:5432")
    [change] = fusion.wiring.catalogs.changes()
    fusion.store.catalogs.claim(change.made, seconds=60)

    assert fusion.wiring.catalogs.apply(change) == "is being changed by another process"
    assert maker.log == ["make pg"]
