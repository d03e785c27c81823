"""
The server that tests start.
"""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Self

from . import (
    custom_properties,
    entities,
    ingestion,
    lineage,
    pipelines,
    quality,
    queries,
    search,
    services,
    usage,
)
from .controls import Controls
from .fillable import Fillable
from .listener import Connection, Core
from .people import People
from .state import State
from .subscriptions import deliver
from .versions import parse_version

# What answers the routes; to be loaded is all that they are for here.
ROOMS = (
    custom_properties, entities, ingestion, lineage, pipelines, quality, queries, search, services, usage,
)  # fmt: skip


class OpenMetadataServer(Controls, Fillable):
    """
    An OpenMetadata in memory, on a port of loopback.

        with OpenMetadataServer(version="1.6.0") as server:
            server.add_table("shop.db.public.orders", {"id": "BIGINT"})
            print(server.url, server.token)

    It answers as a real server of that version does, mistakes included, as far as
    ``tests/contracts/openmetadata`` of this project says so.
    """

    def __init__(self, *, version: str = "1.6.0") -> None:
        """
        Args:
            version: What it says that it is, and how it answers: 1.5 and later.

        Raises:
            ValueError: *version* is none.
        """
        self._connection: Connection | None = None
        self._port = 0
        super().__init__(Core(State(parse_version(version), version), People()))
        state, hooks = self._core.state, self._core.hooks
        state.listeners.append(partial(deliver, state, hooks))
        self._filler.defaults()

    @property
    def url(self) -> str:
        """
        Where it answers: ``http://127.0.0.1:PORT/api``, the same after a stop and a start.
        """
        return f"http://127.0.0.1:{self._port}/api"

    @property
    def version(self) -> str:
        """
        The version that it speaks.
        """
        return self._core.state.version_text

    def start(self) -> Self:
        """
        Listen, on the same port as before.
        """
        if self._connection is None:
            self._connection = Connection(self._core, self._port)
            self._port = self._connection.port
        return self

    def stop(self) -> None:
        """
        Go away: open connections break, new ones are refused. What it holds stays.
        """
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
