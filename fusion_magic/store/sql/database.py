"""
One database: its connections, its transactions, and what is said when it cannot be reached.

SQLite runs in WAL mode; a writer takes the lock at BEGIN, so that two kernels wait for one another and never fail half-way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url

from fusion_magic.errors import InvalidSettings, MissingExtra, StoreError, StoreUnavailable
from fusion_magic.store.sql.statements import Compiled, Transaction

LOCK_PATIENCE_MS = 30_000


def utc_now() -> datetime:
    """
    Now, aware, in UTC.
    """
    return datetime.now(UTC)


class Database:
    """
    The database at *url*, an SQLite file or PostgreSQL.

    Args:
        clock: Gives the time, aware.

    Attributes:
        shown: The URL without its password.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        try:
            self._url = make_url(url)
        except sa.exc.ArgumentError:
            raise InvalidSettings(
                "store.url is not a database URL.",
                hint="It looks like sqlite:///jobs.db or postgresql+psycopg://user@host/database.",
            ) from None
        self.now = clock
        self.shown = self._url.render_as_string(hide_password=True)
        self.engine = self._make_engine()
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        self._driver: Any = self.engine.dialect.loaded_dbapi
        self._compiled: dict[Any, Compiled] = {}

    def close(self) -> None:
        """
        Close the connections.
        """
        self.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """
        One transaction, committed where the block ends without an error.
        """
        with self.translated(), closing(self.engine.raw_connection()) as pooled:
            try:
                cursor = pooled.cursor()
                if self._is_sqlite:
                    # The lock is taken at once: a transaction that only reads at first could fail half-way.
                    cursor.execute("BEGIN IMMEDIATE")
                yield Transaction(self.engine, pooled, cursor, self._compile)
                # What is not committed here is rolled back by the pool.
                pooled.commit()
            except self._driver.Error as error:
                if self.engine.dialect.is_disconnect(error, pooled.driver_connection, None):
                    # Else the pool would roll back on it, and log that it cannot.
                    pooled.invalidate(error)
                raise

    def read(self, query: Any, values: Mapping[str, object] | None = None) -> Sequence[Any]:
        """
        The rows of a query with the values of its parameters, outside of a transaction.
        """
        with self.translated(), self.reading() as connection:
            return connection.execute(query, values).all()

    def reading(self) -> Connection:
        """
        A connection without a transaction.
        """
        return self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def make_folder(self) -> None:
        """
        Make the folder of an SQLite file.
        """
        database = self._url.database
        if not self._is_sqlite or not database or database == ":memory:":
            return
        try:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreUnavailable(
                f"The folder of the job store {self.shown} cannot be made: {exc.strerror}.",
                hint="Set data_dir (FUSION_DATA_DIR) to a folder that you can write.",
            ) from exc

    @contextmanager
    def translated(self) -> Iterator[None]:
        """
        Errors of SQLAlchemy and of the database's driver leave the block as ours.
        """
        try:
            yield
        except (sa.exc.DataError, self._driver.DataError) as exc:
            # Waiting does not help: the store answers, and will answer the same again.
            raise StoreError(
                f"The job store {self.shown} cannot keep a value: {_reason(exc)}",
                hint="PostgreSQL keeps no text with the character NUL; write it as chr(0).",
            ) from exc
        except (sa.exc.SQLAlchemyError, self._driver.Error) as exc:
            raise StoreUnavailable(
                f"The job store {self.shown} cannot be used: {_reason(exc).splitlines()[0]}",
                hint="Nothing was run. Is there space, and may you write there? `%fusion doctor` checks it.",
            ) from exc

    def _compile(self, statement: Any) -> Compiled:
        found = self._compiled.get(statement)
        if found is None:
            found = self._compiled[statement] = Compiled(statement, self.engine.dialect)
        return found

    def _make_engine(self) -> sa.Engine:
        try:
            if self._url.get_backend_name() != "sqlite":
                return sa.create_engine(self._url, pool_pre_ping=True)
            engine = sa.create_engine(
                self._url,
                connect_args={"timeout": LOCK_PATIENCE_MS / 1000, "check_same_thread": False},
            )
        except ModuleNotFoundError as exc:
            raise MissingExtra("This job store", extra="postgres") from exc
        except sa.exc.ArgumentError as exc:
            raise InvalidSettings(f"store.url names no database that is known: {exc}") from None
        event.listen(engine, "connect", _prepare_sqlite)
        return engine


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by ``writing``; the driver must not begin its own.
    connection.isolation_level = None
    deadline = time.monotonic() + LOCK_PATIENCE_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except connection.OperationalError as exc:
            # Two kernels that make the file at once: the switch to WAL does not wait by itself.
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
