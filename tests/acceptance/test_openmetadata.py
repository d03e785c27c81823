"""
Cells whose names an OpenMetadata server knows, on the embedded default and on real Trino.

The server is the one of ``fusion_magic.testing``, which ``tests/contracts/openmetadata`` holds equal to a real one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_magic import connect
from fusion_magic.doctor import examine
from fusion_magic.errors import (
    AmbiguousFqn,
    InvalidSettings,
    MetadataRefuses,
    MetadataUnavailable,
    QueryFailed,
    UnknownFqn,
)
from fusion_magic.fusion import Fusion
from fusion_magic.store import JobStatus
from fusion_magic.testing.openmetadata import OpenMetadataServer

ORDERS, NATION = "prod.tpch.tiny.orders", "tpch_svc.only.tiny.nation"


@pytest.fixture
def server() -> Iterator[OpenMetadataServer]:
    with OpenMetadataServer(version="1.6.0") as started:
        started.add_table(
            ORDERS,
            {"orderkey": "BIGINT", "custkey": "BIGINT", "totalprice": "DOUBLE"},
            service_type="Trino",
            description="One row per order.",
        )
        started.add_table(NATION, {"nationkey": "BIGINT", "name": "VARCHAR"})
        started.add_table("gone.db.public.t", {"id": "BIGINT"})
        yield started


@pytest.fixture
def on_trino(server: OpenMetadataServer, trino_url: str, tmp_path: Path) -> Iterator[Fusion]:
    with connected(server, tmp_path, engine_url=trino_url.replace("http", "trino", 1)) as opened:
        yield opened


def connected(server: OpenMetadataServer, folder: Path, **settings: Any) -> Fusion:
    given = {
        "metadata_url": server.url,
        "metadata_token": server.token,
        "data_dir": str(folder),
        "catalogs": "tpch_svc=tpch out=memory",
    }
    return connect(**(given | settings))


@pytest.mark.trino
def test_a_cell_leaves_the_ids_of_openmetadata_and_its_lineage(
    server: OpenMetadataServer, on_trino: Fusion
) -> None:
    result = on_trino.run(
        f"SELECT n.name, count(*) FROM {ORDERS} o CROSS JOIN {NATION} n WHERE n.nationkey = 1 GROUP BY 1",
        origin="a.ipynb",
    )

    assert result.rows() == [("ARGENTINA", 15000)]
    handle = on_trino.job(result.job_id)
    assert {m.fully_qualified_name: m.model_id_of_om for m in handle.models()} == {
        fqn: server.get("table", fqn)["id"] for fqn in (ORDERS, NATION)
    }
    assert [m.trino_model_name for m in handle.models()] == ["tpch.tiny.orders", "tpch.tiny.nation"]
    assert {(e.source_fqn, e.source_column) for e in handle.column_edges()} == {(NATION, "name")}


@pytest.mark.trino
def test_a_new_table_lies_where_its_schema_does(
    server: OpenMetadataServer, on_trino: Fusion
) -> None:
    server.add("databaseService", name="out", serviceType="Hive")
    server.add("database", name="default", service="out")
    server.add("databaseSchema", name="default", database="out.default")

    on_trino.run(f"CREATE TABLE out.default.default.made AS SELECT name FROM {NATION}")

    result = on_trino.run("SELECT count(*) FROM out.default.default.made")
    assert result.rows() == [(25,)]
    assert on_trino.job(result.job_id).models()[0].trino_model_name == "memory.default.made"
    on_trino.run("DROP TABLE out.default.default.made")


@pytest.mark.trino
def test_a_trino_name_leads_back_to_its_fqn(on_trino: Fusion) -> None:
    result = on_trino.run("SELECT count(*) FROM tpch.tiny.orders")

    assert [m.fully_qualified_name for m in on_trino.job(result.job_id).models()] == [ORDERS]


@pytest.mark.trino
def test_a_catalog_that_the_engine_lacks_is_told_with_the_ways_on(on_trino: Fusion) -> None:
    with pytest.raises(QueryFailed) as caught:
        on_trino.run("SELECT id FROM gone.db.public.t")

    assert '[tool.fusion.catalogs] gone = "…"' in (caught.value.hint or "")
    assert "trinoCatalog" in (caught.value.hint or "")


def test_an_unknown_name_and_one_that_was_deleted_are_told_apart(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    with connected(server, tmp_path) as fusion:
        with pytest.raises(UnknownFqn) as unknown:
            fusion.run("SELECT 1 FROM prod.tpch.tiny.oders")
        server.soft_delete("gone.db.public.t")
        with pytest.raises(UnknownFqn) as deleted:
            fusion.run("SELECT 1 FROM gone.db.public.t")

        assert unknown.value.similar[0] == ORDERS
        assert "was deleted" not in unknown.value.message
        assert "It was deleted in OpenMetadata by " in deleted.value.message
        assert [job.status for job in fusion.jobs()] == [JobStatus.FAILED] * 2


def test_names_in_another_case_are_found_where_one_fits(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    server.add_table("pg.shop.public.Twice", {"id": "INT"})
    server.add_table("pg.shop.public.twice", {"id": "INT"})
    with connected(server, tmp_path) as fusion:
        assert [
            m.fully_qualified_name
            for m in fusion.translate("SELECT 1 FROM PROD.TPCH.tiny.ORDERS").models
        ] == [ORDERS]
        with pytest.raises(AmbiguousFqn):
            fusion.translate("SELECT 1 FROM pg.shop.public.TWICE")


def test_a_table_that_is_known_by_name_alone_is_told_on_the_embedded_engine(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    with connected(server, tmp_path) as fusion, pytest.raises(QueryFailed) as caught:
        fusion.run(f"SELECT 1 FROM {ORDERS}")

    assert ORDERS in caught.value.message
    assert "a catalog file gives a source" in (caught.value.hint or "")


def test_old_names_go_on_with_a_notice_while_the_server_is_away(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    server.add_table("gone.db.public.made", {"id": "INT"})
    with connected(server, tmp_path, metadata_max_age="1s") as fusion:
        fusion.run("CREATE TABLE gone.db.public.made AS SELECT 1 AS id")
        time.sleep(1.1)
        server.stop()

        result = fusion.run("SELECT id FROM gone.db.public.made")

        assert result.rows() == [(1,)]
        assert [w for w in result.warnings if "does not answer: names are as they were on" in w]
        with pytest.raises(MetadataUnavailable, match="cannot be looked up"):
            fusion.run("SELECT 1 FROM gone.db.public.never_seen")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"metadata_url": "{base}"}, "end in /api?"),
        ({"metadata_url": "{base}/api/v1"}, "ends in /v1"),
        ({"metadata_url": "https{rest}"}, "cannot be asked"),
        ({"metadata_url": "http://openmetadata.invalid/api"}, "everybody on the way"),
        ({"metadata_token": "a.b.c"}, "does not accept metadata.token"),
        ({"metadata_token": None}, "wants a token"),
    ],
)
def test_the_doctor_says_what_is_wrong_with_each_first_mistake(
    server: OpenMetadataServer, tmp_path: Path, change: dict[str, str | None], part: str
) -> None:
    base = server.url.removesuffix("/api")
    rest = server.url.removeprefix("http")
    filled = {k: v and v.format(base=base, rest=rest) for k, v in change.items()}
    with connected(server, tmp_path, **filled) as fusion:
        check = next(c for c in examine(fusion.wiring) if c.part == "metadata")

    assert check.state == "wrong"
    assert part in f"{check.problem} {check.hint}"
    assert server.token not in f"{check}"


def test_the_doctor_says_where_names_come_from(server: OpenMetadataServer, tmp_path: Path) -> None:
    with connected(server, tmp_path) as fusion:
        checks = {c.part: c for c in examine(fusion.wiring)}

    assert (
        "OpenMetadata 1.6.0 as ingestion-bot (a bot), 3 names of 3 services"
        in checks["metadata"].what
    )
    assert "openmetadata" in checks["packages"].what


def test_a_token_that_lost_its_rights_is_told_in_the_cell(
    server: OpenMetadataServer, tmp_path: Path
) -> None:
    with connected(server, tmp_path) as fusion:
        server.revoke_token()
        with pytest.raises(MetadataRefuses) as caught:
            fusion.run(f"SELECT 1 FROM {ORDERS}")
    assert server.token not in str(caught.value)


def test_a_secret_is_not_sent_in_the_open(tmp_path: Path) -> None:
    settings = {"metadata_url": "http://om.example/api", "metadata_token": "s3cret"}
    with (
        connect(**settings, data_dir=str(tmp_path)) as fusion,
        pytest.raises(InvalidSettings) as caught,
    ):
        fusion.search("orders")
    assert "s3cret" not in str(caught.value)
