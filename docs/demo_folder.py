"""
The demo's names and data, for pages and tests that run.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from fusion_magic.cli.demo import make_data, notebooks_folder


def make_demo_folder(folder: Path) -> Path:
    """
    *folder* with the demo's catalog and data in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make_data(folder)
    shutil.copy(notebooks_folder() / "catalog.yaml", folder)
    return folder
