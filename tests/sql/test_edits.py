"""
What is replaced, and that nothing else is: one fixture file a rule, checked by Trino's own parser, and run before and after.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from fusion_magic import Fusion, connect
from fusion_magic.errors import FusionError
from fusion_magic.sql.edits import apply_edits, name_edits
from fusion_magic.sql.keywords import RESERVED
from fusion_magic.sql.limit_offset import find_paging
from fusion_magic.sql.references import find_references
from fusion_magic.sql.statement import parse_statement, split_statements
from tests.corpora import TPCDS_TABLES, TPCH_TABLES, tpcds_queries, tpch_queries, with_names
from tests.servers.trino import distribution, run_query
from tests.sql.cases import FIXTURES, Case, read_cases

FOLDER = FIXTURES / "translation"
RULES = [(path.stem, case) for path in sorted(FOLDER.glob("0*.sql")) for case in read_cases(path)]
REFUSED = read_cases(FOLDER / "refused.sql", separator="-- refused")
MEANING = read_cases(FOLDER / "meaning.sql")


def titled(cases: list[Case]) -> list[str]:
    return [case.title for case in cases]


def parameters(case: Case) -> dict[str, object]:
    """
    The fact ``params``: ``a=1, b=[1, 2]``, the values in JSON.
    """
    pattern = r'(\w+)=(\[.*?\]|\{.*?\}|"[^"]*"|[^,\s]+)'
    return {
        name: json.loads(value) for name, value in re.findall(pattern, case.facts.get("params", ""))
    }


@pytest.fixture(scope="module")
def fusion(trino_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fusion]:
    with connect(
        engine_url=trino_url.replace("://", "://ana@"),
        metadata_url=str(FOLDER / "catalog.yaml"),
        data_dir=str(tmp_path_factory.mktemp("translation")),
        worker_start="never",
    ) as connection:
        yield connection


def syntax_error(trino_url: str, sql: str) -> str | None:
    """
    What Trino's parser says of *sql*; it is parsed and not run.
    """
    try:
        run_query(trino_url, f"PREPARE checked FROM {sql}")
    except RuntimeError as error:
        return str(error)
    return None


@pytest.mark.trino
@pytest.mark.parametrize(
    ("rule", "case"), RULES, ids=[f"{rule}: {case.title}" for rule, case in RULES]
)
def test_a_statement_becomes(rule: str, case: Case, fusion: Fusion, trino_url: str) -> None:
    if "use" in case.facts:
        fusion.run(f"USE {case.facts['use']}")
    refs = dict(pair.split("=") for pair in case.facts.get("refs", "").split(",") if pair)
    translations = [
        fusion.translate(statement.text, refs=refs, params=parameters(case))
        for statement in split_statements(case.given)
    ]
    if "use" in case.facts:
        fusion.run("USE memory.default")

    assert "\n-- and\n".join(t.converted_query for t in translations) == case.expected
    limit, offset = translations[-1].limit, translations[-1].offset
    found = [f"{word} {n}" for word, n in (("limit", limit), ("offset", offset)) if n is not None]
    assert " ".join(found) == case.facts.get("sets", "")
    if case.facts.get("trino") != "nested":
        errors = [syntax_error(trino_url, t.converted_query) for t in translations]
        assert [e is not None for e in errors] == [case.facts.get("trino") == "refused"] * len(
            errors
        ), errors


@pytest.mark.trino
@pytest.mark.parametrize("case", REFUSED, ids=titled(REFUSED))
def test_what_cannot_be_translated_is_refused(case: Case, fusion: Fusion) -> None:
    """
    With its class, its message, the place that is underlined, and what to do next.
    """
    with pytest.raises(FusionError) as caught:
        fusion.translate(case.given, params=parameters(case))

    error = caught.value
    told = [f"{type(error).__name__}: {error.message}"]
    if error.span is not None and error.sql is not None:
        start, end = error.span
        told.append(f"{start} to {end}: {error.sql[start:end]}")
    assert [*told, *([error.hint] if error.hint else [])] == case.expected.splitlines()


@pytest.mark.trino
@pytest.mark.parametrize("case", MEANING, ids=titled(MEANING))
def test_a_statement_means_the_same_by_both_names(
    case: Case, fusion: Fusion, trino_url: str
) -> None:
    """
    By OpenMetadata's names through us, by Trino's names past us: the same rows.
    """
    sent = fusion.translate(case.given).converted_query

    assert sent != case.given
    assert rows(trino_url, sent) == rows(trino_url, case.expected)


def rows(trino_url: str, sql: str) -> list[str]:
    return sorted(json.dumps(row) for row in run_query(trino_url, sql))


@pytest.mark.trino
def test_the_reserved_words_are_those_of_trinos_grammar(trino_url: str) -> None:
    """
    Each word of the lexer, asked of the real parser; its documentation's list is not complete.
    """
    from zipfile import ZipFile

    [grammar] = (distribution() / "lib").glob("*trino-grammar*.jar")
    with ZipFile(grammar) as jar:
        lexer = jar.read("io/trino/grammar/sql/SqlBaseLexer.class")
    words = {word.decode() for word in re.findall(rb"'([A-Z][A-Z0-9_]*)'", lexer)}

    reserved = {w for w in words if syntax_error(trino_url, f"SELECT 1 FROM a.b.{w} {w}")}
    assert len(words) > 250
    assert reserved == RESERVED


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
