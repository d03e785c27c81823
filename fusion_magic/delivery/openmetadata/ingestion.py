"""
A table that OpenMetadata does not know yet, brought by the metadata pipeline of its service: triggered as it stands, and watched to its
end.

Nothing is remembered of it but a trigger that no run answers yet. Each try looks at the runs that the server knows:

    one is under way              wait: it may bring the table, and a second one beside it is refused
    one began after the job       it has ended, and the table is not there: that is final
    none                          trigger one, and wait

A trigger takes no filter, so that a pipeline is asked only if its own filters admit the table.

Source: ``metadata.utils.filters`` and ``DatabaseServiceMetadataPipeline`` of openmetadata-ingestion 1.6, observed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fusion_magic.delivery.openmetadata.recent import Recent
from fusion_magic.errors import (
    DeliveryError,
    DeliveryPending,
    MetadataError,
    PermanentDeliveryError,
)
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.sql.fqn import format_fqn
from fusion_magic.store import Job

DAY_MS = 86_400_000
UNANSWERED_S = 600.0  # for a run to be reported after its trigger
MOST_TRIGGERED = 1_000
MOST_LISTED = 1_000
DISABLED = "disabled"
_UNDER_WAY = frozenset({"queued", "running"})
_PATH = "services/ingestionPipelines"
# What a table lies in, and its own name, from the outside.
_FILTERS = ("databaseFilterPattern", "schemaFilterPattern", "tableFilterPattern")
Found = dict[str, Any]


class Ingestion:
    """
    The metadata pipelines of services.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(
        self, client: OpenMetadataClient, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._triggered: Recent[str, bool] = Recent(
            age_s=UNANSWERED_S, most=MOST_TRIGGERED, clock=clock
        )

    def pipeline_for(self, parts: Sequence[str], *, is_view: bool) -> Found | None:
        """
        The deployed metadata pipeline of a table's service that admits it; None where there is none, or nothing that runs pipelines.
        """
        runner = self._client.get(f"{_PATH}/status", Found)
        if runner is None or runner.get("platform") == DISABLED:
            return None
        service = format_fqn(parts[:1])
        query: dict[str, str | int] = {"service": service, "pipelineType": "metadata"}
        found = self._client.get(_PATH, Found, query | {"limit": MOST_LISTED}) or {}
        return next(
            (one for one in found.get("data") or () if _may_bring(one, parts, is_view)), None
        )

    def bring(self, pipeline: Found, fqn: str, job: Job) -> None:
        """
        Let the pipeline bring a table that *job* has made; it never returns, since that takes a while.

        Raises:
            DeliveryError: It was triggered, or cannot be.
            DeliveryPending: It is at work.
            PermanentDeliveryError: It has ended without the table.
        """
        ended = round((job.finished or job.updated).timestamp() * 1000)
        name, runs = pipeline["fullyQualifiedName"], self._runs(pipeline, ended)
        if any(run.get("pipelineState") in _UNDER_WAY for run in runs):
            raise DeliveryPending(f"{fqn} waits for the ingestion pipeline {name}.")
        later = [run for run in runs if _began(run) >= ended]
        if later:
            state = max(later, key=_began).get("pipelineState")
            raise PermanentDeliveryError(
                f"The ingestion pipeline {name} ended ({state}) without {fqn}: look at its log in OpenMetadata, run it there, then "
                "run `fusion queue retry`."
            )
        text = f"{fqn} waits for the ingestion pipeline {name}, which was triggered."
        if self._triggered.get(pipeline["id"]) is not None:
            raise DeliveryPending(text)
        self._trigger(pipeline)
        # Counted, so that a pipeline of which no run is ever reported is not triggered for ever.
        raise DeliveryError(text)

    def _runs(self, pipeline: Found, ended: int) -> list[Found]:
        """
        The runs from a day before that time on: one of them may be under way still.
        """
        path = f"{_PATH}/{segment(pipeline['fullyQualifiedName'])}/pipelineStatus"
        # A runner's clock may be ahead of ours.
        until = max(ended, round(time.time() * 1000)) + DAY_MS
        found = self._client.get(path, Found, {"startTs": ended - DAY_MS, "endTs": until}) or {}
        return list(found.get("data") or ())

    def _trigger(self, pipeline: Found) -> None:
        try:
            answer = self._client.post(f"{_PATH}/trigger/{pipeline['id']}", Found)
        except MetadataError as error:
            # Such as: a run is under way that has not been reported yet.
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            answer = {"reason": error.message}
        if answer.get("code") != HTTPStatus.OK:
            name = pipeline["fullyQualifiedName"]
            raise DeliveryError(
                f"OpenMetadata does not trigger the ingestion pipeline {name}: {answer.get('reason')}"
            )
        self._triggered.keep(pipeline["id"], True)


def _began(run: Mapping[str, Any]) -> int:
    return int(run.get("startDate") or run.get("timestamp") or 0)


def _may_bring(pipeline: Mapping[str, Any], parts: Sequence[str], is_view: bool) -> bool:
    # What a token may not see is no reason to trigger it.
    config = (pipeline.get("sourceConfig") or {}).get("config")
    is_ready = pipeline.get("deployed") is True and pipeline.get("enabled") is not False
    return is_ready and config is not None and admits(config, parts, is_view=is_view)


def admits(config: Mapping[str, Any], parts: Sequence[str], *, is_view: bool) -> bool:
    """
    Whether a metadata pipeline takes a table.

    Args:
        config: Its ``sourceConfig.config``.

        parts: Those of the table's FQN: service, database, schema, table.

    >>> admits({"schemaFilterPattern": {"excludes": ["^tmp"]}}, ["s", "d", "TMP_1", "t"], is_view=False)
    False
    """
    if config.get("includeViews" if is_view else "includeTables") is False:
        return False
    is_by_fqn = bool(config.get("useFqnForFiltering"))
    names = [format_fqn(parts[: n + 2]) if is_by_fqn else parts[n + 1] for n in range(3)]
    return all(
        _passes(config.get(key) or {}, name) for key, name in zip(_FILTERS, names, strict=True)
    )


def _passes(pattern: Mapping[str, Any], name: str) -> bool:
    try:
        if _matches(pattern.get("excludes") or (), name):
            return False
        includes = pattern.get("includes") or ()
        return not includes or _matches(includes, name)
    except re.error:
        # The pipeline itself would fail on it.
        return False


def _matches(expressions: Iterable[str], name: str) -> bool:
    return any(re.match(one, name, re.IGNORECASE) for one in expressions)
