"""
Indexes for questions to the lineage graph.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """
    Add the indexes.
    """
    op.create_index("ix_lineage_edge_job_id", "lineage_edge", ["job_id"])
    op.create_index("ix_graph_edge_target_fqn", "graph_edge", ["target_fqn"])
    op.create_index("ix_column_lineage_target_fqn", "column_lineage", ["target_fqn"])
