"""
Which queries may give other rows the next time.
"""

from __future__ import annotations

import pytest

from fusion_magic.sql.statement import parse_statement
from fusion_magic.sql.volatility import find_changing


@pytest.mark.parametrize(
    ("sql", "changing"),
    [
        ("SELECT random() FROM a.b.c", "random"),
        ("SELECT Now ()", "now"),
        ("SELECT current_date", "current_date"),
        ("SELECT * FROM a.b.c WHERE day > LOCALTIMESTAMP - INTERVAL '1' DAY", "localtimestamp"),
        ("SELECT * FROM a.b.c TABLESAMPLE BERNOULLI (10)", "tablesample"),
        ("SELECT * FROM TABLE(pg.system.query(query => 'SELECT 1'))", "a table function"),
        ("SELECT random, now AS uuid FROM a.b.c", None),
        ("SELECT t.current_date, 'now()' /* uuid() */ FROM a.b.c AS t", None),
        ("TABLE a.b.c", None),
        ("SELECT sum(x) OVER (ORDER BY y) FROM a.b.c LIMIT 3", None),
    ],
)
def test_words_of_the_moment_are_found_and_names_are_not(sql: str, changing: str | None) -> None:
    assert find_changing(parse_statement(sql), [("a", "b", "c")]) == changing


@pytest.mark.parametrize(
    "name", [("system", "runtime", "queries"), ("a", "information_schema", "tables")]
)
def test_an_engines_own_state_changes(name: tuple[str, ...]) -> None:
    statement = parse_statement(f"SELECT * FROM {'.'.join(name)}")

    assert find_changing(statement, [name]) == ".".join(name)
