"""
A query as a view, on the embedded default and on real Trino.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_magic import connect
from fusion_magic.commands import all_commands
from fusion_magic.commands.about_views import ViewOptions
from fusion_magic.commands.command import NoOptions
from fusion_magic.errors import InvalidArgument, QueryFailed, UnsupportedSql
from fusion_magic.fusion import Fusion
from fusion_magic.present import Answer, Text
from fusion_magic.present.tables import Table

CATALOG = """version: 1
models:
  shop.db.public.orders:
    trino: tpch.tiny.orders
    source: orders.csv
    columns: [{name: orderkey, type: bigint}, {name: totalprice, type: double}]
  out.db.default.known: {trino: memory.default.known}
  out.db.lake.known: {trino: iceberg.default.known}
"""
VIEW = "out.db.default.large"
LARGE = "SELECT o.orderkey FROM shop.db.public.orders o WHERE o.orderkey < 3"


@pytest.fixture(params=["duckdb", pytest.param("trino", marks=pytest.mark.trino)])
def fusion(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fusion]:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "orders.csv").write_text("orderkey,totalprice\n1,172799.49\n2,38426.09\n3,1.0\n")
    url = "duckdb://"
    if request.param == "trino":
        url = request.getfixturevalue("trino_url").replace("http", "trino", 1)
    with connect(
        metadata_url=str(tmp_path / "catalog.yaml"), data_dir=str(tmp_path), engine_url=url
    ) as opened:
        yield opened
        for name in ("large", "small"):
            opened.run(f"DROP VIEW IF EXISTS out.db.default.{name}")


def ask(fusion: Fusion, name: str, view: str = "") -> Answer:
    command = all_commands()[name]
    return command.answer(fusion, ViewOptions(fqn=view) if view else NoOptions())


def listed(fusion: Fusion) -> list[tuple[str, str, str]]:
    shown = ask(fusion, "views").shown
    assert isinstance(shown, Table)
    return [(row[0], row[1], row[4]) for row in shown.rows]


def test_a_query_becomes_a_view_with_its_lineage(fusion: Fusion) -> None:
    made = fusion.run(LARGE, view=VIEW)

    assert (made.update_type, made.row_count) == ("CREATE VIEW", 0)
    assert fusion.run(f"SELECT count(*) FROM {VIEW}").rows() == [(2,)]
    upstream, _ = fusion.lineage(VIEW)
    assert list(upstream) == ["shop.db.public.orders"]
    assert [e.target_column for e in fusion.job(made.job_id).column_edges()] == ["orderkey"]


def test_the_same_cell_runs_again_and_another_query_replaces_the_view(fusion: Fusion) -> None:
    fusion.run(LARGE, view=VIEW)
    fusion.run(LARGE, view=VIEW)
    fusion.run(LARGE.replace("< 3", "= 1"), view=VIEW)

    assert fusion.run(f"SELECT count(*) FROM {VIEW}").rows() == [(1,)]


def test_a_view_that_others_have_made_is_kept(fusion: Fusion) -> None:
    statement = fusion.translate(f"CREATE VIEW {VIEW} AS {LARGE}")
    list(fusion.engine.execute(statement.engine_query("")).batches())

    with pytest.raises(QueryFailed) as caught:
        fusion.run(LARGE.replace("< 3", "= 1"), view=VIEW)

    assert str(caught.value.hint).startswith("--replace puts this one in its place")
    assert fusion.run("SELECT count(*) FROM memory.default.large").rows() == [(2,)]
    fusion.run(LARGE.replace("< 3", "= 1"), view=VIEW, if_exists="replace")

    assert fusion.run(f"SELECT count(*) FROM {VIEW}").rows() == [(1,)]


def test_views_are_listed_shown_and_dropped(fusion: Fusion) -> None:
    fusion.run(LARGE, view=VIEW)
    fusion.run(f"CREATE VIEW out.db.default.small AS SELECT l.orderkey FROM {VIEW} l")
    fusion.run(f"SELECT * FROM {VIEW}")

    assert [(name, kind) for name, kind, _ in listed(fusion)] == [
        (VIEW, "view"),
        ("out.db.default.small", "view"),
    ]
    assert ask(fusion, "views show", VIEW).shown == Text(LARGE)
    ask(fusion, "views drop", VIEW)
    fusion.run("DROP VIEW out.db.default.small")
    assert listed(fusion) == []
    with pytest.raises(InvalidArgument, match=r"has made a view out\.db\.default\.large"):
        ask(fusion, "views show", VIEW)


def test_what_no_view_can_be_is_refused_by_name(fusion: Fusion) -> None:
    with pytest.raises(InvalidArgument, match="one of these"):
        fusion.run(LARGE, view=VIEW, into="out.db.default.known")
    with pytest.raises(InvalidArgument, match="no rows of its own"):
        fusion.run(LARGE, view=VIEW, if_exists="append")
    with pytest.raises(InvalidArgument, match="how a view is made"):
        fusion.run(LARGE, materialized=True)
    with pytest.raises(InvalidArgument, match="DELETE gives none"):
        fusion.run("DELETE FROM out.db.default.known", view=VIEW)
    with pytest.raises((QueryFailed, UnsupportedSql), match="materialized views") as caught:
        fusion.run(LARGE, view=VIEW, materialized=True)
    assert caught.value.hint


def test_a_view_of_a_stored_result_is_refused(tmp_path: Path) -> None:
    """
    The result's next version would not be in it.
    """
    with connect(data_dir=str(tmp_path)) as fusion:
        fusion.run("SELECT 1 AS x", name="kept")

        with pytest.raises(UnsupportedSql, match=r"cannot read fusion\.results\.kept") as caught:
            fusion.run("SELECT * FROM kept", view="memory.main.v")

        assert caught.value.span is not None


def test_a_background_job_makes_a_view(tmp_path: Path) -> None:
    """
    Whether the view is our own is known when the job is submitted.
    """
    with connect(data_dir=str(tmp_path), engine_url=f"duckdb:///{tmp_path / 'e.db'}") as fusion:
        for number in (1, 2):
            job = fusion.submit(f"SELECT {number} AS x", view="e.main.v")
            assert job.wait(timeout=120).status.value == "FINISHED"

        assert fusion.run("SELECT x FROM e.main.v").rows() == [(2,)]
