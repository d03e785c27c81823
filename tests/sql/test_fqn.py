"""
FQNs: parsed and printed, and in agreement with OpenMetadata's own parser.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_magic.errors import InvalidFqn
from fusion_magic.sql import parse_fqn
from fusion_magic.sql.fqn import format_fqn
from tests.distribution import run

OPENMETADATA = "2.0.7"
COUNT = 20_000
PIECES = (
    "a",
    "B",
    "1",
    "_",
    "-",
    " ",
    ".",
    ".",
    '"',
    '"',
    '""',
    "é",
    "😀",
    "\t",
    "'",
    "/",
    ":",
    "$",
    "ab",
    ".x",
)
# What OpenMetadata's ``metadata.utils.fqn.split`` does, without the rest of that package.
ORACLE = """
import json, os, sys, types
for name in ("metadata", "metadata.antlr", "metadata.generated", "metadata.generated.antlr"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [os.path.join(os.environ["PYTHONPATH"], *name.split("."))]
from antlr4 import CommonTokenStream, InputStream, ParseTreeWalker
from antlr4.error.ErrorStrategy import BailErrorStrategy
from metadata.antlr.split_listener import FqnSplitListener
from metadata.generated.antlr.FqnLexer import FqnLexer
from metadata.generated.antlr.FqnParser import FqnParser

for line in sys.stdin:
    try:
        lexer = FqnLexer(InputStream(json.loads(line)))
        lexer.removeErrorListeners()
        parser = FqnParser(CommonTokenStream(lexer))
        parser._errHandler = BailErrorStrategy()
        listener = FqnSplitListener()
        ParseTreeWalker().walk(listener, parser.fqn())
        print(json.dumps(listener.split()))
    except Exception:
        print("null")
"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.b.c.d", ("a", "b", "c", "d")),
        ('s3_prod."raw.events".clicks', ("s3_prod", "raw.events", "clicks")),
        ('a."b""c.d".e', ("a", 'b"c.d', "e")),
        ("größe.tab le", ("größe", "tab le")),
    ],
)
def test_a_name_is_read_and_printed_as_openmetadata_does(text: str, parts: tuple[str, ...]) -> None:
    assert parse_fqn(text).parts == parts
    assert str(parse_fqn(text)) == text


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", '"a', 'a."b', 'a"b"'])
def test_a_text_that_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidFqn):
        parse_fqn(text)


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6))
def test_every_list_of_parts_comes_back(parts: list[str]) -> None:
    assert list(parse_fqn(format_fqn(parts)).parts) == parts


@pytest.fixture(scope="module")
def oracle() -> Path:
    """
    OpenMetadata's parser, in a folder of its own: the two packages that it needs and none of their dependencies.
    """
    cache = Path(os.environ.get("FUSION_TEST_CACHE", Path.home() / ".cache" / "fusion-magic"))
    home = cache / f"openmetadata-{OPENMETADATA}"
    if not home.exists():
        aside = home.with_name(f"{home.name}-{os.getpid()}")
        packages = (f"openmetadata-ingestion=={OPENMETADATA}", "antlr4-python3-runtime==4.9.2")
        uv = (sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps")
        run(*uv, "--target", aside, *packages)
        aside.rename(home)
    return home


def test_openmetadatas_own_parser_agrees(oracle: Path) -> None:
    chance = random.Random(207)
    texts = ["".join(chance.choices(PIECES, k=chance.randint(1, 9))) for _ in range(COUNT)]
    done = subprocess.run(
        [sys.executable, "-c", ORACLE],
        input="\n".join(map(json.dumps, texts)),
        env={**os.environ, "PYTHONPATH": str(oracle), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = [json.loads(line) for line in done.stdout.splitlines()]

    different = [
        (text, parts, ours)
        for text, parts in zip(texts, theirs, strict=True)
        if (ours := _ours(text)) != (None if parts is None else [_unquoted(p) for p in parts])
    ]
    assert different == []
    assert sum(parts is not None for parts in theirs) > COUNT // 20


def _ours(text: str) -> list[str] | None:
    try:
        return list(parse_fqn(text).parts)
    except InvalidFqn:
        return None


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
