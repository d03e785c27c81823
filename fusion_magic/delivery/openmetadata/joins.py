"""
Which columns people join, and how often a day: OpenMetadata shows it at both tables.

It replaces a pair's count of a day, so that each count is made anew from the job store: all finished jobs of that day that have read both
tables. However often it is told, and by how many schedulers, it is the same.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

from fusion_magic.delivery import JobFacts
from fusion_magic.delivery.openmetadata.assets import Assets, End
from fusion_magic.errors import InvalidSql, MetadataRefuses
from fusion_magic.openmetadata.client import OpenMetadataClient
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.lineage import JoinedColumns, extract_lineage
from fusion_magic.sql.trino_names import parse_trino_name
from fusion_magic.store import Job

logger = logging.getLogger(__name__)

MOST_DUE = 10_000
KEPT_DAYS = 30  # OpenMetadata takes no older ones
DAY = timedelta(days=1)
Statements: TypeAlias = Callable[[Sequence[str], datetime, datetime], Sequence[tuple[str, int]]]
Counts = Counter[tuple[str, str]]


class JoinedTable(NamedTuple):
    """
    A table, as OpenMetadata and as the engine's SQL call it.
    """

    fqn: str
    written: str


class Due(NamedTuple):
    """
    Two tables that a job of that day has joined.
    """

    day: date
    one: JoinedTable
    other: JoinedTable


class Joins:
    """
    What is told of joins.

    Args:
        statements: The statements that have read some tables between two times, each with its number of jobs.
    """

    def __init__(self, client: OpenMetadataClient, assets: Assets, statements: Statements) -> None:
        self._client = client
        self._assets = assets
        self._statements = statements
        self._due: set[Due] = set()

    def note(self, facts: JobFacts) -> None:
        """
        Remember which tables the job joins.
        """
        if len(self._due) < MOST_DUE:
            self._due.update(_joined_tables(facts))

    def tell(self) -> None:
        """
        Count what was noted, and tell it; what fails is noted still, unless the token has no right to it.
        """
        first = datetime.now(UTC).date() - KEPT_DAYS * DAY
        for due in sorted(self._due):
            if due.day > first:
                self._tell_where_allowed(due)
            self._due.discard(due)

    def _tell_where_allowed(self, due: Due) -> None:
        try:
            self._tell(due)
        except MetadataRefuses as error:
            # It takes a right to change tables, which a bot need not have for all else.
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            logger.info("joins are left out: %s", error.message, extra={"action": "deliver"})

    def _tell(self, due: Due) -> None:
        one, other = (self._assets.find(table.fqn) for table in (due.one, due.other))
        if one is None or other is None:
            return
        joined: dict[str, list[dict[str, Any]]] = {}
        for (left, right), number in self._count(due).items():
            name, fqn = _column_name(one, left), _column_fqn(other, right)
            if name is not None and fqn is not None:
                with_ = {"fullyQualifiedName": fqn, "joinCount": number}
                joined.setdefault(name, []).append(with_)
        if joined:
            columns = [{"columnName": name, "joinedWith": to} for name, to in joined.items()]
            body = {"startDate": due.day.isoformat(), "dayCount": 1, "columnJoins": columns}
            self._client.send("PUT", f"tables/{one.id}/joins", body)

    def _count(self, due: Due) -> Counts:
        """
        How many jobs of the day join each pair of columns, of the one table and of the other.
        """
        since = datetime.combine(due.day, time(), UTC)
        counts: Counts = Counter()
        wanted = (due.one.written, due.other.written)
        for text, number in self._statements((due.one.fqn, due.other.fqn), since, since + DAY):
            for join in _joins_of(text):
                if (join.table, join.other_table) == wanted:
                    counts[join.column, join.other_column] += number
        return counts


def _joined_tables(facts: JobFacts) -> Iterator[Due]:
    sources = {source for source, _ in facts.edges}
    tables = {
        ".".join(parse_trino_name(model.trino_model_name)): model.fully_qualified_name
        for model in facts.models
        if model.fully_qualified_name in sources
    }
    for join in _joins_of(_text(facts.job)):
        one, other = _table(tables, join.table), _table(tables, join.other_table)
        if one is not None and other is not None:
            yield Due(_day(facts.job), one, other)


def _table(tables: Mapping[str, str | None], written: str) -> JoinedTable | None:
    fqn = tables.get(written)
    return JoinedTable(fqn, written) if fqn else None


def _text(job: Job) -> str:
    return job.converted_query or job.user_query


def _day(job: Job) -> date:
    return (job.started or job.created).astimezone(UTC).date()


@lru_cache(maxsize=1_000)
def _joins_of(sql: str) -> tuple[JoinedColumns, ...]:
    try:
        return extract_lineage(sql).joins
    except InvalidSql:
        return ()


def _column_fqn(table: End, column: str) -> str | None:
    return table.columns.find(column) if table.columns is not None else None


def _column_name(table: End, column: str) -> str | None:
    """
    The column's own name, None where the table has none of it, or has it in a struct.
    """
    fqn = _column_fqn(table, column)
    name = parse_fqn(fqn).parts[-1] if fqn is not None else ""
    return name if fqn == f"{table.fqn}.{format_fqn([name])}" else None
