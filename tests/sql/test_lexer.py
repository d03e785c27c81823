"""
Text to tokens, as Trino's lexer reads it.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_magic.errors import InvalidSql
from fusion_magic.sql.lexer import tokenize, unquote


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select A.b", ["SELECT", "A", ".", "B"]),
        ("a -- b\nc", ["A", "C"]),
        ("a -- b\rc", ["A", "C"]),
        ("a/* ' \" */b", ["A", "B"]),
        ("'it''s' \"a\"\"b\"", ["'it''s'", '"a""b"']),
        ("U&'\\0041' x'00' X'FF'", ["U&'\\0041'", "x'00'", "X'FF'"]),
        ("1 1.5 .5 1. 1e5 1.5E-3 1_000 0xFF 0o7 0b1", ["1", "1.5", ".5", "1.", "1e5", "1.5E-3", "1_000", "0xFF", "0o7", "0b1"]),
        ("a.2024.b", ["A", ".", "2024", ".", "B"]),
        ("2a 1.5e", ["2A", "1", ".", "5E"]),
        ("<> <= >= != || -> => :: :x ?", ["<>", "<=", ">=", "!=", "||", "->", "=>", "::", ":", "X", "?"]),
        ("größe 😀", ["GRÖSSE", "😀"]),
        ("\ufeffa\u00a0b", ["A", "B"]),
        ("", []),
    ],
)  # fmt: skip
def test_a_text_has_these_tokens(text: str, words: list[str]) -> None:
    assert tokenize(text).words == words


def test_brackets_know_their_ends() -> None:
    tokens = tokenize("f(a[1], (b))")

    assert [tokens.closing[i] for i, word in enumerate(tokens.words) if word in "(["] == [10, 5, 9]


@pytest.mark.parametrize("text", ["'a", '"a', '""', "`a`", "/* a", "(", ")", "[)", "(;)", "x'"])
def test_what_is_not_closed_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InvalidSql) as caught:
        tokenize(text)

    assert caught.value.span is not None
    assert caught.value.sql == text


@given(st.text(st.sampled_from("ab1.'\"-/* \r\n();:,[]")))
def test_tokens_and_what_is_between_them_are_the_text(text: str) -> None:
    try:
        tokens = tokenize(text)
    except InvalidSql:
        return

    assert tokens.starts == sorted(tokens.starts)
    assert all(start < end for start, end in zip(tokens.starts, tokens.ends, strict=True))
    assert all(end <= start for end, start in zip(tokens.ends, tokens.starts[1:], strict=False))


@pytest.mark.parametrize(
    ("token", "name"), [("a", "a"), ('"A""b"', 'A"b'), ('U&"\\0041\\\\"', "A\\"), ('"."', ".")]
)
def test_a_name_is_unquoted(token: str, name: str) -> None:
    assert unquote(token) == name
