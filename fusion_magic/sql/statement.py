"""
A cell's text to statements: where each ends, and of what kind it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fusion_magic.errors import InvalidSql, Span
from fusion_magic.sql.lexer import Tokens, tokenize

QUERY_STARTS = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})
_QUERY_KINDS = frozenset({"SELECT", "DESCRIBE", "EXPLAIN"})

# The first words of each kind, the longest first where one begins another.
_KINDS: tuple[tuple[str, ...], ...] = (
    ("CREATE", "MATERIALIZED", "VIEW"),
    ("CREATE", "TABLE"),
    ("CREATE", "VIEW"),
    ("CREATE", "SCHEMA"),
    ("CREATE", "CATALOG"),
    ("CREATE", "ROLE"),
    ("CREATE", "FUNCTION"),
    ("INSERT", "INTO"),
    ("DELETE", "FROM"),
    ("MERGE", "INTO"),
    ("UPDATE",),
    ("TRUNCATE", "TABLE"),
    ("DROP",),
    ("ALTER",),
    ("DESCRIBE",),
    ("DESC",),
    ("ANALYZE",),
    ("COMMENT", "ON"),
    ("GRANT",),
    ("REVOKE",),
    ("DENY",),
    ("EXPLAIN",),
    ("CALL",),
    ("USE",),
    ("PREPARE",),
    ("EXECUTE", "IMMEDIATE"),
    ("EXECUTE",),
    ("DEALLOCATE", "PREPARE"),
    ("REFRESH", "MATERIALIZED", "VIEW"),
    ("SET",),
    ("RESET",),
    ("START", "TRANSACTION"),
    ("COMMIT",),
    ("ROLLBACK",),
)
# Kinds of a statement that makes a view.
VIEW_MAKERS = frozenset({"CREATE VIEW", "CREATE MATERIALIZED VIEW"})
_NAMES = {
    ("INSERT", "INTO"): "INSERT",
    ("DELETE", "FROM"): "DELETE",
    ("MERGE", "INTO"): "MERGE",
    ("TRUNCATE", "TABLE"): "TRUNCATE",
    ("DESC",): "DESCRIBE",
    ("COMMENT", "ON"): "COMMENT",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """
    One statement.

    Attributes:
        text: Its text; one trailing semicolon is dropped, everything else is as the user wrote it.
        start: Where it starts in the cell's text.
        kind: ``SELECT`` for every query, else its first words: ``CREATE TABLE AS``, ``INSERT``,
            ``SHOW COLUMNS`` …; ``UNKNOWN`` for what Trino's reference does not have.
        is_query: Whether it gives rows and writes nothing.
        tokens: The tokens of ``text``.
        first: The index of the token at which the statement proper starts, behind EXPLAIN's and
            PREPARE's own words.
    """

    text: str
    start: int
    kind: str
    is_query: bool
    tokens: Tokens = field(repr=False, compare=False)
    first: int = field(default=0, compare=False)

    @property
    def head(self) -> str:
        """
        The first word of the statement proper, in upper case.
        """
        words = self.tokens.words[self.first : self.first + 1]
        return words[0] if words else ""


def parse_statement(text: str) -> Statement:
    """
    The only statement of *text*.

    Raises:
        InvalidSql: There is none, there are several, or it cannot be read.
    """
    statements = split_statements(text)
    if len(statements) == 1:
        return statements[0]
    if not statements:
        raise InvalidSql("There is no statement.", hint="Write one below the magic's line.")
    error = InvalidSql(
        f"There are {len(statements)} statements where one is expected.",
        hint="Give one here; a %%fusion cell runs several, one after the other.",
        span=Span(statements[1].start, statements[1].start + 1),
    )
    error.sql = text
    raise error


def split_statements(cell: str) -> tuple[Statement, ...]:
    """
    The statements of a cell, those with nothing but blanks and comments left out.

    Raises:
        InvalidSql: The text cannot be read; the span is in *cell*.
    """
    tokens = tokenize(cell)
    ends = _statement_ends(tokens)
    if not ends:
        return (_build(cell, 0, tokens),) if len(tokens) else ()
    if len(ends) == 1 and ends[0] == len(tokens) - 1 and ends[0]:
        text = cell[: tokens.starts[-1]] + cell[tokens.ends[-1] :]
        return (_build(text, 0, tokenize(text)),)
    statements = []
    start = 0
    for end in (*(tokens.starts[index] for index in ends), len(cell)):
        text = cell[start:end]
        own = tokenize(text)
        if len(own):
            lead = len(text) - len(text.lstrip()) if start else 0
            statements.append(
                _build(text[lead:], start + lead, own if not lead else tokenize(text[lead:]))
            )
        start = end + 1
    return tuple(statements)


def _statement_ends(tokens: Tokens) -> list[int]:
    """
    The indexes of the semicolons that end a statement; those in a SQL function's body do not.
    """
    ends = []
    depth = 0
    is_routine = False
    previous = ""
    for index, word in enumerate(tokens.words):
        if word == ";" and tokens.kinds[index] == "symbol":
            if depth == 0:
                ends.append(index)
                is_routine = False
        elif word == "FUNCTION" and previous in {"WITH", "CREATE", "REPLACE", ","}:
            is_routine = True
        elif is_routine and tokens.kinds[index] == "word":
            is_call = word == "REPEAT" and tokens.words[index + 1 : index + 2] == ["("]
            depth = depth if is_call else _block_depth(word, previous, depth)
        previous = word
    return ends


def _block_depth(word: str, previous: str, depth: int) -> int:
    if previous == "END":
        # END IF, END CASE, END LOOP …: the END has closed the block.
        return depth
    if word in {"BEGIN", "CASE", "LOOP", "WHILE", "REPEAT"} or (
        word == "IF" and previous in {";", "BEGIN", "THEN", "ELSE", "DO", "LOOP"}
    ):
        return depth + (0 if word == "LOOP" and previous == "END" else 1)
    if word == "END":
        return max(0, depth - 1)
    return depth


def _build(text: str, start: int, tokens: Tokens) -> Statement:
    kind, first, is_query = _classify(tokens)
    return Statement(text, start, kind, is_query, tokens, first)


def _classify(tokens: Tokens) -> tuple[str, int, bool]:
    """
    Kind, first token of the statement proper, and whether it only reads.
    """
    kind = _kind_at(tokens, 0)
    if kind == "EXPLAIN":
        first = _skip_explain(tokens)
        analyzes = tokens.words[1:2] == ["ANALYZE"]
        inner = _kind_at(tokens, first)
        return kind, first, not analyzes or inner == "SELECT" or inner.startswith("SHOW")
    if kind == "PREPARE":
        return kind, _index_of(tokens, "FROM", 1) + 1, False
    return kind, 0, kind in _QUERY_KINDS or kind.startswith("SHOW")


def _skip_explain(tokens: Tokens) -> int:
    index = 1
    while index < len(tokens) and tokens.words[index] in {"ANALYZE", "VERBOSE"}:
        index += 1
    following = tokens.words[index + 1] if index + 1 < len(tokens) else ""
    if index < len(tokens) and tokens.words[index] == "(" and following in {"TYPE", "FORMAT"}:
        index = tokens.closing[index] + 1
    return index


def _index_of(tokens: Tokens, word: str, start: int) -> int:
    for index in range(start, len(tokens)):
        if tokens.words[index] == word:
            return index
    return len(tokens) - 1


def _kind_at(tokens: Tokens, first: int) -> str:
    words = tokens.words[first : first + 6]
    if not words:
        return "UNKNOWN"
    if words[0] in QUERY_STARTS:
        return "SELECT"
    if words[0] == "SHOW":
        return " ".join(w for w in words[: 3 if words[1:2] == ["CREATE"] else 2])
    words = [w for w in words if w not in {"OR", "REPLACE"}] if words[0] == "CREATE" else words
    for kind in _KINDS:
        if tuple(words[: len(kind)]) == kind:
            name = _NAMES.get(kind, " ".join(kind))
            return (
                _create_table_kind(tokens, first)
                if name == "CREATE TABLE"
                else _with_object(name, words)
            )
    return "UNKNOWN"


def _with_object(name: str, words: list[str]) -> str:
    if name in {"DROP", "ALTER"}:
        return " ".join(
            (name, *(["MATERIALIZED VIEW"] if words[1:2] == ["MATERIALIZED"] else words[1:2]))
        )
    if name in {"SET", "RESET"}:
        return " ".join((name, *words[1:2]))
    return name


def _create_table_kind(tokens: Tokens, first: int) -> str:
    index = first
    while index < len(tokens):
        if tokens.words[index] == "(":
            index = tokens.closing[index]
        elif tokens.words[index] == "AS" and tokens.kinds[index] == "word":
            return "CREATE TABLE AS"
        index += 1
    return "CREATE TABLE"


def is_plain_integer(token: str) -> bool:
    """
    Whether *token* is nothing but digits.
    """
    return re.fullmatch(r"[0-9]+", token) is not None


def integer_value(token: str) -> int | None:
    """
    The number that an integer token stands for, as LIMIT and OFFSET take it; None for any other token.

    >>> integer_value("1_000"), integer_value("0x1F"), integer_value("007"), integer_value("1.5")
    (1000, 31, 7, None)
    """
    if re.fullmatch(r"[0-9]+(?:_[0-9]+)*", token):
        return int(token)
    if re.fullmatch(r"0(?:[xX](?:_?[0-9a-fA-F])+|[oO](?:_?[0-7])+|[bB](?:_?[01])+)", token):
        return int(token, 0)
    return None
