"""
Where the demo's files stand: in the wheel beside this module, in a checkout at its top.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
FOLDER = next(
    (
        folder / "notebooks"
        for folder in (_HERE, _HERE.parents[1])
        if (folder / "notebooks").is_dir()
    ),
    _HERE / "notebooks",
)
