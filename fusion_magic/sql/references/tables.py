"""
The tables that a scan has found so far, and the aliases behind their names.
"""

from __future__ import annotations

from fusion_magic.errors import InvalidSql
from fusion_magic.sql.keywords import RESERVED
from fusion_magic.sql.lexer import NUMBER, QUOTED, STRING, SYMBOL
from fusion_magic.sql.references.model import DottedName, FoundTable, Frame, Role, Scope
from fusion_magic.sql.references.tokens import TokenScan
from fusion_magic.sql.statement import Statement

_OPERATORS = frozenset({"+", "-", "*", "/", "%", "||"})
_OPENINGS = frozenset({"(", "["})
_NAME_SIGNS = frozenset({"-", "$", "/", "@", "#", "&"})


class TableScan(TokenScan):
    """
    Tables and columns as they are found, and what can be an alias of them.
    """

    def __init__(self, statement: Statement) -> None:
        super().__init__(statement)
        self.found: list[FoundTable] = []
        self.columns: list[tuple[Scope, DottedName]] = []
        self.scopes: list[Scope] = []
        # Their table takes no alias, so that columns behind the table's own name are rewritten.
        self._lacks_alias = statement.head in {"UPDATE", "DELETE", "ALTER"}

    def _add(self, name: DottedName, frame: Frame, role: Role) -> None:
        if not frame.scope.tables:
            self.scopes.append(frame.scope)
        frame.scope.tables.append(len(self.found))
        self.found.append(self._found(name, role))

    def _found(self, name: DottedName, role: Role) -> FoundTable:
        return FoundTable(
            parts=self.texts(name),
            quoted=tuple(self.kinds[index] == QUOTED for index in name.parts),
            span=self.tokens.span(name.parts[0], name.parts[-1]),
            role=role,
        )

    def _alias(self, found: FoundTable, index: int) -> int:
        """
        Take the alias at *index*, or note where one can be put; return what stands behind.
        """
        if self.word(index) == "FOR" and self.word(index + 1) in {"VERSION", "TIMESTAMP"}:
            index = self._behind_period(index)
        place = index
        if self.word(index) == "AS" and self.is_part(index + 1):
            place = index + 1
        elif not self._is_alias(index):
            found.alias_at = self.tokens.ends[index - 1]
            return index
        found.alias_name = self.text(place)
        found.alias = self.statement.text[self.tokens.starts[place] : self.tokens.ends[place]]
        return place + 1

    def _behind_period(self, index: int) -> int:
        """
        Behind FOR VERSION AS OF and its expression, of which the text alone shows where it ends.
        """
        index = self._behind_operand(index + (4 if self.word(index + 2) == "AS" else 2))
        while index < self.count:
            if self.word(index) == "AT" and self.word(index + 1) == "TIME":
                index = self._behind_operand(index + 3)
            elif self.symbol(index) in _OPERATORS:
                index = self._behind_operand(index + 1)
            else:
                return index
        return index

    def _behind_operand(self, index: int) -> int:
        while self.symbol(index) in {"+", "-", ":"}:
            index += 1
        if self.word(index) == "INTERVAL":
            index += 1 + (self.symbol(index + 1) in {"+", "-"})
            return index + (4 if self.word(index + 2) == "TO" else 2)
        if self.word(index) == "CASE":
            return self._behind_case(index)
        if self.symbol(index) not in _OPENINGS:
            name = self.name_at(index)
            index = name.after if name is not None else index + 1
        while self.symbol(index) in _OPENINGS:
            index = self.tokens.closing[index] + 1
        # A type before its text: TIMESTAMP '2024-01-01 00:00:00'.
        return index + (index < self.count and self.kinds[index] == STRING)

    def _behind_case(self, index: int) -> int:
        depth = 0
        while index < self.count:
            depth += (self.word(index) == "CASE") - (self.word(index) == "END")
            index += 1
            if depth == 0:
                break
        return index

    def _is_alias(self, index: int) -> bool:
        if index < self.count and self.kinds[index] == QUOTED:
            return True
        word = self.word(index)
        if not word or word in RESERVED or word[0].isdigit():
            return False
        following = self.word(index + 1)
        if word == "TABLESAMPLE":
            return following not in {"BERNOULLI", "SYSTEM"}
        if word == "MATCH_RECOGNIZE":
            return self.symbol(index + 1) != "("
        if word in {"LIMIT", "OFFSET"}:
            return not (
                following == "ALL"
                or self.symbol(index + 1) in {"?", ":"}
                or (index + 1 < self.count and self.kinds[index + 1] == NUMBER)
            )
        if word == "FETCH":
            return following not in {"FIRST", "NEXT"}
        if word in {"PARTITION", "PRUNE", "KEEP"}:
            return following not in {"BY", "WHEN"}
        if word == "COPARTITION":
            return self.symbol(index + 1) != "("
        if word == "WINDOW":
            return not (self.is_part(index + 1) and self.word(index + 2) == "AS")
        # UPDATE and MERGE have their own words behind the table.
        return word != "SET"

    def _refuse_unquoted(self, index: int, name: DottedName) -> None:
        """
        Refuse a table's name that goes on with a character which SQL takes in quotes alone.

        Raises:
            InvalidSql: As ``FROM trino-prod.sales.public.orders``, which OpenMetadata writes without quotes.
        """
        last = name.after - 1
        while last + 1 < self.count and self.tokens.starts[last + 1] == self.tokens.ends[last]:
            if self.kinds[last + 1] == SYMBOL and self.words[last + 1] not in {".", *_NAME_SIGNS}:
                break
            last += 1
        if self.symbol(name.after) in _NAME_SIGNS and last > name.after:
            span = self.tokens.span(index, last)
            text = self.statement.text[span.start : span.end]
            parts = [part if part.startswith('"') else f'"{part}"' for part in text.split(".")]
            raise InvalidSql(
                f"{text} holds a character that SQL takes in quotes alone.",
                hint=f"Write {'.'.join(parts)}",
                span=span,
            )
