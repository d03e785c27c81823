"""
Entities as a catalog file, and what became of them since.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fusion_magic.metadata import Column, Entity
from fusion_magic.metadata.catalog_file.reader import read_catalog
from fusion_magic.metadata.catalog_file.writer import (
    differences,
    entry_of,
    relative_source,
    write_catalog,
)

ENTITY = Entity(
    id="11111111-2222-4333-8444-555555555555",
    fqn='s3."raw.events".Clicks',
    kind="container",
    trino_parts=("s3", "Raw.Events", "clicks"),
    description="Größe\nin two lines: # yes",
    owners=("sales", "Ana B."),
    tags=("PII.Sensitive",),
    deprecated="Use others.",
    columns=(Column("id", "bigint", "The id.", ("PII.None",)), Column("null"), Column("1", "date")),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    momentary = replace(ENTITY, alerts=("A test failed.",))

    write_catalog(path, {ENTITY.fqn: entry_of(momentary)}, head="Two\nlines")

    assert read_catalog(path) == [ENTITY]
    assert path.read_text("utf-8").startswith("# Two\n# lines\nversion: 1\n")
    assert [p.name for p in tmp_path.iterdir()] == ["catalog.yaml"]


@pytest.mark.parametrize(
    "source",
    [
        "data/o.csv",
        "../x/*.csv",
        "https://host/o.csv",
        "s3://b/o/*.parquet",
        "sqlite:o.db#t",
        "duckdb:d/o.db#s.t",
    ],
)
def test_a_source_is_written_as_it_was(tmp_path: Path, source: str) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(f"version: 1\nmodels:\n  a.b: {{source: '{source}'}}\n")
    [entity] = read_catalog(path)

    assert relative_source(entity.source, path) == source


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"trino_parts": ("s3", "x", "clicks")},
            'is s3.x.clicks on Trino, and was s3."Raw.Events".clicks',
        ),
        ({"kind": "table"}, "kind: container → table"),
        ({"description": None}, "description: Größe in two lines: # yes → nothing"),
        ({"deprecated": None}, "deprecated: Use others. → nothing"),
        ({"owners": ("sales",)}, "owners: Ana B., sales → sales"),
        ({"tags": ()}, "tags: PII.Sensitive → nothing"),
        ({"columns": ENTITY.columns[:2]}, "column 1 is gone"),
        ({"columns": (*ENTITY.columns, Column("new"))}, "column new is new"),
        ({"columns": ENTITY.columns[::-1]}, "its columns have another order"),
        (
            {"columns": (replace(ENTITY.columns[0], type=None), *ENTITY.columns[1:])},
            "column id: bigint → nothing",
        ),
        (
            {"columns": (replace(ENTITY.columns[0], tags=()), *ENTITY.columns[1:])},
            "column id, tags: PII.None → nothing",
        ),
        ({"deleted": "It was deleted."}, "It was deleted."),
    ],
)
def test_each_change_is_a_sentence(change: dict[str, object], said: str) -> None:
    now = replace(ENTITY, **change)  # type: ignore[arg-type] # fields by name

    assert differences([ENTITY], {ENTITY.fqn: now}) == [(ENTITY.fqn, said)]


def test_what_is_the_same_has_no_changes_and_what_is_gone_is_said() -> None:
    assert differences([ENTITY], {ENTITY.fqn: replace(ENTITY, alerts=("x",))}) == []
    assert differences([ENTITY], {}) == [(ENTITY.fqn, "is no longer there")]
