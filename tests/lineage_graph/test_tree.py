"""
Lineage as text: whole names, in one order, with an end.
"""

from __future__ import annotations

from fusion_magic.lineage_graph import trace
from tests.lineage_graph.graphs import JOB, column, graph


def test_two_trees_name_by_name() -> None:
    found = graph("t", [("b", "t"), ("a", "t"), ("z", "b"), ("t", "u"), ("z", "a")])

    assert found.text().splitlines() == [
        "t",
        "made from",
        "  a",
        "    z",
        "  b",
        "    z",
        "goes into",
        "  u",
        "5 edges",
    ]


def test_what_stands_there_twice_is_followed_once() -> None:
    ring = graph("a", [("a", "b"), ("b", "c"), ("c", "a"), ("c", "c")])

    assert ring.text().splitlines() == [
        *("a", "made from", "  c", "    b", "      a …", "    c …"),
        *("goes into", "  b", "    c", "      a …", "      c …", "4 edges"),
    ]


def test_columns_stand_under_their_edge_with_the_job() -> None:
    found = graph("t", [("s", "t")], column("s.id", "t.key"), column("s.a", "t.key"))

    assert found.text().splitlines()[2:5] == [
        "  s",
        f"      a → key, job {JOB}",
        f"      id → key, job {JOB}",
    ]


def test_a_traced_column_is_named_as_a_column() -> None:
    found = trace(graph("t", [("s", "t")], column("s.id", "t.key")), "key")

    assert found.text().splitlines() == [
        *("t.key", "made from", "  s.id", f"      job {JOB}", "1 edge")
    ]


def test_a_table_alone_is_told_without_edges() -> None:
    assert graph("t", []).text() == "t\n0 edges"


def test_a_chain_of_ten_thousand_ends() -> None:
    chain = graph("n00000", [(f"n{n:05}", f"n{n + 1:05}") for n in range(10_000)])

    assert len(chain.text().splitlines()) == 10_003


def test_characters_that_do_not_print_are_written_out() -> None:
    assert "\\u202e" in graph("t", [("a\u202eb\nc", "t")]).text()


def test_a_notebook_shows_the_beginning_of_a_long_tree() -> None:
    found = graph("t", [(f"s{n:04}", "t") for n in range(1000)])

    lines = found._repr_mimebundle_()["text/plain"].splitlines()
    assert len(lines) == 502
    assert lines[-2:] == ["… 502 lines more, which .text() has", "1,000 edges"]
