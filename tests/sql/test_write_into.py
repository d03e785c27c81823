"""
What stands before a query whose rows the engine writes itself.
"""

from __future__ import annotations

import pytest

from fusion_magic.errors import InvalidArgument, InvalidFqn
from fusion_magic.sql.edits import apply_edits
from fusion_magic.sql.statement import parse_statement
from fusion_magic.sql.write_into import target_reference, writing_edit, writing_hint, writing_kind


@pytest.mark.parametrize(
    ("if_exists", "kind", "expected"),
    [
        ("fail", "CREATE TABLE AS", 'CREATE TABLE a.b."order" AS\nSELECT 1'),
        ("append", "INSERT", 'INSERT INTO a.b."order"\nSELECT 1'),
        ("replace", "CREATE TABLE AS", 'CREATE OR REPLACE TABLE a.b."order" AS\nSELECT 1'),
    ],
)
def test_a_query_is_written_to_a_table(if_exists: str, kind: str, expected: str) -> None:
    edit = writing_edit(parse_statement("SELECT 1"), ("a", "b", "order"), if_exists)

    assert apply_edits("SELECT 1", [edit]) == expected
    assert writing_kind(if_exists) == kind


def test_what_gives_no_rows_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="DELETE"):
        writing_edit(parse_statement("DELETE FROM t"), ("a",), "fail")
    with pytest.raises(InvalidArgument, match="sometimes"):
        writing_kind("sometimes")


def test_a_target_is_named_as_an_fqn_is() -> None:
    reference = target_reference('a."b.c".d')

    assert (reference.parts, reference.role, reference.place) == (("a", "b.c", "d"), "target", None)
    with pytest.raises(InvalidFqn):
        target_reference("a..b")


def test_an_engines_refusal_is_answered_with_what_to_do() -> None:
    assert "--append" in str(writing_hint("Table 'a' already exists"))
    assert "DROP TABLE" in str(writing_hint("This connector does not support replacing tables"))
    assert writing_hint("No space left") is None
