"""
How a test fills the server without requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import entities
from .filling import Columns, Filler
from .listener import Core
from .present import present


class Fillable:
    """
    A server that takes entities from the test itself.
    """

    _core: Core

    @property
    def url(self) -> str:
        """
        Where it answers.
        """
        raise NotImplementedError

    def add_table(
        self, fqn: str, columns: Columns, *, service_type: str = "Postgres", **facts: Any
    ) -> str:
        """
        Add a table, and its schema, database and service where they are missing.

        Args:
            fqn: ``service.database.schema.table``.

            columns: Names with their types, names alone (``INT``), or columns as OpenMetadata has them.

            service_type: Of a service that is made.

            facts: What its create message has besides: ``description``, ``tags``, ``owners``, ``tableType`` …

        Returns:
            The table's id.
        """
        return self._filler.table(fqn, columns, service_type, facts).id

    def add_tables(
        self, fqns: Iterable[str], columns: Columns = ("id",), *, service_type: str = "Postgres"
    ) -> int:
        """
        Add many tables with the same columns, some 100,000 a second, without events.

        Returns:
            How many.
        """
        return self._filler.many_tables(fqns, columns, service_type)

    def add_container(
        self, fqn: str, columns: Columns | None = None, *, service_type: str = "S3", **facts: Any
    ) -> str:
        """
        Add a container, and the containers and the storage service above it where they are missing.

        Args:
            fqn: ``service.folder.container``.

            columns: As ``add_table`` has them; None for a container without a data model.

            service_type: Of a service that is made.

            facts: What its create message has besides: ``fullPath``, ``fileFormats`` …

        Returns:
            The container's id.
        """
        return self._filler.container(fqn, columns, service_type, facts).id

    def add(self, kind: str, **body: Any) -> str:
        """
        Add an entity of any *kind* (``databaseService``, ``user``, ``domain`` …) by its create message.

        Returns:
            Its id.
        """
        return self._filler.put(kind, body).id

    def get(self, kind: str, fqn: str) -> dict[str, Any]:
        """
        An entity as the bot reads it with all fields, deleted or not, without a request.
        """
        state = self._core.state
        with state.lock:
            entity = state.named(kind, fqn, is_any=True)
            request = self._filler.request("ingestion-bot")
            request.principal.is_bot = True
            return present(request, entity, entity.kind.fields(state.version))

    def add_edge(self, source: str, target: str, **details: Any) -> None:
        """
        Let data flow from the entity of id *source* to that of id *target*; *details* is what the edge says.
        """
        kept = {"source": "Manual", "columnsLineage": [], **details}
        with self._core.state.lock:
            self._core.state.put_edge(source, target, kept)

    def edge(self, source: str, target: str) -> dict[str, Any] | None:
        """
        What the edge between two ids says, or None where there is none.
        """
        return self._core.state.edges.get((source, target))

    def add_ingestion_pipeline(self, service: str, name: str = "metadata", **facts: Any) -> str:
        """
        Add an ingestion pipeline of a database service, deployed.

        Args:
            service: The service's FQN.

            name: The pipeline's.

            facts: What its create message has besides: ``pipelineType`` (``metadata``), ``sourceConfig`` …

        Returns:
            Its id.
        """
        above = self._core.state.named("databaseService", service)
        body = {
            "name": name,
            "pipelineType": "metadata",
            "service": {"id": above.id, "type": "databaseService"},
            "sourceConfig": {"config": {"type": "DatabaseMetadata"}},
            "airflowConfig": {},
            **facts,
        }
        pipeline = self._filler.put("ingestionPipeline", body)
        pipeline.data = {**pipeline.data, "deployed": True}
        return pipeline.id

    def add_test(
        self,
        table: str,
        name: str,
        status: str | None = None,
        *,
        column: str | None = None,
        message: str = "",
    ) -> str:
        """
        Add a data test of a table or of one of its columns.

        Args:
            table: The table's FQN.

            name: The test's.

            status: Of its last run: ``Success``, ``Failed``, ``Aborted``; None where it did not run.

            column: The column's name.

            message: What the run said.

        Returns:
            Its FQN.
        """
        return self._filler.test(table, name, status, column, message)

    def soft_delete(self, fqn: str, *, kind: str = "table") -> None:
        """
        Mark an entity and what is below it as deleted.
        """
        self._delete(kind, fqn, is_hard=False)

    def hard_delete(self, fqn: str, *, kind: str = "table") -> None:
        """
        Delete an entity for good, with what is below it and its edges.
        """
        self._delete(kind, fqn, is_hard=True)

    def _delete(self, kind: str, fqn: str, *, is_hard: bool) -> None:
        request = self._filler.request()
        with self._core.state.lock:
            entities.delete(
                request, self._core.state.named(kind, fqn, is_any=is_hard), is_hard=is_hard
            )
        for follow in request.after:
            follow()

    def add_custom_property(self, entity_type: str, name: str, *, kind: str = "string") -> None:
        """
        Let entities of a type have the custom property *name*.
        """
        self._filler.custom_property(entity_type, name, kind)

    @property
    def _filler(self) -> Filler:
        return Filler(self._core.state, self.url)
