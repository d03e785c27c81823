"""
A job with lineage, as a scheduler hands it to a delivery.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from fusion_magic.delivery import JobFacts
from fusion_magic.store import ColumnEdge, Command, Job, JobStatus, Message, ModelRow, QueueRow

JOB = UUID("6f1c0000-0000-4000-8000-000000000001")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TARGET = "lake.warehouse.crm.spend"
SOURCES = ("shop_pg.shop.public.orders", 's3_prod."raw.events".clicks')


def facts(engine: str = "duckdb", job_id: UUID = JOB) -> JobFacts:
    job = Job(
        id=job_id,
        status=JobStatus.FINISHED,
        user_query="CREATE TABLE lake.warehouse.crm.spend AS SELECT …",
        converted_query="CREATE TABLE lake.crm.spend AS SELECT …",
        offset_=None,
        limit_=None,
        created=NOON,
        updated=NOON,
        result_name=None,
        result_path=None,
        owner="ana",
        origin="spend.ipynb",
        engine=engine,
        query_id="20260131_120000_00001_abcde",
        started=NOON,
        finished=NOON.replace(minute=1),
        rows_changed=7,
    )
    models = [
        ModelRow(
            model_id_of_om=None, fully_qualified_name=TARGET, trino_model_name="lake.crm.spend"
        ),
        ModelRow(
            model_id_of_om="1",
            fully_qualified_name=SOURCES[0],
            trino_model_name="shop_pg.public.orders",
        ),
        ModelRow(
            model_id_of_om="2",
            fully_qualified_name=SOURCES[1],
            trino_model_name='s3_prod."raw.events".clicks',
        ),
    ]
    columns = [
        ColumnEdge(source_fqn=fqn, source_column="id", target_fqn=TARGET, target_column="key")
        for fqn in SOURCES
    ]
    return JobFacts(job, models, [(fqn, TARGET) for fqn in SOURCES], columns)


def message(
    number: int = 1, *, source: str | None = SOURCES[0], target: str = TARGET, job_id: UUID = JOB
) -> Message:
    command: Command = "INGESTION" if source is None else "LINEAGE"
    row = QueueRow(model_name_fqn=target, from_fqn=source, command=command)
    return Message(id=number, job_id=job_id, row=row, attempt=1)
