"""
What the contracts ask a server with: plain HTTP, and a place of their own that is taken away afterwards.
"""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fusion_magic.testing.openmetadata import OpenMetadataServer
from fusion_magic.testing.openmetadata.versions import Version, parse_version

Json = dict[str, Any]
Parameters = Mapping[str, Any] | Sequence[tuple[str, Any]]

INDEXED_WITHIN_S = 20


def encoded(name: str) -> str:
    """
    A name as one part of a path.
    """
    return quote(name, safe="")


@dataclass(frozen=True)
class Reply:
    """
    One answer.
    """

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None

    @property
    def message(self) -> str:
        """
        The error's text, whichever shape it has.
        """
        return str(self.body.get("message") or self.body.get("responseMessage"))


@dataclass
class Target:
    """
    A server that the contracts run on.
    """

    label: str
    url: str
    token: str
    version: Version
    person_token: str = ""
    admin_token: str = ""
    own: OpenMetadataServer | None = None


@dataclass
class Api:
    """
    A server as one of its users asks it.
    """

    target: Target
    token: str

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Parameters | None = None,
    ) -> Reply:
        """
        The answer to one request; *path* is below ``/v1`` and is sent as it is.
        """
        parts = urlsplit(self.target.url)
        make = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = make(parts.hostname or "", parts.port, timeout=60)
        kind = "application/json-patch+json" if method == "PATCH" else "application/json"
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, **(headers or {})}
        sent = {name: value for name, value in sent.items() if value}
        text = None if body is None else json.dumps(body)
        asked = f"?{urlencode(query)}" if query else ""
        try:
            connection.request(method, f"{parts.path}/v1/{path}{asked}", text, sent)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.headers.items()), answer.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Reply:
        return self.call("GET", path, query=query)

    def put(self, path: str, body: Any) -> Reply:
        return self.call("PUT", path, body)

    def patch(self, path: str, *operations: Json) -> Reply:
        return self.call("PATCH", path, list(operations))

    def delete(self, path: str, **query: Any) -> Reply:
        return self.call("DELETE", path, query=query)

    def made(self, path: str, body: Any) -> Json:
        """
        What a PUT made or changed.
        """
        reply = self.put(path, body)
        assert reply.status in {200, 201}, (path, reply.status, reply.text)
        found: Json = reply.body
        return found

    def read(self, path: str, **query: Any) -> Json:
        """
        What is there.
        """
        reply = self.get(path, **query)
        assert reply.status == 200, (path, reply.status, reply.text)
        found: Json = reply.body
        return found


def new_name() -> str:
    return f"fusion_contract_{uuid.uuid4().hex[:10]}"


@dataclass
class Place(Api):
    """
    A database service of its own in which one contract works, asked as the bot.
    """

    name: str = field(default_factory=new_name)
    _gone: list[tuple[str, str]] = field(default_factory=list)

    @property
    def version(self) -> Version:
        return self.target.version

    @property
    def schema(self) -> str:
        return f"{self.name}.db.s"

    def as_person(self) -> Api:
        return Api(self.target, self.target.person_token)

    def as_admin(self) -> Api:
        return Api(self.target, self.target.admin_token)

    def prepare(self) -> None:
        service = self.made(
            "services/databaseServices", {"name": self.name, "serviceType": "CustomDatabase"}
        )
        self.forget_later("services/databaseServices", service["id"])
        self.made("databases", {"name": "db", "service": self.name})
        self.made("databaseSchemas", {"name": "s", "database": f"{self.name}.db"})

    def forget_later(self, path: str, entity_id: str) -> None:
        """
        Let what was made elsewhere be taken away, too.
        """
        self._gone.append((path, entity_id))

    def forget(self) -> None:
        admin = self.as_admin() if self.target.admin_token else self
        for path, entity_id in reversed(self._gone):
            admin.delete(f"{path}/{entity_id}", recursive="true", hardDelete="true")

    def table(
        self, name: str = "t", columns: Sequence[str | Json] = ("a", "b"), **facts: Any
    ) -> Json:
        """
        A table in the schema.
        """
        return self.made("tables", self.table_body(name, columns, **facts))

    def table_body(
        self, name: str = "t", columns: Sequence[str | Json] = ("a", "b"), **facts: Any
    ) -> Json:
        made = [
            {"name": one, "dataType": "INT"} if isinstance(one, str) else one for one in columns
        ]
        return {"name": name, "databaseSchema": self.schema, "columns": made, **facts}

    def read_table(self, name: str = "t", **query: Any) -> Json:
        return self.read(f"tables/name/{encoded(f'{self.schema}.{name}')}", **query)

    def storage(self) -> str:
        """
        The name of a storage service.
        """
        name = f"{self.name}_st"
        made = self.made("services/storageServices", {"name": name, "serviceType": "CustomStorage"})
        self.forget_later("services/storageServices", made["id"])
        return name

    def container(
        self, service: str, name: str = "c", columns: Sequence[str] | None = ("a",), **facts: Any
    ) -> Json:
        """
        A container with a data model where *columns* are given.
        """
        model = {} if columns is None else {
            "dataModel": {"isPartitioned": False, "columns": [{"name": one, "dataType": "INT"} for one in columns]}
        }  # fmt: skip
        return self.made("containers", {"name": name, "service": service, **model, **facts})

    def pipeline_service(self) -> str:
        """
        The name of a pipeline service.
        """
        name = f"{self.name}_ps"
        body = {
            "name": name,
            "serviceType": "CustomPipeline",
            "connection": {"config": {"type": "CustomPipeline"}},
        }
        made = self.made("services/pipelineServices", body)
        self.forget_later("services/pipelineServices", made["id"])
        return name

    def edge(
        self,
        source: Json,
        target: Json,
        details: Json | None,
        kinds: tuple[str, str] = ("table", "table"),
    ) -> Reply:
        """
        Put one edge.
        """
        ends = {
            "fromEntity": {"id": source["id"], "type": kinds[0]},
            "toEntity": {"id": target["id"], "type": kinds[1]},
        }
        return self.put(
            "lineage",
            {"edge": {**ends, **({} if details is None else {"lineageDetails": details})}},
        )

    def read_edge(self, source: Json, target: Json) -> Reply:
        return self.get(f"lineage/getLineageEdge/{source['id']}/{target['id']}")

    def hits(self, **query: Any) -> list[Json]:
        """
        What a search finds.
        """
        found = self.read("search/query", **{"index": "table_search_index", "q": "", **query})
        return list(found["hits"]["hits"])

    def filtered(self, query: Json, **more: Any) -> list[str]:
        """
        The FQNs that a filter finds.
        """
        hits = self.hits(query_filter=json.dumps({"query": query}), **{"size": 50, **more})
        return sorted(hit["_source"]["fullyQualifiedName"] for hit in hits)

    def wait_for(self, ask: Callable[[], Any], wanted: Any) -> None:
        """
        Ask until the index has it.
        """
        deadline = time.monotonic() + (INDEXED_WITHIN_S if self.target.own is None else 0)
        while (found := ask()) != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        assert found == wanted


def target_of(url: str, tokens: Mapping[str, str]) -> Target:
    """
    A server that is there already.
    """
    target = Target(
        "real",
        url.rstrip("/"),
        tokens.get("bot", ""),
        (0, 0),
        tokens.get("person", ""),
        tokens.get("admin", ""),
    )
    told = Api(target, "").read("system/version")
    target.version = parse_version(told["version"])
    target.label = told["version"]
    return target
