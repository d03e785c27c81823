"""
Workers, schedulers and runners in one table, with what tells whether they are alive.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from fusion_magic.store.sql.tables import UtcTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DRIVER = sa.table(
    "driver",
    *(sa.column(name) for name in ("id", "engine_url", "machine", "pid", "began")),
    sa.column("alive_until", UtcTime()),
)


def upgrade() -> None:
    """
    Make the table, move the rows of the two that it replaces, and rename a job's driver to its runner.
    """
    process = op.create_table(
        "process",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("engine_url", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("started", sa.Text, nullable=False),
        sa.Column("alive_until", UtcTime, nullable=False),
    )
    op.execute(
        "INSERT INTO process (id, role, engine_url, host, boot_id, pid, started, alive_until) "
        "SELECT id, role, engine_url, host, '', pid, '', alive_until FROM worker"
    )
    drivers = op.get_bind().execute(sa.select(_DRIVER)).all()
    if drivers:
        op.bulk_insert(process, [_runner(row) for row in drivers])
    op.drop_table("worker")
    op.drop_table("driver")
    _rename_driver()


def _runner(driver: Any) -> dict[str, object]:
    # A machine was the host's name and, behind a space, what tells its boots apart.
    host, _, boot_id = driver.machine.partition(" ")
    return {
        "id": driver.id,
        "role": "runner",
        "engine_url": driver.engine_url,
        "host": host,
        "boot_id": boot_id,
        "pid": driver.pid,
        "started": driver.began,
        "alive_until": driver.alive_until,
    }


def _rename_driver() -> None:
    op.drop_index("ix_job_detail_driven", "job_detail")
    op.execute("ALTER TABLE job_detail RENAME COLUMN driver TO runner")
    foreground = sa.text("runner IS NOT NULL AND finished IS NULL")
    op.create_index(
        "ix_job_detail_foreground",
        "job_detail",
        ["runner"],
        postgresql_where=foreground,
        sqlite_where=foreground,
    )
