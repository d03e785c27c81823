"""
What Trino expects of a statement, as EXPLAIN (TYPE IO, FORMAT JSON) tells it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_magic.engines import Plan


def plan_of(text: str, io: str) -> Plan:
    """
    The plan whose *text* EXPLAIN gives, with the estimates of *io*.
    """
    found = json.loads(io)
    estimate = found.get("estimate") or {}
    return Plan(
        text,
        rows=_number(estimate.get("outputRowCount")),
        size_bytes=_number(estimate.get("outputSizeInBytes")),
        scan_bytes=_scan_bytes(found.get("inputTableColumnInfos") or ()),
    )


def _scan_bytes(inputs: Sequence[Mapping[str, Any]]) -> float | None:
    """
    The sum of what is read of each table; None where a table has no estimate.
    """
    sizes = [_number((table.get("estimate") or {}).get("outputSizeInBytes")) for table in inputs]
    return None if None in sizes else sum(filter(None, sizes))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
