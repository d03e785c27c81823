"""
Edges that others write to, too: theirs stays, ours is added, what is gone is left out.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_magic.delivery.openmetadata.edges import OwnEdge, holds, is_only, merge, normalized

KNOWN = ("a.x", "a.y", "b.k", "b.n")
OURS = {"id": "1", "type": "pipeline", "fullyQualifiedName": 'fusion."spend.ipynb"'}
THEIRS = {"id": "2", "type": "pipeline", "fullyQualifiedName": "airflow.nightly"}
OWN = OwnEdge([("a.x", "b.k")], "SELECT ?", "1")


def column(source: str, target: str, **more: str) -> dict[str, Any]:
    return {"fromColumns": source.split(), "toColumn": target, **more}


def test_a_new_edge_is_what_the_job_tells() -> None:
    assert merge(None, OWN, known=KNOWN) == {
        "source": "QueryLineage",
        "sqlQuery": "SELECT ?",
        "pipeline": {"id": "1", "type": "pipeline"},
        "columnsLineage": [column("a.x", "b.k")],
    }


def test_an_edge_of_which_nothing_is_told_has_details_all_the_same() -> None:
    """
    One that was put without any is not found when it is asked for.
    """
    assert merge(None, OwnEdge(), known=()) == {"source": "QueryLineage", "columnsLineage": []}


def test_what_others_wrote_stays() -> None:
    current = {
        "source": "Manual",
        "description": "By hand.",
        "sqlQuery": "theirs",
        "pipeline": THEIRS,
        "columnsLineage": [column("a.y", "b.n", function="upper")],
        "assetEdges": 3,
        "tempLineageTables": ["t"],
    }

    merged = merge(current, OWN, known=KNOWN)

    assert merged == {
        **current,
        "pipeline": {"id": "2", "type": "pipeline"},
        "columnsLineage": [column("a.y", "b.n", function="upper"), column("a.x", "b.k")],
    }


def test_a_function_stays_that_of_its_columns() -> None:
    current = {"columnsLineage": [column("a.y", "b.k", function="upper")]}

    assert merge(current, OWN, known=KNOWN)["columnsLineage"] == [
        column("a.y", "b.k", function="upper"),
        column("a.x", "b.k"),
    ]


def test_sources_of_one_column_stand_together() -> None:
    own = OwnEdge([("a.x", "b.k"), ("a.y", "b.k")])

    assert merge(None, own, known=KNOWN)["columnsLineage"] == [column("a.x a.y", "b.k")]


@pytest.mark.parametrize(
    ("current", "sql", "pipeline"),
    [
        ({"sqlQuery": "old", "pipeline": OURS}, "SELECT ?", "1"),
        ({"source": "Manual"}, "SELECT ?", "1"),
        ({"sqlQuery": "theirs"}, "theirs", None),
        ({"pipeline": THEIRS}, None, "2"),
        ({"pipeline": {"id": "3", "type": "pipeline"}}, None, "3"),
        ({"pipeline": {"id": "3", "fullyQualifiedName": 'a."'}}, None, "3"),
    ],
)
def test_our_own_sql_and_pipeline_are_replaced_and_no_others(
    current: dict[str, Any], sql: str | None, pipeline: str | None
) -> None:
    merged = merge(current, OWN, known=KNOWN)

    assert merged.get("sqlQuery") == sql
    assert merged.get("pipeline", {}).get("id") == pipeline


@pytest.mark.parametrize(
    ("current", "sql"),
    [
        ({"source": "QueryLineage", "sqlQuery": "old"}, "SELECT ?"),
        ({"source": "Manual", "sqlQuery": "theirs"}, "theirs"),
    ],
)
def test_a_notebooks_edge_has_its_newest_sql(current: dict[str, Any], sql: str) -> None:
    assert merge(current, OwnEdge(sql="SELECT ?"), known=())["sqlQuery"] == sql


def test_sql_that_may_not_be_told_any_more_goes() -> None:
    current = {"sqlQuery": "SELECT 'secret'", "pipeline": OURS}

    assert "sqlQuery" not in merge(current, OwnEdge(pipeline="1"), known=())


def test_columns_that_are_gone_are_left_out() -> None:
    current = {
        "columnsLineage": [
            column("a.x a.gone", "b.n"),
            column("a.gone", "b.n"),
            column("a.x", "b.gone"),
        ]
    }

    assert merge(current, OwnEdge(), known=KNOWN)["columnsLineage"] == [column("a.x", "b.n")]


def answered(details: dict[str, Any]) -> dict[str, Any]:
    """
    As the server gives them back: with the pipeline's name, by which it is known as ours.
    """
    return {**details, "pipeline": OURS} if "pipeline" in details else details


COLUMNS = st.tuples(st.sampled_from(["a.x", "a.y"]), st.sampled_from(["b.k", "b.n"]))
EDGES = st.builds(
    OwnEdge,
    columns=st.lists(COLUMNS, max_size=4),
    sql=st.none() | st.just("s"),
    pipeline=st.none() | st.just("1"),
)


@given(st.none() | st.just({"source": "Manual", "sqlQuery": "x"}), st.lists(EDGES, max_size=3))
def test_the_same_again_changes_nothing_and_nothing_is_lost(
    current: dict[str, Any] | None, told: list[OwnEdge]
) -> None:
    for own in told:
        merged = merge(current, own, known=KNOWN)
        assert merge(answered(merged), own, known=KNOWN) == normalized(answered(merged)) == merged
        assert holds(merged, own)
        assert all(holds(merged, earlier) for earlier in told[: told.index(own)])
        current = answered(merged)


def test_an_edge_that_is_not_there_holds_nothing() -> None:
    assert not holds(None, OwnEdge())
    assert not holds({"columnsLineage": None}, OWN)


@pytest.mark.parametrize(
    ("change", "is_ours"),
    [
        ({}, True),
        ({"sqlQuery": "an earlier one"}, True),
        ({"columnsLineage": [column("a.gone", "b.n")]}, True),
        ({"source": "Manual"}, False),
        ({"description": "By hand."}, False),
        ({"pipeline": THEIRS}, False),
        ({"pipeline": None}, False),
        ({"columnsLineage": [column("a.x", "b.k"), column("a.y", "b.n")]}, False),
        ({"columnsLineage": [column("a.x", "b.k", function="upper")]}, False),
    ],
)
def test_an_edge_that_says_more_than_a_job_is_not_its_alone(
    change: dict[str, Any], is_ours: bool
) -> None:
    told = {**answered(merge(None, OWN, known=KNOWN)), **change}

    assert is_only(told, OWN, known=KNOWN) is is_ours


def test_an_edge_to_a_notebook_is_ours_where_its_source_says_so() -> None:
    own = OwnEdge(sql="SELECT ?")

    assert is_only(merge(None, own, known=()), own, known=())
    assert not is_only({"source": "Manual"}, own, known=())
