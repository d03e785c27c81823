"""
Usage and joins: how often an entity was read a day, and which columns were joined.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from . import events
from .answers import Answer, Json, bad_request
from .columns import column_fqns
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
    Say which columns were joined on a day: a pair's count of that day is replaced, and both tables show it.
    """
    request.principal.demand("EditAll")
    table = request.state.get("table", table_id)
    body: Json = request.json()
    columns = {one.rpartition(".")[2] for one in column_fqns(table.data["columns"], table.fqn)}
    day = str(body["startDate"])
    for one in body.get("columnJoins", ()):
        if one["columnName"] not in columns:
            raise bad_request(f"Invalid column name {one['columnName']}")
        for other in one["joinedWith"]:
            _join(request, table, one["columnName"], other, day)
    return Answer(200, present(request, table, ("joins",)))


def _join(request: Request, table: Entity, column: str, other: Json, day: str) -> None:
    fqn, count = other["fullyQualifiedName"], int(other["joinCount"])
    other_table, _, other_column = fqn.rpartition(".")
    ends = (
        (table, column, fqn),
        (request.state.named("table", other_table), other_column, f"{table.fqn}.{column}"),
    )
    for end, name, joined in ends:
        end.fact("joinsByDay", dict)[day, name, joined] = count
        end.set_fact("joins", partial(_joins, end))


def _joins(table: Entity) -> Json:
    counts: dict[tuple[str, str, str], int] = table.fact("joinsByDay", dict)
    first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=KEPT_DAYS)
    totals: dict[str, dict[str, int]] = {}
    for (day, column, joined), count in counts.items():
        if dt.date.fromisoformat(day) >= first:
            of_column = totals.setdefault(column, {})
            of_column[joined] = of_column.get(joined, 0) + count
    shown = [{"columnName": name, "joinedWith": _listed(found)} for name, found in totals.items()]
    return {
        "startDate": first.isoformat(),
        "dayCount": KEPT_DAYS,
        "columnJoins": shown,
        "directTableJoins": [],
    }


def _listed(counts: dict[str, int]) -> list[Json]:
    ordered = sorted(counts.items(), key=lambda one: -one[1])
    return [{"fullyQualifiedName": name, "joinCount": count} for name, count in ordered]
