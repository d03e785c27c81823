"""
``catalog.yaml`` to entities, with line and column of every mistake.
"""

from __future__ import annotations

import difflib
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import yaml

from fusion_magic.errors import InvalidCatalog, InvalidFqn
from fusion_magic.metadata import Column, Entity
from fusion_magic.sql.fqn import parse_fqn
from fusion_magic.sql.trino_names import derive_trino_parts, parse_trino_name

SHOWN_MISTAKES = 10
DEEPEST = 50  # a catalog needs 6
KINDS = ("table", "view", "container")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEXT, TEXTS = "text", "list of texts"
MODEL_KEYS = {
    "id": TEXT,
    "kind": TEXT,
    "trino": TEXT,
    "source": TEXT,
    "description": TEXT,
    "owners": TEXTS,
    "tags": TEXTS,
    "deprecated": TEXT,
    "columns": "columns",
}
COLUMN_KEYS = {"name": TEXT, "type": TEXT, "description": TEXT, "tags": TEXTS}


class _Mistakes:
    """
    What is wrong with the file, collected so that all of it can be mended at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[str] = []

    def add(self, node: yaml.Node, text: str) -> None:
        mark = node.start_mark
        self.found.append(f"line {mark.line + 1}, column {mark.column + 1}: {text}")

    def raise_if_any(self) -> None:
        if not self.found:
            return
        shown = "\n".join(f"  {mistake}" for mistake in self.found[:SHOWN_MISTAKES])
        more = len(self.found) - SHOWN_MISTAKES
        raise InvalidCatalog(
            f"The catalog {self.path} has mistakes:\n{shown}"
            + (f"\n  and {more} more" if more > 0 else "")
        )


def read_catalog(path: Path) -> list[Entity]:
    """
    The entities of a catalog file, in its order.

    Raises:
        InvalidCatalog: It cannot be read, is no YAML, or breaks the format; names file, line and column.
    """
    mistakes = _Mistakes(path)
    with _no_collection():
        root = _compose(path)
    if root is None or not isinstance(root, yaml.MappingNode):
        raise InvalidCatalog(
            f"The catalog {path} is empty or no mapping.", hint="It starts with `version: 1`."
        )
    with _no_collection():
        return _read_root(root, mistakes)


def _read_root(root: yaml.MappingNode, mistakes: _Mistakes) -> list[Entity]:
    pairs = dict(_pairs(root, mistakes, {"version": "", "models": ""}))
    version = pairs.get("version")
    if version is None or version.value != "1":
        mistakes.add(version or root, "version must be 1")
    entities = list(_entities(pairs.get("models"), mistakes))
    mistakes.raise_if_any()
    return entities


@contextmanager
def _no_collection() -> Iterator[None]:
    """
    Without Python's search for cycles, which millions of nodes make three times slower and which finds none.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _compose(path: Path) -> yaml.Node | None:
    try:
        with path.open("rb") as file:
            _require_shallow(file, path)
            file.seek(0)
            return yaml.compose(file, Loader=LOADER)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        if mark and "nesting depth" in str(exc.problem):
            # Newer versions of libyaml refuse it themselves.
            raise _too_deep(path, mark.line) from exc
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidCatalog(f"The catalog {path} is no YAML: {where}{exc.problem}") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise InvalidCatalog(f"The catalog {path} is no YAML in UTF-8: {exc}") from exc
    except OSError as exc:
        raise InvalidCatalog(f"The catalog {path} cannot be read: {exc.strerror}") from exc


def _require_shallow(file: Any, path: Path) -> None:
    """
    Refuse what is nested so deeply that libyaml's composer would overrun the stack, and end the kernel.
    """
    depth = 0
    for event in yaml.parse(file, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _too_deep(path, event.start_mark.line if event.start_mark is not None else 0)


def _too_deep(path: Path, line: int) -> InvalidCatalog:
    return InvalidCatalog(f"The catalog {path} is nested too deeply: line {line + 1}")


def _pairs(
    node: yaml.MappingNode, mistakes: _Mistakes, known: dict[str, str] | None
) -> Iterator[tuple[str, yaml.Node]]:
    seen: set[str] = set()
    for key_node, value in node.value:
        key = key_node.value
        if not isinstance(key, str):
            mistakes.add(key_node, "a key must be a text")
        elif key in seen:
            mistakes.add(key_node, f"{key} is there twice")
        elif known is not None and key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
            mistakes.add(key_node, f"there is no key {key}{hint}")
        else:
            seen.add(key)
            yield key, value


def _entities(models: yaml.Node | None, mistakes: _Mistakes) -> Iterator[Entity]:
    if models is None or (
        isinstance(models, yaml.ScalarNode) and models.value in {"", "null", "~"}
    ):
        return
    if not isinstance(models, yaml.MappingNode):
        mistakes.add(models, "models must be a mapping from FQN to entry")
        return
    trino_names: dict[tuple[str, ...], str] = {}
    fqns: set[str] = set()
    for name, node in _pairs(models, mistakes, None):
        entity = _entity(name, node, mistakes)
        if entity is None:
            continue
        if entity.fqn in fqns:
            # Two ways of quoting it.
            mistakes.add(node, f"{entity.fqn} is there twice")
            continue
        fqns.add(entity.fqn)
        other = trino_names.setdefault(entity.trino_parts, entity.fqn)
        if other != entity.fqn:
            mistakes.add(
                node,
                f"{entity.fqn} and {other} have the same Trino name {'.'.join(entity.trino_parts)}; "
                "give one of them another with trino:",
            )
        yield entity


def _entity(name: str, node: yaml.Node, mistakes: _Mistakes) -> Entity | None:
    try:
        fqn = parse_fqn(name)
    except InvalidFqn as error:
        mistakes.add(node, error.message)
        return None
    if len(fqn.parts) < 2:
        mistakes.add(node, f"{name} needs a service before it")
        return None
    if isinstance(node, yaml.ScalarNode) and node.value in {"", "null", "~"}:
        values: dict[str, Any] = {}
    elif isinstance(node, yaml.MappingNode):
        values = _values(node, mistakes, MODEL_KEYS)
    else:
        mistakes.add(node, f"{name} must be a mapping")
        return None
    return Entity(
        id=_uuid(values, node, mistakes) or entity_id(str(fqn)),
        fqn=str(fqn),
        kind=_kind(values, node, mistakes),
        trino_parts=_trino_parts(values, fqn.parts, node, mistakes),
        source=absolute_source(values.get("source"), mistakes.path.parent),
        description=values.get("description"),
        owners=values.get("owners", ()),
        tags=values.get("tags", ()),
        deprecated=values.get("deprecated"),
        columns=values.get("columns", ()),
    )


def _uuid(values: dict[str, Any], node: yaml.Node, mistakes: _Mistakes) -> str | None:
    text = values.get("id")
    try:
        return str(UUID(text)) if text else None
    except ValueError:
        mistakes.add(node, f"id {text} is no UUID")
        return None


def _kind(values: dict[str, Any], node: yaml.Node, mistakes: _Mistakes) -> Any:
    kind = values.get("kind", "table")
    if kind not in KINDS:
        mistakes.add(node, f"kind must be {', '.join(KINDS)}, not {kind}")
    return kind


def _trino_parts(
    values: dict[str, Any], parts: Sequence[str], node: yaml.Node, mistakes: _Mistakes
) -> tuple[str, ...]:
    if not values.get("trino"):
        return derive_trino_parts(parts)
    try:
        return parse_trino_name(values["trino"])
    except InvalidFqn as error:
        mistakes.add(node, error.message)
        return derive_trino_parts(parts)


def _values(node: yaml.MappingNode, mistakes: _Mistakes, keys: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in _pairs(node, mistakes, keys):
        if keys[key] == TEXT:
            found[key] = _text(key, value, mistakes)
        elif keys[key] == TEXTS:
            found[key] = _texts(key, value, mistakes)
        else:
            found[key] = tuple(_columns(value, mistakes))
    return {key: value for key, value in found.items() if value is not None}


def _text(key: str, node: yaml.Node, mistakes: _Mistakes) -> str | None:
    if not isinstance(node, yaml.ScalarNode):
        mistakes.add(node, f"{key} must be a text")
        return None
    is_null = node.tag == "tag:yaml.org,2002:null"
    return None if is_null else str(node.value)


def _texts(key: str, node: yaml.Node, mistakes: _Mistakes) -> tuple[str, ...]:
    if not isinstance(node, yaml.SequenceNode):
        mistakes.add(node, f"{key} must be a list of texts")
        return ()
    return tuple(filter(None, (_text(key, item, mistakes) for item in node.value)))


def _columns(node: yaml.Node, mistakes: _Mistakes) -> Iterator[Column]:
    if not isinstance(node, yaml.SequenceNode):
        mistakes.add(node, "columns must be a list")
        return
    for item in node.value:
        if not isinstance(item, yaml.MappingNode):
            mistakes.add(item, "a column must be a mapping with a name")
            continue
        values = _values(item, mistakes, COLUMN_KEYS)
        if "name" not in values:
            mistakes.add(item, "a column needs a name")
            continue
        yield Column(
            values["name"], values.get("type"), values.get("description"), values.get("tags", ())
        )


def absolute_source(source: str | None, folder: Path) -> str | None:
    """
    What DuckDB reads, with a path that does not depend on where the notebook runs.
    """
    if source is None or "://" in source:
        return source
    scheme, _, rest = source.partition(":")
    if scheme in {"duckdb", "sqlite"} and rest:
        path, mark, table = rest.partition("#")
        return f"{scheme}:{(folder / path).absolute()}{mark}{table}"
    return str((folder / source).absolute())


def entity_id(fqn: str) -> str:
    """
    The id of an entity for which nobody wrote one: a UUID of version 5 of its FQN's URN.
    """
    return str(uuid5(NAMESPACE_URL, f"urn:openmetadata:{fqn}"))
