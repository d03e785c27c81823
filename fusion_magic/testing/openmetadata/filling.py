"""
Quick ways to give the server what a test needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import entities, messages, names, quality
from .answers import Json
from .custom_properties import add_property
from .kinds import BY_TYPE
from .routing import Principal, Request
from .state import Entity, State, new_id

Columns = Mapping[str, str] | Sequence[str] | Sequence[Mapping[str, Any]]

_TAGS = {
    ("Tier", True): ("Tier1", "Tier2", "Tier3", "Tier4", "Tier5"),
    ("PII", True): ("None", "NonSensitive", "Sensitive"),
    ("PersonalData", True): ("Personal", "SpecialCategory"),
}
_TESTS = {
    "COLUMN": ("columnValuesToBeNotNull", "columnValuesToBeUnique", "columnValuesToBeBetween"),
    "TABLE": ("tableRowCountToBeBetween", "tableRowCountToEqual", "tableCustomSQLQuery"),
}
_SERVICES = {
    "table": "databaseService",
    "container": "storageService",
    "pipeline": "pipelineService",
}


class Filler:
    """
    Writes into the state as an admin would.

    Args:
        url: Of the server, for the links in what is recorded.
    """

    def __init__(self, state: State, url: str) -> None:
        self._state = state
        self._url = url

    def put(self, kind: str, body: Json, principal: str = "admin") -> Entity:
        """
        Create or update as a PUT does.
        """
        request = self.request(principal)
        with self._state.lock:
            entity = entities.put(request, BY_TYPE[kind], body)[1]
        for follow in request.after:
            follow()
        return entity

    def request(self, principal: str = "admin") -> Request:
        """
        A request that nobody sent.
        """
        asker = Principal(principal, is_admin=True)
        return Request(self._state, "PUT", "", {}, {}, b"", self._url, asker)

    def defaults(self) -> None:
        """
        What every installation has: its users, its bot, and the tags that come with it.
        """
        for name in ("admin", "ingestion-bot", "ada"):
            is_bot = name == "ingestion-bot"
            body = {
                "name": name,
                "email": f"{name}@open-metadata.org",
                "isBot": is_bot,
                "isAdmin": name == "admin",
            }
            self.put("user", body)
        bot = self._state.named("user", "ingestion-bot")
        self.put("bot", {"name": "ingestion-bot", "botUser": "ingestion-bot"})
        self._state.named("bot", "ingestion-bot").data["botUser"] = {"id": bot.id, "type": "user"}
        for (group, is_exclusive), tags in _TAGS.items():
            self.put(
                "classification",
                {"name": group, "description": group, "mutuallyExclusive": is_exclusive},
            )
            for tag in tags:
                self.put("tag", {"name": tag, "classification": group, "description": tag})

        for entity_type, tests in _TESTS.items():
            for test in tests:
                made: Json = {
                    "name": test,
                    "description": test,
                    "entityType": entity_type,
                    "testPlatforms": ["OpenMetadata"],
                }
                self.put("testDefinition", made)
        self._state.events.clear()

    def parents(self, fqn: str, kind: str, service_type: str) -> Entity:
        """
        What is above *fqn*, made where it is missing.
        """
        parts = [names.unquoted(part) for part in names.split(fqn)]
        service_kind = _SERVICES[kind]
        above = self._state.find(service_kind, names.quote(parts[0]))
        if above is None:
            above = self.put(service_kind, {"name": parts[0], "serviceType": service_type})
        steps = (("database", "service"), ("databaseSchema", "database")) if kind == "table" else ()
        for (step, key), part in zip(steps, parts[1:-1], strict=True) if steps else ():
            fqn_here = names.child_fqn(above.fqn, part)
            known = self._state.find(step, fqn_here)
            above = known or self.put(step, {"name": part, key: above.fqn})
        return above

    def table(self, fqn: str, columns: Columns, service_type: str, facts: Json) -> Entity:
        """
        A table with its parents.
        """
        schema = self.parents(fqn, "table", service_type)
        name = names.unquoted(names.split(fqn)[-1])
        return self.put(
            "table",
            {"name": name, "databaseSchema": schema.fqn, "columns": column_list(columns), **facts},
        )

    def container(
        self, fqn: str, columns: Columns | None, service_type: str, facts: Json
    ) -> Entity:
        """
        A container with the containers and the service above it.
        """
        service = self.parents(fqn, "container", service_type)
        *above, last = [names.unquoted(part) for part in names.split(fqn)[1:]]
        parent: Entity = service
        for name in above:
            known = self._state.find("container", names.child_fqn(parent.fqn, name))
            parent = known or self._container(service, parent, {"name": name})
        model = {} if columns is None else {"dataModel": {"columns": column_list(columns)}}
        return self._container(service, parent, {"name": last, **facts, **model})

    def _container(self, service: Entity, parent: Entity, body: Json) -> Entity:
        below = {"parent": {"id": parent.id, "type": "container"}} if parent is not service else {}
        return self.put("container", {**body, "service": service.fqn, **below})

    def test(
        self, table: str, name: str, status: str | None, column: str | None, message: str
    ) -> str:
        """
        A data test, and the result of its last run.
        """
        request = self.request()
        with self._state.lock:
            suite = quality.suite_of(request, self._state.named("table", table))
        link = f"<#E::table::{table}{f'::columns::{column}' if column else ''}>"
        definition = "columnValuesToBeNotNull" if column else "tableRowCountToBeBetween"
        body = {
            "name": name,
            "entityLink": link,
            "testSuite": suite.fqn,
            "testDefinition": definition,
        }
        case = self.put("testCase", body)
        if status is not None:
            result = {"timestamp": self._state.now(), "testCaseStatus": status, "result": message}
            with self._state.lock:
                quality.add_result(request, case, result)
            for follow in request.after:
                follow()
        return case.fqn

    def many_tables(self, fqns: Iterable[str], columns: Columns, service_type: str) -> int:
        """
        Many tables with the same columns, without events.
        """
        shared = messages.clean(self.request(), BY_TYPE["table"], {"columns": column_list(columns)})
        schemas: dict[str, Entity] = {}
        count, now = 0, self._state.now()
        with self._state.lock:
            for fqn in fqns:
                above, _, name = fqn.rpartition(".")
                if '"' in fqn:
                    above, name = (
                        self.parents(fqn, "table", service_type).fqn,
                        names.unquoted(names.split(fqn)[-1]),
                    )
                if above not in schemas:
                    schemas[above] = self.parents(fqn, "table", service_type)
                self._state.add_quickly(
                    Entity(
                        BY_TYPE["table"],
                        new_id(),
                        name,
                        fqn,
                        schemas[above],
                        dict(shared),
                        now,
                        "admin",
                    )
                )
                count += 1
            self._state.add_sorted("table")
        return count

    def custom_property(self, entity_type: str, name: str, kind: str) -> None:
        """
        Let entities of a type have the property *name*.
        """
        add_property(
            self._state, entity_type, name, name, {"name": kind, "type": "type", "id": new_id()}
        )


def column_list(columns: Columns) -> list[Json]:
    """
    Columns as a message has them, from names, names with types, or whole columns.
    """
    if isinstance(columns, Mapping):
        return [_column(name, kind) for name, kind in columns.items()]
    return [_column(one, "INT") if isinstance(one, str) else dict(one) for one in columns]


def _column(name: str, kind: str) -> Json:
    column: Json = {"name": name, "dataType": kind.upper()}
    return {**column, "dataLength": 255} if column["dataType"] in {"CHAR", "VARCHAR"} else column
