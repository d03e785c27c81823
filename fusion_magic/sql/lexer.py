"""
Trino's lexical grammar: text to tokens, in one pass of one regular expression.

White space and comments are no tokens; every other character is in exactly one, so that a place in the
token list is a place in the text.

Source: Trino 476, ``SqlBase.g4``, the lexer rules at its end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fusion_magic.errors import InvalidSql, Span

WORD, QUOTED, NUMBER, STRING, SYMBOL = "word", "quoted", "number", "string", "symbol"

_TOKEN = re.compile(
    r"""
      (?P<blank>(?:[\s\ufeff]+|--[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/)+)
    | (?P<string>(?:[uU]&|[xX])?'(?:[^']|'')*')
    | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")+")
    | (?P<number>(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+)(?!\w)
        |(?:(?:(?<![\w"]\.)\d[\d_]*\.[\d_]*|(?<![\w"])\.\d[\d_]*|(?<![\w"]\.)\d[\d_]*)(?:[eE][+-]?\d+)?)(?!\w))
    | (?P<word>\w+)
    | (?P<symbol><>|<=|>=|!=|\|\||->|=>|::|\?\||[^\s\w"'`])
    """,
    re.VERBOSE,
)
_OPENING = {"(": ")", "[": "]"}
_UNCLOSED = {
    "'": ("A string is not closed.", "Close it with '; a quote inside a string is doubled."),
    '"': (
        "A quoted name is not closed or empty.",
        'Close it with "; a quote inside it is doubled.',
    ),
    "`": ("Names are not quoted with ` in Trino.", 'Quote them with ".'),
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    The tokens of a text, one list an attribute.

    Attributes:
        kinds: ``word``, ``quoted``, ``number``, ``string`` or ``symbol``.
        words: The token's text, words in upper case.
        starts: Where each starts in the text, and ``ends`` where it ends.
        closing: For an opening bracket, the index of the token that closes it; else 0.
    """

    kinds: list[str]
    words: list[str]
    starts: list[int]
    ends: list[int]
    closing: list[int]

    def __len__(self) -> int:
        return len(self.words)

    def span(self, first: int, last: int) -> Span:
        """
        The text from the token *first* to the token *last*, both included.
        """
        return Span(self.starts[first], self.ends[last])


def tokenize(text: str) -> Tokens:
    """
    The tokens of *text*.

    Raises:
        InvalidSql: A string, a quoted name, a comment or a bracket is not closed; carries the span.
    """
    kinds: list[str] = []
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if start != position:
            raise _unreadable(text, position)
        position = end
        kind = match.lastgroup
        if kind == "blank":
            continue
        word = match[0]
        if word == "/" and text.startswith("/*", start):
            raise _unreadable(text, start)
        kinds.append(kind or SYMBOL)
        words.append(word.upper() if kind == WORD else word)
        starts.append(start)
        ends.append(end)
    if position != len(text):
        raise _unreadable(text, position)
    return Tokens(kinds, words, starts, ends, _match_brackets(text, kinds, words, starts))


def _unreadable(text: str, position: int) -> InvalidSql:
    span = Span(position, position + 1)
    if text.startswith("/*", position):
        error = InvalidSql("A comment is not closed.", hint="Close it with */.", span=span)
    else:
        start = position + len(re.match(r"(?:[uU]&|[xX])?", text[position : position + 2])[0])  # type: ignore[index] # the pattern matches the empty text too
        message, hint = _UNCLOSED.get(
            text[start : start + 1], (f"{text[position]!r} is not known here.", None)
        )
        error = InvalidSql(message, hint=hint, span=span)
    error.sql = text
    return error


def _match_brackets(text: str, kinds: list[str], words: list[str], starts: list[int]) -> list[int]:
    closing = [0] * len(words)
    open_: list[int] = []
    for index, word in enumerate(words):
        if kinds[index] != SYMBOL:
            continue
        if word in _OPENING:
            open_.append(index)
        elif word in {")", "]"}:
            if not open_ or _OPENING[words[open_[-1]]] != word:
                raise _unbalanced(text, word, starts[index])
            closing[open_.pop()] = index
        elif word == ";" and open_:
            break
    if open_:
        raise _unbalanced(text, words[open_[-1]], starts[open_[-1]])
    return closing


def _unbalanced(text: str, word: str, start: int) -> InvalidSql:
    what = "is not closed" if word in _OPENING else "closes nothing"
    error = InvalidSql(f"The bracket {word} {what}.", span=Span(start, start + 1))
    error.sql = text
    return error


def unquote(token: str) -> str:
    """
    The name that a word or a quoted token stands for.
    """
    if not token.endswith('"'):
        return token
    if token[0] in "uU":
        return decode_unicode(token[3:-1])
    return token[1:-1].replace('""', '"')


def decode_unicode(text: str) -> str:
    """
    What stands between the quotes of U&'…', its escapes decoded.
    """
    return re.sub(
        r"\\\\|\\([0-9a-fA-F]{4})|\\\+([0-9a-fA-F]{6})",
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else "\\",
        text.replace('""', '"'),
    )
