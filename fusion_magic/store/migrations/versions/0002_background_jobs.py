"""
Jobs that a worker runs, and deliveries that a scheduler makes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fusion_magic.store.sql.tables import UtcTime, UuidText

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """
    Add them; what earlier programs wrote stays as it is.
    """
    op.create_index("ix_job_result_name", "job", ["result_name"])
    op.create_index("ix_model_queue_model_name_fqn", "model_queue", ["model_name_fqn", "id"])
    op.add_column("job_detail", sa.Column("update_type", sa.Text))
    op.add_column("job_detail", sa.Column("rows_changed", sa.BigInteger))
    op.add_column(
        "job_detail",
        sa.Column("is_cancel_wanted", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    _make_job_task()
    op.create_table(
        "worker",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("engine_url", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("alive_until", UtcTime, nullable=False),
    )
    op.create_table(
        "queue_delivery",
        sa.Column("queue_id", _LONG, primary_key=True, autoincrement=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", UtcTime, nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("error", sa.Text),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", _LONG, primary_key=True, autoincrement=False),
        sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False),
        sa.Column("model_name_fqn", sa.Text, nullable=False),
        sa.Column("from_fqn", sa.Text),
        sa.Column("command", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("died", UtcTime, nullable=False),
    )
    op.create_table(
        "graph_edge",
        sa.Column("source_fqn", sa.Text, primary_key=True),
        sa.Column("target_fqn", sa.Text, primary_key=True),
        sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False),
    )


def _make_job_task() -> None:
    op.create_table(
        "job_task",
        sa.Column("id", _LONG, primary_key=True, autoincrement=True),
        sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False, unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("engine_url", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", UtcTime),
        sa.Column("next_uri", sa.Text),
        sa.Column("progress", sa.Text),
    )
    waiting, claimed = sa.text("state = 'WAITING'"), sa.text("state = 'CLAIMED'")
    op.create_index(
        "ix_job_task_waiting",
        "job_task",
        ["engine_url", "owner", "rank", "id"],
        postgresql_where=waiting,
        sqlite_where=waiting,
    )
    op.create_index(
        "ix_job_task_claimed",
        "job_task",
        ["engine_url", "lease_until"],
        postgresql_where=claimed,
        sqlite_where=claimed,
    )
