"""
The versions of what we depend on: the lock, and the two lanes in which the embedded half of the suite runs besides.

    python -m tests.lanes lock        the newest of today, with hashes, into requirements.lock
    python -m tests.lanes date        today becomes the date up to which the newest lane looks
    python -m tests.lanes newest      the newest versions as of that date, so that a release of somebody else turns nothing red
    python -m tests.lanes lowest      the lowest that pyproject.toml allows

Each lane has an environment of its own below ``.cache/lanes``. A lower bound that the lowest lane has not installed fails it: one
that nobody has tried is not allowed to stand.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
DATE = ROOT / "tests" / "newest-date.txt"
UV = Path(sys.executable).with_name("uv")
EMBEDDED_HALF = (
    *("-m", "not trino and not postgres and not browser and not slow"),
    *("--ignore=tests/acceptance", "--ignore=tests/test_packaging.py"),
    *("--ignore=tests/test_readme.py", "--ignore=tests/test_pages.py"),
)
_PIN = re.compile(r"^([\w.-]+)==([\w.+!]+)", re.MULTILINE)


def lock() -> None:
    """
    Write the newest of every dependency into the lock.
    """
    LOCK.write_text(_resolve())


def date() -> None:
    """
    Let the newest lane look at everything that is there today.
    """
    DATE.write_text(f"{datetime.now(UTC):%Y-%m-%d}\n")


def newest() -> None:
    """
    Run the embedded half on the newest versions; what they call deprecated is an error.
    """
    _run("newest", _resolve("--exclude-newer", DATE.read_text().strip()), warnings="error")


def lowest() -> None:
    """
    Run the embedded half on the lowest versions that are allowed.

    Raises:
        SystemExit: A bound is lower than what it installs.
    """
    pins = _resolve("--resolution", "lowest-direct")
    if untried := sorted(_untried(pins)):
        sys.exit("These bounds of pyproject.toml are lower than any lane:\n" + "\n".join(untried))
    # Old packages warn of what newer ones and newer Pythons changed.
    _run("lowest", pins, warnings="default")


def _resolve(*options: str) -> str:
    """
    The pins of all extras and groups, in the format of pip; resolved in a copy, so that no other lock file stands here.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "labextension").mkdir()
        (project / "fusion_magic").mkdir()
        (project / "fusion_magic" / "__init__.py").touch()
        for name in ("pyproject.toml", "README.md", "LICENSE", "labextension/package.json"):
            shutil.copy(ROOT / name, project / name)
        _uv("lock", *options, "--project", folder)
        _uv(
            *("export", "--frozen", "--project", folder, "--all-extras", "--all-groups"),
            *("--no-emit-project", "--no-annotate", "--no-header"),
            *("--format", "requirements-txt", "-o", str(project / "pins.txt")),
        )
        return (project / "pins.txt").read_text()


def _untried(pins: str) -> Iterator[str]:
    """
    The requirements of pyproject.toml whose lower bound is not what *pins* installs.
    """
    installed: dict[str, Version] = {}
    for name, version in _PIN.findall(pins):
        known = installed.setdefault(name, Version(version))
        installed[name] = min(known, Version(version))
    for requirement in _requirements():
        bounds = [Version(s.version) for s in requirement.specifier if s.operator == ">="]
        tried = installed[_canonical(requirement.name)]
        if bounds != [tried]:
            yield f"{requirement}: {tried} was tried"


def _requirements() -> set[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    texts = itertools.chain(
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    )
    found = {Requirement(text) for text in texts}
    return {requirement for requirement in found if requirement.name != "fusion-magic"}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(lane: str, pins: str, *, warnings: str) -> None:
    folder = ROOT / ".cache" / "lanes" / lane
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pins.txt").write_text(pins)
    python = folder / "environment" / "bin" / "python"
    _uv("venv", "--allow-existing", "--python", sys.executable, str(folder / "environment"))
    _uv("pip", "sync", "--python", str(python), str(folder / "pins.txt"))
    _uv("pip", "install", "--python", str(python), "--no-deps", "-e", str(ROOT))
    options = ("-q", "-W", warnings, "-p", "no:cacheprovider", *EMBEDDED_HALF)
    tests = subprocess.run([str(python), "-m", "pytest", *options], cwd=ROOT, check=False)
    sys.exit(tests.returncode)


def _uv(*arguments: str) -> None:
    subprocess.run([UV, *arguments, "-q"], check=True)


if __name__ == "__main__":
    {"lock": lock, "date": date, "newest": newest, "lowest": lowest}[sys.argv[1]]()
