"""
TPC-H at scale 0.1 on the embedded engine, against DuckDB itself on the same files in the same process.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import uuid4

import duckdb

from benchmarks.timing import seconds, table
from fusion_magic.engines import EngineQuery
from fusion_magic.engines.duckdb.engine import DuckDBEngine
from fusion_magic.engines.duckdb.execution import BATCH_ROWS
from fusion_magic.metadata import Entity
from tests.corpora import TPCH_TABLES, make_tpch, tpch_queries, with_names


def _entities(folder: Path) -> dict[tuple[str, ...], Entity]:
    names = [("bench", "tpch", table_name) for table_name in TPCH_TABLES]
    return {
        name: Entity(str(uuid4()), ".".join(name), "table", name, f"{folder / name[2]}.parquet")
        for name in names
    }


def main(scale: float = 0.1, runs: int = 7) -> None:
    """
    Print the best of *runs* runs of all 22 queries, taken in turns.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tpch(folder, scale)
        engine, entities = DuckDBEngine("duckdb://"), _entities(folder)
        peer = duckdb.connect()
        for table_name in TPCH_TABLES:
            peer.execute(f"CREATE VIEW {table_name} AS FROM '{folder / table_name}.parquet'")
        own = peer_total = 0.0
        for sql in tpch_queries().values():
            text = with_names(sql, TPCH_TABLES, "bench.tpch.{}").strip().rstrip(";")
            query = EngineQuery(text, str(uuid4()), entities=entities)

            def with_engine(query: EngineQuery = query) -> None:
                list(engine.execute(query).batches())

            def with_peer(sql: str = sql) -> None:
                list(peer.sql(sql).to_arrow_reader(BATCH_ROWS))

            pairs = [
                (seconds(with_peer, runs=1)[0], seconds(with_engine, runs=1)[0])
                for _ in range(runs)
            ]
            peer_total += min(pair[0] for pair in pairs)
            own += min(pair[1] for pair in pairs)
        engine.close()
        peer.close()
    rows = [("DuckDB itself", peer_total * 1000, "ms"), ("fusion-magic's engine", own * 1000, "ms")]
    table(f"TPC-H {scale}, 22 queries, best of {runs}", rows, base="DuckDB itself")


if __name__ == "__main__":
    main()
