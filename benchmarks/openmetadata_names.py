"""
Names from an OpenMetadata server that answers after 5 ms and lists 200,000 tables: look-ups cold and warm, completion, search.

``FUSION_BENCH_OPENMETADATA_URL`` and ``…_TOKEN_FILE`` ask another server instead, which lists ``…_TABLES`` tables
``pg.shop.public.tNNNNNN``; its own time is the first row then.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.timing import median_ms, seconds, table
from fusion_magic.config import load_settings
from fusion_magic.metadata.openmetadata import following
from fusion_magic.metadata.openmetadata.metadata import OpenMetadataMetadata, open_metadata
from fusion_magic.openmetadata.client import segment
from fusion_magic.openmetadata.messages import Asset
from fusion_magic.store.sql.store import open_store
from fusion_magic.testing.openmetadata import OpenMetadataServer

OTHER = "FUSION_BENCH_OPENMETADATA"
SCHEMA = os.environ.get(f"{OTHER}_SCHEMA", "pg.shop.public")
DELAY_S = 0.005


@contextmanager
def server(tables: int) -> Iterator[tuple[str, str]]:
    """
    The address and the token of the server that is asked.
    """
    if url := os.environ.get(f"{OTHER}_URL"):
        yield url, Path(os.environ[f"{OTHER}_TOKEN_FILE"]).read_text().strip()
        return
    with OpenMetadataServer(version="1.6.0") as made:
        made.add_tables((f"{SCHEMA}.t{number:06}" for number in range(tables)), {"id": "BIGINT"})
        made.delay_s = DELAY_S
        yield made.url, made.token


def after_a_look(names: OpenMetadataMetadata, fqns: list[str], folder: str) -> float:
    """
    Milliseconds of a look-up that looks for changes in a job store first, as at most two in a second do.
    """
    with closing(open_store(f"sqlite:///{folder}/jobs.db")) as store:
        names.follow(store.changes.since)
        usual, following.LOOK_EVERY_S = following.LOOK_EVERY_S, 0.0
        names.find_by_fqn(fqns)
        names.find_by_fqn(fqns)
        took = median_ms(seconds(lambda: names.find_by_fqn(fqns), runs=99))
        following.LOOK_EVERY_S = usual
    return took


def main(tables: int = 200_000, runs: int = 7) -> None:
    """
    Print medians beside one request for one table, as the server takes it.
    """
    tables = int(os.environ.get(f"{OTHER}_TABLES", tables))
    fqns = [f"{SCHEMA}.t{number:06}" for number in range(0, tables, tables // 20)][:20]
    with server(tables) as (url, token), tempfile.TemporaryDirectory() as folder:

        def opened(name: str = "") -> OpenMetadataMetadata:
            given = {"metadata_url": url, "metadata_token": token, "data_dir": f"{folder}/{name}"}
            return open_metadata(load_settings(overrides=given, environment={}))

        def cold(ask: Callable[[OpenMetadataMetadata], object]) -> float:
            """
            With connections open and nothing kept.
            """
            taken = []
            for run in range(runs):
                with closing(opened(f"{ask.__name__}{run}{id(ask)}")) as names:
                    names.find_by_fqn([f"{SCHEMA}.none"])
                    taken += seconds(lambda: ask(names), runs=1)
            return median_ms(taken)

        with closing(opened()) as names:
            path = f"tables/name/{segment(fqns[0])}"
            client = names._server._client
            client.get(path, Asset)
            one = median_ms(seconds(lambda: client.get(path, Asset), runs=runs * 3))
            names.find_by_fqn(fqns)
            names.complete(f"{SCHEMA}.t0")
            rows = [
                ("one table, the request alone", one, "ms"),
                ("a cell's 1 name, cold", cold(lambda n: n.find_by_fqn(fqns[:1])), "ms"),
                ("a cell's 20 names, cold", cold(lambda n: n.find_by_fqn(fqns)), "ms"),
                (
                    "20 names, warm",
                    median_ms(seconds(lambda: names.find_by_fqn(fqns), runs=99)),
                    "ms",
                ),
                ("Tab in a schema, cold", cold(lambda n: n.complete(f"{SCHEMA}.")), "ms"),
                (
                    "Tab after a few letters, cold",
                    cold(lambda n: n.complete(f"{SCHEMA}.t0012")),
                    "ms",
                ),
                (
                    "Tab, warm",
                    median_ms(seconds(lambda: names.complete(f"{SCHEMA}.t0"), runs=99)),
                    "ms",
                ),
                ("search, by the server's index", cold(lambda n: n.search("t000012")), "ms"),
                ("similar names", cold(lambda n: n.similar(f"{SCHEMA}.t_000012")), "ms"),
                (
                    "20 names, warm, with a look for changes",
                    after_a_look(names, fqns, folder),
                    "ms",
                ),
            ]
    table(f"Names from OpenMetadata, {tables:,} tables, median of {runs}", rows, base=rows[0][0])


if __name__ == "__main__":
    main()
