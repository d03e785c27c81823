"""
The official clients judge the test server: they write to it and read from it, and their models take what it answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fusion_magic.testing.openmetadata import OpenMetadataServer
from tests.servers.openmetadata_client import run_official

ROOT = Path(__file__).parents[3]
FQN = "shop.db.public.orders"
RELEASES = {"1.6": "1.6.0", "2.0": "2.0.7"}
SENSITIVE = {
    "tagFQN": "PII.Sensitive",
    "source": "Classification",
    "labelType": "Manual",
    "state": "Confirmed",
}


@dataclass
class Judged:
    """
    A server that an official client wrote to and read from, and what the client found.
    """

    server: OpenMetadataServer
    other: str
    found: dict[str, Any]


@pytest.fixture(scope="module", params=RELEASES)
def judged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Judged]:
    """
    Everything in one process of the client, whose start takes seconds.
    """
    version = RELEASES[request.param]
    answers = contract_answers(version, tmp_path_factory.mktemp("answers") / "answers.json")
    with OpenMetadataServer(version=version) as server:
        other = fill(server)
        where = {"url": server.url, "token": server.token}
        read = {**where, "fqn": FQN, "database": "shop.db", "service": "shop"}
        found = run_official(request.param, {"write": where, "read": read, "check": answers})
        yield Judged(server, other, found)


def contract_answers(version: str, record: Path) -> list[dict[str, Any]]:
    """
    Each good answer that the contracts get.
    """
    arguments = [f"--openmetadata-version={version}", f"--openmetadata-record={record}"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/contracts/openmetadata",
        *arguments,
    ]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [
        {name: one[name] for name in ("method", "path", "answer")}
        for one in json.loads(record.read_text())
        if one["status"] in {200, 201} and isinstance(one["answer"], dict)
    ]


def fill(server: OpenMetadataServer) -> str:
    one = server.add_table(
        FQN, {"id": "BIGINT", "note": "VARCHAR"}, description="Orders.", tags=[SENSITIVE]
    )
    other = server.add_table("shop.db.public.sums", ["id"])
    server.add_edge(one, other, sqlQuery="SELECT 1")
    server.add(
        "query", query="SELECT 2", service="shop", queryUsedIn=[{"id": one, "type": "table"}]
    )
    return other


def test_what_the_official_client_writes(judged: Judged) -> None:
    """
    Services, tables, a container, a pipeline with a run, a query, and an edge that the client merged.
    """
    made, server = judged.found["write"], judged.server
    edge = server.edge(made["one"], made["other"])
    query = server.get("query", "official.095f2345f262d090a83ff1ac64ca8c76")
    table = server.get("table", "official.db.s.one")
    container = server.get("container", "official_st.c")
    pipeline = server.get("pipeline", "official_ps.p")

    assert edge is not None
    assert {one["toColumn"][-1] for one in edge["columnsLineage"]} == {"a", "b"}
    assert (table["id"], table["description"]) == (made["one"], "Official.")
    assert [one["id"] for one in query["queryUsedIn"]] == [made["one"]]
    assert [one["name"] for one in container["dataModel"]["columns"]] == ["a", "b"]
    assert pipeline["pipelineStatus"]["executionStatus"] == "Successful"


def test_what_the_official_client_reads(judged: Judged) -> None:
    assert judged.found["read"] == {
        "columns": ["id", "note"],
        "tags": ["PII.Sensitive"],
        "description": "Orders.",
        "downstream": [judged.other],
        "queries": ["SELECT 2"],
        "found": [FQN],
        "listed": ["orders", "sums"],
        "service": "shop",
        "missing": None,
    }


def test_every_answer_fits_the_official_models(judged: Judged) -> None:
    """
    All answers that the contracts get, read by models that forbid what they do not know.
    """
    told = judged.found["check"]

    assert told["wrong"] == []
    assert told["fitted"] > 500
