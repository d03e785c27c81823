"""
The sdist and the wheel, built as for a release from a copy of the checkout.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers.trino import say

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Distribution:
    """
    Attributes:
        source: The copy that was built from, with the front end's packages in it.
    """

    sdist: Path
    wheel: Path
    source: Path


def run(*command: str | Path, cwd: Path | None = None, path: str = "") -> str:
    """
    What *command* prints; its error output is in the exception when it fails.

    Args:
        path: Instead of ``PATH`` with this environment's programs before it.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FUSION_", "PYTHON"))}
    environment["PATH"] = path or f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def build(work: Path) -> Distribution:
    """
    Build both: the sdist from a copy of what git knows, the wheel from the sdist.
    """
    say("building the sdist and the wheel (npm builds the JupyterLab extension)")
    source = work / "source"
    for name in run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", work / "dist", source)
    [sdist], [wheel] = (work / "dist").glob("*.tar.gz"), (work / "dist").glob("*.whl")
    return Distribution(sdist=sdist, wheel=wheel, source=source)


def install(work: Path, *requirements: str | Path) -> Path:
    """
    A new environment in *work* with *requirements*, in the versions of the lock; its Python.
    """
    say(
        "installing into a clean environment: "
        + ", ".join(Path(r).name for r in map(str, requirements))
    )
    run(sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, work)
    python = work / "bin" / "python"
    lock = ROOT / "requirements.lock"
    run(
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "--python",
        python,
        "-c",
        lock,
        *requirements,
    )
    return python
