"""
Who runs a job itself, so that a job whose kernel died is found.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fusion_magic.store.sql.tables import UtcTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """
    Add the table, and the column, which is empty for jobs from before: nobody knows who runs them.
    """
    op.create_table(
        "driver",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("engine_url", sa.Text, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("began", sa.Text, nullable=False),
        sa.Column("alive_until", UtcTime, nullable=False),
    )
    op.add_column("job_detail", sa.Column("driver", sa.String(64)))
    driven = sa.text("driver IS NOT NULL AND finished IS NULL")
    op.create_index(
        "ix_job_detail_driven",
        "job_detail",
        ["driver"],
        postgresql_where=driven,
        sqlite_where=driven,
    )
