"""
Entities as a catalog file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from fusion_magic.errors import InvalidCatalog
from fusion_magic.metadata import Entity
from fusion_magic.sql.edits import format_trino_name

# What a server knows of an entity at one moment, and a file never says.
_OF_THE_MOMENT = ("deleted", "alerts", "as_of")


def entry_of(entity: Entity, *, source: str | None = None) -> dict[str, Any]:
    """
    What a catalog file says of *entity*; what is empty is left out.

    Args:
        source: What DuckDB reads, as the file writes it; None for nothing.
    """
    columns = [_without_empty(asdict(column)) for column in entity.columns]
    facts = {**asdict(entity), "source": source, "columns": columns}
    trino = format_trino_name(facts.pop("trino_parts"))
    for name in ("fqn", *_OF_THE_MOMENT):
        del facts[name]
    return _without_empty({**facts, "trino": trino})


def write_catalog(path: Path, entries: Mapping[str, Mapping[str, Any]], *, head: str = "") -> None:
    """
    Write a catalog file, whole or not at all.

    Args:
        entries: What it says of each FQN, as ``entry_of`` gives it.

        head: Lines of a comment above them.

    Raises:
        InvalidCatalog: It cannot be written.
    """
    import yaml

    models = {fqn: dict(entry) for fqn, entry in entries.items()}
    text = yaml.safe_dump(
        {"version": 1, "models": models}, sort_keys=False, allow_unicode=True, width=100
    )
    comment = "".join(f"# {line}\n" for line in head.splitlines())
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        aside.write_text(comment + text, encoding="utf-8")
        aside.replace(path)
    except OSError as exc:
        raise InvalidCatalog(f"The catalog {path} cannot be written: {exc.strerror}.") from exc
    finally:
        aside.unlink(missing_ok=True)


def relative_source(source: str | None, catalog: Path) -> str | None:
    """
    *source*, which a reader has made absolute, as a file at *catalog* writes it.
    """
    if source is None or "://" in source:
        return source
    scheme, mark, rest = source.partition(":")
    if mark and scheme in {"duckdb", "sqlite"}:
        return f"{scheme}:{os.path.relpath(rest, catalog.parent)}"
    return os.path.relpath(source, catalog.parent)


def differences(before: Iterable[Entity], now: Mapping[str, Entity]) -> list[tuple[str, str]]:
    """
    What became of each entity of *before*: its FQN and a sentence for each change, in order.
    """
    found: list[tuple[str, str]] = []
    for old in before:
        new = now.get(old.fqn)
        if new is None or new.deleted:
            found.append((old.fqn, (new and new.deleted) or "is no longer there"))
            continue
        found += [(old.fqn, change) for change in _changes(old, new)]
    return found


def _changes(old: Entity, new: Entity) -> Iterable[str]:
    if old.trino_parts != new.trino_parts:
        yield f"is {format_trino_name(new.trino_parts)} on Trino, and was {format_trino_name(old.trino_parts)}"
    for what in ("kind", "description", "deprecated"):
        before, after = getattr(old, what), getattr(new, what)
        if before != after:
            yield f"{what}: {_said(before)} → {_said(after)}"
    for what in ("owners", "tags"):
        before, after = sorted(getattr(old, what)), sorted(getattr(new, what))
        if before != after:
            yield f"{what}: {_said(', '.join(before))} → {_said(', '.join(after))}"
    yield from _column_changes(old, new)


def _column_changes(old: Entity, new: Entity) -> Iterable[str]:
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    yield from (f"column {name} is gone" for name in before if name not in after)
    yield from (f"column {name} is new" for name in after if name not in before)
    for name in before.keys() & after.keys():
        if before[name].type != after[name].type:
            yield f"column {name}: {_said(before[name].type)} → {_said(after[name].type)}"
        if sorted(before[name].tags) != sorted(after[name].tags):
            tags = (", ".join(sorted(column.tags)) for column in (before[name], after[name]))
            yield f"column {name}, tags: {' → '.join(map(_said, tags))}"
    both = [
        [name for name in names if name in before and name in after] for names in (before, after)
    ]
    if both[0] != both[1]:
        yield "its columns have another order"


def _said(value: str | None) -> str:
    return " ".join(value.split())[:80] if value else "nothing"


def _without_empty(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in facts.items()
        if value not in (None, (), [])
    }
