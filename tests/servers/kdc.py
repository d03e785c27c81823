"""
A real Kerberos key distribution center (MIT's ``krb5kdc``) of its own, on loopback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.trino import free_port

REALM = "TEST.LOCAL"
SERVICE = "trino"
# Debian keeps the servers out of a person's PATH.
PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Kdc:
    """
    Knows ``ana``, and the service ``trino/localhost``.

    Attributes:
        config: Its ``krb5.conf``.
        keytab: The service's key.
    """

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self._work = work
        self._port = free_port()
        self.config = work / "krb5.conf"
        self.keytab = work / "trino.keytab"
        self.config.write_text(
            f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\nrdns = false\n"
            "dns_canonicalize_hostname = false\nudp_preference_limit = 1\n"
            f"[realms]\n{REALM} = {{\nkdc = 127.0.0.1:{self._port}\n}}\n"
        )
        (work / "kdc.conf").write_text(
            f"[kdcdefaults]\nkdc_ports = {self._port}\nkdc_tcp_ports = {self._port}\n"
            f"[realms]\n{REALM} = {{\ndatabase_name = {work}/principal\nkey_stash_file = {work}/stash\n}}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Kdc:
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        for command in (
            "addprinc -pw secret-of-ana ana",
            f"addprinc -randkey {SERVICE}/localhost",
            f"ktadd -k {self.keytab} {SERVICE}/localhost",
        ):
            self._run("kadmin.local", "-r", REALM, *command.split())
        self._process = subprocess.Popen([_program("krb5kdc"), "-n"], env=self._environment())
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def ticket(self) -> Path:
        """
        A cache with a ticket of ana's.
        """
        cache = self._work / "tickets"
        self._run("kinit", "-c", str(cache), "ana", given="secret-of-ana\n")
        return cache

    def _run(self, name: str, *arguments: str, given: str = "") -> None:
        subprocess.run(
            [_program(name), *arguments],
            env=self._environment(),
            input=given.encode(),
            check=True,
            capture_output=True,
            timeout=60,
        )

    def _environment(self) -> dict[str, str]:
        profile = str(self._work / "kdc.conf")
        return {**os.environ, "KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": profile}


def _program(name: str) -> str:
    found = shutil.which(name, path=PATHS)
    assert found, f"{name} is needed (Debian: apt install krb5-kdc krb5-admin-server krb5-user)."
    return found
