"""
Lineage: sources, targets and column edges by the rules, and the sources against what Trino's own planner says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from fusion_magic import Fusion, connect
from fusion_magic.errors import FusionError
from fusion_magic.sql import extract_lineage
from fusion_magic.sql.edits import apply_edits
from fusion_magic.sql.lineage.statements import StatementWalk
from fusion_magic.sql.references import Reference, find_references
from fusion_magic.sql.sqlglot_compat import readable_edits
from fusion_magic.sql.statement import Statement, parse_statement
from tests.corpora import TPCDS_TABLES, tpcds_queries, tpch_queries, with_names
from tests.sql.cases import FIXTURES, Case, read_cases

FOLDER = FIXTURES / "lineage"
FILE = FOLDER / "columns.sql"
PEERS = read_cases(FOLDER / "peers.sql", separator="-- gives")
PEERS_SCHEMA = {
    "lake.sales.orders": dict.fromkeys(["id", "customer", "price", "day", "status"], ""),
    "lake.sales.customers": dict.fromkeys(["customer", "name", "city"], ""),
    "lake.sales.items": dict.fromkeys(["id", "product", "amount"], ""),
    "lake.sales.shops": dict.fromkeys(["id", "place"], ""),
}
SCHEMA = {
    "c.s.orders": {"id": "bigint", "customer_id": "bigint", "price": "double", "day": "date"},
    "c.s.customers": {"customer_id": "bigint", "name": "varchar"},
    "c.s.tree": {"id": "bigint", "parent": "bigint"},
}


def cases() -> Iterator[tuple[str, str, set[str]]]:
    """
    Title, statement and edges (``table.column -> column``) of each case in the file.
    """
    for block in FILE.read_text(encoding="utf-8").split("-- title: ")[1:]:
        title, _, rest = block.partition("\n")
        statement, _, edges = rest.partition("-- edges:")
        yield (
            title,
            statement.strip().rstrip(";"),
            {line.strip("- ").strip() for line in edges.splitlines() if "->" in line},
        )


CASES = list(cases())


@pytest.mark.parametrize(("title", "statement", "edges"), CASES, ids=[case[0] for case in CASES])
def test_columns_follow_the_rules(title: str, statement: str, edges: set[str]) -> None:
    lineage = extract_lineage(statement, schema=SCHEMA)

    found = {f"{table}.{column} -> {made}" for table, column, _, made in lineage.columns}
    assert found == edges
    assert not lineage.incomplete or "*" in statement


@pytest.mark.parametrize("case", PEERS, ids=[f"{c.facts['peer']}: {c.title}" for c in PEERS])
def test_what_peers_test_is_found(case: Case) -> None:
    """
    The situations of their published suites, written anew; where we differ, the case says why.
    """
    lineage = extract_lineage(case.given, schema=PEERS_SCHEMA)

    tables = f"from {', '.join(lineage.sources) or 'nothing'}"
    if lineage.targets:
        tables += f" to {', '.join(lineage.targets)}"
    edges = [f"{e.source_table}.{e.source_column} -> {e.target_column}" for e in lineage.columns]
    said = [f"said: {sentence}" for sentence in lineage.incomplete]
    assert [tables, *edges, *said] == case.expected.splitlines()


def test_the_table_of_peers_is_the_cases() -> None:
    """
    Passed, failed and different, as ``peers.md`` shows them.
    """
    assert peers_table() == (FOLDER / "peers.md").read_text(encoding="utf-8")


def peers_table() -> str:
    """
    The text of ``peers.md``.
    """
    lines = [
        "# Lineage against the suites of peers",
        "",
        "The situations that their published tests hold, written anew for Trino with our tables: `peers.sql`. A case passes where",
        "the edges are those that the peer's own test expects; where ours are others on purpose, the reason is below.",
        "",
        "| peer | cases | passed | different | failed |",
        "|---|---|---|---|---|",
    ]
    for peer in dict.fromkeys(case.facts["peer"] for case in PEERS):
        own = [case for case in PEERS if case.facts["peer"] == peer]
        different = sum("differs" in case.facts for case in own)
        lines.append(f"| {peer} | {len(own)} | {len(own) - different} | {different} | 0 |")
    lines += ["", "| different | why |", "|---|---|"]
    lines += [
        f"| {case.facts['peer']}: {case.title} | {case.facts['differs']} |"
        for case in PEERS
        if "differs" in case.facts
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("statement", "sources", "targets"),
    [
        ("SELECT 1", (), ()),
        ("SELECT * FROM a.b.C JOIN a.b.c USING (x)", ("a.b.c",), ()),
        ('SELECT * FROM "A".b."C.d"', ("A.b.C.d",), ()),
        ("INSERT INTO t.u.v SELECT * FROM a.b.c", ("a.b.c",), ("t.u.v",)),
        ("CREATE VIEW t.u.v AS TABLE a.b.c", ("a.b.c",), ("t.u.v",)),
        (
            "CREATE OR REPLACE MATERIALIZED VIEW t.u.v AS SELECT 1 FROM a.b.c",
            ("a.b.c",),
            ("t.u.v",),
        ),
        (
            "MERGE INTO t.u.v AS t USING a.b.c AS s ON t.x = s.x WHEN MATCHED THEN UPDATE SET y = s.y",
            ("a.b.c",),
            ("t.u.v",),
        ),
        ("UPDATE t.u.v SET x = (SELECT max(y) FROM a.b.c)", ("a.b.c",), ("t.u.v",)),
        ("DELETE FROM t.u.v WHERE x IN (SELECT y FROM a.b.c)", ("a.b.c",), ()),
        ("DROP TABLE t.u.v", (), ()),
        ("WITH c AS (SELECT * FROM a.b.c) SELECT * FROM c, d.e.f", ("a.b.c", "d.e.f"), ()),
        ("SELECT * FROM one.two.three.four.five", ("one.two.three.four.five",), ()),
        ("EXPLAIN SELECT * FROM a.b.c", ("a.b.c",), ()),
    ],
)
def test_tables_are_named_as_the_sql_names_them(
    statement: str, sources: tuple[str, ...], targets: tuple[str, ...]
) -> None:
    lineage = extract_lineage(statement)

    assert (lineage.sources, lineage.targets) == (sources, targets)


def test_an_edge_iterates_as_its_four_texts() -> None:
    [edge] = extract_lineage("CREATE TABLE t.u.v AS SELECT x AS y FROM a.b.c").columns

    assert tuple(edge) == ("a.b.c", "x", "t.u.v", "y")


def test_what_could_not_be_had_is_said() -> None:
    lineage = extract_lineage("CREATE TABLE t.u.v AS SELECT * FROM a.b.c")

    assert lineage.sources == ("a.b.c",)
    assert lineage.incomplete


def test_a_statement_that_is_nested_without_end_does_not_break() -> None:
    sql = "SELECT " + "(" * 3000 + "x" + ")" * 3000 + " FROM a.b.c"

    assert extract_lineage(sql).sources == ("a.b.c",)


@pytest.fixture(scope="module")
def trino(trino_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fusion, str]]:
    schema = f"memory.l{uuid4().hex[:8]}"
    url = trino_url.replace("://", "://ana@")
    with connect(engine_url=url, data_dir=str(tmp_path_factory.mktemp("lineage"))) as fusion:
        fusion.run(f"CREATE SCHEMA {schema}")
        yield fusion, schema
        for (table,) in fusion.run(f"SHOW TABLES FROM {schema}").rows():
            fusion.run(f"DROP TABLE {schema}.{table}")
        fusion.run(f"DROP SCHEMA {schema}")


@pytest.mark.trino
@pytest.mark.parametrize("number", range(1, 100))
def test_sources_are_what_trinos_planner_reads(trino: tuple[Fusion, str], number: int) -> None:
    """
    The planner knows each table that a query reads; so must we, from the text alone.
    """
    fusion, schema = trino
    query = with_names(tpcds_queries()[number], TPCDS_TABLES, 'tpcds."sf0.01".{}').strip()
    sql = f"CREATE TABLE {schema}.target_{number} AS {query.rstrip(';')}"

    lineage = extract_lineage(sql)

    plan = _plan(fusion, query.rstrip(";") if number in NAMELESS else sql)
    read = {_name(item["table"]) for item in plan["inputTableColumnInfos"]}
    assert set(lineage.sources) == read
    if number not in NAMELESS:
        assert lineage.targets == (_name(plan["outputTable"]),)


def _plan(fusion: Fusion, sql: str) -> Any:
    return json.loads(fusion.run(f"EXPLAIN (TYPE IO, FORMAT JSON) {sql}").rows()[0][0])


# Queries with a column without a name, so that Trino makes no table of them; their plan is asked for as they are.
NAMELESS = {2, 8, 13, 15, 35, 38, 42, 45, 48, 61, 79, 85, 87, 96}
# Tables that the planner finds it need not read for a mere count of the rows.
PRUNED: dict[int, set[str]] = {}


def _name(table: dict[str, dict[str, str]]) -> str:
    inner = table["schemaTable"]
    return f"{table['catalog']}.{inner['schema']}.{inner['table']}"


class _SeenTables(StatementWalk):
    """
    A walk that notes the base tables which it meets in FROM.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.tables: set[str] = set()

    def _add_table(self, scope: Any, node: Any, ctes: Any) -> None:
        super()._add_table(scope, node, ctes)
        # The table itself, whatever names its columns were given.
        self.tables |= {s.table for _, s in scope.sources[-1:] if s.table is not None}


def _statements() -> Iterator[tuple[str, str]]:
    """
    Every corpus of this suite: the fixtures of lineage and of translation, peers' cases, TPC-H and TPC-DS.
    """
    yield from ((title, sql) for title, sql, _ in CASES)
    yield from ((case.title, case.given) for case in PEERS)
    for path in sorted(FIXTURES.rglob("*.sql")):
        if path not in {FILE, FOLDER / "peers.sql"}:
            yield from ((f"{path.stem}: {case.title}", case.given) for case in read_cases(path))
    yield from ((f"TPC-H {number}", sql) for number, sql in tpch_queries().items())
    yield from ((f"TPC-DS {number}", sql) for number, sql in tpcds_queries().items())


def test_tokens_and_tree_name_the_same_base_tables() -> None:
    """
    Both follow scopes by themselves: a CTE or an alias that one of them does not see would be a table to it.

    The tree's walk leaves out filters, join conditions and EXISTS, which make no edges: where a statement has sub-queries there,
    its tables are some of those that the tokens name.
    """
    compared, different = 0, []
    for title, sql in _statements():
        try:
            statement = parse_statement(sql)
            named = {_written(r) for r in find_references(statement) if r.role == "source"}
        except FusionError:
            continue
        found = _met(statement)
        if found is None:
            continue
        tables, is_whole = found
        if not tables <= named or (is_whole and tables != named):
            different.append((title, sorted(tables ^ named)))
        compared += 1

    assert different == [], "\n".join(map(str, different))
    assert compared > 250


def _met(statement: Statement) -> tuple[set[str], bool] | None:
    """
    The base tables that the walk meets, and whether it meets all; None where it does not read the statement.
    """
    try:
        tree = sqlglot.parse_one(
            apply_edits(statement.text, readable_edits(statement)), read="trino"
        )
    except SqlglotError:
        return None
    if not isinstance(tree, (exp.Query, exp.Insert, exp.Create)):
        return None
    walk = _SeenTables({}, "")
    walk.statement(tree)
    left_out = (
        exp.Where,
        exp.Having,
        exp.Join,
        exp.Exists,
        exp.Version,
        exp.Order,
        exp.Group,
        exp.Limit,
        exp.Offset,
        exp.Fetch,
    )
    is_whole = not walk.incomplete and not any(
        part.find(exp.Query)
        for kind in left_out
        for node in tree.find_all(kind)
        for part in _conditions(node)
    )
    return walk.tables, is_whole


def _conditions(node: Any) -> Iterator[Any]:
    """
    What of a clause the walk leaves out: of a join its condition, of others all.
    """
    if not isinstance(node, exp.Join):
        yield node
    elif node.args.get("on") is not None:
        yield node.args["on"]


def _written(reference: Reference) -> str:
    pairs = zip(reference.parts, reference.quoted, strict=True)
    return ".".join(part if is_quoted else part.lower() for part, is_quoted in pairs)
