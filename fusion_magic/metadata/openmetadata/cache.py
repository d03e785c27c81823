"""
What OpenMetadata answered in the last minutes, shared by the kernels and workers of one person: an SQLite file in the data directory.

An unknown name is kept too, with nothing. A file that cannot be written or read costs time, never the answer.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fusion_magic.metadata import Entity
from fusion_magic.metadata.encoding import decode_entity

FORMAT = 1
KEPT_S = 30 * 86_400.0  # what nobody has asked for since goes
BUSY_S = 5.0
OPENINGS = 8
_TABLES = """
    CREATE TABLE IF NOT EXISTS name (
        fqn TEXT PRIMARY KEY, folded TEXT, body TEXT, at REAL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS name_folded ON name (folded);
    CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, body TEXT, at REAL) WITHOUT ROWID;
"""
_WRITE = (
    "INSERT INTO name VALUES (?, ?, ?, ?) ON CONFLICT (fqn) DO UPDATE SET "
    "folded = excluded.folded, body = excluded.body, at = excluded.at"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """
    One answer: the entity, or None for a name that was unknown, and when it was given (seconds since 1970).
    """

    entity: Entity | None
    at: float


class Cache:
    """
    Safe to use from several threads and processes.

    Args:
        path: The file, made where it is missing; None keeps everything in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._changes = 0

    def version(self) -> str:
        """
        A text that changes when an answer may have changed.
        """
        rows = self._read("PRAGMA data_version")
        return f"{rows[0][0] if rows else 0}-{self._changes}"

    def names(self, fqns: Sequence[str]) -> dict[str, Kept]:
        """
        What is kept of these FQNs, by them.
        """
        return {row[0]: _kept(row) for row in self._in("fqn", fqns)}

    def ignoring_case(self, fqns: Sequence[str]) -> dict[str, tuple[Entity, ...]]:
        """
        The entities whose FQNs differ from an asked one at most in case, by the asked one.
        """
        found: dict[str, list[Entity]] = {}
        for row in self._in("folded", [fqn.casefold() for fqn in fqns]):
            if (entity := _kept(row).entity) is not None:
                found.setdefault(row[1], []).append(entity)
        return {fqn: tuple(found[fqn.casefold()]) for fqn in fqns if fqn.casefold() in found}

    def all_names(self) -> list[str]:
        """
        The FQNs of all entities that are kept.
        """
        return [row[0] for row in self._read("SELECT fqn FROM name WHERE body IS NOT NULL")]

    def write(self, entities: Iterable[Entity], unknown: Iterable[str] = ()) -> None:
        """
        Keep what the server said now: *entities*, and the names that are *unknown*.
        """
        now = time.time()
        known = [(e.fqn, e.fqn.casefold(), json.dumps(asdict(e)), now) for e in entities]
        rows = [*known, *((fqn, fqn.casefold(), None, now) for fqn in unknown)]
        if rows:
            self._write(_WRITE, rows)

    def forget(self, fqns: Sequence[str]) -> None:
        """
        Take names out, so that they are asked for again.
        """
        self._write("DELETE FROM name WHERE fqn = ?", [(fqn,) for fqn in fqns])

    def fact(self, key: str, *, max_age_s: float) -> Any:
        """
        What was kept under *key*, at most *max_age_s* seconds ago; None where there is nothing.
        """
        rows = self._read(
            "SELECT body FROM fact WHERE key = ? AND at > ?", key, time.time() - max_age_s
        )
        return json.loads(rows[0][0]) if rows else None

    def keep_fact(self, key: str, value: Any) -> None:
        """
        Keep something that is no entity under *key*.
        """
        self._write(
            "INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", [(key, json.dumps(value), time.time())]
        )

    def forget_fact(self, key: str) -> None:
        """
        Take out what is no entity.
        """
        self._write("DELETE FROM fact WHERE key = ?", [(key,)])

    def close(self) -> None:
        """
        Let go of the file.
        """
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _in(self, column: str, values: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(values), 500):
            some = values[start : start + 500]
            marks = ", ".join("?" * len(some))
            query = (
                f"SELECT fqn, folded, body, at FROM name WHERE {column} IN ({marks}) ORDER BY fqn"
            )
            yield from self._read(query, *some)

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._opened().execute(query, values).fetchall()
            except sqlite3.Error:
                self._start_anew()
                return []

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock:
            self._changes += 1
            try:
                self._written(statement, rows)
            except sqlite3.OperationalError:
                # Locked for long, or the disk is full: what is not kept is asked for again.
                with contextlib.suppress(sqlite3.Error):
                    self._opened().rollback()
            except sqlite3.Error:
                self._start_anew()

    def _written(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows)
        connection.commit()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open_file() or _open(None)
        return self._connection

    def _open_file(self) -> sqlite3.Connection | None:
        """
        The file, made anew where it is none of SQLite's; None where it cannot be had.
        """
        if self._path is None:
            return None
        for turn in range(OPENINGS):
            try:
                return _open(self._path)
            except OSError:
                return None
            except sqlite3.OperationalError as error:
                # While another process makes the file, SQLite waits for no lock.
                if "locked" not in str(error):
                    return None
                time.sleep(0.05 * turn)
            except sqlite3.DatabaseError:
                self._remove()
        return None

    def _start_anew(self) -> None:
        """
        Let go of a file that cannot be read, so that it is made again.
        """
        self.close()
        self._remove()

    def _remove(self) -> None:
        for path in (self._path, self._path and self._path.with_name(f"{self._path.name}-wal")):
            if path is not None:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)


def _open(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path or ":memory:", timeout=BUSY_S, check_same_thread=False, isolation_level=None
    )
    try:
        # What a broken machine loses is asked for again.
        connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; {_TABLES}")
        connection.execute("DELETE FROM name WHERE at < ?", (time.time() - KEPT_S,))
    except BaseException:
        connection.close()
        raise
    return connection


def _kept(row: Sequence[Any]) -> Kept:
    return Kept(decode_entity(row[2]) if row[2] is not None else None, row[3])
