"""
What most engines answer alike: an engine of one's own begins with these two, and says what is different.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from fusion_magic.engines import (
    CatalogMaker,
    EngineCapabilities,
    Progress,
    RemoteQueries,
    Resumable,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from fusion_magic.metadata import Entity


class BaseEngine:
    """
    An engine in this process: its queries end with it, it reads no stored results, and has no session.
    """

    capabilities = EngineCapabilities()

    @property
    def remote_queries(self) -> RemoteQueries | None:
        """See ``Engine.remote_queries``."""
        return None

    @property
    def catalog_maker(self) -> CatalogMaker | None:
        """See ``Engine.catalog_maker``."""
        return None

    @property
    def default_schema(self) -> tuple[str, ...]:
        """See ``Engine.default_schema``."""
        return ()

    def dataset_namespace(self) -> str | None:
        """See ``Engine.dataset_namespace``."""
        return None

    def result_parts(self, name: str) -> tuple[str, ...] | None:
        """See ``Engine.result_parts``."""
        return None

    def file_parts(self, entity: Entity) -> tuple[str, ...] | None:
        """See ``Engine.file_parts``."""
        return None

    def session(self) -> Mapping[str, str]:
        """See ``Engine.session``."""
        return {}

    def is_shared(self, trino_parts: tuple[str, ...]) -> bool:
        """See ``Engine.is_shared``."""
        return True

    def release_if_idle(self) -> None:
        """See ``Engine.release_if_idle``."""


class BaseExecution:
    """
    A statement in this process.
    """

    query_id: str | None = None
    info_url: str | None = None
    update_type: str | None = None
    rows_changed: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def resumable(self) -> Resumable | None:
        """See ``Execution.resumable``."""
        return None

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """See ``Execution.batches``."""
        raise NotImplementedError

    def arrivals(self) -> Generator[pa.RecordBatch | None, None, None]:
        """See ``Execution.arrivals``: rows come without a pause."""
        yield from self.batches()

    def progress(self) -> Progress:
        """See ``Execution.progress``."""
        return Progress("RUNNING")
