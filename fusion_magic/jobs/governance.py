"""
What the user should know of the tables that a query reads, by the metadata.
"""

from __future__ import annotations

from collections.abc import Collection

from fusion_magic.jobs.lineage_rows import LineageRows
from fusion_magic.jobs.translate import Translation
from fusion_magic.metadata import Entity

PERSONAL_DATA = (
    "PII"  # OpenMetadata's classification; its tags are PII.Sensitive, PII.NonSensitive, PII.None
)
HARMLESS = frozenset({"PII.None"})


def find_notices(translation: Translation, lineage: LineageRows) -> tuple[str, ...]:
    """
    One sentence where names are old, one for each deprecated entity, and one for each that gives personal data.

    A column counts where the result is computed from it; where the column lineage could not be
    had, every tagged column of the entity counts.
    """
    read = {
        r.entity.fqn: r.entity
        for reference, r in zip(translation.references, translation.resolved, strict=True)
        if r.entity is not None and reference.role == "source"
    }
    deprecated = tuple(
        f"{e.fqn} is deprecated: {e.deprecated}" for e in read.values() if e.deprecated
    )
    alerts = tuple(f"{e.fqn}: {alert}" for e in read.values() for alert in e.alerts)
    personal = tuple(_personal_data(e, lineage) for e in read.values())
    return (*_away(read.values()), *deprecated, *alerts, *filter(None, personal))


def _away(entities: Collection[Entity]) -> tuple[str, ...]:
    """
    One sentence where names are old because the metadata server does not answer.
    """
    times = [e.as_of for e in entities if e.as_of is not None]
    if not times:
        return ()
    oldest = min(times).astimezone()
    return (
        f"The metadata server does not answer: names are as they were on {oldest:%Y-%m-%d at %H:%M}.",
    )


def _personal_data(entity: Entity, lineage: LineageRows) -> str | None:
    if any(_is_personal(tag) for tag in entity.tags):
        return f"{entity.fqn} is tagged as personal data ({_tags(entity.tags)})."
    tagged = [column for column in entity.columns if any(_is_personal(t) for t in column.tags)]
    if lineage.column_edges and not lineage.missing:
        used = {e.source_column for e in lineage.column_edges if e.source_fqn == entity.fqn}
        tagged = [column for column in tagged if column.name in used]
    if not tagged:
        return None
    names = ", ".join(f"{c.name} ({_tags(c.tags)})" for c in tagged)
    return f"{entity.fqn} gives personal data: {names}."


def _is_personal(tag: str) -> bool:
    return tag.split(".", maxsplit=1)[0] == PERSONAL_DATA and tag not in HARMLESS


def _tags(tags: tuple[str, ...]) -> str:
    return ", ".join(tag for tag in tags if _is_personal(tag))
