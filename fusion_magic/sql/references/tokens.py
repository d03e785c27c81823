"""
A statement's tokens, read one by one: words, symbols and dotted names.
"""

from __future__ import annotations

from fusion_magic.sql.lexer import NUMBER, QUOTED, SYMBOL, WORD, Tokens, unquote
from fusion_magic.sql.references.model import DottedName
from fusion_magic.sql.statement import Statement, is_plain_integer


class TokenScan:
    """
    The tokens of one statement. An index behind the last token reads as nothing.
    """

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.tokens: Tokens = statement.tokens
        self.words = statement.tokens.words
        self.kinds = statement.tokens.kinds
        self.count = len(statement.tokens)
        self.openings: list[bool] = []

    def word(self, index: int) -> str:
        """
        The unquoted word at *index* in upper case; empty for anything else.
        """
        return self.words[index] if 0 <= index < self.count and self.kinds[index] == WORD else ""

    def symbol(self, index: int) -> str:
        return self.words[index] if 0 <= index < self.count and self.kinds[index] == SYMBOL else ""

    def is_part(self, index: int) -> bool:
        return index < self.count and self.kinds[index] in {WORD, QUOTED}

    def name_at(self, index: int) -> DottedName | None:
        """
        The dotted name that starts at *index*, or None.
        """
        if not self.is_part(index):
            return None
        parts = [index]
        after = index + 1
        while self.symbol(after) == ".":
            if self.symbol(after + 1) == "*":
                return DottedName(tuple(parts), after + 2, has_star=True)
            if not (self.is_part(after + 1) or self._is_digits(after + 1)):
                break
            parts.append(after + 1)
            after += 2
        return DottedName(tuple(parts), after)

    def _is_digits(self, index: int) -> bool:
        return (
            index < self.count
            and self.kinds[index] == NUMBER
            and is_plain_integer(self.words[index])
        )

    def texts(self, name: DottedName) -> tuple[str, ...]:
        return tuple(self.text(index) for index in name.parts)

    def text(self, index: int) -> str:
        return unquote(self.statement.text[self.tokens.starts[index] : self.tokens.ends[index]])

    def opens_query(self, index: int) -> bool:
        """
        Whether a query starts behind the brackets that start at *index*.
        """
        if not self.openings:
            self.openings = self._find_openings()
        return self.openings[index] if index < self.count else False

    def _find_openings(self) -> list[bool]:
        """
        For each token; from the end, so that a row of brackets is looked at once.
        """
        found = [False] * (self.count + 1)
        for index in range(self.count - 1, -1, -1):
            word = self.word(index)
            if self.symbol(index) == "(":
                found[index] = found[index + 1]
            elif word == "TABLE":
                found[index] = self.symbol(index + 1) != "("
            else:
                found[index] = word in {"SELECT", "WITH", "VALUES"}
        return found

    def behind_functions(self, index: int) -> int:
        """
        Behind inline functions and session properties, which can name no table: where the query starts.
        """
        depth = 0
        while index < self.count:
            word = self.word(index)
            if self.symbol(index) == "(":
                index = self.tokens.closing[index]
            elif word in {"BEGIN", "CASE"} and self.word(index - 1) != "END":
                depth += 1
            elif word == "END" and self.word(index + 1) not in {"IF", "LOOP", "WHILE", "REPEAT"}:
                depth -= 1
            elif (
                depth <= 0
                and word in {"SELECT", "WITH", "VALUES", "TABLE"}
                and self._is_query_word(index)
            ):
                return index
            index += 1
        return index

    def _is_query_word(self, index: int) -> bool:
        # CREATE FUNCTION … WITH (property = …) has a bracket behind WITH.
        return not (self.word(index) == "WITH" and self.symbol(index + 1) == "(")
