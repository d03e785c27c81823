"""
A catalog file as metadata.

The file is read when a name is first looked up, and again when it has changed. Its entities go into
an SQLite index, in memory for a small catalog; a large one's index is kept in the cache directory, so that the
next kernel does not read the YAML again.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import itertools
import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fusion_magic.errors import InvalidCatalog
from fusion_magic.metadata import Details, Entity, EntityPage, Join
from fusion_magic.metadata.base import schema_of_tables
from fusion_magic.metadata.encoding import complete_parts, decode_entity, trino_key
from fusion_magic.sql.fqn import format_fqn, parse_fqn

if TYPE_CHECKING:
    from fusion_magic.config import Settings
    from fusion_magic.sql.connectors import CatalogSource

CATALOG_FILE = "catalog.yaml"
CACHED_SIZE_BYTES = 1_000_000  # below it, reading the YAML is quicker than keeping an index
CHECK_INTERVAL_S = 0.2
FORMAT = 2  # of the index: one of another format is not looked at
BATCH = 500  # models between two writes
_TABLES = """
    CREATE TABLE entity (
        id INTEGER PRIMARY KEY, fqn TEXT, folded TEXT, trino TEXT, last TEXT, service TEXT, body TEXT
    );
    CREATE VIRTUAL TABLE words USING fts5 (name, description, rest, tokenize = "unicode61 tokenchars ''", prefix = '2 3');
"""
_INDEXES = """
    CREATE UNIQUE INDEX entity_fqn ON entity (fqn);
    CREATE INDEX entity_folded ON entity (folded);
    CREATE INDEX entity_trino ON entity (trino);
    CREATE INDEX entity_service ON entity (service);
"""
_INSERT_ENTITY = "INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_WORDS = "INSERT INTO words (rowid, name, description, rest) VALUES (?, ?, ?, ?)"
_NO_WORD = re.compile(r"[\W_]+")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _files_of(source: str) -> list[Path]:
    """
    The files of a source on this machine, and the folders, which change when a file is removed.
    """
    if "://" in source or not source:
        return []
    scheme, mark, rest = source.partition(":")
    text = rest.partition("#")[0] if mark and scheme in {"duckdb", "sqlite"} else source
    path = Path(text)
    if scheme == "sqlite" and Path(f"{text}-wal").exists():
        return [path, Path(f"{text}-wal")]
    if path.is_dir():
        return [path, *path.rglob("*")]
    return [Path(found) for found in glob.glob(text, recursive=True)]  # noqa: PTH207 - the pattern is absolute


def find_catalog(start: Path) -> Path | None:
    """
    The nearest ``catalog.yaml`` in *start* or a folder above it.
    """
    for folder in (start, *start.parents):
        if (folder / CATALOG_FILE).is_file():
            return folder / CATALOG_FILE
    return None


def open_metadata(settings: Settings) -> CatalogFileMetadata:
    """
    The catalog file that the settings name, or the nearest one upwards.
    """
    url = settings.metadata_url.removeprefix("file://")
    path = Path(url).expanduser() if url else find_catalog(Path.cwd())
    return CatalogFileMetadata(path, cache_dir=settings.data_dir / "cache")


class CatalogFileMetadata:
    """
    The port ``Metadata`` over one catalog file; without a file, an empty catalog.

    Args:
        path: The catalog file, or None.

        cache_dir: Where a large catalog's index is kept; when it cannot be written, there is none.
    """

    def __init__(self, path: Path | None, *, cache_dir: Path) -> None:
        self._path = path
        self._cache_dir = cache_dir
        self._lock = threading.RLock()
        self._version = ""
        self._checked_at = float("-inf")
        self._index: sqlite3.Connection | None = None

    def about(self) -> str:
        """See ``Metadata.about``: the file's path."""
        return str(self._path or "")

    def version(self) -> str:
        """See ``Metadata.version``."""
        if self._path is None:
            return "empty"
        try:
            stat = self._path.stat()
        except OSError as exc:
            raise InvalidCatalog(
                f"The catalog {self._path} cannot be read: {exc.strerror}.",
                hint="metadata.url (FUSION_METADATA_URL) names it.",
            ) from exc
        return f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"

    def find_by_fqn(self, fqns: Sequence[str]) -> Mapping[str, Entity]:
        """See ``Metadata.find_by_fqn``."""
        found = {}
        for fqn in fqns:
            for entity in self._entities("SELECT body FROM entity WHERE fqn = ?", fqn):
                found[fqn] = entity
        return found

    def find_ignoring_case(self, fqns: Sequence[str]) -> Mapping[str, tuple[Entity, ...]]:
        """See ``Metadata.find_ignoring_case``."""
        query = "SELECT body FROM entity WHERE folded = ? ORDER BY fqn"
        found = {fqn: tuple(self._entities(query, fqn.casefold())) for fqn in fqns}
        return {fqn: entities for fqn, entities in found.items() if entities}

    def find_by_trino_name(
        self, names: Sequence[tuple[str, ...]]
    ) -> Mapping[tuple[str, ...], Entity]:
        """See ``Metadata.find_by_trino_name``."""
        found = {}
        for name in names:
            key = trino_key(name)
            for entity in self._entities("SELECT body FROM entity WHERE trino = ?", key):
                found[name] = entity
        return found

    def similar(self, fqn: str, *, limit: int = 3) -> tuple[str, ...]:
        """See ``Metadata.similar``."""
        from rapidfuzz import fuzz, process

        wanted = fqn.casefold()
        last = parse_fqn(fqn).parts[-1].casefold()
        rows = self._rows("SELECT fqn, folded, last FROM entity")
        by_last = process.extract(
            last, [row[2] for row in rows], scorer=fuzz.ratio, limit=50, score_cutoff=60
        )
        whole = process.extract(
            wanted, [row[1] for row in rows], scorer=fuzz.ratio, limit=20, score_cutoff=70
        )
        places = dict.fromkeys(place for _, _, place in (*by_last, *whole))
        best = sorted(
            places,
            key=lambda place: (
                -fuzz.ratio(last, rows[place][2]) - fuzz.ratio(wanted, rows[place][1]),
                rows[place][0],
            ),
        )
        return tuple(rows[place][0] for place in best[:limit])

    def search(self, text: str, *, limit: int = 20, after: str | None = None) -> EntityPage:
        """See ``Metadata.search``."""
        words = _words(text).split()
        skip = int(after) if after and after.isdigit() else 0
        if not words:
            return EntityPage(())
        match = " ".join(f'"{word}"*' for word in words)
        rows = self._rows(
            "SELECT body FROM words JOIN entity ON entity.id = words.rowid WHERE words MATCH ? "
            "ORDER BY bm25(words, 10, 3, 1), length(fqn), fqn LIMIT ? OFFSET ?",
            match,
            limit + 1,
            skip,
        )
        entities = tuple(decode_entity(row[0]) for row in rows[:limit])
        return EntityPage(entities, str(skip + limit) if len(rows) > limit else None)

    def complete(self, prefix: str, *, limit: int = 100) -> tuple[str, ...]:
        """See ``Metadata.complete``."""
        start = prefix.casefold()
        rows = self._rows(
            "SELECT fqn FROM entity WHERE folded >= ? AND folded < ? ORDER BY folded LIMIT 20000",
            start,
            start + "\U0010ffff",
        )
        depth = len(complete_parts(prefix))
        found: dict[str, None] = {}
        for (fqn,) in rows:
            parts = parse_fqn(fqn).parts
            more = "." if len(parts) > depth + 1 else ""
            found[format_fqn(parts[: depth + 1]) + more] = None
            if len(found) == limit:
                break
        return tuple(found)

    def entities_below(self, fqn: str) -> Iterable[Entity]:
        """See ``Metadata.entities_below``."""
        start = f"{parse_fqn(fqn)}."
        query = "SELECT body FROM entity WHERE fqn >= ? AND fqn < ? ORDER BY fqn"
        return self._entities(query, start, start + "\U0010ffff")

    def changed(self, entity: Entity) -> datetime | None:
        """See ``Metadata.changed``: by the times of the files that it is read from on this machine."""
        times = [path.stat().st_mtime for path in _files_of(entity.source or "")]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    def details(self, entity: Entity) -> Details:
        """See ``Metadata.details``."""
        return Details()

    def joins(self, entity: Entity) -> Sequence[Join]:
        """See ``Metadata.joins``."""
        return ()

    def trino_schema(self, schema: Sequence[str]) -> tuple[str, ...] | None:
        """See ``Metadata.trino_schema``."""
        return schema_of_tables(self, schema)

    def catalog_source(self, fqn: str, *, is_fresh: bool = False) -> CatalogSource | None:
        """See ``Metadata.catalog_source``; a file knows no connections."""
        return None

    def services(self) -> Mapping[str, int]:
        """See ``Metadata.services``."""
        return dict(
            self._rows("SELECT service, count(*) FROM entity GROUP BY service ORDER BY service")
        )

    def _entities(self, query: str, *values: object) -> Iterable[Entity]:
        return [decode_entity(row[0]) for row in self._rows(query, *values)]

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._current().execute(query, values).fetchall()
            except sqlite3.DatabaseError:
                self._drop_damaged()
                return self._current().execute(query, values).fetchall()

    def _drop_damaged(self) -> None:
        """
        Let go of an index that cannot be read, so that it is made again.
        """
        self._close()
        for damaged in self._cache_dir.glob(
            f"catalog-{_digest(self._path and self._path.absolute())}-*.db"
        ):
            with contextlib.suppress(OSError):
                damaged.unlink()

    def _current(self) -> sqlite3.Connection:
        """
        The index of the file as it is now.
        """
        now = time.monotonic()
        if self._index is not None and now - self._checked_at < CHECK_INTERVAL_S:
            return self._index
        version = self.version()
        if self._index is None or version != self._version:
            self._close()
            self._index = self._open(version)
            self._version = version
        self._checked_at = now
        return self._index

    def _close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def _open(self, version: str) -> sqlite3.Connection:
        if self._path is None:
            return _build(":memory:", iter(()))
        if self._path.stat().st_size < CACHED_SIZE_BYTES:
            return _read_into(":memory:", self._path)
        cached = self._cache_dir / f"catalog-{_digest(self._path.absolute())}-{_digest(version)}.db"
        try:
            if cached.is_file():
                return _open_cached(cached)
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                cached.unlink(missing_ok=True)
        return self._build_cached(self._path, cached)

    def _build_cached(self, path: Path, cached: Path) -> sqlite3.Connection:
        aside = cached.with_suffix(f".{uuid4().hex}")
        try:
            self._cache_dir.mkdir(parents=True, exist_ok=True)
            _read_into(str(aside), path).close()
            aside.replace(cached)
            self._forget_others(cached)
            return _open_cached(cached)
        except (OSError, sqlite3.DatabaseError):
            # A folder that cannot be written costs time, not the answer.
            return _read_into(":memory:", path)
        finally:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)

    def _forget_others(self, cached: Path) -> None:
        """
        Remove the indexes of what the file was before.
        """
        start = cached.name.rpartition("-")[0]
        for old in self._cache_dir.glob(f"{start}-*.db"):
            if old != cached:
                with contextlib.suppress(OSError):
                    old.unlink()


def _digest(text: object) -> str:
    return hashlib.sha256(f"{FORMAT} {text}".encode()).hexdigest()[:24]


def _open_cached(cached: Path) -> sqlite3.Connection:
    # A whole index never changes, so that no lock is needed, not even in a folder that cannot be written.
    index = sqlite3.connect(
        f"{cached.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False
    )
    index.execute("SELECT fqn, body FROM entity WHERE id = 1").fetchone()
    return index


def _read_into(database: str, path: Path) -> sqlite3.Connection:
    """
    The index of the catalog file at *path*, in a new database.
    """
    from fusion_magic.metadata.catalog_file.quick_reader import NotPlain, read_entries

    try:
        return _build(database, read_entries(path))
    except NotPlain:
        from fusion_magic.metadata.catalog_file.reader import read_catalog

        return _build(database, map(asdict, read_catalog(path)))


def _build(database: str, entries: Iterator[dict[str, Any]]) -> sqlite3.Connection:
    if database != ":memory:":
        Path(database).unlink(missing_ok=True)
    index = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
    try:
        # Nobody sees the file before it is whole, so that no step of it must be safe.
        index.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {_TABLES}"
        )
        number = 0
        while batch := list(itertools.islice(entries, BATCH)):
            index.executemany(_INSERT_ENTITY, (_row(n, e) for n, e in enumerate(batch, number + 1)))
            index.executemany(
                _INSERT_WORDS, ((n, *_searched(e)) for n, e in enumerate(batch, number + 1))
            )
            number += len(batch)
        # The rows are committed before the script.
        index.executescript(_INDEXES)
    except BaseException:
        index.close()
        raise
    return index


def _row(number: int, entry: dict[str, Any]) -> tuple[Any, ...]:
    fqn = entry["fqn"]
    parts = parse_fqn(fqn).parts if '"' in fqn else fqn.split(".")
    key = trino_key(entry["trino_parts"])
    return (number, fqn, fqn.casefold(), key, parts[-1].casefold(), parts[0], _encode(entry))


def _searched(entry: dict[str, Any]) -> tuple[str, str, str]:
    rest = [*entry["owners"], *entry["tags"]]
    for column in entry["columns"]:
        rest += (column["name"], column["description"] or "", *column["tags"])
    return (_words(entry["fqn"]), entry["description"] or "", _words(" ".join(rest)))


def _words(text: str) -> str:
    return _NO_WORD.sub(" ", text).strip()
