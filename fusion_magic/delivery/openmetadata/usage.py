"""
How tables are used: a query entity for each statement, with who ran it on what, a count for each table and day, and what they are joined
by.

A statement is found again by its checksum, so that its next run adds what is new: a user, a table. OpenMetadata knows no repeats of
counts. They are added before a job's run is written to its notebook's pipeline, and never after: a crash in between adds one too many.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fusion_magic.delivery import DeliveryContext, JobFacts
from fusion_magic.delivery.openmetadata.assets import MAX_AGE_S, Assets, End
from fusion_magic.delivery.openmetadata.joins import Joins
from fusion_magic.delivery.openmetadata.locks import Locks
from fusion_magic.delivery.openmetadata.own import milliseconds, own_part
from fusion_magic.delivery.openmetadata.recent import Recent
from fusion_magic.errors import FusionError, MetadataError, PermanentDeliveryError
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.masking import disclosed
from fusion_magic.store import Job

MOST_KEPT = 1_000
MOST_COUNTED = 10_000
COUNTED_S = 3600.0
RANK_EVERY_S = 600.0
MOST_LISTED = 1_000
_FIELDS = "queryUsedIn,users,usedBy"
_LOCKS = Locks()
Query = dict[str, Any]


class Usage:
    """
    What is told of use.

    Args:
        context: What it says of a statement's text: where nothing may be told, there are no queries; and whether use is told at all.

        clock: Seconds that only grow.
    """

    def __init__(
        self,
        client: OpenMetadataClient,
        assets: Assets,
        context: DeliveryContext,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._assets = assets
        self._joins = Joins(client, assets, context.statements)
        self._sql = context.sql
        self._is_told = context.is_usage_told
        self._clock = clock
        # By text and owner: the tables that are known to be used by it.
        self._told: Recent[tuple[str, str], frozenset[str]] = Recent(
            age_s=MAX_AGE_S, most=MOST_KEPT, clock=clock
        )
        self._users: Recent[str, bool] = Recent(age_s=MAX_AGE_S, most=MOST_KEPT, clock=clock)
        self._counted: Recent[UUID, bool] = Recent(age_s=COUNTED_S, most=MOST_COUNTED)
        self._days: set[str] = set()
        self._ranked_at = clock()

    def count(self, *jobs: JobFacts) -> None:
        """
        Count each job once for each table that it reads, on the day on which it began (UTC).
        """
        new = [facts for facts in jobs if self._counted.take(facts.job.id) is None]
        uses = Counter(
            (table.id, _day(facts.job)) for facts in new for table in self._tables(facts)
        )
        if not self._is_told or not uses:
            return
        for facts in new:
            self._joins.note(facts)
        for (table_id, day), number in uses.items():
            self._client.send("PUT", f"usage/table/{table_id}", {"date": day, "count": number})
            self._days.add(day)
        if self._clock() >= self._ranked_at + RANK_EVERY_S:
            self.rank()

    def count_before(self, jobs: Sequence[JobFacts]) -> None:
        """
        Count jobs together that ``count`` is going to be asked for one by one.
        """
        self.count(*jobs)
        for facts in jobs:
            self._counted.keep(facts.job.id, True)

    def rank(self) -> None:
        """
        Let OpenMetadata rank tables by the counts of the days that were counted since, and tell it their joins; where it cannot, the
        next time will do.
        """
        days, self._days, self._ranked_at = self._days, set(), self._clock()
        with suppress(FusionError):
            self._joins.tell()
        with suppress(MetadataError):
            for day in sorted(days):
                self._client.send("POST", f"usage/compute.percentile/table/{day}")

    def add_query(self, facts: JobFacts, source: End) -> None:
        """
        The job's statement as a query of *source* and of all other tables that it reads.
        """
        job = facts.job
        text = disclosed(job.converted_query or job.user_query, self._sql)
        if not self._is_told or not text or source.type != "table":
            return
        key = (text, job.owner)
        with _LOCKS.of(self._client.address.url, text):
            known = self._told.get(key) or frozenset()
            if source.id not in known:
                tables = self._tables(facts) or [source]
                self._tell(text, tables, job)
                self._told.keep(key, known | {source.id, *(table.id for table in tables)})

    def _tables(self, facts: JobFacts) -> list[End]:
        """
        The tables that the job reads, as far as OpenMetadata has them, in an order of their own.
        """
        sources = sorted({source for source, _ in facts.edges if not _is_own(source)})
        ends = (self._found(source) for source in sources)
        return [end for end in ends if end is not None and end.type == "table"]

    def _found(self, fqn: str) -> End | None:
        try:
            return self._assets.find(fqn)
        except PermanentDeliveryError:  # it is in the bin
            return None

    def _tell(self, text: str, tables: Sequence[End], job: Job) -> None:
        service = format_fqn(parse_fqn(tables[0].fqn).parts[:1])
        checksum = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        query = self._read(f"{service}.{checksum}")
        if query is None:
            query = self._make(service, text, tables, job)
        if query is None:
            query = self._read(f"{service}.{checksum}") or self._elsewhere(checksum, tables)
        if query is not None:
            self._add(query, "usage", "queryUsedIn", [_reference(table) for table in tables])
            who = "users" if self._is_user(job.owner) else "usedBy"
            self._add(query, who, who, [job.owner])

    def _read(self, fqn: str) -> Query | None:
        return self._client.get(f"queries/name/{segment(fqn)}", Query, {"fields": _FIELDS})

    def _make(self, service: str, text: str, tables: Sequence[End], job: Job) -> Query | None:
        """
        The new query; None where there is one of that text, in another service for instance.
        """
        users = [job.owner] if self._is_user(job.owner) else []
        body: dict[str, Any] = {
            "query": text,
            "service": service,
            "queryUsedIn": [_reference(table) for table in tables],
            # Left out, it is an error in 1.6 where somebody else has made the query meanwhile.
            "users": users,
            "queryDate": milliseconds(job),
        }
        if job.started is not None and job.finished is not None:
            body["duration"] = round((job.finished - job.started).total_seconds(), 3)
        try:
            made = self._client.put("queries", body, Query)
        except MetadataError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            return None
        return {**made, "queryUsedIn": body["queryUsedIn"], "users": _named(users), "usedBy": []}

    def _elsewhere(self, checksum: str, tables: Iterable[End]) -> Query | None:
        for table in tables:
            query: dict[str, str | int] = {"entityId": table.id, "fields": _FIELDS}
            found = self._client.get("queries", Query, query | {"limit": MOST_LISTED}) or {}
            for one in found.get("data") or ():
                if one.get("checksum") == checksum:
                    return dict(one)
        return None

    def _add(self, query: Query, path: str, field: str, wanted: Sequence[Any]) -> None:
        there = {_key(one) for one in query.get(field) or ()}
        missing = [one for one in wanted if _key(one) not in there]
        if missing:
            self._client.send("PUT", f"queries/{query['id']}/{path}", missing)

    def _is_user(self, name: str) -> bool:
        """
        Whether OpenMetadata knows the job's owner by that name; others are told as a text.
        """
        kept = self._users.get(name)
        if kept is not None:
            return kept
        found = self._client.get(f"users/name/{segment(name)}", dict[str, Any])
        return self._users.keep(name, found is not None)


def _day(job: Job) -> str:
    return (job.started or job.created).astimezone(UTC).date().isoformat()


def _is_own(fqn: str) -> bool:
    return any(own_part(fqn, room) is not None for room in ("notebooks", "results"))


def _reference(table: End) -> dict[str, str]:
    return {"id": table.id, "type": table.type}


def _named(users: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in users]


def _key(one: Any) -> str:
    """
    A reference by its name where it is a user's, else by its id; a text by itself.
    """
    if isinstance(one, dict):
        return str(one["id"] if one.get("type") == "table" else one.get("name"))
    return str(one)
