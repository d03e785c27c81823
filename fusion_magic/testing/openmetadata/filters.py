"""
The part of the search language that clients use: term, terms, prefix, wildcard, match, exists, ids and bool, as tests of an entity.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import Any

from .answers import Json
from .state import Entity

Test = Callable[[Entity], bool]
Document = Callable[[Entity], Json]

_KEYWORD = re.compile(r"\.(keyword|ngram|compound)$")


class UnreadableFilter(ValueError):
    """
    A filter that is not understood, which a real server ignores.
    """


class Filters:
    """
    Compiles filters.

    Args:
        document: Gives what the index holds of an entity.
    """

    def __init__(self, document: Document) -> None:
        self._document = document

    def compile(self, query: Any) -> Test:
        """
        The test that *query* makes.

        Raises:
            UnreadableFilter: It is not understood.
        """
        if not isinstance(query, dict) or len(query) != 1:
            raise UnreadableFilter(repr(query))
        ((name, given),) = query.items()
        make = getattr(self, f"_{name}", None)
        if make is None:
            raise UnreadableFilter(name)
        test: Test = make(given)
        return test

    def _match_all(self, _given: Json) -> Test:
        return lambda _entity: True

    def _bool(self, given: Json) -> Test:
        unknown = set(given) - {
            "must",
            "filter",
            "should",
            "must_not",
            "minimum_should_match",
            "boost",
        }
        if unknown:
            raise UnreadableFilter(str(unknown))
        needed = [*self._many(given.get("must")), *self._many(given.get("filter"))]
        some, none = self._many(given.get("should")), self._many(given.get("must_not"))
        least = int(given.get("minimum_should_match", 1 if some and not needed else 0))
        return lambda entity: (
            all(test(entity) for test in needed)
            and not any(test(entity) for test in none)
            and (least == 0 or sum(test(entity) for test in some) >= least)
        )

    def _many(self, given: Any) -> list[Test]:
        if given is None:
            return []
        return [self.compile(one) for one in (given if isinstance(given, list) else [given])]

    def _field(self, given: Any) -> tuple[str, Any]:
        if not isinstance(given, dict):
            raise UnreadableFilter(repr(given))
        names = [name for name in given if name != "boost"]
        if len(names) != 1:
            raise UnreadableFilter(repr(given))
        value = given[names[0]]
        if isinstance(value, dict):
            value = next(
                (value[key] for key in ("value", "query", "wildcard", "prefix") if key in value),
                None,
            )
        return names[0], value

    def _term(self, given: Any) -> Test:
        field, value = self._field(given)
        return self._terms({field: [value]})

    def _terms(self, given: Any) -> Test:
        field, values = self._field(given)
        if not isinstance(values, list):
            raise UnreadableFilter(repr(given))
        wanted = {plain(value) for value in values}
        read = self._reader(field)
        return lambda entity: any(one in wanted for one in read(entity))

    def _prefix(self, given: Any) -> Test:
        field, value = self._field(given)
        wanted, read = plain(value), self._reader(field)
        return lambda entity: any(one.startswith(wanted) for one in read(entity))

    def _wildcard(self, given: Any) -> Test:
        field, value = self._field(given)
        matches = re.compile(fnmatch.translate(plain(value).replace("[", "[[]"))).match
        read = self._reader(field)
        return lambda entity: any(matches(one) for one in read(entity))

    def _match(self, given: Any) -> Test:
        field, value = self._field(given)
        words, read = set(words_of(plain(value))), self._reader(field)
        return lambda entity: any(
            words & set(words_of(one)) or plain(value) == one for one in read(entity)
        )

    def _match_phrase(self, given: Any) -> Test:
        field, value = self._field(given)
        wanted, read = plain(value), self._reader(field)
        return lambda entity: any(wanted in one for one in read(entity))

    def _exists(self, given: Any) -> Test:
        read = self._reader(given["field"])
        return lambda entity: any(read(entity))

    def _ids(self, given: Any) -> Test:
        wanted = set(given["values"])
        return lambda entity: entity.id in wanted

    def _reader(self, field: str) -> Callable[[Entity], Iterable[str]]:
        """
        What an entity has in *field*, in lower case; the quick ones need no document.
        """
        name = _KEYWORD.sub("", field)
        if name == "fullyQualifiedName":
            # The index has no ``.keyword`` below it.
            return _fqn if field == name else _nothing
        if name == "name":
            return lambda entity: (entity.name.lower(),)
        if name == "deleted":
            return lambda entity: ("true" if entity.is_deleted else "false",)
        if name == "entityType":
            return lambda entity: (entity.kind.type.lower(),)
        parts = name.split(".")
        return lambda entity: [plain(one) for one in walk(self._document(entity), parts)]


def _fqn(entity: Entity) -> Iterable[str]:
    return (entity.fqn.lower(),)


def _nothing(_entity: Entity) -> Iterable[str]:
    return ()


def plain(value: Any) -> str:
    """
    A value as the index compares it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).lower()


def walk(value: Any, parts: list[str]) -> Iterable[Any]:
    """
    The values at a path, through lists.
    """
    if isinstance(value, list):
        for one in value:
            yield from walk(one, parts)
    elif not parts:
        if value is not None and not isinstance(value, dict):
            yield value
    elif isinstance(value, dict) and parts[0] in value:
        yield from walk(value[parts[0]], parts[1:])


def words_of(text: str) -> list[str]:
    """
    The words of a text as the index cuts it.
    """
    return re.findall(r"\w+", text.replace("_", " "))
