"""
The job store in SQLite or PostgreSQL: one database, and a part for each port.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from fusion_magic.store.model import ProcessRow
from fusion_magic.store.sql.catalogs import SqlMadeCatalogs
from fusion_magic.store.sql.changes import SqlMetadataChanges
from fusion_magic.store.sql.database import Database, utc_now
from fusion_magic.store.sql.jobs import SqlJobs
from fusion_magic.store.sql.lineage import SqlLineageEdges
from fusion_magic.store.sql.models import SqlModels
from fusion_magic.store.sql.outbox import SqlOutbox
from fusion_magic.store.sql.processes import SqlProcesses
from fusion_magic.store.sql.result_versions import SqlStoredResults
from fusion_magic.store.sql.schema import REVISION, migrate
from fusion_magic.store.sql.tasks import SqlTasks

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def open_store(url: str) -> SqlStore:
    """
    The store at *url*, with its tables; an older schema is brought up to date.

    Raises:
        StoreUnavailable: It cannot be opened or written.
        StoreTooNew: A newer program has migrated it; nothing was changed.
        MissingExtra: The database's driver is not installed.
    """
    store = SqlStore(url)
    store.migrate()
    return store


class SqlStore:
    """
    The port ``Store`` over SQLAlchemy.

    Args:
        url: SQLAlchemy's URL of an SQLite file or a PostgreSQL database.

        clock: Gives the time, aware.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.database = database = Database(url, clock=clock)
        self.tasks = SqlTasks(database)
        self.jobs = SqlJobs(database, self.tasks)
        self.models = SqlModels(database)
        self.processes = SqlProcesses(database)
        self.outbox = SqlOutbox(database)
        self.lineage = SqlLineageEdges(database)
        self.results = SqlStoredResults(database)
        self.catalogs = SqlMadeCatalogs(database)
        self.changes = SqlMetadataChanges(database)

    def check(self) -> str:
        """See ``Store.check``."""
        mark = ProcessRow(
            id=f"check-{uuid4()}",
            role="worker",
            engine_url="",
            host="",
            boot_id="",
            pid=0,
            started="",
            alive_until=LONG_AGO,  # so that nobody takes it for alive
        )
        self.processes.heartbeat(mark)
        self.processes.deregister(mark.id)
        return REVISION

    def migrate(self) -> None:
        """See ``Store.migrate``."""
        migrate(self.database)

    def close(self) -> None:
        """See ``Store.close``."""
        self.database.close()
