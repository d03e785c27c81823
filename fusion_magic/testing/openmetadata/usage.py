"""
Usage and joins: how often an entity was read a day, and which columns were joined.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from . import events
from .answers import Answer, Json, bad_request
from .columns import column_fqns
from .names import child_fqn
from .present import present, reference
from .routing import ROUTER, Request
from .state import Entity

KEPT_DAYS = 30


def _report(request: Request, entity: Entity, *, is_added: bool) -> Answer:
    request.principal.demand("EditUsage")
    body = request.json()
    day, count = str(body["date"]), int(body["count"])
    counts = entity.fact("dailyUsage", dict)
    difference = count if is_added else count - counts.get(day, 0)
    counts[day] = counts.get(day, 0) + difference
    for kind in ("databaseSchema", "database"):
        above = entity.ancestor(kind)
        if above is not None:
            total = above.fact("dailyUsage", dict)
            total[day] = total.get(day, 0) + count
            above.set_fact("usageSummary", partial(summary, above))
    entity.set_fact("usageSummary", partial(summary, entity))
    return Answer(201, events.event(request, "entityUpdated", entity))


def summary(entity: Entity) -> Json:
    """
    The newest day's, week's and month's counts.
    """
    counts: dict[str, int] = entity.fact("dailyUsage", dict)
    last = max(counts, default="1970-01-01")
    end = dt.date.fromisoformat(last)

    def total(days: int) -> Json:
        first = end - dt.timedelta(days=days - 1)
        found = sum(
            count for day, count in counts.items() if first <= dt.date.fromisoformat(day) <= end
        )
        return {"count": found, "percentileRank": entity.fact("percentile", float)}

    return {
        "dailyStats": total(1),
        "weeklyStats": total(7),
        "monthlyStats": total(30),
        "date": last,
    }


def _by_id(request: Request, kind: str, name: str) -> Entity:
    return request.state.get(kind, name)


def _by_name(request: Request, kind: str, name: str) -> Entity:
    return request.state.named(kind, name)


def _register(path: str, find: Callable[[Request, str, str], Entity]) -> None:
    def put(request: Request, kind: str, name: str) -> Answer:
        return _report(request, find(request, kind, name), is_added=True)

    def post(request: Request, kind: str, name: str) -> Answer:
        return _report(request, find(request, kind, name), is_added=False)

    def get(request: Request, kind: str, name: str) -> Answer:
        entity = find(request, kind, name)
        return Answer(200, {"entity": reference(entity, request.url), "usage": [summary(entity)]})

    ROUTER.on("PUT", path)(put)
    ROUTER.on("POST", path)(post)
    ROUTER.on("GET", path)(get)


_register("usage/{}/{}", _by_id)
_register("usage/{}/name/{}", _by_name)


@ROUTER.on("POST", "usage/compute.percentile/{}/{}")
def rank(request: Request, kind: str, day: str) -> Answer:
    """
    Rank the entities of a kind by their counts of a day.
    """
    request.principal.demand("EditUsage")
    dt.date.fromisoformat(day)
    found = [one for one in request.state.of_kind(kind) if one.facts and "dailyUsage" in one.facts]
    counts = [one.facts["dailyUsage"].get(day, 0) for one in found if one.facts]
    for entity, count in zip(found, counts, strict=True):
        entity.set_fact("percentile", 100.0 * sum(other < count for other in counts) / len(counts))
    return Answer(201)


@ROUTER.on("PUT", "tables/{}/joins")
def put_joins(request: Request, table_id: str) -> Answer:
    """
    Say which columns were joined on a day; the same day again replaces it.
    """
    request.principal.demand("EditAll")
    table = request.state.get("table", table_id)
    body: Json = request.json()
    day = str(body["startDate"])
    if not _first_day() <= dt.date.fromisoformat(day) <= dt.datetime.now(dt.UTC).date():
        raise bad_request("Date range can only include past 30 days starting today")
    for one, other, _ in (pairs := list(_pairs(request, table, body))):
        for asked in (one, other):
            asked.table.set_fact("joins", partial(_joins, asked.table))
    for one, other, count in pairs:
        one.table.fact("joinsByDay", dict).setdefault(day, {})[one.name, other.fqn] = count
        other.table.fact("joinsByDay", dict).setdefault(day, {})[other.name, one.fqn] = count
    return Answer(200, present(request, table, ("joins",)))


class _Column(NamedTuple):
    table: Entity
    name: str

    @property
    def fqn(self) -> str:
        return child_fqn(self.table.fqn, self.name)


def _pairs(request: Request, table: Entity, body: Json) -> Iterator[tuple[_Column, _Column, int]]:
    own = {fqn.rpartition(".")[2] for fqn in column_fqns(table.data["columns"], table.fqn)}
    for one in body.get("columnJoins", ()):
        if one["columnName"] not in own:
            raise bad_request(f"Invalid column name {one['columnName']}")
        for joined in one["joinedWith"]:
            other = _column(request, joined["fullyQualifiedName"])
            yield _Column(table, one["columnName"]), other, joined["joinCount"]


def _column(request: Request, fqn: str) -> _Column:
    above, _, name = fqn.rpartition(".")
    table = request.state.named("table", above)
    if fqn not in column_fqns(table.data["columns"], table.fqn):
        raise bad_request(f"Invalid fully qualified column name {fqn}")
    return _Column(table, name)


def _first_day() -> dt.date:
    return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=KEPT_DAYS)


def _joins(table: Entity) -> Json:
    days: dict[str, dict[tuple[str, str], int]] = table.fact("joinsByDay", dict)
    totals: dict[str, Counter[str]] = {}
    for day, counts in days.items():
        for (name, other), count in counts.items():
            if dt.date.fromisoformat(day) >= _first_day():
                totals.setdefault(name, Counter())[other] += count
    shown = [{"columnName": name, "joinedWith": _listed(counts)} for name, counts in totals.items()]
    return {
        "startDate": _first_day().isoformat(),
        "dayCount": KEPT_DAYS,
        "columnJoins": shown,
        "directTableJoins": [],
    }


def _listed(counts: Counter[str]) -> list[Json]:
    return [{"fullyQualifiedName": name, "joinCount": n} for name, n in counts.most_common()]
