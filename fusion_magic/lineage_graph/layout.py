"""
Where the boxes and arrows of a layered drawing go. Pure, and the same for the same graph.

    layers       by the longest path from the middle: sources on the left, targets on the right
    order        inside a layer, near what a box is joined to, so that few arrows cross
    heights      as near to the middle of its neighbours as the boxes beside it leave it
    arrows       from right edge to left edge; through free lanes where they pass a layer; those of a cycle lead back

Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual Understanding of Hierarchical System Structures",
IEEE Transactions on Systems, Man, and Cybernetics 11 (2), 1981.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

GAP_X, GAP_Y = 56.0, 14.0
LANE = 8.0  # height that an arrow takes which passes a layer
SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Box:
    """
    What is to be placed: its name and its size in pixels.
    """

    name: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Places in pixels, from the upper left corner.

    Attributes:
        corners: Each box's upper left corner.
        widths: Each box's width; all of a layer are as wide as its widest, so that no arrow runs under one.
        lanes: For each pair that passes layers, where it does, as (left, right, y), from left to right.
        back: The pairs that lead to the left or stay in a layer, since they close a cycle.
        width: Of all of it.
        height: Of all of it.
    """

    corners: Mapping[str, tuple[float, float]]
    widths: Mapping[str, float]
    lanes: Mapping[tuple[str, str], tuple[tuple[float, float, float], ...]]
    back: frozenset[tuple[str, str]]
    width: float
    height: float


@dataclass(slots=True)
class _Item:
    """
    A box, or a lane of an arrow that passes.
    """

    height: float
    left: list[_Item] = field(default_factory=list)
    right: list[_Item] = field(default_factory=list)
    name: str | None = None
    pair: tuple[str, str] | None = None
    place: float = 0.0
    y: float = 0.0  # of its middle


def arrange(root: str, boxes: Sequence[Box], pairs: Sequence[tuple[str, str]]) -> Layout:
    """
    Place *boxes* around *root*.

    Args:
        pairs: (source, target) of names of *boxes*, each once; a pair of one name twice is left to the caller.
    """
    names = [box.name for box in boxes]
    ranks = rank(root, names, pairs)
    forward = [(s, t) for s, t in pairs if ranks[s] < ranks[t]]
    back = frozenset((s, t) for s, t in pairs if s != t and ranks[s] >= ranks[t])
    layers = _layers(boxes, ranks, forward)
    _order(layers)
    _spread(layers)
    return _measured(layers, {box.name: box for box in boxes}, back)


def rank(root: str, names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """
    The layer of each name: 0 for *root*, below it what leads there, above it what it leads to; by the longest path.

    Names that are not joined to the root stand in its layer.
    """
    sources: dict[str, list[str]] = {}
    targets: dict[str, list[str]] = {}
    for source, target in sorted(pairs):
        sources.setdefault(target, []).append(source)
        targets.setdefault(source, []).append(target)
    up = _longest(root, sources)
    down = _longest(root, targets)
    return {name: -up[name] if name in up else down.get(name, 0) for name in names}


def _longest(root: str, beside: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """
    The longest way from *root* to each name that it reaches, without the steps that close a cycle.
    """
    finished: list[str] = []
    state: dict[str, bool] = {root: False}
    closing: set[tuple[str, str]] = set()
    waiting = [(root, iter(beside.get(root, ())))]
    while waiting:
        name, others = waiting[-1]
        other = next(others, None)
        if other is None:
            state[name] = True
            finished.append(name)
            waiting.pop()
        elif other not in state:
            state[other] = False
            waiting.append((other, iter(beside.get(other, ()))))
        elif not state[other]:
            closing.add((name, other))
    length = dict.fromkeys(finished, 0)
    for name in reversed(finished):
        for other in beside.get(name, ()):
            if (name, other) not in closing:
                length[other] = max(length[other], length[name] + 1)
    return length


def _layers(
    boxes: Sequence[Box], ranks: Mapping[str, int], forward: Sequence[tuple[str, str]]
) -> list[list[_Item]]:
    least = min(ranks.values())
    layers: list[list[_Item]] = [[] for _ in range(max(ranks.values()) - least + 1)]
    items = {}
    for box in sorted(boxes, key=lambda box: box.name):
        items[box.name] = _Item(box.height, name=box.name)
        layers[ranks[box.name] - least].append(items[box.name])
    for source, target in sorted(forward):
        before = items[source]
        for number in range(ranks[source] - least + 1, ranks[target] - least):
            lane = _Item(LANE, pair=(source, target))
            layers[number].append(lane)
            before = _join(before, lane)
        _join(before, items[target])
    return layers


def _join(left: _Item, right: _Item) -> _Item:
    left.right.append(right)
    right.left.append(left)
    return right


def _order(layers: Sequence[list[_Item]]) -> None:
    for layer in layers:
        _number(layer)
    for _ in range(SWEEPS):
        for layer in layers[1:]:
            _sort(layer, lambda item: item.left)
        for layer in reversed(layers[:-1]):
            _sort(layer, lambda item: item.right)


def _sort(layer: list[_Item], neighbours: Callable[[_Item], Sequence[_Item]]) -> None:
    layer.sort(key=lambda item: _mean([n.place for n in neighbours(item)], item.place))
    _number(layer)


def _number(layer: Sequence[_Item]) -> None:
    for number, item in enumerate(layer):
        item.place = (number + 0.5) / len(layer)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _spread(layers: Sequence[list[_Item]]) -> None:
    """
    Give each item its height on the page.
    """
    for layer in layers:
        _settle(layer, [0.0] * len(layer))
    for _ in range(SWEEPS):
        for layer in layers[1:]:
            _settle(layer, [_mean([n.y for n in item.left], item.y) for item in layer])
        for layer in reversed(layers[:-1]):
            _settle(layer, [_mean([n.y for n in item.right], item.y) for item in layer])


def _settle(layer: Sequence[_Item], wanted: Sequence[float]) -> None:
    """
    As near to *wanted* as their order and the gaps allow, by least squares (pooled adjacent violators).
    """
    offset = 0.0
    offsets = []
    for number, item in enumerate(layer):
        if number:
            offset += (layer[number - 1].height + item.height) / 2 + GAP_Y
        offsets.append(offset)
    groups: list[tuple[float, int]] = []  # sum and count of those that stand together
    for want, shift in zip(wanted, offsets, strict=True):
        total, count = want - shift, 1
        while groups and groups[-1][0] / groups[-1][1] > total / count:
            more, number = groups.pop()
            total, count = total + more, count + number
        groups.append((total, count))
    bases = [total / count for total, count in groups for _ in range(count)]
    for item, base, shift in zip(layer, bases, offsets, strict=True):
        item.y = base + shift


def _measured(
    layers: Sequence[Sequence[_Item]],
    boxes: Mapping[str, Box],
    back: frozenset[tuple[str, str]],
) -> Layout:
    top = min(item.y - item.height / 2 for layer in layers for item in layer)
    corners: dict[str, tuple[float, float]] = {}
    widths: dict[str, float] = {}
    lanes: dict[tuple[str, str], tuple[tuple[float, float, float], ...]] = {}
    x = bottom = 0.0
    for layer in layers:
        width = max((boxes[i.name].width for i in layer if i.name is not None), default=0.0)
        for item in layer:
            y = item.y - top
            bottom = max(bottom, y + item.height / 2)
            if item.name is not None:
                corners[item.name] = (x, y - item.height / 2)
                widths[item.name] = width
            elif item.pair is not None:
                lanes[item.pair] = (*lanes.get(item.pair, ()), (x, x + width, y))
        x += width + GAP_X
    return Layout(corners, widths, lanes, back, x - GAP_X, bottom)
