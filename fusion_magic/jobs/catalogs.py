"""
Catalogs of the engine for names whose database has none there yet: made, made anew and dropped.

A catalog that is there is used, whoever made it. One that is made is written down in the store, with what it leads to and a digest
of how it was made, so that only such a one is ever changed or dropped, and only while no query uses it. Where a process dies
between the two, the catalog counts as somebody else's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from fusion_magic.errors import InvalidArgument, MissingCatalog
from fusion_magic.sql.create_catalog import CatalogPlan, plan_catalog
from fusion_magic.sql.edits import format_trino_name
from fusion_magic.sql.fqn import format_fqn, parse_fqn
from fusion_magic.store import MadeCatalog

if TYPE_CHECKING:
    from fusion_magic.engines import CatalogMaker, Engine
    from fusion_magic.jobs.translate import Translation
    from fusion_magic.metadata import Metadata
    from fusion_magic.sql.connectors import CatalogSource
    from fusion_magic.sql.references import Reference
    from fusion_magic.store import Store

CLAIM_S = 120.0  # to drop one and make it anew
PATIENCE_S = 5.0  # with another process that makes the same
_PAUSE_S = 0.1
Action = Literal["stays", "make anew", "drop", "forget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRules:
    """
    What the settings say of catalogs.

    Attributes:
        create: ``never``, ``ask`` or ``always``.
        properties: Those of connectors, by the FQN of a service or a database.
        metadata_url: Where names are looked up, without secrets.
        owner: Who runs the jobs.
    """

    create: str = "never"
    properties: Mapping[str, Mapping[str, str]]
    metadata_url: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogChange:
    """
    What becomes of one catalog that was made.

    Attributes:
        plan: How it is made anew; None where it is not.
    """

    made: MadeCatalog
    action: Action
    why: str
    plan: CatalogPlan | None = None


class CatalogKeeper:
    """
    The catalogs of one engine. Safe to use from several threads.
    """

    def __init__(
        self, engine: Engine, metadata: Metadata, store: Store, rules: CatalogRules
    ) -> None:
        self._engine = engine
        self._metadata = metadata
        self._store = store
        self._rules = rules

    def ensure(self, translation: Translation, *, is_allowed: bool) -> None:
        """
        Make the catalogs that a statement's names need and the engine lacks.

        Args:
            is_allowed: Whether the statement's author has said so.

        Raises:
            MissingCatalog: One cannot be made, or its making wants to be allowed; carries the name's span.
            QueryFailed: The engine does not make it.
            InvalidArgument: The author has allowed it, and the settings never do.
        """
        if self._rules.create == "never":
            if is_allowed:
                raise InvalidArgument(
                    "--create-catalogs has no effect: engine.create_catalogs is never.",
                    hint='engine.create_catalogs = "ask" lets a cell allow it.',
                )
            return
        maker = self._engine.catalog_maker
        if maker is None:
            return
        is_allowed = is_allowed or self._rules.create == "always"
        for reference, catalog, fqn in _named(translation):
            try:
                self._ensure_one(maker, catalog, fqn, is_allowed=is_allowed)
            except MissingCatalog as error:
                error.span, error.sql = reference.place, translation.statement.text
                raise

    def changes(self) -> list[CatalogChange]:
        """
        What is to be done about the catalogs that were made for this metadata, each looked up anew.

        Raises:
            MetadataError: The metadata cannot be asked; nothing follows from that.
        """
        if self._engine.catalog_maker is None:
            return []
        return [
            self._change(made)
            for made in self._store.catalogs.of(self._place)
            if made.metadata_url == self._rules.metadata_url
        ]

    def apply(self, change: CatalogChange) -> str:
        """
        Do it; what was done, for a person.

        Raises:
            InvalidArgument: The settings forbid it.
            QueryFailed: The engine does not do it.
        """
        made, maker = change.made, self._engine.catalog_maker
        if self._rules.create == "never":
            raise InvalidArgument(
                "Catalogs are neither made nor dropped: engine.create_catalogs is never.",
                hint='Set engine.create_catalogs = "ask"; --dry-run shows what would be done.',
            )
        if maker is None or change.action == "stays":
            return "stays"
        if not self._store.catalogs.claim(made, seconds=CLAIM_S):
            return "is being changed by another process"
        if change.plan is not None:
            self._remake(maker, change.plan)
            return "made anew"
        if change.action == "drop":
            maker.drop(made.name)
        self._store.catalogs.forget(made)
        return "dropped" if change.action == "drop" else "forgotten"

    @property
    def _place(self) -> str:
        return self._engine.dataset_namespace() or self._engine.name

    def _ensure_one(self, maker: CatalogMaker, catalog: str, fqn: str, *, is_allowed: bool) -> None:
        made = self._made(catalog)
        is_there = catalog in self._engine.catalogs()
        if is_there and made is None:
            return
        source = self._metadata.catalog_source(fqn)
        if source is None or source.catalog != catalog:
            return
        if is_there and made is not None:
            self._require_same(made, source)
            if is_allowed:
                self._renew(maker, made, source)
            return
        plan = plan_catalog(source, self._rules.properties)
        if not is_allowed:
            raise _asks(plan, fqn)
        self._make(maker, plan, source)

    def _make(self, maker: CatalogMaker, plan: CatalogPlan, source: CatalogSource) -> None:
        if maker.make(plan):
            self._record(plan)
            return
        # Somebody was quicker: a job like this one, or a person, who writes nothing down.
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            made = self._made(plan.name)
            if made is not None:
                self._require_same(made, source)
                return
            time.sleep(_PAUSE_S)

    def _renew(self, maker: CatalogMaker, made: MadeCatalog, source: CatalogSource) -> None:
        """
        Make a catalog anew whose connection has changed, unless it is in use: then the old one serves on.
        """
        try:
            plan = plan_catalog(source, self._rules.properties)
        except MissingCatalog:
            return  # it is there, whatever may be seen of its connection now
        if plan.digest == made.digest or self._is_used(maker, made.name):
            return
        if self._store.catalogs.claim(made, seconds=CLAIM_S):
            self._remake(maker, plan)
        else:
            self._wait_for(made)

    def _remake(self, maker: CatalogMaker, plan: CatalogPlan) -> None:
        maker.drop(plan.name)
        if maker.make(plan):
            self._record(plan)

    def _wait_for(self, made: MadeCatalog) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self._made(made.name) == made and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)

    def _record(self, plan: CatalogPlan) -> None:
        self._store.catalogs.record(
            MadeCatalog(
                engine=self._place,
                name=plan.name,
                metadata_url=self._rules.metadata_url,
                source_fqn=plan.source,
                digest=plan.digest,
                owner=self._rules.owner,
                made=datetime.now(UTC),
            )
        )

    def _made(self, catalog: str) -> MadeCatalog | None:
        known = self._store.catalogs.of(self._place)
        return next((made for made in known if made.name == catalog), None)

    def _require_same(self, made: MadeCatalog, source: CatalogSource) -> None:
        """
        Two databases whose catalogs would be called alike must not be taken for one another.
        """
        if (made.metadata_url, made.source_fqn) == (self._rules.metadata_url, source.fqn):
            return
        raise MissingCatalog(
            f"{source.fqn} would be the catalog {made.name}, which was made for {made.source_fqn} of {made.metadata_url}.",
            hint=f'The settings give one of them another name: [tool.fusion.catalogs] "{source.fqn}" = "…".',
        )

    def _is_used(self, maker: CatalogMaker, catalog: str) -> bool:
        prefix = f"{format_trino_name([catalog])}."
        return self._store.catalogs.is_named(prefix) or maker.is_used(catalog)

    def _change(self, made: MadeCatalog) -> CatalogChange:
        maker = self._engine.catalog_maker
        if made.name not in self._engine.catalogs() or maker is None:
            return CatalogChange(
                made=made, action="forget", why="the engine does not have it any more"
            )
        action, why, plan = self._wanted(made)
        if action != "stays" and self._is_used(maker, made.name):
            return CatalogChange(made=made, action="stays", why=f"{why}, but it is in use")
        return CatalogChange(made=made, action=action, why=why, plan=plan)

    def _wanted(self, made: MadeCatalog) -> tuple[Action, str, CatalogPlan | None]:
        source = self._metadata.catalog_source(made.source_fqn, is_fresh=True)
        if source is None:
            return "drop", f"{made.source_fqn} is not in the metadata any more", None
        if source.catalog != made.name:
            return "drop", f"{source.fqn} is the catalog {source.catalog} now", None
        try:
            plan = plan_catalog(source, self._rules.properties)
        except MissingCatalog as error:
            return "stays", error.message, None
        if plan.digest == made.digest:
            return "stays", "nothing has changed", None
        return "make anew", "its connection has changed", plan


def _named(translation: Translation) -> Iterator[tuple[Reference, str, str]]:
    """
    One name for each catalog and database that a statement needs.
    """
    seen = set()
    for reference, resolved in zip(translation.references, translation.resolved, strict=True):
        if resolved.fqn is None or len(resolved.trino_parts) < 2:
            continue
        catalog = resolved.trino_parts[0]
        place = (catalog, format_fqn(parse_fqn(resolved.fqn).parts[:2]))
        if place not in seen:
            seen.add(place)
            yield reference, catalog, resolved.fqn


def _asks(plan: CatalogPlan, fqn: str) -> MissingCatalog:
    secrets = (
        f" Its secrets are {', '.join(plan.variables)} where it runs." if plan.variables else ""
    )
    return MissingCatalog(
        f"{fqn} lies in the catalog {plan.name}, which the engine does not have. It is made by: {plan.statement}",
        hint=f"--create-catalogs lets this statement make it; engine.create_catalogs = always lets every one.{secrets}",
    )
