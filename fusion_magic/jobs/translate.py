"""
One statement's text to what the engine can run: steps 4 to 6 of a cell's way.

Nothing is run here and no job is written; ``Fusion.translate`` and ``--dry-run`` end here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from fusion_magic.engines import Engine, EngineQuery
from fusion_magic.errors import FusionError, InvalidSql, QueryFailed, UnsupportedSql
from fusion_magic.jobs.options import Parameters, WriteTarget
from fusion_magic.jobs.resolve import NameResolver, ResolvedName
from fusion_magic.metadata import Column, Entity
from fusion_magic.sql.analysis import StatementAnalysis, analyse, edits_of
from fusion_magic.sql.edits import Edit, apply_edits, format_trino_name, shift_span
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.messages import with_written_names
from fusion_magic.sql.references import Reference, find_written_query
from fusion_magic.sql.statement import VIEW_MAKERS, Statement, parse_statement
from fusion_magic.sql.write_into import (
    Writing,
    is_taken,
    taken_hint,
    taken_reference,
    target_reference,
    writing_hint,
)
from fusion_magic.store import ModelRow

if TYPE_CHECKING:
    from fusion_magic.sql.lineage import Lineage

TRANSACTIONS = frozenset({"START TRANSACTION", "COMMIT", "ROLLBACK"})


@dataclass(frozen=True, kw_only=True)
class Translation:
    """
    A statement with its names resolved.

    Attributes:
        statement: The user's statement.
        references: Where it names tables, and ``resolved`` what each stands for, in the same order; the table that its
            rows are written to, given beside it, comes last.
        converted_query: What the engine can run as it stands.
        models: The FusionModel rows, one a name, in the order of the text.
        limit: The outermost query's limit, in rows, or None; ``offset`` likewise.
        edits: What was replaced, in places of the user's text.
        prefix: For a USE statement, what it sets; else None.
        writing: The kind of the statement that writes the query's rows to a table given beside it; else empty.
        session: What the engine's session was where a background job was submitted; None for the engine's own.
    """

    statement: Statement
    references: tuple[Reference, ...]
    resolved: tuple[ResolvedName, ...]
    converted_query: str
    models: tuple[ModelRow, ...]
    limit: int | None
    offset: int | None
    edits: tuple[Edit, ...]
    prefix: tuple[str, ...] | None = None
    writing: str = ""
    session: Mapping[str, str] | None = None

    @property
    def kind(self) -> str:
        """
        What the engine is sent, in the words of ``Statement.kind``.
        """
        return self.writing or self.statement.kind

    @property
    def is_query(self) -> bool:
        """
        Whether it gives rows and writes nothing.
        """
        return self.statement.is_query and not self.writing

    @cached_property
    def lineage(self) -> Lineage:
        """
        Sources, targets and column edges, by the names that the SQL wrote.
        """
        schema = tuple(
            (
                written_name(reference),
                tuple((c.name, c.type or "") for c in resolved.entity.columns),
            )
            for reference, resolved in zip(self.references, self.resolved, strict=True)
            if resolved.entity is not None and resolved.entity.columns
        )
        return _extract_lineage(self.statement.text, schema)

    @property
    def entities(self) -> dict[tuple[str, ...], Entity]:
        """
        The entities by the unquoted parts of their Trino names.
        """
        return {r.trino_parts: r.entity for r in self.resolved if r.entity is not None}

    def engine_query(
        self, job_id: str, *, tags: tuple[str, ...] = (), max_scan_bytes: int | None = None
    ) -> EngineQuery:
        """
        What the engine is given.
        """
        return EngineQuery(
            sql=self.converted_query,
            job_id=job_id,
            entities=self.entities,
            targets=tuple(
                resolved.trino_parts
                for reference, resolved in zip(self.references, self.resolved, strict=True)
                if reference.role != "source"
            ),
            tags=tags,
            is_query=self.is_query,
            session=self.session,
            max_scan_bytes=max_scan_bytes,
        )

    def explained_query(self) -> EngineQuery:
        """
        What the engine is asked about: the statement, or the query whose rows it writes.

        Explaining the whole of CREATE TABLE AS makes the table, on some of Trino's connectors.
        """
        query = self.engine_query("")
        span = find_written_query(parse_statement(query.sql))
        if span is None:
            return query
        # Places in the text stay where they are.
        before = re.sub(r"[^\n]", " ", query.sql[: span.start])
        return replace(query, sql=before + query.sql[span.start : span.end], targets=())

    def located(self, error: FusionError) -> FusionError:
        """
        *error*, which the engine raised, in the user's words: its span in the user's text, tables by their FQNs.
        """
        if error.sql is None:
            if error.span is not None:
                error.span = shift_span(self.edits, error.span)
                error.sql = self.statement.text
            self._explain_taken_name(error)
        if error.hint is None:
            error.hint = self._catalog_way(error) or writing_hint(error.message)
        error.message = with_written_names(error.message, self._fqns)
        return error

    def _catalog_way(self, error: FusionError) -> str | None:
        """
        What to do where the engine does not have the catalog of a name that the metadata knows.
        """
        if not isinstance(error, QueryFailed) or error.error_name != "CATALOG_NOT_FOUND":
            return None
        known = (r.entity for r in self.resolved if r.entity is not None)
        lost = [entity for entity in known if f"'{entity.trino_parts[0]}'" in error.message]
        return _catalog_hint(lost[0]) if lost else None

    @property
    def _fqns(self) -> dict[tuple[str, ...], str]:
        """
        The FQNs of those that have one, by the unquoted parts of their Trino names.
        """
        return {r.trino_parts: r.fqn for r in self.resolved if r.fqn is not None}

    def _explain_taken_name(self, error: FusionError) -> None:
        """
        Engines know a table that exists already by its inner name alone: name it as the user did, and the ways on.
        """
        index = taken_reference(self.statement, self.references)
        if index is None or not isinstance(error, QueryFailed) or not is_taken(error.message):
            return
        reference, resolved = self.references[index], self.resolved[index]
        name = resolved.fqn or written_name(reference)
        error.hint = taken_hint(self.kind, name, error.message, is_beside=reference.place is None)
        error.message = f"{name} already exists."
        error.span = reference.place
        error.sql = self.statement.text if reference.place is not None else None


def _catalog_hint(entity: Entity) -> str:
    service = format_fqn(parse_fqn(entity.fqn).parts[:1])
    if entity.files is not None:
        return (
            f"{entity.fqn} is a set of files. files.trino_schema names a schema of Trino's Hive connector in which such are read; "
            f'or [tool.fusion.catalogs] {service} = "…" names a catalog that has a table of that name.'
        )
    return (
        f"{entity.fqn} is looked for in the catalog {entity.trino_parts[0]}. The settings name another: "
        f'[tool.fusion.catalogs] {service} = "…"; so does the property trinoCatalog of its database in OpenMetadata, and '
        'trino: in a catalog file. engine.create_catalogs = "ask" lets it be made.'
    )


def written_name(reference: Reference) -> str:
    """
    The reference's name as lineage writes it: unquoted parts in lower case, joined by dots.
    """
    return ".".join(
        part if quoted else part.lower()
        for part, quoted in zip(reference.parts, reference.quoted, strict=True)
    )


@lru_cache(maxsize=256)
def _extract_lineage(
    text: str, schema: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
) -> Lineage:
    from fusion_magic.sql.lineage import extract_lineage

    return extract_lineage(text, schema={table: dict(columns) for table, columns in schema})


def translate(
    text: str,
    names: NameResolver,
    *,
    params: Parameters | None = None,
    limit: int | None = None,
    into: WriteTarget | None = None,
) -> Translation:
    """
    Translate one statement.

    Args:
        text: The statement, with or without its semicolon.

        names: What resolves its references.

        params: Values for ``:name`` placeholders: a mapping, or a function that raises ``KeyError``
            for a name that it does not have.

        limit: Most rows that the outermost query may give, or None.

        into: The table that its rows are written to, or None.

    Raises:
        UsageError: The text, a name or a parameter is wrong; ``sql`` and ``span`` say where.
    """
    try:
        analysis = analyse(text)
        if analysis.use is not None:
            return _translate_use(analysis, names)
        return _prepare(analysis, names, params, limit, into)
    except FusionError as error:
        if error.sql is None:
            error.sql = text
        raise


def _prepare(
    analysis: StatementAnalysis,
    names: NameResolver,
    params: Parameters | None,
    limit: int | None,
    into: WriteTarget | None,
) -> Translation:
    statement = analysis.statement
    if statement.kind in TRANSACTIONS:
        raise UnsupportedSql(
            f"{statement.kind} is not for cells: each is a job that is final when it ends, and a transaction "
            "could undo it afterwards.",
            hint="Every statement is a transaction of its own; MERGE or CREATE TABLE … AS do several changes in one.",
        )
    references = with_target(analysis.references, into)
    resolved = names.resolve(references)
    kind = into.kind if into is not None else statement.kind
    _refuse_temporary_in_views(kind, references, resolved)
    own = resolved[: len(analysis.references)]
    edits, paging = edits_of(
        analysis,
        [r.trino_parts if r.is_rewritten else None for r in own],
        values=_parameter_values(analysis, params),
        limit=limit,
        writing=Writing(resolved[-1].trino_parts, into.if_exists, into.made) if into else None,
    )
    return Translation(
        statement=statement,
        references=references,
        resolved=resolved,
        converted_query=apply_edits(statement.text, edits),
        models=_model_rows(resolved),
        limit=paging.limit,
        offset=paging.offset,
        edits=edits,
        writing=into.kind if into is not None else "",
    )


def _refuse_temporary_in_views(
    kind: str, references: tuple[Reference, ...], resolved: tuple[ResolvedName, ...]
) -> None:
    """
    A view would read one version of a stored result for ever, and on Trino a table that is gone.
    """
    if kind not in VIEW_MAKERS:
        return
    for reference, name in zip(references, resolved, strict=True):
        if name.is_temporary:
            raise UnsupportedSql(
                f"A view cannot read {name.fqn}, which the engine has for one statement at a time.",
                hint="Let the engine write its rows to a table (--into TABLE), and make the view of that.",
                span=reference.place,
            )


def with_target(
    references: tuple[Reference, ...], into: WriteTarget | None
) -> tuple[Reference, ...]:
    """
    *references*, and behind them the table that the rows are written to.
    """
    return (*references, target_reference(into.table)) if into is not None else references


def _parameter_values(analysis: StatementAnalysis, params: Parameters | None) -> dict[str, object]:
    values: dict[str, object] = {}
    for placeholder in analysis.placeholders:
        try:
            values[placeholder.name] = (
                params(placeholder.name) if callable(params) else (params or {})[placeholder.name]
            )
        except KeyError:
            continue
    return values


def _model_rows(resolved: tuple[ResolvedName, ...]) -> tuple[ModelRow, ...]:
    rows = (
        ModelRow(
            model_id_of_om=(r.entity.id or None) if r.entity else None,
            fully_qualified_name=r.fqn,
            trino_model_name=format_trino_name(r.trino_parts),
        )
        for r in resolved
    )
    return tuple(dict.fromkeys(rows))


def _translate_use(analysis: StatementAnalysis, names: NameResolver) -> Translation:
    """
    USE sets a prefix here and sends nothing: names are completed before they are translated.
    """
    prefix = analysis.use or ()
    schema = names.metadata.trino_schema(prefix) if len(prefix) > 2 else prefix
    if schema is None:
        raise InvalidSql(
            f"No table is known under {format_fqn(prefix)}, or its tables lie in several schemas of Trino.",
            hint="`%fusion catalogs` lists the services; `%fusion search TEXT` finds names.",
        )
    if len(prefix) == 2 and prefix[0].lower() not in names.engine.catalogs():
        raise InvalidSql(
            f"The engine has no catalog {prefix[0]}.",
            hint=f"It has {', '.join(sorted(names.engine.catalogs())) or 'none'}.",
        )
    return Translation(
        statement=analysis.statement,
        references=(),
        resolved=(),
        converted_query=f"USE {format_trino_name(schema)}",
        models=(),
        limit=None,
        offset=None,
        edits=(),
        prefix=prefix,
    )


def with_columns(entities: Sequence[Entity], engine: Engine) -> list[Entity]:
    """
    *entities*, those without columns completed with what the engine says of them, where it can.
    """
    bare = [entity for entity in entities if not entity.columns]
    found = engine.describe(bare) if bare else {}
    return [
        replace(entity, columns=tuple(Column(n, t) for n, t in found[entity.fqn].items()))
        if entity.fqn in found
        else entity
        for entity in entities
    ]
