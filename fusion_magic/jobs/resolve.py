"""
References to entities and Trino names: the look-up, in its fixed order.

A reference that is no CTE is looked for as

    1. an alias given with ``--ref``
    2. the end of a name whose beginning ``USE service.database.schema`` set
    3. an FQN of the metadata, exactly; else the one that differs only in case
    4. a stored result's name, one part
    5. a Trino name that the metadata maps back to an FQN
    6. a table that an earlier job made under an FQN which the metadata does not know yet
    7. for a table that is being made: an FQN whose neighbours in the same schema are known
    8. a Trino name of a catalog that the engine has; it is sent as it is

and otherwise refused, before anything is sent to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fusion_magic.engines import Engine
from fusion_magic.errors import AmbiguousFqn, UnknownFqn, UnsupportedSql
from fusion_magic.metadata import Entity, Metadata
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.sql.references import Reference

TRINO_PARTS = 3
RESULT_SERVICE = ("fusion", "results")  # the FQN of a stored result begins so


@dataclass(frozen=True, slots=True)
class ResolvedName:
    """
    What one reference stands for.

    Attributes:
        trino_parts: The unquoted parts of its Trino name, three as a rule.
        entity: What the metadata knows of it; None for a bare Trino name and a table being made.
        fqn: Its FQN; None for a bare Trino name.
        is_rewritten: Whether the text must change; a Trino name stays as the user wrote it.
        is_temporary: Whether the engine has it for this statement alone, as it has stored results and files.
    """

    trino_parts: tuple[str, ...]
    entity: Entity | None
    fqn: str | None
    is_rewritten: bool
    is_temporary: bool = False


@dataclass(frozen=True, slots=True)
class NameResolver:
    """
    Everything that a look-up asks.

    Attributes:
        refs: Aliases: name to FQN text.
        prefix: What USE set: three parts of an FQN, or one or two of a Trino name; empty for nothing.
        find_made: The Trino name of a table that an earlier job made under that FQN, or None.
        find_result: The Parquet file of the newest stored result of that name, or None.
    """

    metadata: Metadata
    engine: Engine
    refs: Mapping[str, str]
    prefix: tuple[str, ...]
    find_made: Callable[[str], tuple[str, ...] | None]
    find_result: Callable[[str], str | None]
    _result_parts: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    _file_parts: dict[str, tuple[str, ...] | None] = field(default_factory=dict)

    def resolve(self, references: Sequence[Reference]) -> tuple[ResolvedName, ...]:
        """
        What each of *references* stands for, in the same order.

        Raises:
            UnknownFqn: Nothing resolves one of them; carries its span and similar names.
            AmbiguousFqn: One fits several FQNs that differ only in case.
        """
        if not references:
            return ()
        candidates = [self._candidates(reference) for reference in references]
        wanted = list(dict.fromkeys(fqn for fqns in candidates for fqn in fqns))
        known = self.metadata.find_by_fqn(wanted)
        exact = {fqn: entity for fqn, entity in known.items() if entity.deleted is None}
        deleted = {fqn: entity.deleted for fqn, entity in known.items() if entity.deleted}
        missing = [
            fqn for fqns in candidates if not any(fqn in exact for fqn in fqns) for fqn in fqns
        ]
        folded = self.metadata.find_ignoring_case(missing) if missing else {}
        return tuple(
            self._resolve_one(reference, fqns, exact, folded, deleted)
            for reference, fqns in zip(references, candidates, strict=True)
        )

    def _candidates(self, reference: Reference) -> tuple[str, ...]:
        parts = reference.parts
        alias = self._alias(reference)
        if alias is not None:
            return (alias,)
        written = format_fqn(parts)
        kept = len(self.prefix) - len(parts) + 1
        if len(self.prefix) > TRINO_PARTS - 1 and kept > 0:
            return (format_fqn((*self.prefix[:kept], *parts)), written)
        return (written,)

    def _alias(self, reference: Reference) -> str | None:
        if len(reference.parts) != 1:
            return None
        name = reference.parts[0]
        for alias, fqn in self.refs.items():
            if alias == name or (not reference.quoted[0] and alias.lower() == name.lower()):
                return str(parse_fqn(fqn))
        return None

    def _resolve_one(
        self,
        reference: Reference,
        fqns: Sequence[str],
        exact: Mapping[str, Entity],
        folded: Mapping[str, tuple[Entity, ...]],
        deleted: Mapping[str, str],
    ) -> ResolvedName:
        for fqn in fqns:
            entities = (exact[fqn],) if fqn in exact else _there(folded.get(fqn, ()))
            if len(entities) > 1:
                raise AmbiguousFqn(
                    fqn, candidates=tuple(e.fqn for e in entities), span=reference.place
                )
            if entities:
                return self._as_known(entities[0], reference)
        found = (
            self._as_result(reference)
            or self._as_trino_name(reference)
            or self._as_new_table(reference, fqns)
        )
        if found is not None:
            return found
        gone = next((fqn for fqn in fqns if fqn in deleted), None)
        raise UnknownFqn(
            gone or fqns[-1],
            similar=self.metadata.similar(fqns[-1], limit=3),
            span=reference.place,
            why=deleted.get(gone or "", ""),
        )

    def _as_known(self, entity: Entity, reference: Reference) -> ResolvedName:
        if entity.files is None or reference.role != "source":
            return _known(entity)
        if entity.fqn not in self._file_parts:
            try:
                self._file_parts[entity.fqn] = self.engine.file_parts(entity)
            except UnsupportedSql as error:
                error.span = reference.place
                raise
        parts = self._file_parts[entity.fqn]
        if parts is None:
            return _known(entity)
        return replace(_known(replace(entity, trino_parts=parts)), is_temporary=True)

    def _as_result(self, reference: Reference) -> ResolvedName | None:
        name = result_name(reference.parts)
        path = self.find_result(name) if name is not None and reference.role == "source" else None
        if name is None or path is None:
            return None
        parts = self._result_parts.setdefault(name, self.engine.result_parts(name))
        if parts is None:
            raise UnsupportedSql(
                f"{name} is a stored result, which the engine {self.engine.name} cannot read from SQL.",
                hint="Let the engine write it to a table with --into TABLE, which later SQL can name; or let Trino read "
                "results through a Hive catalog (results.trino_schema).",
                span=reference.place,
            )
        fqn = result_fqn(name)
        entity = Entity("", fqn, "table", parts, source=path)
        return ResolvedName(entity.trino_parts, entity, fqn, is_rewritten=True, is_temporary=True)

    def _as_trino_name(self, reference: Reference) -> ResolvedName | None:
        parts = self._complete_trino_name(reference.parts)
        if len(parts) != TRINO_PARTS:
            return None
        is_rewritten = parts != reference.parts and len(self.prefix) > 0
        entity = self.metadata.find_by_trino_name([parts]).get(parts)
        if entity is not None:
            return ResolvedName(parts, entity, entity.fqn, is_rewritten)
        if parts[0].lower() not in self.engine.catalogs():
            return None
        is_short = len(reference.parts) < TRINO_PARTS
        if is_short and reference.role == "source" and not self.engine.has_table(parts):
            return None
        return ResolvedName(parts, None, None, is_rewritten)

    def _complete_trino_name(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """
        *parts* with the catalog and schema before them that USE or the engine's URL set.
        """
        default = self.engine.default_schema
        before = self.prefix if len(self.prefix) < TRINO_PARTS else ()
        if len(before) == 1:
            before = (*default[:1], *before)
        before = before or default
        kept = TRINO_PARTS - len(parts)
        return (*before[:kept], *parts) if 0 < kept <= len(before) else parts

    def _as_new_table(self, reference: Reference, fqns: Sequence[str]) -> ResolvedName | None:
        for fqn in fqns:
            made = self.find_made(fqn)
            if made is not None:
                return ResolvedName(made, None, fqn, is_rewritten=True)
        if reference.role == "source":
            return None
        for fqn in fqns:
            *schema, table = parse_fqn(fqn).parts
            before = self.metadata.trino_schema(schema) if schema else None
            if before is not None:
                return ResolvedName((*before, table.lower()), None, fqn, is_rewritten=True)
        return None


def result_fqn(name: str) -> str:
    """
    The FQN of a stored result.

    >>> result_fqn("daily_spend")
    'fusion.results.daily_spend'
    """
    return format_fqn((*RESULT_SERVICE, name))


def result_name(parts: Sequence[str]) -> str | None:
    """
    The stored result that a name of these parts can mean: ``daily_spend``, ``fusion.results.daily_spend``.
    """
    if len(parts) == 1:
        return parts[0]
    is_full = tuple(parts[:-1]) == RESULT_SERVICE
    return parts[-1] if is_full else None


def _there(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    return tuple(entity for entity in entities if entity.deleted is None)


def _known(entity: Entity) -> ResolvedName:
    return ResolvedName(entity.trino_parts, entity, entity.fqn, is_rewritten=True)


def find_entity(metadata: Metadata, fqn: str) -> Entity:
    """
    The entity with that FQN: exactly, else the one that differs only in case.

    Raises:
        InvalidFqn: The text is no FQN.
        UnknownFqn: Nothing has that name; carries similar ones.
        AmbiguousFqn: Several differ from it only in case.
    """
    canonical = str(parse_fqn(fqn))
    found = metadata.find_by_fqn([canonical]).get(canonical)
    if found is not None and found.deleted is None:
        return found
    folded = _there(metadata.find_ignoring_case([canonical]).get(canonical, ()))
    if len(folded) > 1:
        raise AmbiguousFqn(canonical, candidates=tuple(e.fqn for e in folded))
    if not folded:
        raise UnknownFqn(
            canonical,
            similar=metadata.similar(canonical, limit=3),
            why=(found and found.deleted) or "",
        )
    return folded[0]
