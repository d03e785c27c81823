"""
The tables that a statement's own words name: ``INSERT INTO t``, ``DROP TABLE t``, ``GRANT … ON t`` …
"""

from __future__ import annotations

from fusion_magic.errors import UnsupportedSql
from fusion_magic.sql.references.model import DottedName, Frame, Role
from fusion_magic.sql.references.tables import TableScan


class HeadScan(TableScan):
    """
    A reader for each kind of statement, by its first word.
    """

    def _head(self, first: int, frame: Frame) -> int:
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

    def _named(self, index: int, frame: Frame, role: Role) -> int:
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

    def _create(self, first: int, frame: Frame) -> int:
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

    def _likes(self, opening: int, frame: Frame) -> None:
        index = opening + 1
        while index < self.tokens.closing[opening]:
            if self.word(index) == "LIKE" and self.words[index - 1] in {"(", ","}:
                self._named(index + 1, frame, "other")
            index = self.tokens.closing[index] + 1 if self.symbol(index) == "(" else index + 1

    def _insert(self, first: int, frame: Frame) -> int:
        after = self._named(first + 2, frame, "target")
        if self.symbol(after) == "(" and not self.opens_query(after):
            after = self.tokens.closing[after] + 1
        return after

    def _update(self, first: int, frame: Frame) -> int:
        return self._named(first + 1, frame, "target")

    def _delete(self, first: int, frame: Frame) -> int:
        return self._named(first + 2, frame, "other")

    def _merge(self, first: int, frame: Frame) -> int:
        after = self._named(first + 2, frame, "target")
        if self.found:
            after = self._alias(self.found[-1], after)
        if self.word(after) == "USING":
            frame.clause, frame.expects_table, frame.is_query = "from", True, True
            return after + 1
        return after

    def _drop_or_alter(self, first: int, frame: Frame) -> int:
        index = first + 1 + (self.word(first + 1) == "MATERIALIZED")
        if self.word(index) not in {"TABLE", "VIEW"}:
            return self.count
        after = self._named(index + 1, frame, "other")
        if self.word(after) == "RENAME" and self.word(after + 1) == "TO":
            return self._named(after + 2, frame, "other")
        return after

    def _show(self, first: int, frame: Frame) -> int:
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

    def _comment(self, first: int, frame: Frame) -> int:
        what = self.word(first + 2)
        if what in {"TABLE", "VIEW"}:
            return self._named(first + 3, frame, "other")
        name = self.name_at(first + 3) if what == "COLUMN" else None
        if name is not None and len(name.parts) > 1:
            self._add(DottedName(name.parts[:-1], name.after), frame, "other")
        return self.count

    def _grant(self, first: int, frame: Frame) -> int:
        index = first
        while index < self.count and self.word(index) != "ON":
            index += 1
        is_other = self.word(index + 1) in {"SCHEMA", "CATALOG", "FUNCTION", "QUERY"}
        if is_other and self.is_part(index + 2):
            return self.count
        self._named(index + 1 + (self.word(index + 1) in {"TABLE", "VIEW"}), frame, "other")
        return self.count

    def _execute(self, first: int, frame: Frame) -> int:
        if self.word(first + 1) == "IMMEDIATE":
            raise UnsupportedSql(
                "EXECUTE IMMEDIATE holds its statement in a string, in which names are not translated.",
                hint="Write the statement itself, with :name parameters for its values.",
                span=self.tokens.span(first, first + 1),
            )
        return self.count
