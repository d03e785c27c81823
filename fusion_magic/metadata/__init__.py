"""
What is known of tables and files: the port, and the values that pass through it.

``catalog_file`` reads a catalog file; packages add other sources by the entry point ``fusion_magic.metadata``. The port is shaped for a REST API behind it: names are
looked up in batches, searches come in pages, and ``version`` tells when a cached answer
is stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from fusion_magic.sql.connectors import CatalogSource

EntityKind = Literal["table", "view", "container"]


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column, its type in Trino's words (``decimal(15,2)``), or None where nobody wrote it down.
    """

    name: str
    type: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileSet:
    """
    The files that a container stands for.

    Attributes:
        place: A folder or a file: ``s3://lake/raw/clicks``.
        formats: How they are written and compressed, in OpenMetadata's words: ``csv``, ``parquet``, ``gz``.
        is_partitioned: Whether folders below hold values of columns.
    """

    place: str
    formats: tuple[str, ...] = ()
    is_partitioned: bool = False


@dataclass(frozen=True, slots=True)
class Entity:
    """
    One table, view or container.

    Attributes:
        id: UUID text, stable for the name.
        fqn: The FQN, quoted as OpenMetadata quotes it.
        trino_parts: The unquoted parts of its Trino name, three of them as a rule.
        source: What DuckDB reads, with relative paths made absolute; None where there is none.
        deprecated: Why not to use it any more, or None.
        deleted: Who deleted it and when, for one that may be restored; None for what is there.
        alerts: What somebody who reads it should know, a sentence each: a test of its data that failed, a draft.
        files: What a container stands for, where a metadata server tells it; else None.
        as_of: When this was known, aware, where it is old because the metadata server does not answer; else None.
    """

    id: str
    fqn: str
    kind: EntityKind
    trino_parts: tuple[str, ...]
    source: str | None = None
    description: str | None = None
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deprecated: str | None = None
    columns: tuple[Column, ...] = ()
    deleted: str | None = None
    alerts: tuple[str, ...] = ()
    as_of: datetime | None = None
    files: FileSet | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """
    What is known of one entity beside its names, for a person.

    Attributes:
        facts: Headings and texts, in the order in which they are shown.
        columns: For a column's name, what its data were last found to be: ``120 different, 3 NULL, 1 to 9``.
        page: The address of its page, or empty.
    """

    facts: tuple[tuple[str, str], ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    page: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """
    Two tables' columns that queries have joined.

    Attributes:
        column: Of the entity that was asked about, as ``other_column`` is of the other one.
        other_fqn: The other table's FQN.
        number: How many queries did.
    """

    column: str
    other_fqn: str
    other_column: str
    number: int


@dataclass(frozen=True, slots=True)
class EntityPage:
    """
    Some of the entities that were asked for; ``after`` asks for the next ones, None at the end.
    """

    entities: tuple[Entity, ...]
    after: str | None = None


class Metadata(Protocol):
    """
    A source of entities, safe to use from several threads.
    """

    def about(self) -> str:
        """
        Where the names come from, for a person and without secrets; empty where there is nothing. A server may be asked.
        """
        ...

    def version(self) -> str:
        """
        A text that changes when any answer may have changed. Cheap; called for each cell.
        """
        ...

    def find_by_fqn(self, fqns: Sequence[str]) -> Mapping[str, Entity]:
        """
        The entities with exactly these FQNs (canonical quoting), by FQN; unknown ones are left out.
        """
        ...

    def find_ignoring_case(self, fqns: Sequence[str]) -> Mapping[str, tuple[Entity, ...]]:
        """
        All entities whose FQN differs from an asked one at most in case, by the asked FQN.
        """
        ...

    def find_by_trino_name(
        self, names: Sequence[tuple[str, ...]]
    ) -> Mapping[tuple[str, ...], Entity]:
        """
        The entities with these Trino names (unquoted parts, case ignored), by the asked name.
        """
        ...

    def similar(self, fqn: str, *, limit: int = 3) -> tuple[str, ...]:
        """
        Up to *limit* FQNs that somebody who wrote *fqn* may have meant, best first.
        """
        ...

    def search(self, text: str, *, limit: int = 20, after: str | None = None) -> EntityPage:
        """
        Entities whose name, description, columns, owners or tags hold the words of *text*, best first.
        """
        ...

    def complete(self, prefix: str, *, limit: int = 100) -> tuple[str, ...]:
        """
        What can follow in an FQN that starts with *prefix*: the FQNs' texts up to the next dot.
        """
        ...

    def entities_below(self, fqn: str) -> Iterable[Entity]:
        """
        All entities of a service, a database or a schema, or of a folder of containers, by its FQN; in order, deleted ones left out.
        """
        ...

    def changed(self, entity: Entity) -> datetime | None:
        """
        When the entity's rows changed last, aware; None where that is not known.
        """
        ...

    def details(self, entity: Entity) -> Details:
        """
        What is known of *entity* beside what it carries: usage, tests, figures of its data. Asked for one at a time.
        """
        ...

    def joins(self, entity: Entity) -> Sequence[Join]:
        """
        How *entity* was joined with others lately, as far as the source knows, most first.
        """
        ...

    def trino_schema(self, schema: Sequence[str]) -> tuple[str, ...] | None:
        """
        The catalog and schema in Trino of the tables under the FQN with the parts *schema*.

        None where there is no such schema, or its tables lie in several of Trino's.
        """
        ...

    def catalog_source(self, fqn: str, *, is_fresh: bool = False) -> CatalogSource | None:
        """
        How what stands behind the catalog of *fqn* (a table, a schema, a database or a service without any) is reached.

        None where that is not known, or no such service or database is there. Holds no secret. With *is_fresh*, nothing that
        was answered before counts.
        """
        ...

    def services(self) -> Mapping[str, int]:
        """
        Each service's name (first part of the FQNs) and how many entities it has.
        """
        ...
