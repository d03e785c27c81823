"""
The first tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fusion_magic.store.sql.tables import UtcTime, UuidText

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _job_id(*, is_key: bool = False) -> sa.Column[object]:
    return sa.Column(
        "job_id", UuidText, sa.ForeignKey("job.id"), nullable=False, primary_key=is_key
    )


def upgrade() -> None:
    """
    Make them.
    """
    op.create_table(
        "job",
        sa.Column("id", UuidText, primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("user_query", sa.Text, nullable=False),
        sa.Column("converted_query", sa.Text),
        sa.Column("offset_", sa.BigInteger),
        sa.Column("limit_", sa.BigInteger),
        sa.Column("created", UtcTime, nullable=False),
        sa.Column("updated", UtcTime, nullable=False),
        sa.Column("result_name", sa.Text),
        sa.Column("result_path", sa.Text),
    )
    op.create_index("ix_job_created", "job", ["created"])
    op.create_table(
        "fusion_model",
        sa.Column("id", _LONG, primary_key=True, autoincrement=True),
        _job_id(),
        sa.Column("model_id_of_om", sa.Text),
        sa.Column("fully_qualified_name", sa.Text),
        sa.Column("trino_model_name", sa.Text, nullable=False),
    )
    op.create_index("ix_fusion_model_job_id", "fusion_model", ["job_id"])
    op.create_index(
        "ix_fusion_model_fully_qualified_name", "fusion_model", ["fully_qualified_name"]
    )
    op.create_table(
        "model_queue",
        sa.Column("id", _LONG, primary_key=True, autoincrement=True),
        _job_id(),
        sa.Column("model_name_fqn", sa.Text, nullable=False),
        sa.Column("from_fqn", sa.Text),
        sa.Column("command", sa.String(16), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_model_queue_job_id", "model_queue", ["job_id"])
    op.create_table(
        "job_detail",
        _job_id(is_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("owner", "origin", "engine", "profile")
        ),
        *(sa.Column(name, sa.Text) for name in ("query_id", "error", "hint")),
        *(sa.Column(name, UtcTime) for name in ("started", "finished")),
        *(sa.Column(name, sa.BigInteger) for name in ("row_count", "size_bytes")),
    )
    op.create_table(
        "lineage_edge",
        sa.Column("id", _LONG, primary_key=True, autoincrement=True),
        _job_id(),
        sa.Column("source_fqn", sa.Text, nullable=False),
        sa.Column("target_fqn", sa.Text, nullable=False),
    )
    op.create_index("ix_lineage_edge_source_fqn", "lineage_edge", ["source_fqn"])
    op.create_index("ix_lineage_edge_target_fqn", "lineage_edge", ["target_fqn"])
    op.create_table(
        "column_lineage",
        sa.Column("id", _LONG, primary_key=True, autoincrement=True),
        _job_id(),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("source_fqn", "source_column", "target_fqn", "target_column")
        ),
    )
    op.create_index("ix_column_lineage_job_id", "column_lineage", ["job_id"])
