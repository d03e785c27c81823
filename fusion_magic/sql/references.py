"""
Where a statement names tables, and which scope each place is in.

One pass over the tokens with a stack of frames, one frame a query or a bracket; no recursion, so that
depth costs memory and nothing else. What is no table is left out: CTEs where they are visible, table
functions, UNNEST, LATERAL, JSON_TABLE, and FROM as a part of ``extract``, ``trim`` or IS DISTINCT FROM.

Source: Trino 476, ``SqlBase.g4``: ``statement``, ``query``, ``relation``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

from fusion_magic.errors import InvalidSql, Span, UnsupportedSql
from fusion_magic.sql.lexer import NUMBER, QUOTED, STRING, SYMBOL, WORD, Tokens, unquote
from fusion_magic.sql.statement import QUERY_STARTS, Statement, is_plain_integer

Role = Literal["source", "target", "other"]
TRINO_PARTS = 3

RESERVED = frozenset(
    [
        "ALTER",
        "AND",
        "AS",
        "AUTO",
        "BETWEEN",
        "BY",
        "CASE",
        "CAST",
        "CONSTRAINT",
        "CREATE",
        "CROSS",
        "CUBE",
        "CURRENT_CATALOG",
        "CURRENT_DATE",
        "CURRENT_PATH",
        "CURRENT_ROLE",
        "CURRENT_SCHEMA",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "DEALLOCATE",
        "DELETE",
        "DESCRIBE",
        "DISTINCT",
        "DROP",
        "ELSE",
        "END",
        "ESCAPE",
        "EXCEPT",
        "EXISTS",
        "EXTRACT",
        "FALSE",
        "FOR",
        "FROM",
        "FULL",
        "GROUP",
        "GROUPING",
        "HAVING",
        "IN",
        "INNER",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "JSON_ARRAY",
        "JSON_EXISTS",
        "JSON_OBJECT",
        "JSON_QUERY",
        "JSON_TABLE",
        "JSON_VALUE",
        "LEFT",
        "LIKE",
        "LISTAGG",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "NATURAL",
        "NORMALIZE",
        "NOT",
        "NULL",
        "ON",
        "OR",
        "ORDER",
        "OUTER",
        "PREPARE",
        "RECURSIVE",
        "RIGHT",
        "ROLLUP",
        "SELECT",
        "SKIP",
        "TABLE",
        "THEN",
        "TRIM",
        "TRUE",
        "UESCAPE",
        "UNION",
        "UNNEST",
        "USING",
        "VALUES",
        "WHEN",
        "WHERE",
        "WITH",
    ]
)
_SET_OPERATIONS = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_CLAUSES = frozenset({"WHERE", "GROUP", "HAVING", "ORDER"}) | _SET_OPERATIONS
_OPERATORS = frozenset({"+", "-", "*", "/", "%", "||"})
_OPENINGS = frozenset({"(", "["})
_NAME_SIGNS = frozenset({"-", "$", "/", "@", "#", "&"})


@dataclass(frozen=True, slots=True)
class Reference:
    """
    One place where a statement names a table.

    Attributes:
        parts: The name's parts, unquoted, as written.
        quoted: Whether each part was quoted.
        span: The name in the statement's text.
        role: ``target`` where rows are written to it or it is made from a query, ``source`` where its
            rows are read, ``other`` where it is only named (DROP, DESCRIBE, GRANT …).
        column_spans: The table's part of each qualified column that means this reference.
        alias_at: Where an alias can be put, a place in the text; None where the user gave one or
            the grammar allows none.
        alias: The text of the alias that the user gave, as written, or None.
    """

    parts: tuple[str, ...]
    quoted: tuple[bool, ...]
    span: Span
    role: Role
    column_spans: tuple[Span, ...] = ()
    alias_at: int | None = None
    alias: str | None = None

    @property
    def place(self) -> Span | None:
        """
        Where an error about the name points; None for a name that was given beside the text.
        """
        return self.span if self.span.end > self.span.start else None


@dataclass(slots=True)
class _Scope:
    """
    What is visible at one SELECT: its tables, and those of the queries around it.

    Attributes:
        tables: Places in the list of what was found.
        common: The names under which common table expressions are seen.
        visible: What can stand before a column, and the table that it means; made when it is first asked for.
    """

    parent: _Scope | None
    tables: list[int] = field(default_factory=list)
    common: list[str] = field(default_factory=list)
    visible: dict[tuple[str, ...], _Found] | None = None


@dataclass(slots=True)
class _Found:
    parts: tuple[str, ...]
    quoted: tuple[bool, ...]
    span: Span
    role: Role
    alias_at: int | None = None
    alias: str | None = None
    alias_name: str | None = None
    column_spans: list[Span] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    """
    One bracket, or the statement itself.

    Attributes:
        end: The token that closes it.
        is_query: Whether FROM starts a clause here.
        clause: ``with``, ``select``, ``from``, ``tail`` …: where in the query the scan is.
        expects_table: Whether a name here is a table.
        ctes: The names that WITH has made visible so far, lower case; shared by inner frames through ``outer``.
        pending: The CTE whose body is being read.
        begin: The first token of the query, where alone WITH starts a list of CTEs.
    """

    end: int
    scope: _Scope
    outer: _Frame | None
    is_query: bool
    clause: str = "select"
    expects_table: bool = False
    ctes: set[str] = field(default_factory=set)
    pending: str | None = None
    is_recursive: bool = False
    begin: int = 0

    def hides(self, name: str) -> bool:
        frame: _Frame | None = self
        while frame is not None:
            if name in frame.ctes:
                return True
            frame = frame.outer
        return False


@dataclass(frozen=True, slots=True)
class _Name:
    """
    A dotted name: the tokens of its parts, and the token behind it.
    """

    parts: tuple[int, ...]
    after: int
    has_star: bool = False


def find_references(statement: Statement) -> tuple[Reference, ...]:
    """
    Every table that *statement* names, in the order of the text.

    Raises:
        UnsupportedSql: EXECUTE IMMEDIATE, whose statement stands in a string.
    """
    scan = _Scan(statement)
    scan.run()
    return scan.references()


def find_use(statement: Statement) -> tuple[str, ...] | None:
    """
    The parts of the name that a USE statement sets; None for another statement.
    """
    if statement.kind != "USE":
        return None
    scan = _Scan(statement)
    name = scan.name_at(1)
    return scan.texts(name) if name is not None else None


def find_long_names(statement: Statement) -> tuple[Span, ...]:
    """
    Every dotted name of more than three parts, wherever it stands.
    """
    scan = _Scan(statement)
    found = []
    index = 0
    while index < len(statement.tokens):
        name = scan.name_at(index)
        if name is None:
            index += 1
            continue
        if len(name.parts) > TRINO_PARTS:
            found.append(statement.tokens.span(name.parts[0], name.parts[-1]))
        index = name.after
    return tuple(found)


def find_query_behind_with(statement: Statement, index: int) -> int:
    """
    The token at which the query starts behind the inline functions or session properties of WITH at *index*.
    """
    return _Scan(statement).behind_functions(index + 1)


class _Scan:
    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.tokens: Tokens = statement.tokens
        self.words = statement.tokens.words
        self.kinds = statement.tokens.kinds
        self.count = len(statement.tokens)
        self.found: list[_Found] = []
        self.columns: list[tuple[_Scope, _Name]] = []
        self.scopes: list[_Scope] = []
        self.openings: list[bool] = []
        # Their table takes no alias, so that columns behind the table's own name are rewritten.
        self._lacks_alias = statement.head in {"UPDATE", "DELETE", "ALTER"}

    # --- names

    def word(self, index: int) -> str:
        """
        The unquoted word at *index* in upper case; empty for anything else.
        """
        return self.words[index] if 0 <= index < self.count and self.kinds[index] == WORD else ""

    def symbol(self, index: int) -> str:
        return self.words[index] if 0 <= index < self.count and self.kinds[index] == SYMBOL else ""

    def is_part(self, index: int) -> bool:
        return index < self.count and self.kinds[index] in {WORD, QUOTED}

    def name_at(self, index: int) -> _Name | None:
        """
        The dotted name that starts at *index*, or None.
        """
        if not self.is_part(index):
            return None
        parts = [index]
        after = index + 1
        while self.symbol(after) == ".":
            if self.symbol(after + 1) == "*":
                return _Name(tuple(parts), after + 2, has_star=True)
            if not (self.is_part(after + 1) or self._is_digits(after + 1)):
                break
            parts.append(after + 1)
            after += 2
        return _Name(tuple(parts), after)

    def _is_digits(self, index: int) -> bool:
        return (
            index < self.count
            and self.kinds[index] == NUMBER
            and is_plain_integer(self.words[index])
        )

    def texts(self, name: _Name) -> tuple[str, ...]:
        return tuple(self.text(index) for index in name.parts)

    def text(self, index: int) -> str:
        return unquote(self.statement.text[self.tokens.starts[index] : self.tokens.ends[index]])

    # --- the statement's head

    def run(self) -> None:
        """
        Read the statement's own words, then everything behind them.
        """
        first = self.statement.first
        scope = _Scope(None)
        frame = _Frame(self.count, scope, None, is_query=False, clause="tail")
        start = self._head(first, frame)
        if self.word(start) in QUERY_STARTS or (start < self.count and self.symbol(start) == "("):
            frame.is_query, frame.clause, frame.begin = True, "select", start
        self._body(start, frame)

    def _head(self, first: int, frame: _Frame) -> int:
        """
        Find the tables that the statement's own words name; return where its query or expressions start.
        """
        head = self.word(first)
        handler = {
            "CREATE": self._create,
            "INSERT": self._insert,
            "UPDATE": self._update,
            "DELETE": self._delete,
            "MERGE": self._merge,
            "DROP": self._drop_or_alter,
            "ALTER": self._drop_or_alter,
            "SHOW": self._show,
            "COMMENT": self._comment,
            "GRANT": self._grant,
            "REVOKE": self._grant,
            "DENY": self._grant,
            "EXECUTE": self._execute,
        }.get(head)
        if handler is not None:
            return handler(first, frame)
        if head == "TRUNCATE":
            return self._named(first + 2, frame, "other")
        if head == "ANALYZE":
            return self._named(first + 1, frame, "other")
        if head == "REFRESH":
            return self._named(first + 3, frame, "other")
        if head in {"DESCRIBE", "DESC"}:
            is_prepared = self.word(first + 1) in {"INPUT", "OUTPUT"} and self.is_part(first + 2)
            return self.count if is_prepared else self._named(first + 1, frame, "other")
        if head in {"USE", "SET", "RESET", "DEALLOCATE", "START", "COMMIT", "ROLLBACK"}:
            return self.count
        return first

    def _named(self, index: int, frame: _Frame, role: Role) -> int:
        """
        The table named at *index*, behind IF [NOT] EXISTS; return what stands behind it.
        """
        index = self._skip_if_exists(index)
        name = self.name_at(index)
        if name is None or name.has_star:
            return index
        self._add(name, frame, role)
        return name.after

    def _skip_if_exists(self, index: int) -> int:
        if self.word(index) == "IF" and self.word(index + 1) == "NOT":
            return index + 3
        if self.word(index) == "IF" and self.word(index + 1) == "EXISTS":
            return index + 2
        return index

    def _create(self, first: int, frame: _Frame) -> int:
        index = first + 1
        if self.word(index) == "OR":
            index += 2
        is_materialized = self.word(index) == "MATERIALIZED"
        index += is_materialized
        what = self.word(index)
        if what not in {"TABLE", "VIEW"}:
            return self.count
        is_made = what == "VIEW" or self.statement.kind == "CREATE TABLE AS" or first > 0
        as_ = self._top_level_as(index + 1)
        after = self._named(index + 1, frame, "target" if is_made and as_ < self.count else "other")
        if as_ < self.count:
            return as_ + 1
        if self.symbol(after) == "(":
            self._likes(after, frame)
        return self.count

    def _top_level_as(self, index: int) -> int:
        while index < self.count:
            if self.symbol(index) == "(":
                index = self.tokens.closing[index]
            elif self.word(index) == "AS":
                return index
            index += 1
        return self.count

    def _likes(self, opening: int, frame: _Frame) -> None:
        index = opening + 1
        while index < self.tokens.closing[opening]:
            if self.word(index) == "LIKE" and self.words[index - 1] in {"(", ","}:
                self._named(index + 1, frame, "other")
            index = self.tokens.closing[index] + 1 if self.symbol(index) == "(" else index + 1

    def _insert(self, first: int, frame: _Frame) -> int:
        after = self._named(first + 2, frame, "target")
        if self.symbol(after) == "(" and not self._opens_query(after):
            after = self.tokens.closing[after] + 1
        return after

    def _opens_query(self, index: int) -> bool:
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

    def _update(self, first: int, frame: _Frame) -> int:
        return self._named(first + 1, frame, "target")

    def _delete(self, first: int, frame: _Frame) -> int:
        return self._named(first + 2, frame, "other")

    def _merge(self, first: int, frame: _Frame) -> int:
        after = self._named(first + 2, frame, "target")
        if self.found:
            after = self._alias(self.found[-1], after)
        if self.word(after) == "USING":
            frame.clause, frame.expects_table, frame.is_query = "from", True, True
            return after + 1
        return after

    def _drop_or_alter(self, first: int, frame: _Frame) -> int:
        index = first + 1 + (self.word(first + 1) == "MATERIALIZED")
        if self.word(index) not in {"TABLE", "VIEW"}:
            return self.count
        after = self._named(index + 1, frame, "other")
        if self.word(after) == "RENAME" and self.word(after + 1) == "TO":
            return self._named(after + 2, frame, "other")
        return after

    def _show(self, first: int, frame: _Frame) -> int:
        what = self.word(first + 1)
        if what == "COLUMNS":
            return self._named(first + 3, frame, "other")
        if what == "CREATE":
            index = first + 2 + (self.word(first + 2) == "MATERIALIZED")
            is_table = self.word(index) in {"TABLE", "VIEW"}
            return self._named(index + 1, frame, "other") if is_table else self.count
        if what == "STATS":
            if self.symbol(first + 3) == "(":
                return first + 3
            return self._named(first + 3, frame, "other")
        if what == "GRANTS" and self.word(first + 2) == "ON":
            return self._named(first + 3 + (self.word(first + 3) == "TABLE"), frame, "other")
        return self.count

    def _comment(self, first: int, frame: _Frame) -> int:
        what = self.word(first + 2)
        if what in {"TABLE", "VIEW"}:
            return self._named(first + 3, frame, "other")
        name = self.name_at(first + 3) if what == "COLUMN" else None
        if name is not None and len(name.parts) > 1:
            self._add(_Name(name.parts[:-1], name.after), frame, "other")
        return self.count

    def _grant(self, first: int, frame: _Frame) -> int:
        index = first
        while index < self.count and self.word(index) != "ON":
            index += 1
        is_other = self.word(index + 1) in {"SCHEMA", "CATALOG", "FUNCTION", "QUERY"}
        if is_other and self.is_part(index + 2):
            return self.count
        self._named(index + 1 + (self.word(index + 1) in {"TABLE", "VIEW"}), frame, "other")
        return self.count

    def _execute(self, first: int, frame: _Frame) -> int:
        if self.word(first + 1) == "IMMEDIATE":
            raise UnsupportedSql(
                "EXECUTE IMMEDIATE holds its statement in a string, in which names are not translated.",
                hint="Write the statement itself, with :name parameters for its values.",
                span=self.tokens.span(first, first + 1),
            )
        return self.count

    # --- queries and expressions

    def _body(self, index: int, frame: _Frame) -> None:
        """
        Read everything from *index* to the statement's end.
        """
        while True:
            while index >= frame.end:
                if frame.outer is None:
                    return
                index, frame = self._leave(frame)
            index, frame = self._step(index, frame)

    def _leave(self, frame: _Frame) -> tuple[int, _Frame]:
        outer = frame.outer or frame
        if outer.pending is not None and outer.clause == "with":
            outer.ctes.add(outer.pending)
            outer.pending = None
            outer.clause = "with-next"
        return frame.end + 1, outer

    def _step(self, index: int, frame: _Frame) -> tuple[int, _Frame]:
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

    def _symbol_step(self, index: int, frame: _Frame) -> tuple[int, _Frame]:
        symbol = self.words[index]
        if symbol in {"(", "["}:
            return self._open(index, frame)
        if symbol == "," and frame.is_query and frame.clause == "from":
            frame.expects_table = True
        elif symbol == "," and frame.clause == "with-next":
            frame.clause = "with"
        return index + 1, frame

    def _open(self, index: int, frame: _Frame) -> tuple[int, _Frame]:
        end = self.tokens.closing[index]
        if self.words[index] == "(" and self._opens_query(index):
            is_nested = self.symbol(index + 1) == "("
            scope = _Scope(frame.scope)
            inner = _Frame(end, scope, frame, is_query=True, begin=index + 1)
            if is_nested and frame.expects_table:
                # ((SELECT …) JOIN …): whether it is a query or a join shows behind the inner bracket.
                inner.clause, inner.expects_table, inner.scope = "from", True, frame.scope
            frame.expects_table = False
            return index + 1, inner
        is_join = frame.expects_table and self.words[index] == "("
        # The tables that a table function is given are seen by its own arguments alone.
        is_function = self.word(index - 1) == "TABLE"
        scope = _Scope(frame.scope) if is_function else frame.scope
        inner = _Frame(end, scope, frame, is_query=is_join)
        inner.clause, inner.expects_table = ("from", True) if is_join else ("expression", False)
        frame.expects_table = False
        return index + 1, inner

    def _with_step(self, index: int, frame: _Frame) -> tuple[int, _Frame]:
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

    def _keyword_step(self, index: int, frame: _Frame) -> int | None:
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
            frame.scope = _Scope(frame.scope.parent)
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

    def _starts_query(self, index: int, frame: _Frame) -> bool:
        """
        Whether TABLE at *index* is a query of its own (TABLE orders), not a part of something else.
        """
        previous = self.words[index - 1] if index else ""
        return frame.clause == "select" and (
            index == self.statement.first
            or previous in {"(", ")", "AS", "ALL", "DISTINCT", *_SET_OPERATIONS}
            or frame.outer is None
        )

    def _with(self, index: int, frame: _Frame) -> int:
        if self.word(index + 1) not in {"FUNCTION", "SESSION"}:
            frame.clause = "with"
            return index + 1
        frame.begin = self.behind_functions(index + 1)
        return frame.begin

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

    def _table_query(self, index: int, frame: _Frame) -> int:
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

    def _table_argument(self, index: int, frame: _Frame) -> int:
        """
        TABLE(…): an argument of a table function, which is a table or a query, or the call of one in FROM.
        """
        frame.expects_table = False
        if self._opens_query(index + 1):
            return index + 1
        name = self.name_at(index + 2)
        if name is None or self.symbol(name.after) == "(":
            return index + 1
        after = self.tokens.closing[index + 1] + 1
        if len(name.parts) > 1 or not frame.hides(self.text(name.parts[0]).lower()):
            self._add(name, frame, "source")
            return self._alias(self.found[-1], after)
        return after

    def _copartition(self, opening: int, frame: _Frame) -> int:
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

    def _table_step(self, index: int, frame: _Frame) -> tuple[int, _Frame]:
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
            frame.scope.common.append(self._visible_name(common))
            return name.after, frame
        self._add(name, frame, "source")
        after = self._alias(self.found[-1], name.after)
        # What stands behind FOR … AS OF is an expression like any other.
        return (name.after if self.word(name.after) == "FOR" else after), frame

    def _refuse_unquoted(self, index: int, name: _Name) -> None:
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

    def _add(self, name: _Name, frame: _Frame, role: Role) -> None:
        if not frame.scope.tables:
            self.scopes.append(frame.scope)
        frame.scope.tables.append(len(self.found))
        self.found.append(self._found(name, role))

    def _found(self, name: _Name, role: Role) -> _Found:
        return _Found(
            parts=self.texts(name),
            quoted=tuple(self.kinds[index] == QUOTED for index in name.parts),
            span=self.tokens.span(name.parts[0], name.parts[-1]),
            role=role,
        )

    def _alias(self, found: _Found, index: int) -> int:
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

    # --- columns

    def references(self) -> tuple[Reference, ...]:
        self._drop_clashing_aliases()
        for scope, name in self.columns:
            self._attach(scope, name)
        ordered = sorted(self.found, key=lambda found: found.span.start)
        return tuple(
            Reference(
                parts=found.parts,
                quoted=found.quoted,
                span=found.span,
                role=found.role,
                column_spans=tuple(found.column_spans),
                alias_at=found.alias_at,
                alias=found.alias,
            )
            for found in ordered
        )

    def _attach(self, scope: _Scope, name: _Name) -> None:
        """
        Give a qualified column to the table that it means: the nearest one with that whole name, else the nearest
        one that is visible under the first part, or whose name ends with the parts before the column.
        """
        parts = tuple(part.lower() for part in self.texts(name))
        longest = len(parts) if name.has_star else len(parts) - 1
        where: _Scope | None = scope
        while where is not None:
            for length in range(longest, 2, -1):
                found = self._visible_in(where).get(parts[:length])
                if found is not None and len(found.parts) == length:
                    self._qualify(found, name, length)
                    return
            where = where.parent
        where = scope
        while where is not None:
            visible = self._visible_in(where)
            for length in (1, *range(longest, 1, -1)):
                found = visible.get(parts[:length])
                if found is not None:
                    self._qualify(found, name, length)
                    return
            where = where.parent

    def _qualify(self, found: _Found, name: _Name, length: int) -> None:
        """
        The first *length* parts of *name* mean the table; where it has or can have an alias, one part stays.
        """
        if length > 1 or (found.alias_name is None and found.alias_at is None):
            span = self.tokens.span(name.parts[0], name.parts[length - 1])
            found.column_spans.append(span)

    def _visible_in(self, scope: _Scope) -> dict[tuple[str, ...], _Found]:
        """
        What can stand before a column at *scope*: each table's alias, and every end of its name.
        """
        if scope.visible is None:
            scope.visible = {}
            for found in (self.found[index] for index in scope.tables):
                own = tuple(part.lower() for part in found.parts)
                scope.visible.setdefault((self._visible_name(found),), found)
                for start in range(len(own) - 1):
                    scope.visible.setdefault(own[start:], found)
        return scope.visible

    def _drop_clashing_aliases(self) -> None:
        """
        A table has no implied alias where another of its scope is seen under that name: whole names tell them apart.
        """
        for scope in self.scopes:
            tables = [self.found[index] for index in scope.tables]
            names = Counter([*map(self._visible_name, tables), *scope.common])
            for found in tables:
                if names[self._visible_name(found)] > 1:
                    found.alias_at = None

    def _visible_name(self, found: _Found) -> str:
        return (found.alias_name or found.parts[-1]).lower()
