"""
The lineage that a server holds, read and written as others do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fusion_magic.openmetadata.address import parse_address
from fusion_magic.openmetadata.client import OpenMetadataClient, segment
from fusion_magic.testing.openmetadata import OpenMetadataServer

Edges = dict[tuple[str, str], set[tuple[str, str]]]


class Graph:
    """
    What a server holds of lineage.

    Args:
        roots: Kind and FQN of what is read.
    """

    def __init__(self, server: OpenMetadataServer, *roots: tuple[str, str]) -> None:
        self._server = server
        self._roots = roots
        address = parse_address(server.url, setting="", token=None)
        self.client = OpenMetadataClient(address, token=server.token)

    def edges(self) -> Edges:
        """
        Every edge below the roots, with its columns by name.
        """
        found: Edges = {}
        waiting = list(self._roots)
        while waiting:
            kind, fqn = waiting.pop()
            for target, details in self.below(kind, fqn):
                name = target["fullyQualifiedName"]
                if (fqn, name) not in found:
                    found[fqn, name] = columns_of(details)
                    # Below a pipeline a server tells what it carries, which the tables tell too.
                    if target["type"] != "pipeline":
                        waiting.append((target["type"], name))
        return found

    def details(self, source: str, target: str) -> dict[str, Any]:
        """
        One edge between two tables.
        """
        [found] = [d for t, d in self.below("table", source) if t["fullyQualifiedName"] == target]
        return found

    def put(self, source: str, target: str, details: dict[str, Any]) -> None:
        """
        An edge as a person makes it.
        """
        ends = [
            {"id": self._server.get("table", fqn)["id"], "type": "table"}
            for fqn in (source, target)
        ]
        edge = {"fromEntity": ends[0], "toEntity": ends[1], "lineageDetails": details}
        assert self.client.send("PUT", "lineage", {"edge": edge})

    def close(self) -> None:
        self.client.close()

    def below(self, kind: str, fqn: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """
        The entities right below one, each with the edge that leads to it.
        """
        path = f"lineage/{kind}/name/{segment(fqn)}"
        graph = self.client.get(path, dict[str, Any], {"downstreamDepth": 1, "upstreamDepth": 0})
        assert graph is not None
        nodes = {node["id"]: node for node in (*graph["nodes"], graph["entity"])}
        for edge in graph["downstreamEdges"]:
            if edge["fromEntity"] == graph["entity"]["id"]:
                yield nodes[edge["toEntity"]], edge["lineageDetails"]


def columns_of(details: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (source.rpartition(".")[2], one["toColumn"].rpartition(".")[2])
        for one in details["columnsLineage"]
        for source in one["fromColumns"]
    }
