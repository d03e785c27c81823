"""
The layout: the same for the same graph, nothing over anything, arrows to the right.
"""

from __future__ import annotations

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from fusion_magic.lineage_graph.layout import Box, arrange, rank

NAMES = "abcdefgh"
PAIRS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), unique=True, max_size=20
)


def test_layers_go_by_the_longest_path() -> None:
    ranks = rank(
        "r", "abcdr", [("a", "b"), ("b", "r"), ("a", "r"), ("r", "c"), ("r", "d"), ("c", "d")]
    )

    assert ranks == {"a": -2, "b": -1, "r": 0, "c": 1, "d": 2}


def test_a_cycle_has_layers_too() -> None:
    ranks = rank("r", "abr", [("a", "b"), ("b", "r"), ("r", "a"), ("b", "a")])

    assert ranks == {"a": -2, "b": -1, "r": 0}


@given(PAIRS)
def test_nothing_covers_anything_and_arrows_lead_to_the_right(pairs: list[tuple[str, str]]) -> None:
    boxes = [Box(name, 40 + 10 * n, 30 + 5 * n) for n, name in enumerate(NAMES)]

    layout = arrange("a", boxes, pairs)

    for one, other in itertools.combinations(boxes, 2):
        (x, y), (u, v) = layout.corners[one.name], layout.corners[other.name]
        is_beside = x + layout.widths[one.name] <= u or u + layout.widths[other.name] <= x
        assert is_beside or y + one.height <= v + 1e-6 or v + other.height <= y + 1e-6
    for source, target in pairs:
        if source == target:
            continue
        right = layout.corners[source][0] + layout.widths[source]
        assert (right < layout.corners[target][0]) == ((source, target) not in layout.back)
    for box in boxes:
        x, y = layout.corners[box.name]
        assert 0 <= x <= layout.width - box.width + 1e-6
        assert -1e-6 <= y <= layout.height - box.height + 1e-6


@given(PAIRS, st.randoms())
def test_the_order_in_which_it_is_told_does_not_matter(
    pairs: list[tuple[str, str]], random: Random
) -> None:
    boxes = [Box(name, 40, 30) for name in NAMES]
    expected = arrange("a", boxes, pairs)
    random.shuffle(boxes)
    random.shuffle(pairs)

    assert arrange("a", boxes, pairs) == expected


def test_an_arrow_that_passes_a_layer_has_a_lane_between_its_boxes() -> None:
    boxes = [Box(name, 40, 30) for name in "amr"]

    layout = arrange("r", boxes, [("a", "m"), ("m", "r"), ("a", "r")])

    [(left, right, y)] = layout.lanes["a", "r"]
    x, top = layout.corners["m"]
    assert (left, right) == (x, x + 40)
    assert not top <= y <= top + 30
