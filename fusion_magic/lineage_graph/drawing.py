"""
A lineage graph as SVG: no script, no links, and in the colours of the front end's theme.

Long names are shortened in the middle. Each is whole in its box's title and in the text below the drawing, which screen
readers read and from which names are copied. Names come from others: all of them are escaped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from fusion_magic.errors import InvalidFqn
from fusion_magic.lineage_graph.graph import Graph, nearest
from fusion_magic.lineage_graph.layout import Box, Layout, arrange
from fusion_magic.lineage_graph.tree import column_name, shown_tree, visible
from fusion_magic.sql.fqn import format_fqn, parse_fqn

MOST_BOXES = 60
MOST_COLUMNS = 20  # shown in one box
MOST_LETTERS = 30  # of a name
HEAD, ROW, BELOW = 40.0, 20.0, 6.0  # heights in a box
LETTER, SMALL_LETTER = 7.6, 6.4  # usual widths at 13 and 11 pixels
PADDING, MARGIN = 10.0, 22.0
_STYLE = """<style>
.fusion-lineage{overflow-x:auto;max-width:100%;font-family:var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-ui-font-color1,inherit)}
.fusion-lineage svg{display:block;max-width:none}
.fusion-lineage text{fill:var(--jp-ui-font-color1,currentColor);font-size:13px}
.fusion-lineage text.w{font-size:11px;fill:var(--jp-ui-font-color2,currentColor)}
.fusion-lineage text.c{font-size:12px}
.fusion-lineage rect{fill:var(--jp-layout-color1,transparent);stroke:var(--jp-border-color1,#888)}
.fusion-lineage .root rect{stroke:var(--jp-brand-color1,#1976d2);stroke-width:2}
.fusion-lineage .root .n{font-weight:600}
.fusion-lineage line{stroke:var(--jp-border-color2,#8888)}
.fusion-lineage .e path{fill:none;stroke:var(--jp-ui-font-color3,#888);stroke-width:1.25}
.fusion-lineage .e path.h{fill:var(--jp-ui-font-color3,#888);stroke:none}
.fusion-lineage .e.back path{stroke-dasharray:4 3}
.fusion-lineage .e:hover path{stroke:var(--jp-brand-color1,#1976d2);stroke-width:2}
.fusion-lineage .e:hover path.h{fill:var(--jp-brand-color1,#1976d2)}
.fusion-lineage-text{font-size:var(--jp-ui-font-size1,13px);color:var(--jp-ui-font-color1,inherit)}
.fusion-lineage-text summary{cursor:pointer;padding:4px 0}
.fusion-lineage-text pre{overflow-x:auto;unicode-bidi:isolate}
</style>"""


def to_html(graph: Graph) -> str:
    """
    The drawing, what it leaves out, and the same as text.
    """
    left_out = nearest(graph, MOST_BOXES)[1]
    note = (
        f'<p class="fusion-lineage-text">{left_out:,} tables further away are not drawn.</p>'
        if left_out
        else ""
    )
    return (
        f'<div class="fusion-lineage" tabindex="0" role="group" aria-label="Lineage">{draw(graph)}</div>{note}'
        f'<details class="fusion-lineage-text"><summary>Lineage as text</summary>'
        f"<pre>{escape(shown_tree(graph))}</pre></details>"
    )


def draw(graph: Graph) -> str:
    """
    The SVG element of *graph*; the nearest tables only, where there are many.
    """
    names, left_out = nearest(graph, MOST_BOXES)
    kept = set(names)
    pairs = [
        (edge.source_fqn, edge.target_fqn)
        for edge in graph.edges
        if edge.source_fqn in kept and edge.target_fqn in kept
    ]
    columns = _columns_of(graph)
    cards = {name: _card(name, columns.get(name, ())) for name in names}
    layout = arrange(graph.root, [Box(c.fqn, c.width, c.height) for c in cards.values()], pairs)
    loops = [pair for pair in pairs if pair[0] == pair[1]]
    room = 18.0 * len(layout.back) + (14.0 if loops else 0.0)
    arrows = "".join(
        _arrow(start, end, layout, layout.height + 18.0 * (number + 1))
        for number, (start, end) in enumerate(_joins(graph, cards, layout))
    )
    boxes = "".join(_box(card, layout, is_root=name == graph.root) for name, card in cards.items())
    width, height = layout.width + 2 * MARGIN, layout.height + room + 2 * MARGIN
    label = escape(_label(graph, len(names), left_out), quote=True)
    return (
        f'{_STYLE}<svg role="img" aria-label="{label}" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-MARGIN:g} {-MARGIN:g} {width:.0f} {height:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg">{arrows}{boxes}</svg>'
    )


def _label(graph: Graph, drawn: int, left_out: int) -> str:
    what = column_name(graph.root, graph.column) if graph.column else graph.root
    others = f"{drawn - 1} other table{'' if drawn == 2 else 's'}"
    more = f", {left_out} left out" if left_out else ""
    return visible(
        f"Lineage of {what}: {others}{more}. Made from {len(graph.upstream)}, "
        f"goes into {len(graph.downstream)}. The text below lists them."
    )


@dataclass(frozen=True, slots=True)
class _Card:
    """
    A table's box: two lines of its name, and its columns that have edges.
    """

    fqn: str
    where: str
    name: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]  # the texts of the columns shown, and how many are not

    @property
    def width(self) -> float:
        wide = max(len_of(self.name) * LETTER, len_of(self.where) * SMALL_LETTER)
        wide = max([wide, *(len_of(row) * LETTER for row in self.rows)])
        return wide + 2 * PADDING

    @property
    def height(self) -> float:
        return HEAD + (len(self.rows) * ROW + BELOW if self.rows else 0.0)

    def row_of(self, column: str) -> float:
        """
        The height of a column's middle in the box; of the last row for one that is not shown.
        """
        place = self.columns.index(column) if column in self.columns else 0
        return HEAD + (min(place, len(self.rows) - 1) + 0.5) * ROW


def _columns_of(graph: Graph) -> dict[str, tuple[str, ...]]:
    """
    Each table's columns that have edges, by name.
    """
    found: dict[str, set[str]] = {}
    for edge in graph.columns:
        for table, column in (edge.source, edge.target):
            found.setdefault(table, set()).add(column)
    return {table: tuple(sorted(columns)) for table, columns in found.items()}


def _card(fqn: str, ordered: tuple[str, ...]) -> _Card:
    rows = [shorten(visible(column)) for column in ordered[:MOST_COLUMNS]]
    if len(ordered) > MOST_COLUMNS:
        rows.append(f"… {len(ordered) - MOST_COLUMNS} more")
    where, name = _two_lines(fqn)
    return _Card(fqn, shorten(visible(where)), shorten(visible(name)), ordered, tuple(rows))


def _two_lines(fqn: str) -> tuple[str, str]:
    try:
        *where, name = parse_fqn(fqn).parts
    except InvalidFqn:  # another program's row
        return "", fqn
    return format_fqn(where) if where else "", name


def shorten(text: str, most: int = MOST_LETTERS) -> str:
    """
    *text* without its middle, where it is long.

    >>> shorten("a_table_with_a_long_name", 11)
    'a_tab…_name'
    """
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def len_of(text: str) -> int:
    """
    Letters, wide ones counted twice.
    """
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@dataclass(frozen=True, slots=True)
class _End:
    """
    Where an arrow touches a box.
    """

    card: _Card
    row: float
    title: str


def _joins(graph: Graph, cards: dict[str, _Card], layout: Layout) -> Sequence[tuple[_End, _End]]:
    """
    The arrows, those of a cycle first, since each of them gets a lane of its own below the boxes.
    """
    with_columns = {(edge.source_fqn, edge.target_fqn) for edge in graph.columns}
    found = [
        (
            _End(cards[edge.source_fqn], HEAD / 2, f"{edge.source_fqn} → {edge.target_fqn}"),
            _End(cards[edge.target_fqn], HEAD / 2, f"job {edge.job_id}"),
        )
        for edge in graph.edges
        if edge.source_fqn in cards
        and edge.target_fqn in cards
        and (edge.source_fqn, edge.target_fqn) not in with_columns
    ]
    for column in graph.columns:
        if column.source_fqn in cards and column.target_fqn in cards:
            source, target = cards[column.source_fqn], cards[column.target_fqn]
            text = f"{column_name(*column.source)} → {column_name(*column.target)}"
            found.append(
                (
                    _End(source, source.row_of(column.source_column), text),
                    _End(target, target.row_of(column.target_column), f"job {column.job_id}"),
                )
            )
    return sorted(found, key=lambda ends: (ends[0].card.fqn, ends[1].card.fqn) not in layout.back)


def _arrow(start: _End, end: _End, layout: Layout, below: float) -> str:
    pair = (start.card.fqn, end.card.fqn)
    left, top = layout.corners[start.card.fqn]
    x, y = left + layout.widths[start.card.fqn], top + start.row
    to_x, to_y = layout.corners[end.card.fqn][0], layout.corners[end.card.fqn][1] + end.row
    is_back = pair in layout.back
    if pair[0] == pair[1]:
        is_back, path = True, _loop(x, y, to_x, to_y, top + start.card.height + 12)
    elif is_back:
        path = _loop(x, y, to_x, to_y, below)
    else:
        path = _forward((x, y), layout.lanes.get(pair, ()), (to_x - 6, to_y))
    head = f"M{to_x:.1f} {to_y:.1f}l-8 -4v8z"
    title = escape(visible(f"{start.title}, {end.title}"))
    kind = "e back" if is_back else "e"
    return f'<g class="{kind}"><title>{title}</title><path d="{path}"/><path class="h" d="{head}"/></g>'


def _forward(
    start: tuple[float, float],
    lanes: Sequence[tuple[float, float, float]],
    end: tuple[float, float],
) -> str:
    (x, y), parts = start, [f"M{start[0]:.1f} {start[1]:.1f}"]
    for left, right, lane_y in (*lanes, (end[0], end[0], end[1])):
        middle = (x + left) / 2
        parts.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {lane_y:.1f} {left:.1f} {lane_y:.1f}")
        if right > left:
            parts.append(f"H{right:.1f}")
        x, y = right, lane_y
    return "".join(parts)


def _loop(x: float, y: float, to_x: float, to_y: float, below: float) -> str:
    """
    Out to the right, below all boxes back to the left, and in.
    """
    return (
        f"M{x:.1f} {y:.1f}C{x + 18:.1f} {y:.1f} {x + 18:.1f} {below:.1f} {x:.1f} {below:.1f}"
        f"H{to_x:.1f}C{to_x - 20:.1f} {below:.1f} {to_x - 20:.1f} {to_y:.1f} {to_x - 6:.1f} {to_y:.1f}"
    )


def _box(card: _Card, layout: Layout, *, is_root: bool) -> str:
    x, y = layout.corners[card.fqn]
    width = layout.widths[card.fqn]
    name_y = 31 if card.where else 25
    parts = [
        f"<title>{escape(visible(card.fqn))}</title>",
        f'<rect width="{width:.0f}" height="{card.height:.0f}" rx="4"/>',
        f'<text class="w" x="{PADDING:g}" y="15">{escape(card.where)}</text>' if card.where else "",
        f'<text class="n" x="{PADDING:g}" y="{name_y}">{escape(card.name)}</text>',
    ]
    if card.rows:
        parts.append(f'<line x2="{width:.0f}" y1="{HEAD:g}" y2="{HEAD:g}"/>')
    for number, row in enumerate(card.rows):
        whole = card.columns[number] if number < MOST_COLUMNS else row
        parts.append(
            f'<g><title>{escape(visible(whole))}</title><text class="c" x="{PADDING:g}" '
            f'y="{HEAD + number * ROW + 15:g}">{escape(row)}</text></g>'
        )
    kind = ' class="root"' if is_root else ""
    return f'<g{kind} transform="translate({x:.1f},{y:.1f})">{"".join(parts)}</g>'
