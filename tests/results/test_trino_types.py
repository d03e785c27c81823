"""
Arrow's types in Trino's words.
"""

from __future__ import annotations

import pyarrow as pa
import pytest

from fusion_magic.metadata import Column
from fusion_magic.results.trino_types import columns_of, type_text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.int32(), "integer"),
        (pa.decimal128(15, 2), "decimal(15, 2)"),
        (pa.list_(pa.string()), "array(varchar)"),
        (pa.map_(pa.string(), pa.float64()), "map(varchar, double)"),
        (pa.struct([("a b", pa.date32())]), 'row("a b" date)'),
        (pa.timestamp("us", "UTC"), None),
        (pa.list_(pa.duration("s")), None),
    ],
)
def test_a_type_has_trinos_word_or_none(kind: pa.DataType, text: str | None) -> None:
    assert type_text(kind) == text


def test_a_column_has_the_type_that_its_engine_called_it() -> None:
    schema = pa.schema(
        [
            pa.field("a", pa.int64()),
            pa.field("b", pa.string(), metadata={"trino_type": "char(3)"}),
            pa.field("c", pa.duration("s")),
        ]
    )

    assert columns_of(schema) == (Column("a", "bigint"), Column("b", "char(3)"), Column("c"))
