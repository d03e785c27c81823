"""
Queries and expressions: which scope each place is in, and where a name is a table's.
"""

from __future__ import annotations

from dataclasses import replace

from fusion_magic.sql.keywords import RESERVED
from fusion_magic.sql.lexer import NUMBER, STRING, SYMBOL, WORD
from fusion_magic.sql.references.columns import visible_name
from fusion_magic.sql.references.heads import HeadScan
from fusion_magic.sql.references.model import Frame, Scope
from fusion_magic.sql.statement import QUERY_STARTS

_SET_OPERATIONS = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_CLAUSES = frozenset({"WHERE", "GROUP", "HAVING", "ORDER"}) | _SET_OPERATIONS


class QueryScan(HeadScan):
    """
    One pass over the whole statement, with a stack of frames instead of recursion.
    """

    def run(self) -> None:
        """
        Read the statement's own words, then everything behind them.
        """
        start, frame = self.query_start()
        if self.word(start) in QUERY_STARTS or (start < self.count and self.symbol(start) == "("):
            frame.is_query, frame.clause, frame.begin = True, "select", start
        self._body(start, frame)

    def query_start(self) -> tuple[int, Frame]:
        """
        The token at which the statement's query or expressions start, and the statement's frame.
        """
        frame = Frame(self.count, Scope(None), None, is_query=False, clause="tail")
        return self._head(self.statement.first, frame), frame

    def _body(self, index: int, frame: Frame) -> None:
        """
        Read everything from *index* to the statement's end.
        """
        while True:
            while index >= frame.end:
                if frame.outer is None:
                    return
                index, frame = self._leave(frame)
            index, frame = self._step(index, frame)

    def _leave(self, frame: Frame) -> tuple[int, Frame]:
        outer = frame.outer or frame
        if outer.pending is not None and outer.clause == "with":
            outer.ctes.add(outer.pending)
            outer.pending = None
            outer.clause = "with-next"
        return frame.end + 1, outer

    def _step(self, index: int, frame: Frame) -> tuple[int, Frame]:
        """
        Read one token or one name at *index*; return where to go on, and in which frame.
        """
        if self.kinds[index] == SYMBOL:
            return self._symbol_step(index, frame)
        if self.kinds[index] in {STRING, NUMBER}:
            return index + 1, frame
        if frame.clause.startswith("with"):
            return self._with_step(index, frame)
        if frame.expects_table:
            return self._table_step(index, frame)
        keyword = self._keyword_step(index, frame) if self.kinds[index] == WORD else None
        if keyword is not None:
            return keyword, frame
        name = self.name_at(index)
        if name is None:
            return index + 1, frame
        if len(name.parts) + name.has_star > (1 if self._lacks_alias else 2):
            self.columns.append((frame.scope, name))
        return name.after, frame

    def _symbol_step(self, index: int, frame: Frame) -> tuple[int, Frame]:
        symbol = self.words[index]
        if symbol in {"(", "["}:
            return self._open(index, frame)
        if symbol == "," and frame.is_query and frame.clause == "from":
            frame.expects_table = True
        elif symbol == "," and frame.clause == "with-next":
            frame.clause = "with"
        return index + 1, frame

    def _open(self, index: int, frame: Frame) -> tuple[int, Frame]:
        end = self.tokens.closing[index]
        if self.words[index] == "(" and self.opens_query(index):
            is_nested = self.symbol(index + 1) == "("
            scope = Scope(frame.scope)
            inner = Frame(end, scope, frame, is_query=True, begin=index + 1)
            if is_nested and frame.expects_table:
                # ((SELECT …) JOIN …): whether it is a query or a join shows behind the inner bracket.
                inner.clause, inner.expects_table, inner.scope = "from", True, frame.scope
            frame.expects_table = False
            return index + 1, inner
        is_join = frame.expects_table and self.words[index] == "("
        # The tables that a table function is given are seen by its own arguments alone.
        is_function = self.word(index - 1) == "TABLE"
        scope = Scope(frame.scope) if is_function else frame.scope
        inner = Frame(end, scope, frame, is_query=is_join)
        inner.clause, inner.expects_table = ("from", True) if is_join else ("expression", False)
        frame.expects_table = False
        return index + 1, inner

    def _with_step(self, index: int, frame: Frame) -> tuple[int, Frame]:
        if frame.clause == "with-next":
            frame.clause = "select"
            return index, frame
        if self.word(index) == "RECURSIVE" and frame.pending is None and self.is_part(index + 1):
            frame.is_recursive = True
            return index + 1, frame
        if frame.pending is None:
            frame.pending = self.text(index).lower()
            if frame.is_recursive:
                frame.ctes.add(frame.pending)
            after = index + 1
            if self.symbol(after) == "(":
                after = self.tokens.closing[after] + 1
            return after, frame
        return index + 1, frame

    def _keyword_step(self, index: int, frame: Frame) -> int | None:
        """
        Where to go on when the word at *index* steers the scan; None for any other word.
        """
        word = self.words[index]
        if word == "TABLE" and self.symbol(index + 1) == "(":
            return self._table_argument(index, frame)
        if word == "COPARTITION" and self.symbol(index + 1) == "(":
            return self._copartition(index + 1, frame)
        if not frame.is_query:
            return None
        if word == "WITH" and index == frame.begin:
            return self._with(index, frame)
        if word == "SELECT":
            frame.clause = "select"
        elif word == "TABLE" and self._starts_query(index, frame):
            return self._table_query(index, frame)
        elif word == "FROM" and frame.clause != "from" and not self._is_distinct_from(index):
            frame.clause, frame.expects_table = "from", True
        elif word == "JOIN" and frame.clause == "from":
            frame.expects_table = True
        elif word in _SET_OPERATIONS:
            frame.scope = Scope(frame.scope.parent)
            frame.clause = "select"
        elif (frame.clause in {"from", "select"} and self._starts_tail(index)) or (
            word == "WHEN" and frame.outer is None and self.statement.head == "MERGE"
        ):
            frame.clause = "tail"
        else:
            return None
        return index + 1

    def _is_distinct_from(self, index: int) -> bool:
        return self.word(index - 1) == "DISTINCT" and self.word(index - 2) in {"IS", "NOT"}

    def _starts_tail(self, index: int) -> bool:
        """
        Whether a clause behind FROM starts here, in which a comma names no further table.
        """
        word = self.words[index]
        if word in {"WINDOW", "LIMIT", "OFFSET", "FETCH"}:
            return not self._is_alias(index)
        return word in _CLAUSES

    def _starts_query(self, index: int, frame: Frame) -> bool:
        """
        Whether TABLE at *index* is a query of its own (TABLE orders), not a part of something else.
        """
        previous = self.words[index - 1] if index else ""
        return frame.clause == "select" and (
            index == self.statement.first
            or previous in {"(", ")", "AS", "ALL", "DISTINCT", *_SET_OPERATIONS}
            or frame.outer is None
        )

    def _with(self, index: int, frame: Frame) -> int:
        if self.word(index + 1) not in {"FUNCTION", "SESSION"}:
            frame.clause = "with"
            return index + 1
        frame.begin = self.behind_functions(index + 1)
        return frame.begin

    def _table_query(self, index: int, frame: Frame) -> int:
        """
        TABLE orders, a query of its own: the grammar has no alias there.
        """
        name = self.name_at(index + 1)
        frame.clause = "tail"
        if name is None:
            return index + 1
        if len(name.parts) > 1 or not frame.hides(self.text(name.parts[0]).lower()):
            self._add(name, frame, "source")
        return name.after

    def _table_argument(self, index: int, frame: Frame) -> int:
        """
        TABLE(…): an argument of a table function, which is a table or a query, or the call of one in FROM.
        """
        frame.expects_table = False
        if self.opens_query(index + 1):
            return index + 1
        name = self.name_at(index + 2)
        if name is None or self.symbol(name.after) == "(":
            return index + 1
        after = self.tokens.closing[index + 1] + 1
        if len(name.parts) > 1 or not frame.hides(self.text(name.parts[0]).lower()):
            self._add(name, frame, "source")
            return self._alias(self.found[-1], after)
        return after

    def _copartition(self, opening: int, frame: Frame) -> int:
        """
        COPARTITION (orders, items): the names of the tables that the function was given.
        """
        index = opening + 1
        while index < self.tokens.closing[opening]:
            name = self.name_at(index)
            if name is not None and len(name.parts) > 1:
                self.columns.append((frame.scope, replace(name, has_star=True)))
            index = name.after if name is not None else index + 1
        return self.tokens.closing[opening] + 1

    def _table_step(self, index: int, frame: Frame) -> tuple[int, Frame]:
        """
        Read what stands where a table is expected.
        """
        word = self.word(index)
        if word == "LATERAL" and self.symbol(index + 1) == "(":
            frame.expects_table = False
            return index + 1, frame
        if word == "TABLE" and self.symbol(index + 1) == "(":
            return self._table_argument(index, frame), frame
        name = self.name_at(index)
        frame.expects_table = False
        if name is None:
            return index + 1, frame
        self._refuse_unquoted(index, name)
        if self.symbol(name.after) == "(" or (word in RESERVED and len(name.parts) == 1):
            return index + 1 if len(name.parts) == 1 else name.after, frame
        first = self.text(name.parts[0]).lower()
        if len(name.parts) == 1 and frame.hides(first):
            common = self._found(name, "source")
            self._alias(common, name.after)
            frame.scope.common.append(visible_name(common))
            return name.after, frame
        self._add(name, frame, "source")
        after = self._alias(self.found[-1], name.after)
        # What stands behind FOR … AS OF is an expression like any other.
        return (name.after if self.word(name.after) == "FOR" else after), frame
