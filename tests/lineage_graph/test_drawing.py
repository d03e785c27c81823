"""
The drawing: well-formed, whole names in the titles, nothing from a name as markup.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from fusion_magic.lineage_graph import LineageGraph
from fusion_magic.lineage_graph.drawing import MOST_BOXES, shorten
from tests.lineage_graph.graphs import JOB, column, graph

SVG = "{http://www.w3.org/2000/svg}"
LONG = "svc.db.schema.a_table_whose_name_is_longer_than_anybody_would_want_to_read"


def drawn(found: LineageGraph) -> ET.Element:
    return ET.fromstring(found.svg().partition("</style>")[2])


def titles(svg: ET.Element) -> list[str]:
    return [title.text or "" for title in svg.iter(f"{SVG}title")]


def test_each_table_has_its_whole_name_in_the_title_and_a_short_one_to_see() -> None:
    svg = drawn(graph("t", [(LONG, "t")]))

    shown = [text.text for text in svg.iter(f"{SVG}text")]
    assert LONG in titles(svg)
    assert shorten(LONG.rpartition(".")[2]) in shown
    assert (svg.get("role"), "goes into 0" in (svg.get("aria-label") or "")) == ("img", True)


def test_a_column_edge_names_its_job() -> None:
    svg = drawn(graph("t", [("s", "t")], column("s.id", "t.key")))

    assert f"s.id → t.key, job {JOB}" in titles(svg)


def test_what_is_not_drawn_is_counted() -> None:
    found = graph("t", [(f"s{n}", "t") for n in range(100)])
    html = found._repr_mimebundle_()["text/html"]

    assert html.count("<rect") == MOST_BOXES
    assert "41 tables further away are not drawn." in html
    assert "s99" in html  # the text below has all of them


def test_hidden_columns_of_a_wide_table_are_counted() -> None:
    columns = [column(f"s.c{n:02}", f"t.c{n:02}") for n in range(30)]

    assert drawn(graph("t", [("s", "t")], *columns)) is not None
    assert "… 10 more" in graph("t", [("s", "t")], *columns).svg()


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_no_name_becomes_markup(source: str, target: str, name: str) -> None:
    source, target = f"<script>{source}", f'"/><img src=x onerror="{target}'
    found = graph(target, [(source, target), (target, target)], column(f"a.{name}", f"b.{name}"))
    html = found._repr_mimebundle_()["text/html"]

    drawn(found)
    assert not re.search(
        r"<(?!/?(style|div|svg|g|title|rect|text|line|path|details|summary|pre|p)\b)", html
    )
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', html))


def test_one_table_a_loop_and_a_cycle_are_drawn() -> None:
    assert len(list(drawn(graph("t", [])).iter(f"{SVG}rect"))) == 1
    svg = drawn(graph("t", [("t", "t"), ("t", "u"), ("u", "t")]))
    kinds = [kind for group in svg.iter(f"{SVG}g") if (kind := group.get("class"))]
    assert sorted(kinds) == ["e", "e back", "e back", "root"]
