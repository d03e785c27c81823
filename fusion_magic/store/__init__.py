"""
Durable jobs: the ports of the store, and the values that pass through them.

``store.sql`` keeps them in SQLite or PostgreSQL through SQLAlchemy. Other programs share three of its tables (``job``,
``fusion_model``, ``model_queue``); what else is known of a job stands in tables of our own beside them.
"""

from fusion_magic.store.delivery_ports import LineageEdges, Outbox
from fusion_magic.store.model import (
    ColumnEdge,
    Command,
    Converted,
    DeadLetter,
    Ended,
    ForegroundJob,
    GraphColumn,
    GraphEdge,
    Job,
    JobFilter,
    JobStatus,
    Message,
    ModelRow,
    NewJob,
    NewTask,
    Outcome,
    ProcessRow,
    QueueRow,
    ResumePoint,
    Task,
)
from fusion_magic.store.ports import (
    Jobs,
    MetadataChanges,
    Models,
    Processes,
    Store,
    StoredResults,
    Tasks,
)

__all__ = [
    "ColumnEdge",
    "Command",
    "Converted",
    "DeadLetter",
    "Ended",
    "ForegroundJob",
    "GraphColumn",
    "GraphEdge",
    "Job",
    "JobFilter",
    "JobStatus",
    "Jobs",
    "LineageEdges",
    "Message",
    "MetadataChanges",
    "ModelRow",
    "Models",
    "NewJob",
    "NewTask",
    "Outbox",
    "Outcome",
    "ProcessRow",
    "Processes",
    "QueueRow",
    "ResumePoint",
    "Store",
    "StoredResults",
    "Task",
    "Tasks",
]
