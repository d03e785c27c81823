"""
The demo: a folder with a catalog, notebooks and real data, written from what the package holds.

In the wheel all of it stands beside this file, in a checkout at its top: the folder ``notebooks``. Its data are small (see
``data/SOURCE.md``); ``generate`` makes larger ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from fusion_magic.demo import packed

FOLDER = "fusion-demo"
FIRST = "quickstart.ipynb"
# How the stored outputs are compared, and what a person's own JupyterLab leaves behind, are no part of the demo.
_LEFT_OUT = frozenset({"sanitize.cfg", ".ipynb_checkpoints", ".fusion", "__pycache__"})


def write_folder(folder: Path, *, scale: float | None = None) -> list[str]:
    """
    Write what is missing in *folder*; what is there stays as it is.

    Args:
        scale: The scale factor of TPC-H to generate the data at; None for the data of the package, or for
            those that are there already.

    Returns:
        The catalog and the notebooks that are there and differ from the package's, by name.

    Raises:
        UsageError: Data are to be generated, and the generator is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if scale is not None:
        from fusion_magic.demo.generate import generate

        generate(folder, scale)
    has_data = (folder / "data" / "SOURCE.md").exists()
    kept = []
    for name in packed_files():
        source, target = packed.FOLDER / name, folder / name
        if not target.exists() and not (has_data and name.parts[0] == "data"):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        elif len(name.parts) == 1 and target.read_bytes() != source.read_bytes():
            kept.append(str(name))
    return kept


def packed_files() -> Iterator[Path]:
    """
    The demo's files, relative to its folder. What tells the data's source comes last, when all data are there.
    """
    found = [path.relative_to(packed.FOLDER) for path in packed.FOLDER.rglob("*") if path.is_file()]
    yield from sorted(
        (name for name in found if not _LEFT_OUT & set(name.parts)),
        key=lambda name: (name.name == "SOURCE.md", name),
    )


def notebooks_in(folder: Path) -> list[Path]:
    """
    The notebooks of *folder*, the quickstart first.
    """
    return sorted(folder.glob("*.ipynb"), key=lambda path: (path.name != FIRST, path.name))
