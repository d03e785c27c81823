"""
The tables: three that other programs share, and our own beside them.

UUIDs are PostgreSQL's ``uuid``, and on SQLite text with hyphens. Times are ``timestamp with time zone``, and on
SQLite text in UTC. ``offset_`` and ``limit_`` are 64 bits wide, since LIMIT takes a bigint.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


class UuidText(sa.TypeDecorator[UUID]):
    """
    A UUID that a person can read in SQLite's file.
    """

    impl = sa.String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=True))
        return dialect.type_descriptor(sa.String(36))

    def process_bind_param(self, value: UUID | None, dialect: Any) -> Any:
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Any) -> UUID | None:
        return value if value is None or isinstance(value, UUID) else UUID(value)


class UtcTime(sa.TypeDecorator[datetime]):
    """
    An aware time, stored in UTC.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData()
_LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

job = sa.Table(
    "job",
    metadata,
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
    sa.Index("ix_job_created", "created"),
    sa.Index("ix_job_result_name", "result_name"),
)
fusion_model = sa.Table(
    "fusion_model",
    metadata,
    sa.Column("id", _LONG, primary_key=True, autoincrement=True),
    sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False),
    sa.Column("model_id_of_om", sa.Text),
    sa.Column("fully_qualified_name", sa.Text),
    sa.Column("trino_model_name", sa.Text, nullable=False),
    sa.Index("ix_fusion_model_job_id", "job_id"),
    sa.Index("ix_fusion_model_fully_qualified_name", "fully_qualified_name"),
    sa.Index("ix_fusion_model_trino_model_name", "trino_model_name"),
)
model_queue = sa.Table(
    "model_queue",
    metadata,
    sa.Column("id", _LONG, primary_key=True, autoincrement=True),
    sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False),
    sa.Column("model_name_fqn", sa.Text, nullable=False),
    sa.Column("from_fqn", sa.Text),
    sa.Column("command", sa.String(16), nullable=False),
    sa.Index("ix_model_queue_job_id", "job_id"),
    sa.Index("ix_model_queue_model_name_fqn", "model_name_fqn", "id"),
    # A row that the scheduler removed must not give its id to a later one.
    sqlite_autoincrement=True,
)
# Those that a kernel or a script runs itself: as many rows as run at this moment.
_FOREGROUND = sa.text("runner IS NOT NULL AND finished IS NULL")
job_detail = sa.Table(
    "job_detail",
    metadata,
    sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("query_id", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("hint", sa.Text),
    sa.Column("started", UtcTime),
    sa.Column("finished", UtcTime),
    sa.Column("row_count", sa.BigInteger),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("update_type", sa.Text),
    sa.Column("rows_changed", sa.BigInteger),
    sa.Column("is_cancel_wanted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("fingerprint", sa.Text),
    sa.Column("runner", sa.String(64)),
    sa.Column("acknowledged", sa.Text),
    sa.Index("ix_job_detail_fingerprint", "fingerprint"),
    sa.Index(
        "ix_job_detail_foreground",
        "runner",
        postgresql_where=_FOREGROUND,
        sqlite_where=_FOREGROUND,
    ),
)
_WAITING = sa.text("state = 'WAITING'")
_CLAIMED = sa.text("state = 'CLAIMED'")
job_task = sa.Table(
    "job_task",
    metadata,
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
    sa.Index(
        "ix_job_task_waiting",
        "engine_url",
        "owner",
        "rank",
        "id",
        postgresql_where=_WAITING,
        sqlite_where=_WAITING,
    ),
    sa.Index(
        "ix_job_task_claimed",
        "engine_url",
        "lease_until",
        postgresql_where=_CLAIMED,
        sqlite_where=_CLAIMED,
    ),
)
process = sa.Table(
    "process",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("engine_url", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("boot_id", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("alive_until", UtcTime, nullable=False),
)
queue_delivery = sa.Table(
    "queue_delivery",
    metadata,
    sa.Column("queue_id", _LONG, primary_key=True, autoincrement=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due", UtcTime, nullable=False),
    sa.Column("claimed_by", sa.Text),
    sa.Column("error", sa.Text),
)
dead_letter = sa.Table(
    "dead_letter",
    metadata,
    sa.Column("id", _LONG, primary_key=True, autoincrement=False),
    sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False),
    sa.Column("model_name_fqn", sa.Text, nullable=False),
    sa.Column("from_fqn", sa.Text),
    sa.Column("command", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("died", UtcTime, nullable=False),
)
graph_edge = sa.Table(
    "graph_edge",
    metadata,
    sa.Column("source_fqn", sa.Text, primary_key=True),
    sa.Column("target_fqn", sa.Text, primary_key=True),
    sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False),
    sa.Index("ix_graph_edge_target_fqn", "target_fqn"),
)
lineage_edge = sa.Table(
    "lineage_edge",
    metadata,
    sa.Column("id", _LONG, primary_key=True, autoincrement=True),
    sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False),
    sa.Column("source_fqn", sa.Text, nullable=False),
    sa.Column("target_fqn", sa.Text, nullable=False),
    sa.Index("ix_lineage_edge_job_id", "job_id"),
    sa.Index("ix_lineage_edge_source_fqn", "source_fqn"),
    sa.Index("ix_lineage_edge_target_fqn", "target_fqn"),
)
column_lineage = sa.Table(
    "column_lineage",
    metadata,
    sa.Column("id", _LONG, primary_key=True, autoincrement=True),
    sa.Column("job_id", UuidText, sa.ForeignKey("job.id"), nullable=False),
    sa.Column("source_fqn", sa.Text, nullable=False),
    sa.Column("source_column", sa.Text, nullable=False),
    sa.Column("target_fqn", sa.Text, nullable=False),
    sa.Column("target_column", sa.Text, nullable=False),
    sa.Index("ix_column_lineage_job_id", "job_id"),
    sa.Index("ix_column_lineage_target_fqn", "target_fqn"),
)
made_catalog = sa.Table(
    "made_catalog",
    metadata,
    sa.Column("engine", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("metadata_url", sa.Text, nullable=False),
    sa.Column("source_fqn", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("made", UtcTime, nullable=False),
    sa.Column("claimed_until", UtcTime),
)
# Its id is the time at which it was recorded, in microseconds since 1970, so that a store that was made anew goes on where the last one was.
metadata_change = sa.Table(
    "metadata_change",
    metadata,
    sa.Column("id", _LONG, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.String(64), nullable=False, unique=True),
    sa.Column("event_type", sa.String(64), nullable=False),
    sa.Column("entity_type", sa.String(64), nullable=False),
    sa.Column("fqn", sa.Text, nullable=False),
    sa.Column("updated_ms", sa.BigInteger),
)

# What a job is beside its row: columns of a query that joins these tables.
DETAILS = [
    *(c for c in job_detail.c if c.name not in {"job_id", "fingerprint", "runner"}),
    job_task.c.job_id.is_not(None).label("is_background"),
    *(job_task.c[name] for name in ("attempt", "worker", "progress")),
]
