"""
Run by the official client's own Python: writes by it, reads by it, and holds answers against its models.

Reads commands with their arguments as JSON on standard input, writes what they found as the last line of standard output.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from metadata.generated.schema.api.data.createContainer import CreateContainerRequest
from metadata.generated.schema.api.data.createDatabase import CreateDatabaseRequest
from metadata.generated.schema.api.data.createDatabaseSchema import CreateDatabaseSchemaRequest
from metadata.generated.schema.api.data.createPipeline import CreatePipelineRequest
from metadata.generated.schema.api.data.createQuery import CreateQueryRequest
from metadata.generated.schema.api.data.createTable import CreateTableRequest
from metadata.generated.schema.api.lineage.addLineage import AddLineageRequest
from metadata.generated.schema.api.services.createDatabaseService import (
    CreateDatabaseServiceRequest,
)
from metadata.generated.schema.api.services.createPipelineService import (
    CreatePipelineServiceRequest,
)
from metadata.generated.schema.api.services.createStorageService import CreateStorageServiceRequest
from metadata.generated.schema.entity.classification.classification import Classification
from metadata.generated.schema.entity.classification.tag import Tag
from metadata.generated.schema.entity.data.container import Container
from metadata.generated.schema.entity.data.database import Database
from metadata.generated.schema.entity.data.databaseSchema import DatabaseSchema
from metadata.generated.schema.entity.data.pipeline import Pipeline, PipelineStatus
from metadata.generated.schema.entity.data.query import Query
from metadata.generated.schema.entity.data.table import Table
from metadata.generated.schema.entity.domains.domain import Domain
from metadata.generated.schema.entity.services.connections.metadata.openMetadataConnection import (
    OpenMetadataConnection,
)
from metadata.generated.schema.entity.services.databaseService import DatabaseService
from metadata.generated.schema.entity.services.ingestionPipelines.ingestionPipeline import (
    IngestionPipeline,
)
from metadata.generated.schema.entity.services.ingestionPipelines.ingestionPipeline import (
    PipelineStatus as IngestionStatus,
)
from metadata.generated.schema.entity.services.pipelineService import PipelineService
from metadata.generated.schema.entity.services.storageService import StorageService
from metadata.generated.schema.entity.teams.user import User
from metadata.generated.schema.events.eventSubscription import EventSubscription
from metadata.generated.schema.security.client.openMetadataJWTClientConfig import (
    OpenMetadataJWTClientConfig,
)
from metadata.generated.schema.tests.basic import TestCaseResult
from metadata.generated.schema.tests.testCase import TestCase
from metadata.generated.schema.tests.testDefinition import TestDefinition
from metadata.generated.schema.tests.testSuite import TestSuite
from metadata.generated.schema.type.changeEvent import ChangeEvent
from metadata.generated.schema.type.entityLineage import EntityLineage, LineageDetails
from metadata.generated.schema.type.paging import Paging
from metadata.ingestion.ometa.ometa_api import OpenMetadata

Json = dict[str, Any]

MODELS = {
    "tables": Table,
    "databases": Database,
    "databaseSchemas": DatabaseSchema,
    "containers": Container,
    "pipelines": Pipeline,
    "queries": Query,
    "users": User,
    "tags": Tag,
    "classifications": Classification,
    "domains": Domain,
    "services/databaseServices": DatabaseService,
    "services/storageServices": StorageService,
    "services/pipelineServices": PipelineService,
    "services/ingestionPipelines": IngestionPipeline,
    "events/subscriptions": EventSubscription,
    "dataQuality/testSuites": TestSuite,
    "dataQuality/testDefinitions": TestDefinition,
    "dataQuality/testCases": TestCase,
}


def client(given: Json) -> Any:
    """
    The official client on the server in *given*.
    """
    connection = OpenMetadataConnection(
        hostPort=given["url"],
        authProvider="openmetadata",
        securityConfig=OpenMetadataJWTClientConfig(jwtToken=given["token"]),
    )
    return OpenMetadata(connection)


def write(given: Json) -> Json:
    """
    Make one of everything.
    """
    api = client(given)
    config = {
        "username": "u",
        "authType": {"password": "secret"},
        "hostPort": "h:5432",
        "database": "d",
    }
    put = api.create_or_update
    connection = {"config": config}
    put(
        CreateDatabaseServiceRequest(name="official", serviceType="Postgres", connection=connection)
    )
    put(CreateDatabaseRequest(name="db", service="official"))
    put(CreateDatabaseSchemaRequest(name="s", database="official.db"))
    columns = [
        {"name": "a", "dataType": "INT"},
        {"name": "b", "dataType": "VARCHAR", "dataLength": 9},
    ]
    one, other = (
        put(CreateTableRequest(name=name, databaseSchema="official.db.s", columns=columns))
        for name in ("one", "other")
    )
    put(CreateStorageServiceRequest(name="official_st", serviceType="CustomStorage"))
    model = {"isPartitioned": False, "columns": columns}
    put(
        CreateContainerRequest(
            name="c", service="official_st", fullPath="s3://b/p/", dataModel=model
        )
    )
    pipeline_connection = {"config": {"type": "CustomPipeline"}}
    put(
        CreatePipelineServiceRequest(
            name="official_ps", serviceType="CustomPipeline", connection=pipeline_connection
        )
    )
    task = {"name": "t", "taskType": "Notebook", "taskSQL": "SELECT 1"}
    put(CreatePipelineRequest(name="p", service="official_ps", tasks=[task]))
    run = {"timestamp": 1700000000000, "executionStatus": "Successful", "taskStatus": []}
    api.add_pipeline_status("official_ps.p", PipelineStatus(**run))
    _write_lineage(api, one, other)
    _write_query(api, one)
    api.patch_description(entity=Table, source=one, description="Official.")
    return {"one": _id(one), "other": _id(other)}


def _id(entity: Any) -> str:
    return str(getattr(entity.id, "root", entity.id))


def _edge(one: Any, other: Any, column: str) -> Any:
    ends = {
        "fromEntity": {"id": _id(one), "type": "table"},
        "toEntity": {"id": _id(other), "type": "table"},
    }
    columns = [
        {
            "fromColumns": [f"official.db.s.one.{column}"],
            "toColumn": f"official.db.s.other.{column}",
        }
    ]
    details = {"sqlQuery": "SELECT 1", "columnsLineage": columns, "source": "QueryLineage"}
    return AddLineageRequest(edge={**ends, "lineageDetails": details})


def _write_lineage(api: Any, one: Any, other: Any) -> None:
    api.add_lineage(_edge(one, other, "a"))
    # Merged by the client: it reads the edge and patches it.
    api.add_lineage(_edge(one, other, "b"), check_patch=True)


def _write_query(api: Any, table: Any) -> None:
    request = CreateQueryRequest(
        query="SELECT 1", service="official", users=["admin"], duration=1.5
    )
    api.ingest_entity_queries_data(entity=table, queries=[request])


def send_edges(given: Json) -> Json:
    """
    Send edges as the client's own lineage does, a merge each; tables are looked up once. The seconds that it took.
    """
    api, tables, began = client(given), {}, time.perf_counter()
    for names in given["edges"]:
        for name in names:
            if name not in tables:
                tables[name] = api.get_by_name(entity=Table, fqn=name)
        ends = [{"id": _id(tables[name]), "type": "table"} for name in names]
        columns = [
            {"fromColumns": [f"{names[0]}.{column}"], "toColumn": f"{names[1]}.{column}"}
            for column in given["columns"]
        ]
        details = {"sqlQuery": "SELECT 1", "columnsLineage": columns, "source": "QueryLineage"}
        edge = {"fromEntity": ends[0], "toEntity": ends[1], "lineageDetails": details}
        api.add_lineage(AddLineageRequest(edge=edge), check_patch=True)
    return {"seconds": time.perf_counter() - began}


def read(given: Json) -> Json:
    """
    What was written by others.
    """
    api = client(given)
    fqn = given["fqn"]
    table = api.get_by_name(entity=Table, fqn=fqn, fields=["owners", "tags", "columns"])
    lineage = api.get_lineage_by_name(entity=Table, fqn=fqn, up_depth=1, down_depth=1)
    queries = api.get_entity_queries(_id(table)) or []
    found = api.es_search_from_fqn(entity_type=Table, fqn_search_string=fqn) or []
    listed = list(api.list_all_entities(entity=Table, params={"database": given["database"]}))
    service = api.get_by_name(entity=DatabaseService, fqn=given["service"])
    return {
        "columns": [_text(column.name) for column in table.columns],
        "tags": [_text(tag.tagFQN) for tag in table.tags],
        "description": _text(table.description),
        "downstream": [_text(edge["toEntity"]) for edge in lineage["downstreamEdges"]],
        "queries": [_text(query.query) for query in queries],
        "found": [_text(one.fullyQualifiedName) for one in found],
        "listed": sorted(_text(one.name) for one in listed),
        "service": _text(service.name),
        "missing": api.get_by_name(entity=Table, fqn=f"{fqn}_none"),
    }


def _text(value: Any) -> str:
    return str(getattr(value, "root", value))


def check(given: list[Json]) -> Json:
    """
    Hold answers against the models.

    Returns:
        How many fitted, and each that did not, with why.
    """
    fitted, wrong = 0, []
    for one in given:
        for model, value in _parts(one["method"], one["path"].removeprefix("/v1/"), one["answer"]):
            try:
                model(value)
                fitted += 1
            except ValueError as error:
                wrong.append(f"{one['method']} {one['path']}: {str(error)[:600]}")
    return {"fitted": fitted, "wrong": wrong}


Check = Callable[[Any], Any]


def _made(model: Any) -> Check:
    return lambda value: model(**value)


# What is no entity: the first pattern that fits a method and a path names the model.
_EVENT = r"PUT (usage/|queries/.*/(usage|users|usedBy)$|.*/pipelineStatus$)|POST usage/"
OTHERS = {
    _EVENT: ChangeEvent,
    r"GET events$": ChangeEvent,
    r"GET lineage/\w+/": EntityLineage,
    r"GET .*/pipelineStatus": IngestionStatus,
    r"GET pipelines/.*/status$": PipelineStatus,
    r".* dataQuality/.*/testCaseResults?(/|$)": TestCaseResult,
}


def _parts(method: str, path: str, answer: Any) -> list[tuple[Check, Any]]:
    if path.startswith("lineage/getLineageEdge"):
        return [(_made(LineageDetails), answer["edge"])]
    if path.startswith("lineage/getLineage"):
        return []
    for pattern, model in OTHERS.items():
        if re.match(pattern, f"{method} {path}"):
            return _one_or_many(model, answer)
    for prefix, model in MODELS.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return _entities(model, path, answer)
    return []


def _one_or_many(model: Any, answer: Any) -> list[tuple[Check, Any]]:
    if "paging" not in answer:
        return [(_made(model), answer)]
    return [(_made(Paging), answer["paging"]), *((_made(model), one) for one in answer["data"])]


def _entities(model: Any, path: str, answer: Any) -> list[tuple[Check, Any]]:
    if path.endswith("/versions"):
        return [(_made(model), json.loads(one)) for one in answer["versions"]]
    if path.endswith(("/status", "/bulk")) and "id" not in answer:
        return []
    return _one_or_many(model, answer)


if __name__ == "__main__":
    commands: dict[str, Callable[[Any], Json]] = {
        "write": write,
        "read": read,
        "check": check,
        "send_edges": send_edges,
    }
    print(json.dumps({name: commands[name](given) for name, given in json.load(sys.stdin).items()}))
