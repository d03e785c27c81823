"""
The doors through which engines, catalogues of names, receivers of lineage and commands come in: entry points.

    fusion_magic.engines     a URL's scheme → ``open_engine(settings) -> Engine``
    fusion_magic.metadata    a URL's scheme → ``open_metadata(settings) -> Metadata``
    fusion_magic.delivery    a URL's scheme up to a ``+`` → ``open_delivery(url, context) -> Delivery``
    fusion_magic.commands    a command's name → a ``Command``

Ours come in by the same doors. They are looked for first, in the one file of this package's own entry points, so that a cell
does not wait for a look at every installed package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any, Literal

from fusion_magic.errors import BrokenPlugin, InvalidSettings

Door = Literal["engines", "metadata", "delivery", "commands"]
PACKAGE = "fusion-magic"


def opener(door: Door, url: str, *, setting: str, without_scheme: str = "") -> Callable[..., Any]:
    """
    What opens the implementation that *url* names by its scheme.

    Args:
        setting: Where the URL stands (``engine.url``), for the message.

        without_scheme: The scheme that is meant by a text that has none, such as a path.

    Raises:
        InvalidSettings: Nothing is installed for that scheme; the URL itself is not shown, which may hold a secret.
        BrokenPlugin: What is installed for it cannot be imported.
    """
    scheme = scheme_of(url) or without_scheme
    found = _find(door, scheme)
    if found is None:
        known = ", ".join(f"{name}://" for name in names(door))
        raise InvalidSettings(
            f"{setting} starts with {scheme!r}, for which nothing is installed.",
            hint=f"Known are {known}.",
        )
    load: Callable[..., Any] = _load(found)
    return load


def scheme_of(url: str) -> str:
    """
    >>> scheme_of("openlineage+https://host/api"), scheme_of("data/catalog.yaml"), scheme_of("C:/catalog.yaml")
    ('openlineage', '', '')
    """
    scheme, mark, _ = url.partition("://")
    return scheme.partition("+")[0].lower() if mark else ""


def names(door: Door) -> list[str]:
    """
    What can come in by a door, sorted.
    """
    return sorted({point.name for point in (*_own(door), *_of_others(door))})


def plugins(door: Door) -> Iterable[tuple[str, Callable[[], Any]]]:
    """
    What other packages bring in by a door: its name, and a function that loads it.
    """
    for point in _of_others(door):
        yield point.name, partial(_load, point)


def _find(door: Door, name: str) -> EntryPoint | None:
    return next((p for points in (_own, _of_others) for p in points(door) if p.name == name), None)


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as exc:
        package = point.dist.name if point.dist is not None else point.value
        raise BrokenPlugin(
            f"{point.name} of the package {package} cannot be loaded: {exc}.",
            hint=f"Reinstall or remove it: pip install --force-reinstall {package}",
        ) from exc


@cache
def _own(door: Door) -> tuple[EntryPoint, ...]:
    try:
        points = distribution(PACKAGE).entry_points
    except PackageNotFoundError:
        return ()
    return tuple(point for point in points if point.group == f"fusion_magic.{door}")


@cache
def _of_others(door: Door) -> tuple[EntryPoint, ...]:
    own = {point.value for point in _own(door)}
    return tuple(p for p in entry_points(group=f"fusion_magic.{door}") if p.value not in own)
