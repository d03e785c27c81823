"""
500,000 rows × 7 columns of lineitem from Trino into Arrow, against draining the same pages without looking into them.

Needs a Trino at FUSION_TEST_TRINO_URL, or starts one as the tests do. Peers run in an environment of their own.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.timing import peers_python, run_json, table

SQL = (
    "SELECT orderkey, partkey, quantity, extendedprice, shipdate, returnflag, comment "
    "FROM tpch.sf1.lineitem LIMIT 500000"
)
RUNS = 5
_PEER = """
import json, sys, time
kind, url, sql = sys.argv[1:]
from urllib.parse import urlsplit
parts = urlsplit(url)
best = 1e9
for _ in range(2):
    if kind == "jupysql":
        from sqlalchemy import create_engine
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance(); shell.run_line_magic("load_ext", "sql")
        engine = create_engine(f"trino://bench@{parts.hostname}:{parts.port}/tpch")
        shell.push({"engine": engine}); shell.run_line_magic("sql", "engine")
        shell.run_line_magic("config", "SqlMagic.displaylimit = 0")
        started = time.perf_counter(); shell.run_cell_magic("sql", "found <<", sql); shell.user_ns["found"].DataFrame()
    elif kind == "pandas":
        import pandas, trino, warnings
        warnings.simplefilter("ignore")
        connection = trino.dbapi.connect(host=parts.hostname, port=parts.port, user="bench")
        started = time.perf_counter(); pandas.read_sql(sql, connection)
    else:
        import connectorx
        started = time.perf_counter()
        connectorx.read_sql(f"trino+http://bench@{parts.hostname}:{parts.port}/tpch", sql, return_type="arrow")
    best = min(best, time.perf_counter() - started)
print(json.dumps({"s": best}))
"""


def main() -> None:
    """
    Print the table.
    """
    url = os.environ.get("FUSION_TEST_TRINO_URL")
    if url:
        _measure(url.rstrip("/"))
        return
    from tests.servers.trino import TrinoServer

    with tempfile.TemporaryDirectory() as folder:
        server = TrinoServer(Path(folder) / "server").start()
        try:
            _measure(server.url)
        finally:
            server.stop()


def _measure(url: str) -> None:
    _fetch(url)
    drains, fetches, peak, size = [], [], 0, 0
    for _ in range(RUNS):
        drains.append(_drain(url))
        taken, peak, size = _fetch(url)
        fetches.append(taken)
    rows = [
        ("drain, nothing parsed", min(drains), "s"),
        ("fusion-magic, into Arrow", min(fetches), "s"),
    ]
    for kind in ("connectorx", "pandas", "jupysql"):
        try:
            rows.append((kind, run_json(peers_python(), _PEER, kind, url, SQL)["s"], "s"))
        except Exception as error:
            print(f"  {kind} did not run: {type(error).__name__}")
    table(
        "500,000 rows × 7 columns of lineitem from Trino (best runs)",
        rows,
        base="drain, nothing parsed",
    )
    print(
        f"  Arrow's peak {peak / 1e6:.0f} MB for a table of {size / 1e6:.0f} MB: {peak / size:.2f} ×"
    )


def _drain(url: str) -> float:
    import requests

    with requests.Session() as http:
        headers = {"X-Trino-User": "bench", "Accept-Encoding": "identity"}
        started = time.perf_counter()
        body = http.post(f"{url}/v1/statement", data=SQL.encode(), headers=headers).content
        while (place := body.find(b'"nextUri":"', 0, 4000)) >= 0:
            following = body[place + 11 : body.index(b'"', place + 11)].decode()
            body = http.get(f"{following}?targetResultSize=16MB", headers=headers).content
        return time.perf_counter() - started


def _fetch(url: str) -> tuple[float, int, int]:
    import pyarrow as pa

    from fusion_magic.engines import EngineQuery
    from fusion_magic.engines.trino.engine import TrinoEngine
    from fusion_magic.engines.trino.settings import TrinoSettings

    parts = urlsplit(url)
    engine = TrinoEngine(TrinoSettings(base_url=f"{parts.scheme}://{parts.netloc}", user="bench"))
    started = time.perf_counter()
    execution = engine.execute(EngineQuery(sql=SQL, job_id=""))
    found = pa.Table.from_batches(list(execution.batches()), schema=execution.schema())
    taken = time.perf_counter() - started
    engine.close()
    assert found.num_rows == 500_000
    return taken, pa.default_memory_pool().max_memory(), found.nbytes


if __name__ == "__main__":
    main()
