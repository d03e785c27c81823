"""
``%fusion lineage`` in a shell: what jobs have done, whether it was delivered or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from fusion_magic.commands import all_commands
from fusion_magic.errors import FusionError, InvalidArgument, UnknownFqn
from fusion_magic.notebook.arguments import parse_command_line


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("FUSION_WORKER_START", "never")
    (tmp_path / "t.csv").write_text("id,x\n1,a\n")
    (tmp_path / "catalog.yaml").write_text(
        "version: 1\nmodels:\n  shop.db.public.orders: {source: t.csv}\n"
    )
    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]
    shell.run_line_magic("load_ext", "fusion_magic")
    shell.run_line_magic("config", f"FusionMagics.metadata_url = '{tmp_path / 'catalog.yaml'}'")
    shell.run_line_magic("config", f"FusionMagics.data_dir = '{tmp_path}'")
    run = shell.run_cell_magic
    run(
        "fusion",
        "-q",
        "CREATE TABLE shop.db.public.a AS SELECT id AS key FROM shop.db.public.orders",
    )
    run(
        "fusion", "-q", "CREATE TABLE shop.db.public.b AS SELECT key + 1 AS n FROM shop.db.public.a"
    )
    yield shell
    shell.run_line_magic("unload_ext", "fusion_magic")


def lineage(shell: Any, rest: str) -> Any:
    return shell.run_line_magic("fusion", f"lineage {rest}")


def test_what_still_waits_in_the_queue_is_drawn(shell: Any) -> None:
    found = lineage(shell, "shop.db.public.b")

    assert found.text().splitlines() == [
        *("shop.db.public.b", "made from", "  shop.db.public.a", "    shop.db.public.orders"),
        "2 edges",
    ]
    bundle = found._repr_mimebundle_()
    assert bundle["text/plain"] == found.text()
    assert bundle["text/html"].count("<rect") == 3


def test_delivery_changes_nothing_of_it(shell: Any) -> None:
    fusion = shell.fusion_magics.connection()
    before = lineage(shell, "shop.db.public.b --columns")
    scheduler = fusion.wiring.open_scheduler()
    while fusion.store.outbox.pending():
        scheduler.deliver_due()

    assert lineage(shell, "shop.db.public.b --columns") == before


def test_options_say_how_far_and_what(shell: Any) -> None:
    assert len(lineage(shell, "shop.db.public.b --depth 1").edges) == 1
    assert lineage(shell, "shop.db.public.a --down").upstream == ()
    assert lineage(shell, "shop.db.public.a --up").downstream == ()
    traced = lineage(shell, "shop.db.public.b --column=N")
    assert [(c.source_column, c.target_column) for c in traced.columns] == [
        ("key", "n"),
        ("id", "key"),
    ]


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "a b",
        "a --depth",
        "a --depth x",
        "a --depth 0",
        "a --deep",
        "shop.db.public.b --column no",
    ],
)
def test_options_that_cannot_be_are_refused(shell: Any, rest: str) -> None:
    with pytest.raises((InvalidArgument, UnknownFqn)):
        lineage(shell, rest)


def test_a_name_with_spaces_stays_one_name() -> None:
    line = 'fusion.notebooks."my report.ipynb" --depth=2'
    wanted: Any = parse_command_line(all_commands()["lineage"], line)

    assert wanted.fqn == 'fusion.notebooks."my report.ipynb"'
    assert wanted.depth == 2


def test_what_is_used_together_is_recommended_most_first_and_failures_do_not_count(
    shell: Any,
) -> None:
    fusion = shell.fusion_magics.connection()
    for other in ("a", "b", "b"):
        fusion.run(f"SELECT 1 AS x FROM shop.db.public.orders CROSS JOIN shop.db.public.{other}")
    with pytest.raises(FusionError):
        fusion.run("SELECT nonsense(b.n) FROM shop.db.public.orders CROSS JOIN shop.db.public.b")

    assert fusion.recommend("shop.db.public.orders") == [
        ("shop.db.public.a", 2),
        ("shop.db.public.b", 2),
    ]
    assert fusion.recommend("shop.db.public.b", limit=1) == [("shop.db.public.orders", 2)]
    table = shell.run_line_magic("fusion", "recommend shop.db.public.b")
    assert table.rows[0] == ("shop.db.public.orders", 2)
    with pytest.raises(UnknownFqn):
        shell.run_line_magic("fusion", "recommend no.such.public.table")
