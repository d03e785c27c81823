"""
The demo: real data, made on the spot, and the quickstart notebook run from beginning to end.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import typer

from fusion_magic.errors import FusionError, InvalidSettings, MissingExtra
from fusion_magic.notebook.run_notebook import run_notebook

SCALE = 0.1
_TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")


def register(app: typer.Typer) -> None:
    """
    Add the commands of this module.
    """
    app.command(name="demo")(run_demo)
    app.command()(lab)


def notebooks_folder() -> Path:
    """
    The folder ``notebooks`` of the checkout.

    Raises:
        InvalidSettings: There is none here: the notebooks are not part of the installed package.
    """
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).parents[2]):
        if (folder / "notebooks" / "quickstart.ipynb").is_file():
            return folder / "notebooks"
    raise InvalidSettings(
        "The demo's notebooks are not here.", hint="Run it in a checkout of the project."
    )


def make_data(folder: Path) -> None:
    """
    TPC-H at scale 0.1 as Parquet, a folder of CSV files and a JSON file, in ``data`` below *folder*.
    """
    data = folder / "data"
    if (data / "made").exists():
        return
    print(f"Making TPC-H at scale {SCALE} in {data} …", flush=True)
    try:
        import duckdb
        import duckdb_extensions
    except ImportError as exc:
        raise MissingExtra("The demo's data", extra="all") from exc
    duckdb_extensions.import_extension("tpch")
    data.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.load_extension("tpch")
        connection.execute(f"CALL dbgen(sf={SCALE})")
        for table in _TABLES:
            connection.execute(f"COPY {table} TO '{data / table}.parquet' (COMPRESSION zstd)")
        (data / "clicks").mkdir(exist_ok=True)
        for month in range(1, 4):
            connection.execute(
                "COPY (SELECT o_custkey AS customer, o_orderdate AS day, o_orderkey % 7 AS page FROM orders "
                f"WHERE year(o_orderdate) = 1995 AND month(o_orderdate) = {month} ORDER BY o_orderkey) "
                f"TO '{data / 'clicks'}/1995-{month:02}.csv' (HEADER)"
            )
        connection.execute(
            "COPY (SELECT n_nationkey AS nation, n_name AS name, n_regionkey % 2 = 0 AS is_market "
            f"FROM nation ORDER BY 1) TO '{data}/markets.json'"
        )
    (data / "made").touch()


def run_demo() -> None:
    """
    Run the quickstart notebook and print what it does.
    """
    folder = notebooks_folder()
    make_data(folder)
    print("Running notebooks/quickstart.ipynb …", flush=True)
    catalog = folder / "catalog.yaml"
    with tempfile.TemporaryDirectory() as data_dir:
        for cell in _run_cells(folder / "quickstart.ipynb", catalog, Path(data_dir)):
            _print_cell(cell)
        _print_traces(catalog, Path(data_dir))
    print("\nTo try it yourself: make lab")


def lab() -> int:
    """
    Open the quickstart notebook in JupyterLab.
    """
    folder = notebooks_folder()
    make_data(folder)
    return subprocess.call(  # noqa: S603 - our own interpreter and notebook
        [sys.executable, "-m", "jupyterlab", str(folder / "quickstart.ipynb")]
    )


def _run_cells(path: Path, catalog: Path, data_dir: Path) -> list[Any]:
    try:
        from nbclient.exceptions import CellExecutionError
    except ImportError as exc:
        raise MissingExtra("The demo", extra="lab") from exc
    try:
        return list(run_notebook(path, catalog=catalog, data_dir=data_dir).cells)
    except CellExecutionError as exc:
        raise FusionError(f"{path.name} stopped at a cell: {exc.ename}: {exc.evalue}") from exc


def _print_cell(cell: Any) -> None:
    print(f"\n{'─' * 80}\n{cell.source}")
    if cell.cell_type != "code":
        return
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        if output.output_type == "error":
            text = "\n".join(output.traceback)
        print(f"\n{text}".rstrip())


def _print_traces(catalog: Path, data_dir: Path) -> None:
    from fusion_magic.fusion import connect
    from fusion_magic.present.tables import Table

    store_url = f"sqlite:///{data_dir / 'fusion.db'}"
    with connect(
        metadata_url=str(catalog),
        data_dir=str(data_dir),
        store_url=store_url,
        engine_url="duckdb://",
    ) as fusion:
        jobs = list(reversed(fusion.jobs(limit=100)))
        print(f"\n{'═' * 80}\nWhat the notebook left behind\n\nJobs")
        rows = [
            (str(j.id)[:8], j.status.value, j.row_count, " ".join(j.user_query.split()))
            for j in jobs
        ]
        print(Table(("Job", "Status", "Rows", "Query"), rows).text())
        print("\nNames that the jobs used (fusion_model)")
        names = [
            (str(j.id)[:8], m.fully_qualified_name, m.trino_model_name)
            for j in jobs
            for m in fusion.job(j.id).models()
        ]
        print(Table(("Job", "Name", "Trino name"), names).text())
        print("\nLineage that waits for OpenMetadata (model_queue)")
        queue = [
            (n, r.command, r.from_fqn or "", r.model_name_fqn) for n, r in fusion.store.queued()
        ]
        print(Table(("Id", "Command", "From", "To"), queue).text())
