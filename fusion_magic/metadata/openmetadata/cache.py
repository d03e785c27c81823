"""
What OpenMetadata answered in the last minutes, shared by the kernels and workers of one person: an SQLite file in the data directory.

An unknown name is kept too, with nothing. What an event says of a name makes what is kept of it stale, and is remembered for a while, since an
older answer may still be on its way. A file that cannot be written or read costs time, never the answer.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fusion_magic.metadata import Entity
from fusion_magic.metadata.encoding import decode_entity
from fusion_magic.metadata.openmetadata.staleness import TRINO_NAMES, Told, names_above

FORMAT = 3
KEPT_S = 30 * 86_400.0  # what nobody has asked for since goes
BUSY_S = 5.0
OPENINGS = 8
TOLD_FOR_S = 3600.0  # how long an answer may come that is older than an event
LAG_S = 60.0  # how long the server's index may not know yet that something above a name has changed
_TABLES = """
    CREATE TABLE IF NOT EXISTS name (
        fqn TEXT PRIMARY KEY, folded TEXT, body TEXT, at REAL, is_stale INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS name_folded ON name (folded);
    CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, body TEXT, at REAL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS told (fqn TEXT PRIMARY KEY, updated_ms INTEGER, at REAL) WITHOUT ROWID;
"""
_WRITE = (
    "INSERT INTO name VALUES (?, ?, ?, ?, "
    "EXISTS (SELECT * FROM told WHERE told.fqn = ? AND (told.updated_ms > ? OR told.at > ?))) "
    "ON CONFLICT (fqn) DO UPDATE SET folded = excluded.folded, body = excluded.body, "
    "at = excluded.at, is_stale = excluded.is_stale"
)
_TELL = (
    "INSERT INTO told VALUES (?, ?, ?) ON CONFLICT (fqn) DO UPDATE SET "
    "updated_ms = max(updated_ms, excluded.updated_ms), at = excluded.at"
)
_MAKE_STALE = "UPDATE name SET is_stale = 1 WHERE folded = ? OR (folded > ? AND folded < ?)"
# Facts are kept, too, for a server that does not answer.
_END_FACTS = "UPDATE fact SET at = 0 WHERE key >= ? AND key < ?"
_END_BLANKS = f"{_END_FACTS} AND body = '\"\"'"
_Statement = tuple[str, Sequence[tuple[object, ...]]]
_NEWEST = 1 << 60  # the time of an answer that bears none


@dataclass(frozen=True, slots=True)
class Kept:
    """
    One answer: the entity, or None for a name that was unknown, when it was given (seconds since 1970), and whether an event has made it
    stale since.
    """

    entity: Entity | None
    at: float
    is_stale: bool = False


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

    def write(
        self,
        entities: Iterable[Entity],
        unknown: Iterable[str] = (),
        *,
        asked_at: float | None = None,
        updated_ms: Mapping[str, int] | None = None,
    ) -> None:
        """
        Keep what the server said now: *entities*, and the names that are *unknown*.

        Args:
            asked_at: When it was asked, if not now: what an event has told of since is stale at once.

            updated_ms: When entities changed last by the server's clock, for what its index says, which may lag: one that is older
                than what an event has told is stale at once.
        """
        now, times = time.time(), updated_ms or {}
        since = now if asked_at is None else asked_at
        known = [
            (*_key(e.fqn), json.dumps(asdict(e)), now, e.fqn, times.get(e.fqn, _NEWEST), since)
            for e in entities
        ]
        rows = [*known, *((*_key(fqn), None, now, fqn, _NEWEST, since) for fqn in unknown)]
        if rows:
            self._write([(_WRITE, rows)])

    def tell(self, changes: Iterable[Told]) -> None:
        """
        Make stale what *changes* concern.
        """
        now, told = time.time(), list(changes)
        named = [(one, one.fqn.casefold()) for one in told if one.fqn]
        self._write(
            [
                ("DELETE FROM told WHERE at < ?", [(now - TOLD_FOR_S,)]),
                (_TELL, [(one.fqn, one.updated_ms or 0, now) for one, _ in named]),
                (_MAKE_STALE, [(folded, f"{folded}.", f"{folded}/") for _, folded in named]),
                (_END_FACTS, [_beginning(start) for one in told for start in one.facts]),
                (_END_BLANKS, [_beginning(TRINO_NAMES)] * any(one.is_new_or_gone for one in told)),
            ]
        )

    def make_all_stale(self) -> None:
        """
        Anything may have changed.
        """
        self._write([("UPDATE name SET is_stale = 1", [()]), ("UPDATE fact SET at = 0", [()])])

    def told_ms(self, fqns: Sequence[str]) -> dict[str, int]:
        """
        Before which time of the server's an answer for each of *fqns* is too old to be believed; those are left out of which nothing was told.
        """
        above = names_above(fqns)
        rows = list(self._told([*fqns, *above]))
        times = {fqn: updated_ms for fqn, updated_ms, _ in rows}
        since = time.time() - LAG_S
        lately = tuple(f"{fqn}." for fqn, _, at in rows if fqn in above and at > since)
        found = {fqn: times[fqn] for fqn in fqns if fqn in times}
        return found | {fqn: _NEWEST for fqn in fqns if lately and fqn.startswith(lately)}

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
        row = (key, json.dumps(value), time.time())
        self._write([("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", [row])])

    def forget_fact(self, key: str) -> None:
        """
        Take out what is no entity.
        """
        self._write([("DELETE FROM fact WHERE key = ?", [(key,)])])

    def close(self) -> None:
        """
        Let go of the file.
        """
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _in(self, column: str, values: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        query = "SELECT fqn, folded, body, at, is_stale FROM name WHERE %s IN (%s) ORDER BY fqn"
        for some in _pieces(values):
            yield from self._read(query % (column, _marks(some)), *some)

    def _told(self, fqns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        query = "SELECT fqn, updated_ms, at FROM told WHERE fqn IN (%s)"
        for some in _pieces(fqns):
            yield from self._read(query % _marks(some), *some)

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._opened().execute(query, values).fetchall()
            except sqlite3.Error:
                self._start_anew()
                return []

    def _write(self, statements: Sequence[_Statement]) -> None:
        with self._lock:
            self._changes += 1
            try:
                self._written(statements)
            except sqlite3.OperationalError:
                # Locked for long, or the disk is full: what is not kept is asked for again.
                with contextlib.suppress(sqlite3.Error):
                    self._opened().rollback()
            except sqlite3.Error:
                self._start_anew()

    def _written(self, statements: Sequence[_Statement]) -> None:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        for statement, rows in statements:
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
    entity = decode_entity(row[2]) if row[2] is not None else None
    return Kept(entity, row[3], bool(row[4]))


def _key(fqn: str) -> tuple[str, str]:
    return fqn, fqn.casefold()


def _pieces(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """
    As many at once as a statement has places for.
    """
    for start in range(0, len(values), 500):
        yield values[start : start + 500]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _beginning(start: str) -> tuple[str, str]:
    """
    The bounds of all texts that begin with *start*.
    """
    return start, f"{start}\U0010ffff"
