"""
``fusion demo`` runs the demo's notebooks and prints them, ``fusion lab`` opens them, both in ``fusion-demo`` of this folder.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from fusion_magic.cli.output import print_json
from fusion_magic.cli.parameters import Json
from fusion_magic.demo.folder import FIRST, FOLDER, notebooks_in, write_folder
from fusion_magic.errors import FusionError, MissingExtra
from fusion_magic.notebook.run_notebook import embedded_environment, run_notebook

Scale = Annotated[
    float | None,
    typer.Option(
        metavar="FACTOR", help="generate TPC-H at this scale factor, by tpchgen-cli (0.1: 22 MB)"
    ),
]
Traces = dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]]


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module.
    """
    app.command(name="demo")(run_demo)
    # What it does not know is meant for JupyterLab.
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(lab)


def run_demo(scale: Scale = None, as_json: Json = False) -> None:
    """
    Write the demo to the folder fusion-demo, run its notebooks there, and print their cells and what they left behind.
    """
    _require("fusion demo", "nbclient", "ipykernel")
    folder = _prepared(scale)
    ran: dict[str, list[dict[str, str]]] = {}
    # A job store of its own, so that each run starts afresh and leaves the person's own alone.
    with tempfile.TemporaryDirectory() as data_dir:
        for path in notebooks_in(folder):
            if not as_json:
                print(f"\n{'═' * 80}\n{FOLDER}/{path.name}", flush=True)
            cells = [_shown(cell) for cell in _run_cells(path, folder, Path(data_dir))]
            ran[path.name] = cells
            if not as_json:
                _print_cells(cells)
        traces = _traces(folder, Path(data_dir))
    if as_json:
        rows = {
            name: [dict(zip(head, row, strict=True)) for row in rows]
            for name, (head, rows) in traces.items()
        }
        print_json({"folder": str(folder), "notebooks": ran, **rows})
    else:
        _print_traces(traces)
        print("\nTo try it yourself: fusion lab")


def lab(context: typer.Context, scale: Scale = None) -> int:
    """
    Write the demo to the folder fusion-demo, and open it in JupyterLab, which gets all further options.
    """
    _require("fusion lab", "jupyterlab", "ipykernel")
    folder = _prepared(scale)
    environment = embedded_environment(folder / "catalog.yaml", folder / ".fusion")
    return subprocess.call(  # noqa: S603 - our own interpreter and notebook
        [sys.executable, "-m", "jupyterlab", FIRST, *context.args], cwd=folder, env=environment
    )


def _require(what: str, *modules: str) -> None:
    if not all(map(find_spec, modules)):
        raise MissingExtra(f"`{what}`", extra="lab")


def _prepared(scale: float | None) -> Path:
    """
    The demo's folder with everything in it.
    """
    folder = Path(FOLDER).resolve()
    is_new = not folder.exists()
    kept = write_folder(folder, scale=scale)
    if is_new:
        print(f"Wrote {folder}: a catalog, notebooks and data.", file=sys.stderr)
    for name in kept:
        print(
            f"Kept {FOLDER}/{name}, which differs from the package's: delete it to get that one.",
            file=sys.stderr,
        )
    return folder


def _run_cells(path: Path, folder: Path, data_dir: Path) -> list[Any]:
    from nbclient.exceptions import CellExecutionError

    try:
        return list(run_notebook(path, catalog=folder / "catalog.yaml", data_dir=data_dir).cells)
    except CellExecutionError as exc:
        raise FusionError(
            f"{FOLDER}/{path.name} stopped at a cell: {exc.ename}: {exc.evalue}",
            hint=f"Mend the cell, or delete {FOLDER}/{path.name} to get the package's notebook.",
        ) from exc


def _shown(cell: Any) -> dict[str, str]:
    """
    A cell's text and what it printed.
    """
    return {"source": cell.source, "output": "\n".join(map(_text, cell.get("outputs", ())))}


def _text(output: Any) -> str:
    if output.output_type == "error":
        return "\n".join(output.traceback)
    text: str = output.get("text") or output.get("data", {}).get("text/plain", "")
    return text.rstrip("\n")


def _print_cells(cells: list[dict[str, str]]) -> None:
    for cell in cells:
        print(f"\n{'─' * 80}\n{cell['source']}")
        if cell["output"]:
            print(f"\n{cell['output']}")


def _traces(folder: Path, data_dir: Path) -> Traces:
    """
    The jobs, names and lineage in the notebooks' job store: by kind, the headings and the rows.
    """
    from fusion_magic.fusion import connect

    with connect(
        metadata_url=str(folder / "catalog.yaml"),
        data_dir=str(data_dir),
        store_url=f"sqlite:///{data_dir / 'fusion.db'}",
        engine_url="duckdb://",
    ) as fusion:
        jobs = list(reversed(fusion.jobs(limit=100)))
        return {
            "jobs": (
                ("Job", "Status", "Rows", "Query"),
                [
                    (str(j.id)[:8], j.status.value, j.row_count, " ".join(j.user_query.split()))
                    for j in jobs
                ],
            ),
            "names": (
                ("Job", "Name", "Trino name"),
                [
                    (str(j.id)[:8], m.fully_qualified_name, m.trino_model_name)
                    for j in jobs
                    for m in fusion.job(j.id).models()
                ],
            ),
            "lineage": (
                ("Id", "Command", "From", "To"),
                [
                    (n, r.command, r.from_fqn or "", r.model_name_fqn)
                    for n, r in fusion.store.outbox.pending()
                ],
            ),
        }


def _print_traces(traces: Traces) -> None:
    from fusion_magic.present.tables import Table

    print(f"\n{'═' * 80}\nWhat the notebooks left behind")
    for title, key in (
        ("Jobs", "jobs"),
        ("Names that the jobs used (fusion_model)", "names"),
        ("Lineage that waits for OpenMetadata (model_queue)", "lineage"),
    ):
        print(f"\n{title}")
        print(Table(*traces[key]).text())
