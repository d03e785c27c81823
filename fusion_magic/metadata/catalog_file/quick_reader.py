"""
A catalog file without mistakes to entries, model by model, in the parser's own stride.

What is not plainly right stops it (``NotPlain``): a mistake, an alias, a tag. ``catalog_file`` then reads the file again with
the place of each value, accepts what may be accepted, and says what is wrong and where. So this reader keeps no places and no
nodes, and must be no more lenient than the other; a test compares the two.

An entry is what ``dataclasses.asdict`` gives of the ``Entity``, without what a file never says (``deleted``, ``alerts``, ``as_of``, ``files``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from yaml.events import (
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from fusion_magic.errors import FusionError
from fusion_magic.metadata.catalog_file.reader import (
    COLUMN_KEYS,
    KINDS,
    LOADER,
    MODEL_KEYS,
    TEXT,
    TEXTS,
    absolute_source,
    entity_id,
)
from fusion_magic.sql.fqn import parse_fqn
from fusion_magic.sql.trino_names import derive_trino_parts, parse_trino_name

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_COLUMN = {"name": None, "type": None, "description": None, "tags": ()}
Entry = dict[str, Any]


class NotPlain(Exception):
    """
    The file needs a closer look.
    """


def read_entries(path: Path) -> Iterator[Entry]:
    """
    The entries of the catalog file at *path*, in its order, as it is read.

    Raises:
        NotPlain: The file cannot be read, has a mistake or something unusual in it.
    """
    try:
        with path.open("rb") as file:
            yield from _Reader(file, path.parent.absolute()).entries()
    except (yaml.YAMLError, FusionError, OSError, ValueError) as exc:
        raise NotPlain from exc


class _Reader:
    """
    The events of one file, taken as the format wants them.
    """

    def __init__(self, file: Any, folder: Path) -> None:
        self._next: Callable[[], Any] = LOADER(file).get_event
        self._folder = folder
        self._trino_names: dict[tuple[str, ...], str] = {}
        self._fqns: set[str] = set()

    def entries(self) -> Iterator[Entry]:
        self._next()  # the stream's start
        self._next()  # the document's
        _require(_is_plain_mapping(self._next()))
        if self._key() != "version" or self._scalar(self._next()) != "1":
            raise NotPlain
        if self._key() != "models":
            raise NotPlain
        _require(_is_plain_mapping(self._next()))
        while (name := self._key()) is not None:
            yield self._entry(name)
        _require(self._key() is None)
        _require(type(self._next()) is DocumentEndEvent and type(self._next()) is StreamEndEvent)

    def _entry(self, name: str) -> Entry:
        parts, fqn = _parts(name)
        values = self._values(MODEL_KEYS)
        trino, id_, kind = values.get("trino"), values.get("id"), values.get("kind")
        trino_parts = parse_trino_name(trino) if trino else derive_trino_parts(parts)
        _require(self._trino_names.setdefault(trino_parts, name) == name)
        _require(fqn not in self._fqns and (kind is None or kind in KINDS))
        self._fqns.add(fqn)
        return {
            "id": str(UUID(id_)) if id_ else entity_id(fqn),
            "fqn": fqn,
            "kind": kind or "table",
            "trino_parts": trino_parts,
            "source": self._absolute(values.get("source")),
            "description": values.get("description"),
            "owners": values.get("owners", ()),
            "tags": values.get("tags", ()),
            "deprecated": values.get("deprecated"),
            "columns": values.get("columns", ()),
        }

    def _values(self, keys: dict[str, str]) -> Entry:
        start = self._next()
        if type(start) is ScalarEvent and self._scalar(start) is None and keys is MODEL_KEYS:
            return {}
        return self._mapping(start, keys)

    def _mapping(self, start: Any, keys: dict[str, str]) -> Entry:
        _require(_is_plain_mapping(start))
        found: Entry = {}
        while (key := self._key()) is not None:
            kind = keys.get(key)
            if kind is None or key in found:
                raise NotPlain
            if kind is TEXT:
                found[key] = self._scalar(self._next())
            elif kind is TEXTS:
                found[key] = list(filter(None, map(self._scalar, self._items())))
            else:
                found[key] = [self._column(item) for item in self._items()]
        return found

    def _column(self, start: Any) -> Entry:
        values = self._mapping(start, COLUMN_KEYS)
        if values.get("name") is None:
            raise NotPlain
        return {**_COLUMN, **values}

    def _items(self) -> Iterator[Any]:
        start = self._next()
        _require(type(start) is SequenceStartEvent and start.anchor is None and start.tag is None)
        while type(event := self._next()) is not SequenceEndEvent:
            yield event

    def _key(self) -> str | None:
        """
        The mapping's next key; None at its end.
        """
        event = self._next()
        if type(event) is MappingEndEvent:
            return None
        _require(type(event) is ScalarEvent and event.anchor is None and event.tag is None)
        return event.value  # type: ignore[no-any-return] # a scalar's value is a text

    def _scalar(self, event: Any) -> str | None:
        if type(event) is not ScalarEvent or event.anchor is not None or event.tag is not None:
            raise NotPlain
        text: str = event.value
        return None if event.implicit[0] and text in _NULLS else text

    def _absolute(self, source: str | None) -> str | None:
        if source is None or "://" in source:
            return source
        if ":" in source or source[:1] in "/." or "//" in source or "/./" in source:
            # Perhaps pathlib writes it in another way.
            return absolute_source(source, self._folder)
        return f"{self._folder}{os.sep}{source}"


def _parts(name: str) -> tuple[tuple[str, ...], str]:
    """
    The parts of an FQN, and its canonical text.
    """
    parts = tuple(name.split("."))
    if '"' in name:
        parsed = parse_fqn(name)
        parts, name = parsed.parts, str(parsed)
    _require(len(parts) > 1 and all(parts))
    return parts, name


def _is_plain_mapping(event: Any) -> bool:
    return type(event) is MappingStartEvent and event.anchor is None and event.tag is None


def _require(is_plain: bool) -> None:
    if not is_plain:
        raise NotPlain
