"""
What stands under the names of FROM: base tables, and the columns of queries with the base columns that they depend on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Base = tuple[str, str]  # table and column
Outputs = list[tuple[str, frozenset[Base]]]
# The name of all columns of tables whose columns are not known, in outputs and in bases.
OPEN = "*"


@dataclass(slots=True)
class Source:
    """
    What stands under one alias: a base table, or the columns of a query; neither for a table function.
    """

    table: str | None = None
    outputs: Outputs | None = None
    columns: tuple[str, ...] | None = None

    @property
    def fields(self) -> Outputs:
        """
        Its columns, as a star gives them.
        """
        if self.outputs is not None:
            return self.outputs
        if self.table is None:
            return []
        if self.columns is None:
            return [(OPEN, frozenset({(self.table, OPEN)}))]
        return [(column, frozenset({(self.table, column)})) for column in self.columns]

    @property
    def is_open(self) -> bool:
        """
        Whether it may have columns that are not known.
        """
        if self.outputs is not None:
            return any(name == OPEN for name, _ in self.outputs)
        return self.columns is None


@dataclass(slots=True)
class Scope:
    """
    What a query's expressions see.

    Attributes:
        sources: Names in lower case and what stands under them, in the order of FROM.
        fields: What ``*`` gives: the columns that USING has made one come first.
        using: Those columns, by their names in lower case.
        has_variables: Whether an unknown qualifier is a row pattern's variable.
    """

    sources: list[tuple[str, Source]] = field(default_factory=list)
    parent: Scope | None = None
    fields: Outputs = field(default_factory=list)
    using: dict[str, frozenset[Base]] = field(default_factory=dict)
    has_variables: bool = False

    def add(self, name: str, source: Source) -> None:
        self.sources.append((name, source))
        self.fields = [*self.fields, *source.fields]


def bases_of(source: Source, name: str) -> frozenset[Base]:
    """
    The base columns of one column; of a star whose columns are not known, the columns of that name.
    """
    if source.outputs is None:
        return frozenset() if source.table is None else frozenset({(source.table, name)})
    matching = [bases for column, bases in source.outputs if column.lower() == name.lower()]
    if matching:
        return frozenset().union(*matching)
    through = [bases for column, bases in source.outputs if column == OPEN]
    return frozenset((table, name) for bases in through for table, _ in bases)


def has_column(source: Source, name: str) -> bool:
    if source.outputs is not None:
        return any(column.lower() == name.lower() for column, _ in source.outputs)
    return source.columns is not None and name.lower() in {c.lower() for c in source.columns}
