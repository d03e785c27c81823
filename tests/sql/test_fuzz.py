"""
Any text gives a translation or one of our errors: real queries that were damaged, and soups of their tokens.

5,000 texts by default; FUSION_TEST_FUZZ=100000 is the long run.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_magic.errors import FusionError
from fusion_magic.sql import extract_lineage
from fusion_magic.sql.analysis import analyse
from fusion_magic.sql.edits import apply_edits, name_edits
from fusion_magic.sql.lexer import tokenize
from tests.corpora import tpcds_queries, tpch_queries

COUNT = int(os.environ.get("FUSION_TEST_FUZZ", "5000"))
SLOWEST_S = 5.0  # of one text: a hang, on whatever machine
PIECES = (
    "(", ")", "[", "]", ",", ";", ".", "'", '"', "`", "--", "/*", "*/", "?", ":x", "::", "->", "\x00", "\n", "\ufeff", "é", "😀",
    " SELECT ", " FROM ", " WITH ", " AS ", " JOIN ", " ON ", " LIMIT 5", " OFFSET 2", " UNION ", " INSERT INTO ", " MERGE INTO ",
    " UPDATE ", " SET ", " LATERAL ", " UNNEST(", " MATCH_RECOGNIZE (", " JSON_TABLE(", " TABLE ", " VALUES ", " EXPLAIN ", " FOR VERSION AS OF 1 ",
    " CREATE TABLE ", " GRANT SELECT ON ", " a.b.c.d ", ' a."b.c".d.e ', " FETCH FIRST 1 ROW ONLY ", " CASE WHEN ", " END ", " BEGIN ", " WITH FUNCTION f() ",
)  # fmt: skip


def damaged(text: str, chance: random.Random) -> str:
    """
    *text* with a few pieces taken out, doubled, moved or put in.
    """
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.randint(0, 40))
        kind = chance.randrange(4)
        if kind == 0:
            text = text[:start] + text[end:]
        elif kind == 1:
            text = text[:start] + chance.choice(PIECES) + text[start:]
        elif kind == 2:
            text = text[:end] + text[start:end] + text[end:]
        else:
            to = chance.randrange(len(text) + 1)
            text = text[:to] + text[start:end] + text[to:]
    return text


def soup(words: list[str], chance: random.Random) -> str:
    return " ".join(chance.choice(words) for _ in range(chance.randint(1, 80)))


def translated(text: str) -> None:
    """
    Translate *text*, each of its names to another.
    """
    started = time.perf_counter()
    try:
        analysis = analyse.__wrapped__(text)
        names = [("c", "s", parts.parts[-1] or "t") for parts in analysis.references]
        edits = (*name_edits(analysis.references, names), *analysis.paging.edits)
        apply_edits(analysis.statement.text, edits)
    except FusionError:
        pass
    assert time.perf_counter() - started < SLOWEST_S, text


@pytest.mark.timeout(600 + COUNT // 50)
def test_damaged_queries_give_a_translation_or_our_error() -> None:
    chance = random.Random(476)
    queries = [*tpcds_queries().values(), *tpch_queries().values()]
    words = sorted({word for query in queries for word in tokenize(query).words}) + list(PIECES)
    for number in range(COUNT):
        text = soup(words, chance) if number % 4 == 0 else damaged(chance.choice(queries), chance)
        translated(text)


def test_damaged_queries_have_lineage_or_our_error() -> None:
    chance = random.Random(30)
    queries = [*tpcds_queries().values(), *tpch_queries().values()]
    for _ in range(COUNT // 25):
        with suppress(FusionError):
            extract_lineage(damaged(chance.choice(queries), chance))


@settings(max_examples=500)
@given(st.text())
def test_any_text_gives_a_translation_or_our_error(text: str) -> None:
    translated(text)


@pytest.mark.parametrize(
    "opening",
    ["(", "[", "SELECT (", "CASE WHEN ", "SELECT * FROM (", "WITH a AS (", "-- x\n", "/* */ "],
)
def test_nesting_without_end_does_not_break(opening: str) -> None:
    translated(opening * 20_000)
    translated("SELECT " + "(" * 50_000 + "1" + ")" * 50_000)


def test_a_megabyte_takes_ten_times_as_long_as_a_tenth() -> None:
    """
    Nothing is quadratic: the ratio may be far off on a busy machine, but not by a factor of ten.
    """
    line = "SELECT a, b FROM svc.db.sch.t WHERE x IN (1, 2, 3) AND y = 'text' UNION ALL\n"

    def seconds(size: int) -> float:
        text = line * (size // len(line)) + "SELECT 1, 2"
        started = time.perf_counter()
        analyse.__wrapped__(text)
        return time.perf_counter() - started

    seconds(50_000)
    small, large = (
        min(seconds(100_000) for _ in range(3)),
        min(seconds(1_000_000) for _ in range(2)),
    )
    assert large < small * 100
