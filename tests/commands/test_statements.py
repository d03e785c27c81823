"""
What a dry run tells of a statement.
"""

from __future__ import annotations

from pathlib import Path

from fusion_magic import connect
from fusion_magic.commands.statements import dry_run
from fusion_magic.present.tables import Table

CATALOG = """
version: 1
models:
  s3."web.events".clicks:
    source: clicks.csv
    columns: [{name: Id, type: bigint}]
  a.b.c.seen:
    source: clicks.csv
    columns: [{name: Id, type: bigint}]
"""


def edges(folder: Path, sql: str, **options: str) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    (folder / "clicks.csv").write_text("Id\n1\n")
    (folder / "catalog.yaml").write_text(CATALOG)
    with connect(
        metadata_url=str(folder / "catalog.yaml"), data_dir=str(folder / "data")
    ) as fusion:
        shown = list(dry_run(fusion, sql, **options))[-1].shown
    assert isinstance(shown, Table)
    return [tuple(map(str, row)) for row in shown.rows], tuple(shown.notes)  # type: ignore[misc]


def test_columns_go_by_the_names_of_the_metadata(tmp_path: Path) -> None:
    """
    Quoted as an FQN is, spelled as the metadata spells them, however the SQL wrote them.
    """
    found, _ = edges(tmp_path, 'SELECT ID AS n FROM S3."web.events".Clicks')

    assert found == [('s3."web.events".clicks.Id', "n")]


def test_the_target_of_a_statement_that_writes(tmp_path: Path) -> None:
    found, _ = edges(tmp_path, 'INSERT INTO a.b.c.seen SELECT id FROM s3."web.events".clicks')

    assert found == [('s3."web.events".clicks.Id', "a.b.c.seen.Id")]


def test_a_statement_that_moves_no_rows_has_no_edges(tmp_path: Path) -> None:
    assert edges(tmp_path, "DROP TABLE a.b.c.seen") == ([], ())
