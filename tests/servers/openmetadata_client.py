"""
The official OpenMetadata client, in environments of its own: one for servers of 1.6, one for 2.0.

Installed once into the user's cache directory, by its pins beside this file; the second run takes it from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.trino import say

PINS = Path(__file__).parent
SCRIPT = PINS / "openmetadata_official.py"
TIMEOUT_S = 300


def interpreter(release: str) -> Path:
    """
    The Python that has the client of *release* (``1.6`` or ``2.0``), installed when it is not in the cache yet.
    """
    pins = PINS / f"openmetadata-client-{release}.txt"
    root = Path(os.environ.get("FUSION_TEST_CACHE", Path.home() / ".cache" / "fusion-magic"))
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    home = root / "openmetadata-client" / f"{release}-{digest}"
    if not (home / "done").exists():
        _install(pins, home)
    return home / "bin" / "python"


def _install(pins: Path, home: Path) -> None:
    say(f"installing the official OpenMetadata client ({pins.stem})")
    home.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and moved, so that a run that is stopped, or a second one, leaves nothing half done.
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        made = Path(folder) / "environment"
        _uv("venv", "-q", "--python", "3.11", "--relocatable", made)
        _uv("pip", "install", "-q", "--no-deps", "--python", made / "bin" / "python", "-r", pins)
        (made / "done").touch()
        if not home.exists():
            shutil.move(made, home)


def _uv(*arguments: str | Path) -> None:
    program = Path(sys.executable).with_name("uv")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])


def run_official(release: str, commands: Mapping[str, Any]) -> dict[str, Any]:
    """
    What the official client says.

    Args:
        release: Whose client.

        commands: Functions of ``openmetadata_official.py``, each with its argument as JSON. They run in one process, whose
            start takes seconds.

    Returns:
        What each of them found.
    """
    done = subprocess.run(
        [interpreter(release), SCRIPT],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stderr[-4000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
