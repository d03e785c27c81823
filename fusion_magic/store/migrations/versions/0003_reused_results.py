"""
Stored results that are found again by what was asked.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """
    Add the column and the indexes; jobs from before have no fingerprint and are not reused.
    """
    op.add_column("job_detail", sa.Column("fingerprint", sa.Text))
    op.create_index("ix_job_detail_fingerprint", "job_detail", ["fingerprint"])
    op.create_index("ix_fusion_model_trino_model_name", "fusion_model", ["trino_model_name"])
