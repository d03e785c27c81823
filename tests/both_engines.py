"""
One statement on an engine, in a form in which the answers of DuckDB and Trino can be compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fusion_magic.engines import Engine, EngineQuery
from fusion_magic.metadata import Entity

SIGNIFICANT_DIGITS = 12  # sums of doubles depend on the order in which they are added


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The columns' names, their types in Trino's words, and the rows.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def answer(
    engine: Engine, sql: str, entities: Mapping[tuple[str, ...], Entity] | None = None
) -> Answer:
    """
    What the engine says to *sql*, with numbers and nested values in one form.
    """
    query = EngineQuery(sql, str(uuid4()), entities=dict(entities or {}))
    execution = engine.execute(query)
    rows = [
        tuple(plain(column[place].as_py()) for column in batch.columns)
        for batch in execution.batches()
        for place in range(batch.num_rows)
    ]
    schema = execution.schema()
    types = tuple(_type(field.metadata[b"trino_type"].decode()) for field in schema)
    return Answer(tuple(schema.names), types, rows)


def plain(value: Any) -> Any:
    """
    *value* with its doubles rounded and NaN as a text, so that two engines' can be compared.
    """
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _type(name: str) -> str:
    """
    Without what DuckDB does not keep as Trino does: lengths, and the precision of times and decimals.
    """
    return re.sub(r"\b(varchar|timestamp|time)\(\d+\)|(decimal)\(\d+, ?(\d+)\)", _kept, name)


def _kept(match: re.Match[str]) -> str:
    return match[1] or f"{match[2]} of scale {match[3]}"
