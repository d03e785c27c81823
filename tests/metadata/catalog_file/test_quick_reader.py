"""
The quick reader of catalog files: what it gives is what the careful one gives, and it passes over no mistake.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion_magic.errors import InvalidCatalog
from fusion_magic.metadata.catalog_file.quick_reader import NotPlain, read_entries
from fusion_magic.metadata.catalog_file.reader import read_catalog

PART = st.sampled_from(["a", "B", "raw.events", 'say "x"', "émile", "2024", "null"])
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    st.sampled_from(
        ["", "~", "null", "yes", "1.0", "a: b", "# no", "- x", "*a", "&a", "!t", "|", "'"]
    ),
    st.none(),
)
TEXTS = st.lists(TEXT, max_size=2)
ODD = st.one_of(TEXT, TEXTS, st.integers(), st.booleans(), st.just({"x": 1}))
SOURCE = st.sampled_from(
    ["t.csv", "./t.csv", "../t.csv", "/x/y", "a//b", "s3://b/k", "duckdb:f.db#t", "a b/*.csv"]
)
COLUMN = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=3)}, optional={"type": TEXT, "tags": TEXTS}
)
MODEL = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from([None, "", "6f1c0000-0000-4000-8000-000000000000", "x"]),
        "kind": st.sampled_from(["table", "view", "container", None, "", "tabel"]),
        "trino": st.sampled_from(["x.y.z", 'X."Y".z', "", None, "a.b.c.d"]),
        "source": SOURCE,
        "description": TEXT,
        "owners": st.one_of(TEXTS, ODD),
        "tags": TEXTS,
        "deprecated": TEXT,
        "columns": st.one_of(st.lists(st.one_of(COLUMN, ODD), max_size=2), ODD),
        "sourc": st.just("x"),
    },
)
FQN = st.lists(PART, min_size=1, max_size=4).map(
    lambda parts: ".".join(
        '"' + part.replace('"', '""') + '"' if "." in part or '"' in part else part
        for part in parts
    )
)
CATALOG = st.fixed_dictionaries(
    {"version": st.sampled_from([1, 1, 1, 1, 2, "1"])},
    optional={"models": st.dictionaries(FQN, st.one_of(MODEL, st.none()), max_size=4)},
)


def carefully(path: Path) -> list[dict[str, Any]] | str:
    try:
        return [plain(said(asdict(entity))) for entity in read_catalog(path)]
    except InvalidCatalog as error:
        return str(error)


def said(entry: dict[str, Any]) -> dict[str, Any]:
    """
    An entry without what a file never says.
    """
    unsaid = {"deleted", "alerts", "as_of", "files"}
    return {key: value for key, value in entry.items() if key not in unsaid}


def quickly(path: Path) -> list[dict[str, Any]] | None:
    try:
        return [plain(entry) for entry in read_entries(path)]
    except NotPlain:
        return None


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(CATALOG, st.sampled_from([None, True, False]))
def test_it_gives_what_the_careful_reader_gives_or_leaves_the_file_to_it(
    tmp_path: Path, catalog: dict[str, Any], style: bool | None
) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(
        yaml.safe_dump(catalog, default_flow_style=style, sort_keys=False, allow_unicode=True)
    )

    found = quickly(path)

    assert found is None or found == carefully(path)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nmodels:\n  a.b: {description: One., tags: [x], columns: [{name: id, type: bigint}]}\n",
        'version: 1\nmodels:\n  s3."raw.events".c:\n    kind: container\n    source: ../x/*.csv\n',
        "version: 1\nmodels:\n  a.b:\n    description: >\n      Two\n      lines.\n  a.c:\n",
        "\ufeffversion: 1\r\nmodels:\r\n  a.b: {description: with CRLF}\r\n",
    ],
)
def test_a_usual_file_is_not_left_to_the_careful_reader(tmp_path: Path, text: str) -> None:
    """
    Or it would be no quicker.
    """
    path = tmp_path / "catalog.yaml"
    path.write_bytes(text.encode())

    found = quickly(path)

    assert found is not None
    assert found == carefully(path)
