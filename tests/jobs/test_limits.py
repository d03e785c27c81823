"""
What a statement may read and give, by the estimates of a real Trino and of an engine that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fusion_magic import connect
from fusion_magic.errors import InvalidSettings, QueryFailed, RefusedByGovernance
from fusion_magic.fusion import Fusion
from fusion_magic.store import JobStatus

CATALOG = """version: 1
models:
  shop.db.public.orders:
    trino: tpch.tiny.orders
    source: orders.csv
    columns: [{name: orderkey, type: bigint}, {name: custkey, type: bigint}]
  out.db.default.copy: {trino: memory.default.limited_copy}
"""
NOT_READ = "The engine has no estimate of what is read: governance.max_scan was not checked before the run."
NOT_COUNTED = (
    "The engine has no estimate of the rows: governance.max_rows was not checked before the run."
)
Open = Callable[..., Fusion]


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Open]:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "orders.csv").write_text("orderkey,custkey\n1,370\n2,781\n")
    with ExitStack() as stack:

        def open_with(**settings: str) -> Fusion:
            given = {"metadata_url": str(tmp_path / "catalog.yaml"), "data_dir": str(tmp_path)}
            return stack.enter_context(connect(**(given | settings)))

        yield open_with


@pytest.fixture
def on_trino(embedded: Open, trino_url: str) -> Open:
    url = trino_url.replace("http", "trino", 1)
    return lambda **settings: embedded(engine_url=url, **settings)


def test_an_unknown_estimate_is_told(embedded: Open) -> None:
    fusion = embedded(governance_max_scan="1 B", governance_max_rows="1")

    result = fusion.run("SELECT * FROM shop.db.public.orders")

    assert (result.row_count, result.warnings) == (2, (NOT_READ, NOT_COUNTED))
    assert fusion.run("SELECT 1").warnings == ()
    assert fusion.run("CREATE TABLE shop.db.public.one AS SELECT 1 AS x").warnings == ()
    made = fusion.run(
        "CREATE TABLE shop.db.public.two AS SELECT orderkey FROM shop.db.public.orders"
    )
    assert made.warnings == (NOT_READ,)


@pytest.mark.parametrize("setting", ["governance_max_scan", "governance_max_rows"])
def test_a_limit_that_is_none_is_refused(embedded: Open, setting: str) -> None:
    with pytest.raises(InvalidSettings):
        embedded(**{setting: "much"})


@pytest.mark.trino
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"governance_max_rows": "14999"},
            "expects 15,000 rows, and governance.max_rows allows 14,999",
        ),
        ({"governance_max_scan": "1 kB"}, "and governance.max_scan allows 1.0 kB"),
    ],
)
def test_what_the_engine_expects_is_refused(
    on_trino: Open, settings: dict[str, str], reason: str
) -> None:
    fusion = on_trino(**settings)
    sql = "SELECT orderkey FROM shop.db.public.orders"

    with pytest.raises(RefusedByGovernance, match=reason):
        fusion.run(sql)

    [job] = fusion.jobs()
    assert (job.status, job.query_id) == (JobStatus.FAILED, None)
    result = fusion.run(sql, acknowledge="the whole table is wanted")
    assert (result.row_count, result.warnings) == (15_000, ())


@pytest.mark.trino
def test_what_keeps_the_limits_runs_without_a_word(on_trino: Open) -> None:
    fusion = on_trino(governance_max_rows="15000", governance_max_scan="50 MB")

    assert fusion.run("SELECT * FROM shop.db.public.orders").warnings == ()
    assert fusion.run("SELECT count(*) FROM shop.db.public.orders").warnings == ()


@pytest.mark.trino
def test_a_mistake_is_told_at_its_place(on_trino: Open) -> None:
    fusion = on_trino(governance_max_scan="50 MB")

    with pytest.raises(QueryFailed) as caught:
        fusion.run("SELECT nothing FROM shop.db.public.orders")

    assert caught.value.span is not None
    assert caught.value.span.start == 7


@pytest.mark.trino
def test_rows_that_are_written_are_not_a_result(on_trino: Open) -> None:
    """
    To ask for the estimate makes no table.
    """
    fusion = on_trino(governance_max_rows="10", governance_max_scan="1 kB")
    sql = "CREATE TABLE out.db.default.copy AS SELECT orderkey FROM shop.db.public.orders"

    with pytest.raises(RefusedByGovernance) as caught:
        fusion.run(sql)
    fusion.explain(sql)

    assert "governance.max_rows" not in caught.value.message
    assert not fusion.engine.has_table(("memory", "default", "limited_copy"))


@pytest.mark.trino
def test_trino_holds_the_statement_to_the_limit_too(on_trino: Open) -> None:
    """
    An estimate may be wrong.
    """
    fusion = on_trino(governance_max_scan="50 MB")

    shown = fusion.run("SHOW SESSION LIKE 'query_max_scan_physical_bytes'").rows()

    assert shown[0][1] == "50000000B"
