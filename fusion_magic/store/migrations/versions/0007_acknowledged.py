"""
Why a job may read what a rule refuses.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """
    Add the column; jobs from before were not refused.
    """
    op.add_column("job_detail", sa.Column("acknowledged", sa.Text))
