"""
What a catalog file calls a model's source, as DuckDB reads it: files, folders and addresses of Parquet, CSV and JSON,
a table of another DuckDB file, a table of SQLite's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fusion_magic.engines.duckdb.statements import databases, literal, name_of, run
from fusion_magic.errors import QueryFailed
from fusion_magic.sql.edits import quote

if TYPE_CHECKING:
    import duckdb

    from fusion_magic.metadata import Entity

_READERS = {
    ".parquet": "read_parquet",
    ".pq": "read_parquet",
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}


def relation_of(cursor: duckdb.DuckDBPyConnection, entity: Entity) -> str:
    """
    What the entity's rows are read from, as it stands behind FROM.
    """
    source = entity.source or ""
    scheme, _, rest = source.partition(":")
    if scheme in {"duckdb", "sqlite"} and "://" not in source:
        path, _, table = rest.partition("#")
        if scheme == "sqlite":
            return _copy_sqlite(cursor, entity, path, table)
        return _attach(cursor, path, table)
    return _file_relation(entity, source)


def _attach(cursor: duckdb.DuckDBPyConnection, path: str, table: str) -> str:
    alias = f"file {path}"
    if alias.lower() not in databases(cursor):
        run(cursor, f"ATTACH {literal(path)} AS {quote(alias)} (READ_ONLY)")
    schema, _, name = table.rpartition(".")
    return name_of((alias, schema or "main", name))


def _copy_sqlite(cursor: duckdb.DuckDBPyConnection, entity: Entity, path: str, table: str) -> str:
    import sqlite3
    from contextlib import closing

    import pyarrow as pa

    name = (entity.trino_parts[0], entity.trino_parts[1], f"rows of {entity.trino_parts[2]}")
    try:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as source:
            rows = source.execute(f"SELECT * FROM {quote(table)}")
            names = [column[0] for column in rows.description]
            columns = list(zip(*rows.fetchall(), strict=True)) or [()] * len(names)
    except sqlite3.Error as exc:
        raise QueryFailed(f"The table {table} of {path} cannot be read: {exc}.") from exc
    arrays = [pa.array(column) for column in columns]
    cursor.register("fusion_sqlite_rows", pa.Table.from_arrays(arrays, names=names))
    run(cursor, f"CREATE OR REPLACE TABLE {name_of(name)} AS FROM fusion_sqlite_rows")
    cursor.unregister("fusion_sqlite_rows")
    return name_of(name)


def _file_relation(entity: Entity, source: str) -> str:
    path, suffix = source, Path(source).suffix.lower()
    if "://" not in source and Path(source).is_dir():
        files = sorted(p for p in Path(source).rglob("*") if p.suffix.lower() in _READERS)
        if not files:
            raise QueryFailed(
                f"{entity.fqn}: the folder {source} has no Parquet, CSV or JSON file."
            )
        suffix = files[0].suffix.lower()
        path = f"{source}/**/*{files[0].suffix}"
    reader = _READERS.get(suffix)
    if reader is None:
        raise QueryFailed(
            f"{entity.fqn}: {source} is no Parquet, CSV or JSON file.",
            hint=f"Known endings are {', '.join(_READERS)}.",
        )
    if reader == "read_csv":
        return f"read_csv({literal(path)}{_csv_types(entity)})"
    return f"{reader}({literal(path)})"


def _csv_types(entity: Entity) -> str:
    """
    The catalog's types go before what DuckDB would guess: a zip code is no number.
    """
    typed = [(c.name, _duckdb_type(c.type)) for c in entity.columns if c.type]
    if not typed:
        return ""
    pairs = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in typed)
    return f", types = {{{pairs}}}"


def _duckdb_type(trino: str) -> str:
    from sqlglot import exp

    return exp.DataType.build(trino, dialect="trino").sql(dialect="duckdb")


def copied_version(source: str | None) -> tuple[int, ...]:
    """
    What changes when a source that is copied does; the others are read anew by each query.
    """
    if source is None or not source.startswith("sqlite:"):
        return ()
    path = source.removeprefix("sqlite:").partition("#")[0]
    found = [p.stat() for p in (Path(path), Path(f"{path}-wal")) if p.exists()]
    return tuple(number for stat in found for number in (stat.st_mtime_ns, stat.st_size))
