"""
Catalogs that are made when a cell names a table of theirs: on real Trino, over real PostgreSQL and Iceberg.

``tests/jobs/test_catalogs.py`` has the rules in every turn.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import connect
from fusion_magic.engines import EngineQuery
from fusion_magic.engines.trino.engine import TrinoEngine
from fusion_magic.engines.trino.settings import TrinoSettings
from fusion_magic.errors import MissingCatalog, QueryFailed
from fusion_magic.fusion import Fusion
from fusion_magic.jobs.catalogs import CatalogChange, CatalogKeeper
from fusion_magic.sql.create_catalog import CatalogPlan, plan_catalog
from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.catalogs_trino import PASSWORD, USER, CatalogsTrino
from tests.servers.trino import TrinoServer
from tests.sql.connections import CONNECTIONS, Case, source

pytestmark = pytest.mark.trino
TPCH = CatalogPlan(name="made", connector="tpch", source="made.db", properties={})


def test_an_operator_who_forbids_it_is_named_with_what_to_do(tmp_path: Path) -> None:
    """
    Most installations have static catalogs.
    """
    server = TrinoServer(tmp_path / "server", has_static_catalogs=True).start()
    engine = TrinoEngine(TrinoSettings(base_url=server.url, user="test"))
    try:
        with pytest.raises(QueryFailed) as made:
            engine.catalog_maker.make(TPCH)
        with pytest.raises(QueryFailed) as dropped:
            engine.catalog_maker.drop("tpch")
    finally:
        engine.close()
        server.stop()

    for caught in (made, dropped):
        assert "catalog.management=dynamic" in (caught.value.hint or "")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogsTrino]:
    made = CatalogsTrino(tmp_path_factory.mktemp("catalogs"))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def engine(place: CatalogsTrino) -> Iterator[TrinoEngine]:
    made = TrinoEngine(TrinoSettings(base_url=place.trino.url, user="test"))
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        yield started


def add(server: OpenMetadataServer, name: str, host: str, *databases: str) -> None:
    config = {
        "hostPort": host,
        "username": USER,
        "database": databases[0],
        "authType": {"password": PASSWORD},
    }
    server.add("databaseService", name=name, serviceType="Postgres", connection={"config": config})
    for database in databases:
        server.add_table(f"{name}.{database}.public.orders", {"id": "BIGINT", "total": "DOUBLE"})


def opened(
    server: OpenMetadataServer, place: CatalogsTrino, folder: Path, **settings: Any
) -> Fusion:
    given = {
        "engine_url": place.trino.url.replace("http", "trino", 1),
        "metadata_url": server.url,
        "metadata_token": server.token,
        "data_dir": str(folder),
        "engine_create_catalogs": "always",
    }
    return connect(**(given | settings))


@pytest.mark.parametrize("case", [c for c in CONNECTIONS if c.is_taken], ids=lambda c: c.name)
def test_trino_takes_each_connection(engine: TrinoEngine, case: Case) -> None:
    """
    A wrong property, or a variable in a place where it is not resolved, would be refused.
    """
    plan = plan_catalog(source(case.service_type, case.config))
    try:
        assert engine.catalog_maker.make(plan)
        assert plan.name in engine.catalogs()
        assert not engine.catalog_maker.make(plan)
    finally:
        engine.catalog_maker.drop(plan.name)
    assert plan.name not in engine.catalogs()
    engine.catalog_maker.drop(plan.name)


def test_hive_is_taken_with_the_metastore_of_the_settings(engine: TrinoEngine) -> None:
    given = {"shop": {"hive.metastore.uri": "thrift://metastore.example:9083"}}
    try:
        assert engine.catalog_maker.make(plan_catalog(source("Hive", {}), given))
    finally:
        engine.catalog_maker.drop("shop")


def test_a_cell_makes_the_catalog_that_it_needs(
    server: OpenMetadataServer, place: CatalogsTrino, tmp_path: Path
) -> None:
    add(server, "shop_pg", place.host, "shop")
    with opened(server, place, tmp_path) as fusion:
        result = fusion.run("SELECT id, total FROM shop_pg.shop.public.orders ORDER BY id")

        assert result.rows() == [(1, 2.5), (2, 4.0)]
        assert [m.trino_model_name for m in fusion.job(result.job_id).models()] == [
            "shop_pg.public.orders"
        ]
        fusion.run("CREATE TABLE shop_pg.shop.public.paid AS SELECT * FROM shop_pg.public.orders")
        assert fusion.run("SELECT count(*) FROM shop_pg.shop.public.paid").rows() == [(2,)]
        fusion.run("DROP TABLE shop_pg.shop.public.paid")
    queries = str(place.trino.query("SELECT query FROM system.runtime.queries"))
    assert "CREATE CATALOG shop_pg" in queries
    assert PASSWORD not in queries
    kept = (place.trino.work / "etc" / "catalog" / "shop_pg.properties").read_text()
    assert PASSWORD not in kept


def test_several_databases_are_several_catalogs(
    server: OpenMetadataServer, place: CatalogsTrino, tmp_path: Path
) -> None:
    """
    Each catalog has its own variable; the settings let them share one.
    """
    add(server, "company", place.host, "shop", "hr")
    properties = {"company": {"connection-password": "${ENV:FUSION_CATALOG_HR_PG_PASSWORD}"}}
    with opened(server, place, tmp_path, catalog_properties=properties) as fusion:
        result = fusion.run(
            "SELECT s.id, h.id FROM company.shop.public.orders s CROSS JOIN company.hr.public.orders h ORDER BY 1"
        )

    assert result.rows() == [(1, 7), (2, 7)]


def test_a_background_job_finds_its_catalog(
    server: OpenMetadataServer, place: CatalogsTrino, tmp_path: Path
) -> None:
    add(server, "hr_pg", place.host, "hr")
    with opened(server, place, tmp_path) as fusion:
        handle = fusion.submit("SELECT id FROM hr_pg.hr.public.orders", name="ids")

        assert handle.result(timeout=120).rows() == [(7,)]


def test_leave_is_asked_for(
    server: OpenMetadataServer, place: CatalogsTrino, tmp_path: Path
) -> None:
    add(server, "lake", place.host, "shop")
    with opened(server, place, tmp_path, engine_create_catalogs="ask") as fusion:
        reads = "SELECT count(*) FROM lake.shop.public.orders"
        with pytest.raises(MissingCatalog, match="CREATE CATALOG lake USING postgresql"):
            fusion.run(reads)
        assert fusion.run(reads, create_catalogs=True).rows() == [(2,)]
        assert fusion.run(reads).rows() == [(2,)]
        fusion.engine.catalog_maker.drop("lake")  # type: ignore[union-attr] # Trino has one


def test_a_variable_that_trino_lacks_is_named(
    server: OpenMetadataServer, place: CatalogsTrino, tmp_path: Path
) -> None:
    add(server, "unset", place.host, "shop")
    with opened(server, place, tmp_path) as fusion, pytest.raises(QueryFailed) as caught:
        fusion.run("SELECT 1 FROM unset.shop.public.orders")

    assert "its environment has no FUSION_CATALOG_UNSET_PASSWORD" in caught.value.message
    assert "catalog_properties" in (caught.value.hint or "")


def test_kernels_at_the_same_time_make_one(
    server: OpenMetadataServer, place: CatalogsTrino, tmp_path: Path
) -> None:
    add(server, "race", place.host, "shop")
    found: list[object] = []
    start = threading.Barrier(4)

    def kernel() -> None:
        with opened(server, place, tmp_path) as fusion:
            fusion.store.check()
            start.wait()
            try:
                found.append(fusion.run("SELECT count(*) FROM race.shop.public.orders").rows())
            except Exception as error:
                found.append(error)

    threads = [threading.Thread(target=kernel) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [[(2,)]] * 4
    with opened(server, place, tmp_path) as fusion:
        known = fusion.store.catalogs.of(fusion.engine.dataset_namespace() or "")
        assert [made.source_fqn for made in known] == ["race.shop"]


@contextmanager
def long_query(engine: TrinoEngine, catalog: str) -> Iterator[None]:
    """
    A query that names the catalog while the block runs.
    """
    sql = f"SELECT count(*) FROM tpch.sf1000.lineitem WHERE comment = '{catalog}'"
    execution = engine.execute(EngineQuery(sql, job_id=""))
    arriving = execution.arrivals()
    while execution.progress().state != "RUNNING":
        next(arriving)
    try:
        yield
    finally:
        execution.cancel()
        arriving.close()


def when_free(keeper: CatalogKeeper) -> CatalogChange:
    deadline = time.monotonic() + 30
    while True:
        [change] = keeper.changes()
        if change.action != "stays" or time.monotonic() > deadline:
            return change
        time.sleep(0.2)


def test_a_connection_that_moved_is_followed_once_nothing_runs_on_it(
    server: OpenMetadataServer, place: CatalogsTrino, engine: TrinoEngine, tmp_path: Path
) -> None:
    add(server, "moved", place.host, "shop")
    reads = "SELECT count(*) FROM moved.shop.public.orders"
    with opened(server, place, tmp_path) as fusion:
        assert fusion.run(reads).rows() == [(2,)]
        add(server, "moved", place.host.replace("127.0.0.1", "localhost"), "shop")
        keeper = fusion.wiring.catalogs
        with long_query(engine, "moved"):
            assert [(c.made.name, c.action) for c in keeper.changes()] == [("moved", "stays")]
        change = when_free(keeper)
        assert change.action == "make anew"
        assert keeper.apply(change) == "made anew"
        assert fusion.run(reads).rows() == [(2,)]

        server.hard_delete("moved", kind="databaseService")
        assert keeper.apply(when_free(keeper)) == "dropped"
        assert "moved" not in fusion.engine.catalogs()


def test_iceberg_over_its_jdbc_catalog(
    server: OpenMetadataServer, place: CatalogsTrino, tmp_path: Path
) -> None:
    """
    OpenMetadata has no words for that catalog: the settings give it whole.
    """
    server.add_table("lake.default.sales.made", {"id": "BIGINT"}, service_type="Iceberg")
    lake = {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "jdbc",
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        "iceberg.jdbc-catalog.connection-url": f"jdbc:postgresql://{place.host}/lake",
        "iceberg.jdbc-catalog.connection-user": USER,
        "iceberg.jdbc-catalog.connection-password": "${ENV:FUSION_CATALOG_LAKE_PASSWORD}",
        "iceberg.jdbc-catalog.catalog-name": "lake",
        "iceberg.jdbc-catalog.default-warehouse-dir": "local:///wh",
        "fs.native-local.enabled": "true",
        "local.location": str(place.warehouse),
    }
    with opened(server, place, tmp_path, catalog_properties={"lake": lake}) as fusion:
        with pytest.raises(QueryFailed):
            fusion.run(
                "SELECT id FROM lake.default.sales.made"
            )  # no schema yet; the catalog is made
        fusion.run("CREATE SCHEMA lake.sales")
        fusion.run("CREATE TABLE lake.default.sales.made AS SELECT 7 AS id")
        fusion.run("INSERT INTO lake.default.sales.made VALUES 8")

        assert fusion.run("SELECT id FROM lake.default.sales.made ORDER BY 1").rows() == [
            (7,),
            (8,),
        ]
    assert list(place.warehouse.rglob("*.parquet"))
