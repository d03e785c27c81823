"""
What is replaced, and that nothing else is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion_magic.errors import FusionError, InvalidSql
from fusion_magic.sql.paging import find_paging
from fusion_magic.sql.references import find_references
from fusion_magic.sql.statement import parse_statement, split_statements
from fusion_magic.sql.translation import apply_edits, name_edits
from tests.corpora import TPCDS_TABLES, TPCH_TABLES, tpcds_queries, tpch_queries, with_names
from tests.servers.trino import run_query

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sql" / "translation.sql"


def translate(sql: str) -> str:
    """
    Names of four parts lose their second, and end in an underscore; others stay.
    """
    statement = parse_statement(sql)
    references = find_references(statement)
    names = [
        (r.parts[0], r.parts[2], f"{r.parts[3]}_") if len(r.parts) == 4 else None
        for r in references
    ]
    edits = [*name_edits(references, names), *find_paging(statement).edits]
    return apply_edits(statement.text, edits)


def cases() -> list[tuple[str, str, str]]:
    blocks = FIXTURES.read_text().split("-- title: ")[1:]
    found = []
    for block in blocks:
        title, _, body = block.partition("\n")
        given, expected = body.strip().split("\n-- becomes\n")
        found.append((title, given, expected))
    return found


@pytest.mark.parametrize(("title", "given", "expected"), cases(), ids=[c[0] for c in cases()])
def test_a_statement_becomes(title: str, given: str, expected: str) -> None:
    assert translate(given) == expected


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 'a", "A string is not closed."),
        ("SELECT (1", "The bracket ( is not closed."),
        ("SELECT 1)", "The bracket ) closes nothing."),
        ("SELECT /* 1", "A comment is not closed."),
        ("SELECT `a`", "Names are not quoted with ` in Trino."),
        ("-- nothing", "There is no statement."),
        ("SELECT 1; SELECT 2", "There are 2 statements where one is expected."),
    ],
)
def test_what_cannot_be_read_is_refused(sql: str, message: str) -> None:
    with pytest.raises(InvalidSql) as caught:
        parse_statement(sql)

    assert caught.value.message == message


def test_a_string_is_never_executed() -> None:
    """
    EXECUTE IMMEDIATE would send names to the engine untranslated.
    """
    with pytest.raises(FusionError, match="EXECUTE IMMEDIATE"):
        find_references(parse_statement("EXECUTE IMMEDIATE 'SELECT 1'"))


def test_statements_are_split_outside_of_strings_comments_and_functions() -> None:
    cell = "SELECT ';'; -- ;\nWITH FUNCTION f() RETURNS int BEGIN RETURN 1; END SELECT f();"

    assert len(split_statements(cell)) == 2


def test_depth_and_length_do_not_matter() -> None:
    """
    A parser that recurses would die of the first.
    """
    deep = f"SELECT {'(' * 100_000}1{')' * 100_000} FROM a.b.c.d"
    long = "SELECT * FROM a.b.c.d WHERE x IN (" + ", ".join(map(str, range(10_000))) + ")"

    assert translate(deep).endswith('FROM a.c.d_ AS "d"')
    assert "FROM a.c.d_" in translate(long)


@pytest.mark.parametrize("number", range(1, 100))
def test_every_query_of_tpcds_changes_in_its_names_alone(number: int) -> None:
    sql = tpcds_queries()[number]
    named = with_names(sql, TPCDS_TABLES, 'tpcds."my db".tiny.{}')
    statement = parse_statement(named)
    references = find_references(statement)
    names = [("tpcds", "tiny", r.parts[-1]) for r in references]
    edits = [*name_edits(references, names), *find_paging(statement).edits]

    assert {r.parts[:3] for r in references} == {("tpcds", "my db", "tiny")}
    assert apply_edits(statement.text, edits) == with_names(
        sql, TPCDS_TABLES, "tpcds.tiny.{}"
    ).replace(";", "")


@pytest.mark.trino
@pytest.mark.parametrize("number", range(1, 23))
def test_every_query_of_tpch_runs_on_trino(number: int, trino_url: str) -> None:
    sql = with_names(tpch_queries()[number], TPCH_TABLES, 'tpch_standard."my db".tiny.{}')
    statement = parse_statement(sql)
    references = find_references(statement)
    names = [("tpch_standard", "tiny", r.parts[-1]) for r in references]

    run_query(trino_url, apply_edits(statement.text, name_edits(references, names)))
