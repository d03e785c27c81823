"""
The version of the store's schema, and the way to it.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fusion_magic.errors import StoreTooNew
from fusion_magic.store.sql.database import Database

REVISION = "0010"  # of this program's schema: the newest file in migrations/versions
_LOCK = "SELECT pg_advisory_xact_lock(7104832715)"  # a number of our own, for those who migrate


def migrate(database: Database) -> None:
    """
    Bring the schema to ``REVISION``; does nothing where it is already there.

    Raises:
        StoreUnavailable: The database cannot be opened or written.
        StoreTooNew: A newer program has migrated it; nothing was changed.
    """
    with database.translated():
        database.make_folder()
        with database.reading() as connection:
            revision = _revision(connection)
        if revision == REVISION:
            return
        with database.writing() as transaction:
            _upgrade(transaction.connection, shown=database.shown)


def _upgrade(connection: Connection, *, shown: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_LOCK)
    revision = _revision(connection)
    if revision == REVISION:
        return
    config = Config()
    config.set_main_option("script_location", "fusion_magic:store/migrations")
    config.attributes["connection"] = connection
    try:
        if revision is not None:
            ScriptDirectory.from_config(config).get_revision(revision)
    except CommandError:
        raise StoreTooNew(
            f"The job store {shown} was migrated by a newer version (schema {revision}).",
            hint="pip install --upgrade fusion-magic",
        ) from None
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    """
    The schema's revision, None for a database without our tables.
    """
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
