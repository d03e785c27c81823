"""
Whole notebooks without a person: on the embedded default, against a catalog that the caller names.

``fusion demo`` and ``fusion_magic.testing`` run notebooks this way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fusion_magic.config import other_variables
from fusion_magic.errors import MissingExtra


def run_notebook(path: Path, *, catalog: Path, data_dir: Path, timeout_s: int = 600) -> Any:
    """
    Run the notebook at *path* with every setting of the environment replaced by the embedded default.

    Args:
        path: The notebook; it is not written to. Its folder is the kernel's working directory.

        catalog: The catalog file whose names the notebook uses.

        data_dir: Where its job store and results go, so that it can be looked at afterwards.

        timeout_s: Most seconds for one cell.

    Returns:
        The notebook as ``nbformat`` has it, with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed that has no tag ``raises-exception``.
        MissingExtra: nbclient or ipykernel is not installed.
    """
    try:
        import ipykernel  # noqa: F401 - the kernel would be missed only after a minute's wait
        import nbformat
        from nbclient import NotebookClient
    except ImportError as exc:
        raise MissingExtra("Running notebooks", extra="testing") from exc
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat is untyped
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout_s,
        resources={"metadata": {"path": str(path.parent)}},
        # Its warning that loopback is not encrypted says nothing about the notebook.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    unattended = {"FUSION_PROGRESS": "none", "FUSION_WORKER_IDLE_S": "5"}
    client.execute(env=embedded_environment(catalog.resolve(), data_dir.resolve()) | unattended)
    return notebook


def embedded_environment(catalog: Path, data_dir: Path) -> dict[str, str]:
    """
    This process's environment with every setting of ours replaced by the embedded default.
    """
    kept = other_variables()
    return kept | {
        "FUSION_METADATA_URL": str(catalog),
        "FUSION_DATA_DIR": str(data_dir),
        "FUSION_ENGINE_URL": "duckdb://",
        "FUSION_STORE_URL": f"sqlite:///{data_dir / 'fusion.db'}",
    }
