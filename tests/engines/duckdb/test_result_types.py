"""
DuckDB's types and values as Trino has them.
"""

from __future__ import annotations

import pytest

from fusion_magic.engines.duckdb.engine import DuckDBEngine
from fusion_magic.engines.duckdb.result_types import trino_type
from fusion_magic.errors import QueryFailed
from tests.both_engines import answer


@pytest.mark.parametrize(
    ("duckdb_type", "expected"),
    [
        ("DECIMAL(15,2)", "decimal(15,2)"),
        ("MAP(VARCHAR, BIGINT[])", "map(varchar, array(bigint))"),
        ('STRUCT("a b" INTEGER, field1 VARCHAR)', "row(a b integer, varchar)"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp(6) with time zone"),
        ("BLOB", "varbinary"),
    ],
)
def test_a_type_has_trinos_name(duckdb_type: str, expected: str) -> None:
    assert trino_type(duckdb_type) == expected


def test_a_sum_of_integers_is_a_bigint_or_an_error() -> None:
    """
    DuckDB adds them up in 128 bits.
    """
    engine = DuckDBEngine("duckdb://")
    found = answer(engine, "SELECT sum(x) FROM (VALUES 1, 2) t(x)")
    assert (found.types, found.rows) == (("bigint",), [(3,)])

    with pytest.raises(QueryFailed, match="does not fit a bigint"):
        answer(engine, "SELECT sum(x) FROM (VALUES 9223372036854775807, 1) t(x)")
    assert answer(engine, "SELECT 1").rows == [(1,)]
    engine.close()
