"""
What ``pip install fusion-magic`` gives: the wheel, in an environment with nothing else in it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fusion_magic.demo.folder import notebooks_in, packed_files
from tests.distribution import ROOT, Distribution, install, run
from tests.servers.trino import free_port

HEAVY = (
    *("duckdb", "IPython", "pandas", "pyarrow", "sqlalchemy", "sqlglot", "trino", "yaml"),
    *("typer", "rich", "pydantic"),
)


@pytest.fixture(scope="module")
def python(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The Python of an environment with the wheel and no extra.
    """
    return install(tmp_path_factory.mktemp("light"), distribution.wheel)


@pytest.fixture(scope="module")
def names(distribution: Distribution) -> set[str]:
    with zipfile.ZipFile(distribution.wheel) as wheel:
        return set(wheel.namelist())


def test_the_wheel_holds_the_package_its_migrations_and_the_licence(names: set[str]) -> None:
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "fusion_magic").rglob("*")
        if path.suffix in {".py", ".mako"} and "labextension" not in path.parts
    } | {str(Path("fusion_magic/demo/notebooks") / name) for name in packed_files()}

    assert package <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_holds_no_tests_and_nothing_of_the_checkout(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}

    assert {top for top in tops if not top.startswith("fusion_magic")} == set()


def test_the_labextension_is_where_jupyterlab_looks(names: set[str]) -> None:
    [package] = [name for name in names if name.endswith("labextensions/fusion-magic/package.json")]

    assert package.replace("package.json", "install.json") in names
    assert any(
        name.startswith(package.replace("package.json", "static/remoteEntry")) for name in names
    )


def test_the_sdist_builds_a_wheel_without_npm(distribution: Distribution, tmp_path: Path) -> None:
    """
    Who installs from an sdist need not have Node.
    """
    with tarfile.open(distribution.sdist) as archive:
        # Python 3.11.4 brought the filter, and later ones want it.
        options: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(tmp_path, **options)
    [source] = tmp_path.iterdir()
    assert shutil.which("npm", path=str(tmp_path)) is None

    run(
        *(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, source),
        path=str(tmp_path),
    )

    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as built, zipfile.ZipFile(distribution.wheel) as released:
        assert set(built.namelist()) == set(released.namelist())
    assert not (source / "tests").exists()


def test_a_checkout_without_npm_says_that_it_is_needed(
    distribution: Distribution, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(
        distribution.source,
        source,
        ignore=shutil.ignore_patterns("node_modules", "lib"),
    )
    shutil.rmtree(source / "fusion_magic" / "labextension")

    with pytest.raises(AssertionError, match="npm"):
        run(
            *(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path),
            source,
            path=str(tmp_path),
        )


def test_all_versions_are_one(python: Path) -> None:
    package = json.loads((ROOT / "labextension" / "package.json").read_text())
    lock = json.loads((ROOT / "labextension" / "package-lock.json").read_text())
    code = "import fusion_magic, importlib.metadata as m; print(fusion_magic.__version__, m.version('fusion-magic'))"

    version = package["version"]
    assert run(python, "-I", "-c", code).split() == [version, version]
    assert run(python.with_name("fusion"), "--version") == f"fusion-magic {version}\n"
    assert lock["version"] == version


@pytest.mark.parametrize("module", ["fusion_magic", "fusion_magic.cli", "fusion_magic.config"])
def test_importing_stays_light(python: Path, module: str) -> None:
    code = f"import sys, {module}; print(sorted(set({HEAVY}) & set(sys.modules)))"

    assert run(python, "-I", "-c", code) == "[]\n"


def test_the_light_install_is_light(python: Path) -> None:
    """
    Each of these is an extra: nobody gets it who did not ask for it.
    """
    code = (
        "import importlib.util as u; "
        "print([n for n in ('pandas', 'trino', 'psycopg', 'ipywidgets', 'polars', 'jupyterlab', 'pytest') if u.find_spec(n)])"
    )

    assert run(python, "-I", "-c", code) == "[]\n"


def test_a_cell_runs_after_nothing_but_the_installation(python: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id\n1\n2\n")
    (tmp_path / "catalog.yaml").write_text("version: 1\nmodels:\n  a.b.c.t: {source: t.csv}\n")
    (tmp_path / "cells.ipy").write_text(
        "%load_ext fusion_magic\n"
        f"%config FusionMagics.data_dir = '{tmp_path}'\n"
        "get_ipython().run_cell_magic('fusion', '-o found -q', 'SELECT sum(id) AS s FROM a.b.c.t')\n"
        "print(found.rows(), [job.status.value for job in get_ipython().fusion_magics.connection().jobs()])\n"
    )
    ipython = python.with_name("ipython")

    printed = run(ipython, "--no-banner", "--colors=NoColor", "cells.ipy", cwd=tmp_path)

    assert printed.splitlines()[-1] == "[(3,)] ['FINISHED']"


@pytest.fixture(scope="module")
def lab_python(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The Python of an environment with the wheel and what JupyterLab needs.
    """
    return install(tmp_path_factory.mktemp("lab"), f"{distribution.wheel}[lab]")


def test_jupyterlab_takes_the_labextension(lab_python: Path) -> None:
    listed = subprocess.run(
        [lab_python.with_name("jupyter-labextension"), "list"],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ).stdout

    plain = re.sub(r"\x1b\[\d*m", "", listed)
    assert re.search(r"fusion-magic v\S+ enabled OK", plain), listed


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_in_an_empty_folder_and_again(
    lab_python: Path, tmp_path: Path
) -> None:
    """
    Without git, make and a generator: neither is on the path.
    """
    fusion = lab_python.with_name("fusion")

    printed = [run(fusion, "demo", cwd=tmp_path, path=str(lab_python.parent)) for _ in range(2)]

    assert [path.name for path in tmp_path.iterdir()] == ["fusion-demo"]
    for text in printed:
        assert text.count("═" * 80) == len(notebooks_in(tmp_path / "fusion-demo")) + 1
        assert "AUTOMOBILE" in text
        assert "UnknownFqn: No table or file is known" in text
        assert "LINEAGE" in text


@pytest.mark.slow
def test_the_lab_from_the_wheel_answers(lab_python: Path, tmp_path: Path) -> None:
    port = free_port()
    options = ("--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=t")
    environment = {"HOME": str(tmp_path), "PATH": str(lab_python.parent)}
    process = subprocess.Popen(
        [lab_python.with_name("fusion"), "lab", *options],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}/api/contents/quickstart.ipynb?content=0&token=t"
        with _answer(address, process) as answer:
            assert json.load(answer)["name"] == "quickstart.ipynb"
    finally:
        # The command, and the JupyterLab that it waits for.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _answer(address: str, process: subprocess.Popen[bytes]) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return urllib.request.urlopen(address, timeout=5)
        except OSError:
            time.sleep(0.3)
    raise AssertionError("JupyterLab did not answer")


def test_what_is_not_installed_is_named_with_its_extra(python: Path, tmp_path: Path) -> None:
    code = (
        "from fusion_magic import connect\n"
        f"fusion = connect(data_dir={str(tmp_path)!r}, engine_url='trino://localhost:8080')\n"
        "try:\n    fusion.run('SELECT 1')\n"
        "except Exception as error:\n    print(type(error).__name__, error.hint)\n"
    )

    assert run(python, "-I", "-c", code, cwd=tmp_path) == (
        "MissingExtra pip install 'fusion-magic[trino]'\n"
    )


def test_the_lock_pins_everything_by_version_and_hash_alone() -> None:
    """
    No addresses and no folders: the lock serves whichever index a machine has, and takes nothing else from it.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *itertools.chain(*project["project"]["optional-dependencies"].values()),
        *itertools.chain(*project["dependency-groups"].values()),
        *project["build-system"]["requires"],
    ]
    pinned = set()
    text = (ROOT / "requirements.lock").read_text().replace(" \\\n", "")
    for line in text.splitlines():
        match = re.fullmatch(
            r"([a-z0-9-]+)==[\w.+]+( ; [\w.<>=!*' ()]+)?( +--hash=sha256:[0-9a-f]{64})+", line
        )
        assert match, line[:200]
        pinned.add(match[1])

    names = {re.match(r"[\w-]+", text)[0].lower() for text in wanted}  # type: ignore[index]
    assert names - pinned == {"fusion-magic"}
