"""
The magics in real kernels: what a front end, nbclient and papermill send and get.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
import papermill
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from fusion_magic import connect
from fusion_magic.notebook.run_notebook import run_notebook
from fusion_magic.store import JobStatus
from tests.processes.test_recovery import LONG, SLOW

PATIENCE_S = 120
CATALOG = """version: 1
models:
  shop.db.public.orders:
    source: orders.csv
    description: One row per order.
    columns: [{name: id, type: bigint}, {name: total_price, type: double}]
"""


class Kernel:
    """
    A real ipykernel, and the messages that a front end has of it.
    """

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FUSION_")}
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            env={**environment, **settings},
            cwd=str(folder),
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
        self.client: Any = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE_S)

    def begin(self, code: str) -> str:
        return str(self.client.execute(code, allow_stdin=True))

    def end(self, request: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """
        The messages of the cell, and the reply's content.
        """
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE_S)
            if message["parent_header"].get("msg_id") != request:
                messages.append({**message, "msg_type": f"stray {message['msg_type']}"})
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            messages.append(message)
        while (reply := self.client.get_shell_msg(timeout=PATIENCE_S))["parent_header"][
            "msg_id"
        ] != request:
            pass
        return messages, reply["content"]

    def run(self, code: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return self.end(self.begin(code))

    def text(self, code: str) -> str:
        """
        What the cell shows as text; it must not fail.
        """
        messages, reply = self.run(code)
        assert reply["status"] == "ok", reply
        shown = [m["content"] for m in messages if m["msg_type"] in OUTPUTS]
        return "\n".join(c["data"]["text/plain"] if "data" in c else c["text"] for c in shown)

    def complete(self, code: str) -> list[str]:
        """
        What can follow at the end of *code*, each as the whole line that it makes.
        """
        request = self.client.complete(code)
        while (reply := self.client.get_shell_msg(timeout=PATIENCE_S))["parent_header"][
            "msg_id"
        ] != request:
            pass
        found = reply["content"]
        return [code[: found["cursor_start"]] + match for match in found["matches"]]

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


OUTPUTS = {"execute_result", "display_data", "stream", "update_display_data"}


def settings_of(folder: Path) -> dict[str, str]:
    (folder / "catalog.yaml").write_text(CATALOG)
    (folder / "orders.csv").write_text("id,total_price\n1,2.5\n2,4.5\n")
    return {
        "FUSION_DATA_DIR": str(folder / "data"),
        "FUSION_METADATA_URL": str(folder / "catalog.yaml"),
        "FUSION_WORKER_START": "never",
    }


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("kernel")
    started = Kernel(folder, settings_of(folder))
    started.run("%load_ext fusion_magic")
    yield started
    started.stop()


@pytest.fixture(params=["duckdb", pytest.param("trino", marks=pytest.mark.trino)])
def engine_url(request: pytest.FixtureRequest) -> str:
    if request.param == "duckdb":
        return "duckdb://"
    url: str = request.getfixturevalue("trino_url")
    return url.replace("http://", "trino://ana@", 1)


@pytest.fixture
def long_query(engine_url: str) -> Iterator[str]:
    if engine_url == "duckdb://":
        yield LONG
        return
    table = f"blackhole.default.slow_{uuid4().hex}"
    with connect(engine_url=engine_url) as fusion:
        fusion.run(f"CREATE TABLE {table} {SLOW}")
        yield f"SELECT count(*) FROM {table}"
        fusion.run(f"DROP TABLE {table}")


def test_an_interrupt_stops_the_query_and_the_kernel_goes_on(
    tmp_path: Path, engine_url: str, long_query: str
) -> None:
    """
    The stop button: the query ends on the server, the job is CANCELED, the progress is gone.
    """
    settings = {**settings_of(tmp_path), "FUSION_ENGINE_URL": engine_url}
    kernel = Kernel(tmp_path, settings)
    try:
        kernel.run("%load_ext fusion_magic")
        request = kernel.begin(f"%%fusion\n{long_query}")
        seen = wait_for_progress(kernel)
        kernel.manager.interrupt_kernel()
        messages, reply = kernel.end(request)

        assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
        with connect(data_dir=settings["FUSION_DATA_DIR"], engine_url=engine_url) as fusion:
            [job] = fusion.jobs()
            assert job.status is JobStatus.CANCELED
            engine: Any = fusion.engine
            if engine.name == "trino":
                assert engine.state_of(job.query_id) == "FAILED"
                asked = f"SELECT error_code FROM system.runtime.queries WHERE query_id = '{job.query_id}'"
                assert fusion.run(asked).rows() == [("USER_CANCELED",)]
        everything = [*seen, *messages]
        assert "clear_output" in [m["msg_type"] for m in everything]
        assert "comm_close" in [m["msg_type"] for m in everything]
        assert not [m for m in everything if m["msg_type"] == "stream"]
        assert "2" in kernel.text("%%fusion\nSELECT 1 + 1 AS two")
    finally:
        kernel.stop()


def wait_for_progress(kernel: Kernel) -> list[dict[str, Any]]:
    """
    The cell's messages up to the one that shows the progress.
    """
    deadline, seen = time.monotonic() + PATIENCE_S, []
    while time.monotonic() < deadline:
        try:
            message = kernel.client.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        seen.append(message)
        data = message["content"].get("data", {})
        if "application/vnd.jupyter.widget-view+json" in data:
            return seen
    raise AssertionError([m["msg_type"] for m in seen])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("%%fusion --dr", "%%fusion --dry-run"),
        ("%fusion des", "%fusion describe"),
        ("%fusion can", "%fusion cancel"),
        ("%%fusion\nSELECT * FROM shop.db.pu", "%%fusion\nSELECT * FROM shop.db.public."),
        (
            "%%fusion\nSELECT *\nFROM shop.db.public.o",
            "%%fusion\nSELECT *\nFROM shop.db.public.orders",
        ),
        (
            "%%fusion\nSELECT * FROM shop.db.public.orders o WHERE o.tot",
            "%%fusion\nSELECT * FROM shop.db.public.orders o WHERE o.total_price",
        ),
        ("%fusion describe shop.db.public.o", "%fusion describe shop.db.public.orders"),
    ],
)
def test_the_kernel_completes(kernel: Kernel, code: str, expected: str) -> None:
    assert expected in kernel.complete(code)


def test_python_is_completed_as_before(kernel: Kernel) -> None:
    assert kernel.complete("import o") != []
    assert "print" in kernel.complete("pri")


def test_loading_again_reloading_and_unloading(kernel: Kernel) -> None:
    assert "already loaded" in kernel.text("%load_ext fusion_magic")
    kernel.text("import fusion_magic; fusion_magic.load_ipython_extension(get_ipython())")
    count = "sum(type(m).__name__ == 'Completer' for m in get_ipython().Completer.custom_matchers)"
    assert kernel.text(count) == "1"

    kernel.text("%unload_ext fusion_magic")

    _, reply = kernel.run("%%fusion\nSELECT 1")
    assert reply["status"] == "error"
    assert kernel.text(count) == "0"
    kernel.text("%load_ext fusion_magic\n%load_ext autoreload\n%autoreload 2")
    kernel.text("%reload_ext fusion_magic")
    assert "3" in kernel.text("%%fusion\nSELECT 1 + 2 AS three")
    assert "3" in kernel.text("%%fusion\nSELECT 1 + 2 AS three")
    kernel.text("%autoreload 0")


def test_settings_are_taken_from_config(kernel: Kernel) -> None:
    kernel.text("%config FusionMagics.preview_rows = 1")

    assert "1 of 2 rows" in kernel.text("%%fusion\nSELECT id FROM shop.db.public.orders")
    kernel.text("%config FusionMagics.preview_rows = 10")


@pytest.mark.parametrize("word", ["describe", "DESCRIBE", "Describe"])
def test_describe_is_the_command_in_any_case(kernel: Kernel, word: str) -> None:
    shown = kernel.text(f"%fusion {word} shop.db.public.orders")

    assert "One row per order." in shown
    assert "total_price  double" in shown


@pytest.mark.parametrize("line", ["select id FROM shop.db.public.orders", "SELECT 1 AS id"])
def test_a_line_of_sql_is_run(kernel: Kernel, line: str) -> None:
    assert "id" in kernel.text(f"%fusion {line}")


def notebook_of(*cells: str) -> Any:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])  # type: ignore[no-untyped-call]
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "P"}
    return notebook


SPENT = "%%fusion -o spent\nSELECT id, total_price FROM shop.db.public.orders WHERE id <= :most"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in settings_of(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_papermills_parameters_reach_the_sql_and_two_runs_look_alike(folder: Path) -> None:
    """
    A run without a person has no widget, no time and no id in it.
    """
    notebook = notebook_of(
        "most = 9", "%load_ext fusion_magic", SPENT, f"%%fusion -n 1\n{SLOWER}", "len(spent)"
    )
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, folder / "in.ipynb")  # type: ignore[no-untyped-call]
    outputs = []
    for number in (1, 2):
        done = papermill.execute_notebook(
            str(folder / "in.ipynb"),
            str(folder / f"out{number}.ipynb"),
            parameters={"most": 1},
            cwd=str(folder),
            progress_bar=False,
        )
        outputs.append([cell.outputs for cell in done.cells])

    assert outputs[0] == outputs[1]
    assert outputs[0][-1][0]["data"]["text/plain"] == "1"
    assert "widget" not in str(outputs)


SLOWER = (  # longer than the progress waits
    "SELECT count(*) FROM UNNEST(sequence(1, 20000)) AS a(x) "
    "CROSS JOIN UNNEST(sequence(1, 20000)) AS b(y) WHERE x * y = -1"
)


def test_a_failing_cell_stops_nbclient_and_papermill_with_a_short_error(folder: Path) -> None:
    notebook = notebook_of(
        "%load_ext fusion_magic", "%%fusion\nSELECT * FROM shop.db.public.oders", "after = 1"
    )
    nbformat.write(notebook, folder / "in.ipynb")  # type: ignore[no-untyped-call]

    with pytest.raises(CellExecutionError, match="UnknownFqn"):
        NotebookClient(
            notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        ).execute()

    [error] = notebook.cells[1].outputs
    assert error["ename"] == "UnknownFqn"
    assert len("\n".join(error["traceback"]).splitlines()) < 8
    assert "Traceback" not in "".join(error["traceback"])
    assert notebook.cells[2].execution_count is None
    with pytest.raises(papermill.PapermillExecutionError, match="Did you mean shop"):
        papermill.execute_notebook(
            str(folder / "in.ipynb"),
            str(folder / "out.ipynb"),
            cwd=str(folder),
            progress_bar=False,
        )


def test_run_all_stops_at_the_cell_that_fails(kernel: Kernel) -> None:
    """
    A front end that runs all cells sends them at once; those behind a failing one are aborted.
    """
    failing = kernel.begin("%%fusion\nSELECT * FROM no.such.table_.here")
    following = kernel.begin("print('not run')")
    _, first = kernel.end(failing)
    _, second = kernel.end(following)

    assert (first["status"], first["ename"]) == ("error", "UnknownFqn")
    assert second["status"] in {"aborted", "error"}


def test_a_notebook_is_run_for_tests(folder: Path) -> None:
    nbformat.write(
        notebook_of("%load_ext fusion_magic", "%%fusion\nSELECT 1 AS one"), folder / "a.ipynb"
    )  # type: ignore[no-untyped-call]

    done = run_notebook(folder / "a.ipynb", catalog=folder / "catalog.yaml", data_dir=folder / "d")

    assert "one" in done.cells[1].outputs[0]["data"]["text/plain"]
