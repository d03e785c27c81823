"""
SQL cells over OpenMetadata names.

    %load_ext fusion_magic

Importing this package imports nothing heavy: the public names are loaded when they are
first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusion_magic.fusion import Fusion as Fusion
    from fusion_magic.fusion import connect as connect
    from fusion_magic.results import Result as Result

_HOMES = {
    "Fusion": "fusion_magic.fusion",
    "connect": "fusion_magic.fusion",
    "Result": "fusion_magic.results",
}

__all__ = ["Fusion", "Result", "connect", "load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """
    Jupyter's hook behind ``%load_ext fusion_magic``.
    """
    from fusion_magic.notebook.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """
    Jupyter's hook behind ``%unload_ext fusion_magic``.
    """
    from fusion_magic.notebook.magics import unload

    unload(shell)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("fusion-magic")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
