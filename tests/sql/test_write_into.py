"""
What stands before a query whose rows the engine writes itself.
"""

from __future__ import annotations

import pytest

from fusion_magic.errors import InvalidArgument, InvalidFqn
from fusion_magic.sql.edits import apply_edits
from fusion_magic.sql.references import find_references
from fusion_magic.sql.statement import parse_statement
from fusion_magic.sql.write_into import (
    Writing,
    is_taken,
    taken_hint,
    taken_reference,
    target_reference,
    writing_edit,
    writing_hint,
    writing_kind,
)


@pytest.mark.parametrize(
    ("if_exists", "made", "kind", "expected"),
    [
        ("fail", "TABLE", "CREATE TABLE AS", 'CREATE TABLE a.b."order" AS\nSELECT 1'),
        ("append", "TABLE", "INSERT", 'INSERT INTO a.b."order"\nSELECT 1'),
        ("replace", "TABLE", "CREATE TABLE AS", 'CREATE OR REPLACE TABLE a.b."order" AS\nSELECT 1'),
        ("fail", "VIEW", "CREATE VIEW", 'CREATE VIEW a.b."order" AS\nSELECT 1'),
        ("replace", "VIEW", "CREATE VIEW", 'CREATE OR REPLACE VIEW a.b."order" AS\nSELECT 1'),
        (
            "replace",
            "MATERIALIZED VIEW",
            "CREATE MATERIALIZED VIEW",
            'CREATE OR REPLACE MATERIALIZED VIEW a.b."order" AS\nSELECT 1',
        ),
    ],
)
def test_a_query_is_written_to_a_table_or_is_a_view(
    if_exists: str, made: str, kind: str, expected: str
) -> None:
    edit = writing_edit(parse_statement("SELECT 1"), Writing(("a", "b", "order"), if_exists, made))

    assert apply_edits("SELECT 1", [edit]) == expected
    assert writing_kind(if_exists, made) == kind


def test_what_gives_no_rows_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="DELETE"):
        writing_edit(parse_statement("DELETE FROM t"), Writing(("a",)))
    with pytest.raises(InvalidArgument, match="sometimes"):
        writing_kind("sometimes")
    with pytest.raises(InvalidArgument, match="no rows of its own"):
        writing_kind("append", "VIEW")


def test_a_target_is_named_as_an_fqn_is() -> None:
    reference = target_reference('a."b.c".d')

    assert (reference.parts, reference.role, reference.place) == (("a", "b.c", "d"), "target", None)
    with pytest.raises(InvalidFqn):
        target_reference("a..b")


def test_an_engines_refusal_is_answered_with_what_to_do() -> None:
    assert "DROP TABLE" in str(writing_hint("This connector does not support replacing tables"))
    assert "--into" in str(writing_hint("This connector does not support creating views"))
    assert writing_hint("No space left") is None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('Table with name "t" already exists!', True),
        ("Table 'memory.default.t' already exists", True),
        ("View already exists: default.v", True),
        ("Existing object v is of type View, trying to replace with type Table", True),
        ('Could not rename "a" to "b": another entry with this name already exists!', True),
        ("Column with name a already exists!", False),
        ("Schema 'memory.default' already exists", False),
        ("Table 't' does not exist", False),
    ],
)
def test_a_name_in_use_is_known_by_what_engines_say(message: str, expected: bool) -> None:
    assert is_taken(message) is expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE TABLE a.b.t AS SELECT * FROM a.b.s", 0),
        ("CREATE TABLE a.b.t (LIKE a.b.s)", 0),
        ("ALTER TABLE a.b.s RENAME TO a.b.t", 1),
        ("ALTER TABLE a.b.s ADD COLUMN x bigint", None),
        ("INSERT INTO a.b.t SELECT 1", None),
    ],
)
def test_the_name_of_what_is_new_is_found(sql: str, expected: int | None) -> None:
    statement = parse_statement(sql)

    assert taken_reference(statement, find_references(statement)) == expected


def test_a_table_given_beside_the_query_is_what_is_new() -> None:
    statement = parse_statement("SELECT * FROM a.b.s")
    references = (*find_references(statement), target_reference("a.b.t"))

    assert taken_reference(statement, references) == 1


def test_the_ways_on_are_those_of_the_statement() -> None:
    table, view = 'Table with name "t" already exists!', 'View with name "t" already exists!'

    hint = taken_hint("CREATE TABLE AS", "a.t", table, is_beside=True)
    assert hint.startswith("--append")
    assert "DROP TABLE a.t" in hint
    assert "OR REPLACE TABLE" in taken_hint("CREATE TABLE AS", "a.t", table, is_beside=False)
    assert taken_hint("ALTER TABLE", "a.t", "it already exists", is_beside=False) == (
        "Choose another name, or run DROP TABLE a.t first."
    )
    assert taken_hint("CREATE TABLE AS", "a.t", view, is_beside=False) == (
        "It is a view: choose another name, or run DROP VIEW a.t first."
    )
