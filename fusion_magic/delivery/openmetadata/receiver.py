"""
The port ``Delivery`` over OpenMetadata's REST API.

    INGESTION    the target is made known where OpenMetadata lacks it
    LINEAGE      the edge is read, merged with what others wrote, and written where that changes it; the source's use is told

A row is told only where its job bears it out: the job has finished, and used or made both names. Who can write to the outbox alone
can thereby write nothing into OpenMetadata. The rows of one target come one after another, however many schedulers run; within
a process a lock sees to that for several outboxes, too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from fusion_magic.delivery import DeliveryContext, JobFacts
from fusion_magic.delivery.openmetadata.locks import Locks
from fusion_magic.errors import (
    DeliveryError,
    InvalidFqn,
    InvalidSettings,
    MetadataError,
    MetadataRefuses,
    MetadataUnavailable,
    MissingExtra,
    PermanentDeliveryError,
    ReceiverUnavailable,
)
from fusion_magic.openmetadata.address import parse_address
from fusion_magic.store import Job, JobStatus, Message

if TYPE_CHECKING:
    from fusion_magic.delivery.openmetadata.assets import End
    from fusion_magic.delivery.openmetadata.edges import OwnEdge

logger = logging.getLogger(__name__)

SCHEMES = ("openmetadata+https", "openmetadata+http")
SETTING = "delivery.url"
TURNS = 5
RECENT_S = 60.0
MOST_EDGES = 1_000
Columns = list[tuple[str, str]]
Ends: TypeAlias = "tuple[End, End]"
_LOCKS = Locks()
# An end may have gone, or lost a column, since it was looked up.
_STALE = frozenset({400, 404})


def open_delivery(url: str, context: DeliveryContext) -> OpenMetadataDelivery:
    """
    The receiver that *url* names; see ``OpenMetadataDelivery``.
    """
    return OpenMetadataDelivery(url, context)


class OpenMetadataDelivery:
    """
    The port ``Delivery`` for one server.

    Args:
        url: ``openmetadata+https://host/api``, with the options of ``metadata.url``.

        context: Its token is sent over HTTPS alone, loopback excepted.

    Raises:
        InvalidSettings: The URL is none of these, or a token would travel in the open.
        MissingExtra: The extra is not installed.
    """

    name = "openmetadata"
    is_concurrent = True

    def __init__(self, url: str, context: DeliveryContext) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in SCHEMES:
            raise InvalidSettings(
                f"{SETTING} begins with {scheme}://.", hint=f"Known are {', '.join(SCHEMES)}."
            )
        plain = f"{scheme.removeprefix('openmetadata+')}://{rest}"
        address = parse_address(plain, setting=SETTING, token=context.token)
        try:
            from fusion_magic.openmetadata.client import OpenMetadataClient
        except ImportError as exc:
            raise MissingExtra("Delivery to OpenMetadata", extra="openmetadata") from exc
        from fusion_magic.delivery.openmetadata.assets import Assets
        from fusion_magic.delivery.openmetadata.notebooks import Notebooks
        from fusion_magic.delivery.openmetadata.recent import Recent
        from fusion_magic.delivery.openmetadata.results import Results
        from fusion_magic.delivery.openmetadata.usage import Usage

        self._client = OpenMetadataClient(address, token=context.token, setting=SETTING)
        self._context = context
        self._assets = Assets(self._client, context)
        self._edges: Recent[tuple[str, str], tuple[datetime, dict[str, Any]]] = Recent(
            age_s=RECENT_S, most=MOST_EDGES
        )
        self._notebooks = Notebooks(self._client, sql=context.sql)
        self._results = Results(self._client, context, self._assets)
        self._usage = Usage(self._client, self._assets, context)

    def deliver(self, message: Message, facts: JobFacts) -> None:
        """See ``Delivery.deliver``."""
        row = message.row
        with _told_apart():
            require_borne_out(message, facts)
            with _LOCKS.of(self._client.address.url, row.model_name_fqn):
                if row.from_fqn is None:
                    self._make_known(row.model_name_fqn, facts)
                else:
                    source = self._write(row.from_fqn, row.model_name_fqn, facts)
                    self._usage.add_query(facts, source)

    def expect(self, rows: Sequence[tuple[Message, JobFacts]]) -> None:
        """
        See ``Expecting.expect``: the runs of their jobs are read at once, and the uses of their tables counted at once.
        """
        jobs: dict[UUID, JobFacts] = {}
        with _told_apart():
            for message, facts in rows:
                require_borne_out(message, facts)
                jobs[facts.job.id] = facts
            new = self._notebooks.expect(facts.job for facts in jobs.values())
            self._usage.count_before([jobs[job.id] for job in new])

    def forget(self, source: str, target: str, facts: JobFacts) -> str | None:
        """
        See ``Forgetting.forget``. Runs, queries and counts tell what has happened, and stay.
        """
        with _told_apart(), _LOCKS.of(self._client.address.url, target):
            self._assets.forget(source, target)
            one, other = self._end_there(source, facts), self._end_there(target, facts)
            if one is None or other is None:
                return None
            return self._remove((one, other), (source, target), facts)

    def close(self) -> None:
        """See ``Delivery.close``."""
        self._usage.rank()
        self._client.close()

    def _end_there(self, fqn: str, facts: JobFacts) -> End | None:
        """
        An end of an edge as it is there, or None: nothing is made.
        """
        from fusion_magic.delivery.openmetadata.own import NOTEBOOKS, RESULTS, own_part

        if own_part(fqn, NOTEBOOKS) is not None:
            return self._notebooks.find(facts.job)
        name = own_part(fqn, RESULTS)
        return self._assets.find(fqn) if name is None else self._results.find(name, facts.job)

    def _remove(self, ends: Ends, fqns: tuple[str, str], facts: JobFacts) -> str | None:
        from fusion_magic.delivery.openmetadata.edges import OwnEdge, is_only

        current = self._read(ends)
        columns, _ = _columns_between(ends, fqns, facts)
        # Whichever of our pipelines it is.
        own = OwnEdge(columns, pipeline=None if ends[1].type == "pipeline" else "")
        if current is None:
            return None
        if not is_only(current, own, known=_columns_of(ends)):
            return "somebody else has written to it, too"
        path = "/".join(f"{end.type}/{end.id}" for end in ends)
        self._client.send("DELETE", f"lineage/{path}")
        self._edges.drop((ends[0].id, ends[1].id))
        return None

    def _write(self, source: str, target: str, facts: JobFacts) -> End:
        """
        Write the edge by what is kept of its ends; where that does not fit, look them up again and write it by that. Its source.
        """
        ends = self._source(source, facts.job), self._target(target, facts)
        columns, unknown = _columns_between(ends, (source, target), facts)
        if not unknown and self._is_written(ends, columns, facts):
            return ends[0]
        self._assets.forget(source, target, *(end.fqn for end in ends))
        ends = self._source(source, facts.job), self._target(target, facts)
        columns, unknown = _columns_between(ends, (source, target), facts)
        if unknown:
            about = {"action": "deliver", "job_id": str(facts.job.id), "columns": unknown}
            logger.info("columns that OpenMetadata does not know are left out", extra=about)
        if not self._merge(ends, self._own_edge(ends[1], columns, facts), facts.job):
            raise DeliveryError(f"{source} or {target} went away in OpenMetadata meanwhile.")
        return ends[0]

    def _is_written(self, ends: Ends, columns: Columns, facts: JobFacts) -> bool:
        try:
            if self._merge(ends, self._own_edge(ends[1], columns, facts), facts.job):
                return True
        except MetadataError as error:
            if error.status not in _STALE:
                raise
        self._notebooks.forget(facts.job)
        return False

    def _source(self, fqn: str, job: Job) -> End:
        from fusion_magic.delivery.openmetadata.own import RESULTS, own_part

        name = own_part(fqn, RESULTS)
        return self._assets.source(fqn) if name is None else self._results.source(name, job)

    def _make_known(self, fqn: str, facts: JobFacts) -> None:
        if self._context.ingestion != "none" or fqn in _made_names(facts.job):
            self._target(fqn, facts)

    def _target(self, fqn: str, facts: JobFacts) -> End:
        from fusion_magic.delivery.openmetadata.own import NOTEBOOKS, RESULTS, own_part

        if own_part(fqn, NOTEBOOKS) is not None:
            return self._notebook(facts)
        if own_part(fqn, RESULTS) is not None:
            return self._results.target(facts.job)
        return self._assets.target(fqn, facts)

    def _notebook(self, facts: JobFacts) -> End:
        return self._notebooks.told(facts.job, lambda: self._usage.count(facts))

    def _own_edge(self, target: End, columns: Columns, facts: JobFacts) -> OwnEdge:
        from fusion_magic.delivery.openmetadata.edges import OwnEdge
        from fusion_magic.sql.masking import disclosed

        job = facts.job
        pipeline = None if target.type == "pipeline" else self._notebook(facts).id
        sql = disclosed(job.converted_query or job.user_query, self._context.sql)
        return OwnEdge(columns, sql, pipeline)

    def _merge(self, ends: Ends, own: OwnEdge, job: Job) -> bool:
        """
        Write the edge until it holds what is ours: whoever writes at the same time replaces it. False where an end is gone.
        """
        from fusion_magic.delivery.openmetadata.edges import holds, is_as_told, merge

        known = _columns_of(ends)
        if is_as_told(self._read_since(ends, job.finished or job.updated), own, known=known):
            return True
        current = self._read(ends)
        for _ in range(TURNS):
            if is_as_told(current, own, known=known):
                return True
            if not self._put(ends, merge(current, own, known=known)):
                return False
            current = self._read(ends)
            if holds(current, own):
                return True
        raise DeliveryError(
            f"The edge from {ends[0].fqn} to {ends[1].fqn} is changed by somebody else at the same time."
        )

    def _read_since(self, ends: Ends, ended: datetime) -> dict[str, Any] | None:
        """
        The edge as it was read after that time and a moment ago: good enough to see that there is nothing to write, and never to
        write from.
        """
        recent = self._edges.get((ends[0].id, ends[1].id))
        return recent[1] if recent is not None and recent[0] > ended else None

    def _read(self, ends: Ends) -> dict[str, Any] | None:
        now, key = datetime.now(UTC), (ends[0].id, ends[1].id)
        answer = self._client.get(f"lineage/getLineageEdge/{key[0]}/{key[1]}", dict[str, Any])
        edge = answer.get("edge") if answer is not None else None
        if not isinstance(edge, dict):
            return None
        return self._edges.keep(key, (now, edge))[1]

    def _put(self, ends: Ends, details: dict[str, Any]) -> bool:
        source, target = ({"id": end.id, "type": end.type} for end in ends)
        edge = {"fromEntity": source, "toEntity": target, "lineageDetails": details}
        return self._client.send("PUT", "lineage", {"edge": edge})


def require_borne_out(message: Message, facts: JobFacts) -> None:
    """
    Raises:
        PermanentDeliveryError: The row's job has not finished, belongs to nobody, or has nothing to do with the row's names.
    """
    job, row = facts.job, message.row
    if job.status is not JobStatus.FINISHED:
        raise _not_borne_out(message, f"its job is {job.status.value}")
    if not job.owner:
        raise _not_borne_out(message, "its job has no owner")
    names = {model.fully_qualified_name for model in facts.models}
    if row.from_fqn is not None and row.from_fqn not in names:
        raise _not_borne_out(message, f"its job does not use {row.from_fqn}")
    if row.model_name_fqn not in names | _made_names(job):
        raise _not_borne_out(message, f"its job does not make {row.model_name_fqn}")
    edge = (row.from_fqn, row.model_name_fqn)
    if row.from_fqn is not None and facts.edges and edge not in facts.edges:
        raise _not_borne_out(message, "its job has found no such edge")


def _made_names(job: Job) -> set[str]:
    """
    The names of ours that a job may write to.
    """
    from fusion_magic.delivery.openmetadata.own import CONSOLE, NOTEBOOKS, RESULTS, own_fqn

    found = {own_fqn(NOTEBOOKS, job.origin or CONSOLE)}
    return found | {own_fqn(RESULTS, job.result_name)} if job.result_name else found


def _not_borne_out(message: Message, reason: str) -> PermanentDeliveryError:
    return PermanentDeliveryError(
        f"The row {message.id} is not told to OpenMetadata: {reason}. `fusion queue drop` forgets it."
    )


def _columns_between(
    ends: Ends, fqns: tuple[str, str], facts: JobFacts
) -> tuple[Columns, list[str]]:
    """
    The columns of an edge by OpenMetadata's FQNs, and those that it does not know, for a person. A notebook has none.
    """
    columns, unknown = [], []
    for edge in facts.column_edges:
        if (edge.source_fqn, edge.target_fqn) != fqns or ends[1].type == "pipeline":
            continue
        source, target = _find(ends[0], edge.source_column), _find(ends[1], edge.target_column)
        if source is None or target is None:
            unknown.append(f"{edge.source_column} → {edge.target_column}")
        else:
            columns.append((source, target))
    return columns, unknown


def _columns_of(ends: Ends) -> frozenset[str]:
    return frozenset(fqn for end in ends if end.columns is not None for fqn in end.columns.fqns)


def _find(end: End, column: str) -> str | None:
    return end.columns.find(column) if end.columns is not None else None


@contextmanager
def _told_apart() -> Iterator[None]:
    """
    Errors of the client as what they mean for a row: whether it may be tried again.
    """
    try:
        yield
    except MetadataUnavailable as error:
        # A 500 may be this row's, which must not hold up others.
        is_its_own = error.status == HTTPStatus.INTERNAL_SERVER_ERROR
        raise (DeliveryError if is_its_own else ReceiverUnavailable)(_text(error)) from error
    except MetadataRefuses as error:
        # A token can be renewed for all rows; a right that is missing may concern this one.
        is_token = error.status == HTTPStatus.UNAUTHORIZED
        raise (ReceiverUnavailable if is_token else DeliveryError)(_text(error)) from error
    except MetadataError as error:
        raise PermanentDeliveryError(_text(error)) from error
    except InvalidFqn as error:
        raise PermanentDeliveryError(error.message) from error


def _text(error: MetadataError) -> str:
    return f"{error.message.rstrip('.!')}. {error.hint}" if error.hint else error.message
