"""
What is to be known of the tables that a statement reads, by the metadata: told in a cell, or a reason not to run it.

Each finding has a topic: a tag of OpenMetadata, or ``deleted``, ``deprecated``, ``draft``, ``tests``. The settings say which tags are told
(``governance.warn``) and which topics refuse a statement (``governance.refuse``) until somebody gives a reason (``--acknowledge``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fusion_magic.errors import RefusedByGovernance
from fusion_magic.jobs.limits import NO_LIMITS, Limits
from fusion_magic.jobs.lineage_rows import LineageRows, build_lineage_rows
from fusion_magic.jobs.options import RunOptions
from fusion_magic.jobs.translate import Translation
from fusion_magic.metadata import Entity

PERSONAL_DATA = (
    "PII"  # OpenMetadata's classification; its tags are PII.Sensitive, PII.NonSensitive, PII.None
)
HARMLESS = frozenset({"PII.None"})  # unless a setting names it
STATES = ("deleted", "deprecated", "draft", "tests")  # told always


@dataclass(frozen=True, slots=True)
class GovernanceRules:
    """
    What is told, and what refuses a statement.

    Attributes:
        warn: Tags, or classifications, that are told besides ``STATES``.
        refuse: Tags, classifications and topics that refuse a statement.
        limits: What a statement may read and give.
    """

    warn: Sequence[str] = (PERSONAL_DATA,)
    refuse: Sequence[str] = ()
    limits: Limits = NO_LIMITS


DEFAULT_RULES = GovernanceRules()
# Tables and their columns; None where that is not known.
Used = frozenset[tuple[str, str]] | None


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One sentence, and what it is about.
    """

    topic: str
    text: str


def find_notices(
    translation: Translation, lineage: LineageRows, rules: GovernanceRules
) -> tuple[str, ...]:
    """
    What is told of a statement that ran: one sentence where names are old, and one for each finding.

    A column counts where the result is computed from it; where the column lineage could not be
    had, every tagged column of the entity counts.
    """
    read = _read(translation)
    wanted = (*STATES, *rules.warn, *rules.refuse)
    found = _findings(read, _columns_used(translation, lineage), wanted)
    return (*_away(read.values()), *dict.fromkeys(finding.text for finding in found))


def refuse(translation: Translation, options: RunOptions, rules: GovernanceRules) -> None:
    """
    Raises:
        RefusedByGovernance: The statement reads what a rule refuses, and nobody has given a reason.
    """
    if not rules.refuse or options.acknowledge is not None:
        return
    lineage = build_lineage_rows(translation, origin=options.origin, result_name=options.name or "")
    used = _columns_used(translation, lineage)
    found = _findings(_read(translation), used, rules.refuse)
    texts = tuple(dict.fromkeys(finding.text for finding in found))
    if texts:
        raise RefusedByGovernance(texts)


def _read(translation: Translation) -> dict[str, Entity]:
    return {
        r.entity.fqn: r.entity
        for reference, r in zip(translation.references, translation.resolved, strict=True)
        if r.entity is not None and reference.role == "source"
    }


def _findings(read: Mapping[str, Entity], used: Used, wanted: Collection[str]) -> list[Finding]:
    """
    What concerns *wanted*, by topic and then by table.
    """
    found: list[Finding] = []
    for topic in STATES:
        if topic in wanted:
            found += [f for e in read.values() for f in _states(e) if f.topic == topic]
    return found + [f for e in read.values() for f in _tagged(e, used, wanted)]


def _states(entity: Entity) -> Iterator[Finding]:
    if entity.deleted:
        # Its FQN is refused; the engine's own name for it still leads to what the engine has.
        yield Finding("deleted", f"{entity.fqn}: {entity.deleted}")
    if entity.deprecated:
        yield Finding("deprecated", f"{entity.fqn} is deprecated: {entity.deprecated}")
    for alert in entity.alerts:
        topic = "draft" if "draft" in alert else "tests"
        yield Finding(topic, f"{entity.fqn}: {alert}")


def _tagged(entity: Entity, used: Used, wanted: Collection[str]) -> Iterator[Finding]:
    tags = _watched(entity.tags, wanted)
    if tags:
        yield Finding(tags[0], f"{entity.fqn} is tagged {_words(tags)}.")
        return
    tagged = [(c.name, _watched(c.tags, wanted)) for c in entity.columns]
    shown = [
        (name, tags)
        for name, tags in tagged
        if tags and (used is None or (entity.fqn, name) in used)
    ]
    if shown:
        names = ", ".join(f"{name} ({', '.join(tags)})" for name, tags in shown)
        is_personal = all(_is_personal(tag) for _, tags in shown for tag in tags)
        what = "personal data" if is_personal else "tagged columns"
        yield Finding(shown[0][1][0], f"{entity.fqn} gives {what}: {names}.")


def _columns_used(translation: Translation, lineage: LineageRows) -> Used:
    """
    The columns that the result is computed from.

    A query may be computed from none, as a count is; of a statement that is prepared or explained, nothing is known.
    """
    if lineage.missing or not (lineage.column_edges or translation.kind == "SELECT"):
        return None
    return frozenset((e.source_fqn, e.source_column) for e in lineage.column_edges)


def _watched(tags: Sequence[str], wanted: Collection[str]) -> list[str]:
    return [
        tag
        for tag in tags
        if tag in wanted or (tag.split(".", maxsplit=1)[0] in wanted and tag not in HARMLESS)
    ]


def _words(tags: Sequence[str]) -> str:
    named = ", ".join(tags)
    return f"as personal data ({named})" if all(map(_is_personal, tags)) else named


def _is_personal(tag: str) -> bool:
    return tag.split(".", maxsplit=1)[0] == PERSONAL_DATA


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
