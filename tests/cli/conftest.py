"""
A folder with a catalog, in which commands run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

CATALOG = """version: 1
models:
  shop.db.public.orders:
    source: orders.csv
    description: One row per order.
    columns:
      - {name: id, type: bigint}
      - {name: note, type: varchar, description: What the customer said.}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "orders.csv").write_text("id,note\n1,first\n2,\n3,last\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
