"""
Whole cells, from names to rows and what they leave behind, on the embedded default and on real Trino.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_magic import connect
from fusion_magic.errors import (
    FusionError,
    InvalidArgument,
    QueryFailed,
    ResultTooLarge,
    UnknownFqn,
    UnsupportedSql,
)
from fusion_magic.fusion import Fusion
from fusion_magic.store import JobStatus

CATALOG = """version: 1
models:
  shop.db.public.orders:
    trino: tpch.tiny.orders
    source: orders.csv
    deprecated: Use orders_v2.
    columns:
      - {name: orderkey, type: bigint}
      - {name: custkey, type: bigint, tags: [PII.Sensitive]}
      - {name: totalprice, type: double}
  out.db.default.known: {trino: memory.default.known}
  out.db.default.planned: {trino: memory.default.plan}
"""


@pytest.fixture(params=["duckdb", pytest.param("trino", marks=pytest.mark.trino)])
def fusion(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fusion]:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "orders.csv").write_text(
        "orderkey,custkey,totalprice\n1,370,172799.49\n2,781,38426.09\n3,1234,1.0\n"
    )
    url = "duckdb://"
    if request.param == "trino":
        url = request.getfixturevalue("trino_url").replace("http", "trino", 1)
    with connect(
        metadata_url=str(tmp_path / "catalog.yaml"), data_dir=str(tmp_path), engine_url=url
    ) as opened:
        yield opened


def test_a_query_leaves_a_job_its_names_and_its_lineage(fusion: Fusion) -> None:
    result = fusion.run(
        "SELECT orders.totalprice FROM shop.db.public.orders WHERE orderkey <= :n ORDER BY orderkey LIMIT 2",
        params={"n": 2},
        origin="a.ipynb",
    )

    assert result.rows() == [(172799.49,), (38426.09,)]
    job = fusion.job(result.job_id).job
    assert (job.status, job.limit_, job.row_count) == (JobStatus.FINISHED, 2, 2)
    assert [m.trino_model_name for m in fusion.job(result.job_id).models()] == ["tpch.tiny.orders"]
    assert [
        (r.command, r.from_fqn, r.model_name_fqn) for r in fusion.job(result.job_id).queued()
    ] == [
        ("INGESTION", None, 'fusion.notebooks."a.ipynb"'),
        ("LINEAGE", "shop.db.public.orders", 'fusion.notebooks."a.ipynb"'),
    ]
    assert [e.source_column for e in fusion.job(result.job_id).column_edges()] == ["totalprice"]
    assert result.warnings == ("shop.db.public.orders is deprecated: Use orders_v2.",)


def test_an_unknown_name_is_refused_before_the_engine_and_leaves_a_failed_job(
    fusion: Fusion,
) -> None:
    with pytest.raises(UnknownFqn) as caught:
        fusion.run("SELECT *\nFROM shop.db.public.oders")

    assert caught.value.similar[0] == "shop.db.public.orders"
    assert "line 2: FROM shop.db.public.oders" in str(caught.value)
    job = fusion.jobs()[0]
    assert (job.status, job.user_query) == (JobStatus.FAILED, "SELECT *\nFROM shop.db.public.oders")
    assert fusion.job(job.id).queued() == []


def test_an_engines_error_is_the_jobs_error(fusion: Fusion) -> None:
    with pytest.raises(QueryFailed, match=r"(?i)division by zero"):
        fusion.run("SELECT orderkey / 0 FROM shop.db.public.orders")

    assert "ivision by zero" in str(fusion.jobs()[0].error)


def test_a_table_that_a_job_made_is_known_to_the_next(fusion: Fusion) -> None:
    try:
        fusion.run(
            "CREATE TABLE out.db.default.made AS SELECT orderkey AS k FROM shop.db.public.orders WHERE orderkey < 3"
        )

        assert fusion.run("SELECT count(*) FROM out.db.default.made").rows() == [(2,)]
        assert fusion.lineage("out.db.default.made")[0] == ("shop.db.public.orders",)
    finally:
        fusion.run("DROP TABLE IF EXISTS out.db.default.made")


def test_a_script_stops_at_its_first_failure(fusion: Fusion) -> None:
    with pytest.raises(FusionError):
        list(fusion.run_script("SELECT 1; SELECT * FROM no.such.table_.here; SELECT 2"))

    assert [j.user_query for j in reversed(fusion.jobs())] == [
        "SELECT 1",
        "SELECT * FROM no.such.table_.here",
    ]


def test_integers_divide_as_in_trino(fusion: Fusion) -> None:
    assert fusion.run("SELECT 7 / 2, -7 / 2, 7e0 / 2").rows() == [(3, -3, 3.5)]


def test_use_completes_names(fusion: Fusion) -> None:
    fusion.run("USE shop.db.public")

    assert fusion.run("SELECT count(*) FROM orders WHERE orderkey < 4").rows() == [(3,)]


def test_a_result_beyond_the_memory_set_aside_stops_with_a_hint(tmp_path: Path) -> None:
    with connect(data_dir=str(tmp_path), metadata_url="", results_max_memory="1 KiB") as fusion:
        with pytest.raises(ResultTooLarge) as caught:
            fusion.run("SELECT * FROM UNNEST(sequence(1, 10000)) AS t(n)")

        assert "--limit" in str(caught.value.hint)
        assert fusion.jobs()[0].status is JobStatus.FAILED


def test_what_duckdb_would_do_differently_is_refused_by_name(tmp_path: Path) -> None:
    with (
        connect(data_dir=str(tmp_path)) as fusion,
        pytest.raises(UnsupportedSql, match="format_datetime"),
    ):
        fusion.run("SELECT format_datetime(now(), 'y')")


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell; s = InteractiveShell(); "
        "before = set(sys.modules); s.run_line_magic('load_ext', 'fusion_magic'); "
        "heavy = {'pandas', 'sqlalchemy', 'sqlglot', 'trino', 'pyarrow', 'duckdb', 'ipywidgets'}; "
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip().splitlines()[-1] == "[]"


SPENT = (
    "SELECT custkey AS customer, totalprice AS spent FROM shop.db.public.orders WHERE orderkey < 3"
)


def test_an_engine_writes_a_querys_rows_to_a_table(fusion: Fusion) -> None:
    try:
        result = fusion.run(SPENT, into="out.db.default.spent")

        assert (result.update_type, result.rows_changed, result.row_count) == ("CREATE TABLE", 2, 0)
        job = fusion.job(result.job_id).job
        assert job.user_query == SPENT
        assert str(job.converted_query).startswith("CREATE TABLE memory.default.spent AS\nSELECT")
        assert [(r.command, r.model_name_fqn) for r in fusion.job(result.job_id).queued()] == [
            ("INGESTION", "out.db.default.spent"),
            ("LINEAGE", "out.db.default.spent"),
        ]
        edges = fusion.job(result.job_id).column_edges()
        assert [(e.source_column, e.target_fqn, e.target_column) for e in edges] == [
            ("custkey", "out.db.default.spent", "customer"),
            ("totalprice", "out.db.default.spent", "spent"),
        ]

        fusion.run(SPENT, into="out.db.default.spent", if_exists="append")

        assert fusion.run("SELECT count(*) FROM out.db.default.spent").rows() == [(4,)]
        with pytest.raises(QueryFailed, match="already exists") as caught:
            fusion.run(SPENT, into="out.db.default.spent")
        assert caught.value.message == "out.db.default.spent already exists."
        assert "--append" in str(caught.value.hint)
        assert "DROP TABLE out.db.default.spent" in str(caught.value.hint)
    finally:
        fusion.run("DROP TABLE IF EXISTS out.db.default.spent")


@pytest.mark.parametrize(
    ("sql", "way_on"),
    [
        ("CREATE TABLE out.db.default.taken AS SELECT 1 AS a", "CREATE OR REPLACE TABLE"),
        ("CREATE TABLE out.db.default.taken (a bigint)", "IF NOT EXISTS"),
        ("CREATE VIEW out.db.default.taken AS SELECT 1 AS a", "DROP "),
        ("ALTER TABLE out.db.default.other\n RENAME TO out.db.default.taken", "another name"),
    ],
)
def test_a_table_that_exists_is_named_as_the_cell_names_it(
    fusion: Fusion, sql: str, way_on: str
) -> None:
    """
    Engines name it by their inner name, DuckDB without a place: "Run All" twice is a person's first error.
    """
    try:
        fusion.run("CREATE TABLE out.db.default.taken AS SELECT 1 AS a")
        fusion.run("CREATE TABLE out.db.default.other AS SELECT 1 AS a")

        with pytest.raises(QueryFailed) as caught:
            fusion.run(sql)

        error = caught.value
        assert error.message == "out.db.default.taken already exists."
        assert error.span is not None
        assert sql[slice(*error.span)] == "out.db.default.taken"
        assert way_on in str(error.hint)
        assert "DROP TABLE out.db.default.taken" in str(error.hint)
    finally:
        fusion.run("DROP TABLE IF EXISTS out.db.default.taken")
        fusion.run("DROP TABLE IF EXISTS out.db.default.other")


def test_a_view_that_exists_is_named_as_the_cell_names_it(fusion: Fusion) -> None:
    make = "CREATE VIEW out.db.default.seen AS SELECT 1 AS a"
    fusion.run(make)
    try:
        with pytest.raises(QueryFailed, match=r"out\.db\.default\.seen already exists") as caught:
            fusion.run(make)

        assert "CREATE OR REPLACE VIEW" in str(caught.value.hint)
        assert "DROP VIEW out.db.default.seen" in str(caught.value.hint)
    finally:
        fusion.run("DROP VIEW out.db.default.seen")


def test_a_table_is_replaced_where_the_connector_can(fusion: Fusion) -> None:
    fusion.run(SPENT, into="out.db.default.spent")
    try:
        if fusion.engine.name == "trino":
            with pytest.raises(QueryFailed, match="does not support replacing") as caught:
                fusion.run(SPENT, into="out.db.default.spent", if_exists="replace")
            assert "DROP TABLE" in str(caught.value.hint)
            return
        fusion.run(SPENT, into="out.db.default.spent", if_exists="replace", limit=1)

        assert fusion.run("SELECT count(*) FROM out.db.default.spent").rows() == [(1,)]
    finally:
        fusion.run("DROP TABLE IF EXISTS out.db.default.spent")


def test_a_table_to_write_to_that_cannot_be_is_refused(fusion: Fusion) -> None:
    with pytest.raises(UnknownFqn, match=r"no\.such\.schema\.spent") as caught:
        fusion.run(SPENT, into="no.such.schema.spent")
    assert caught.value.span is None
    with pytest.raises(InvalidArgument, match="SHOW CATALOGS gives none"):
        fusion.run("SHOW CATALOGS", into="out.db.default.spent")
    with pytest.raises(InvalidArgument, match="one of these"):
        fusion.run(SPENT, into="out.db.default.spent", name="spent")
    with pytest.raises(InvalidArgument, match="if_exists is 'drop'"):
        fusion.run(SPENT, into="out.db.default.spent", if_exists="drop")


def test_only_the_last_statement_of_a_cell_is_written(fusion: Fusion) -> None:
    try:
        cell = f"USE shop.db.public; {SPENT.replace('shop.db.public.orders', 'orders')}"
        results = list(fusion.run_script(cell, into="out.db.default.spent"))

        assert [result.update_type for result in results] == ["USE", "CREATE TABLE"]
    finally:
        fusion.run("DROP TABLE IF EXISTS out.db.default.spent")


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM out.db.default.planned", "DROP TABLE out.db.default.planned"]
)
def test_a_table_that_the_engine_does_not_have_is_named_as_the_cell_names_it(
    fusion: Fusion, sql: str
) -> None:
    """
    The catalog knows it, and nobody has made it.
    """
    with pytest.raises(QueryFailed) as caught:
        fusion.run(sql)

    assert "out.db.default.planned" in caught.value.message
    assert "memory.default" not in str(caught.value)
