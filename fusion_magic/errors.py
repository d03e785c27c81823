"""
Every exception of this package, split by who can act on it.

    FusionError
    ├── UsageError                 the author of the cell
    │   ├── InvalidFqn             text that is no fully qualified name
    │   ├── UnknownFqn             a name that nothing resolves
    │   ├── AmbiguousFqn           two names that differ only in case
    │   ├── InvalidSql             text that cannot be read as Trino SQL
    │   ├── UnsupportedSql         Trino SQL that this engine cannot run in the same meaning
    │   ├── RefusedByGovernance    a statement that reads what a rule refuses
    │   ├── MissingCatalog         a name's catalog is not on the engine, and is not made
    │   ├── InvalidArgument        an option of the magic, of a function or of the command line
    │   ├── InvalidParameter       a query parameter that is missing or has no literal form
    │   ├── InvalidCatalog         a mistake in catalog.yaml, with line and column
    │   ├── InvalidSettings        a mistake in the configuration
    │   ├── MissingExtra           an optional dependency that is not installed
    │   ├── BrokenPlugin           an installed engine, catalogue, receiver or command that cannot be loaded
    │   ├── ResultTooLarge         more rows than `results.max_memory` holds
    │   ├── UnknownJob             no job has that id
    │   ├── UnknownResult          no result is stored under that name
    │   └── NotAllowed             the job is somebody else's
    ├── EngineError                the engine's operator, or the author of the query
    │   ├── EngineUnavailable      the engine does not answer
    │   │   └── EngineRefuses      it does not let the user in
    │   ├── QueryGone              the engine no longer knows a query
    │   ├── QueryFailed            the engine refused or gave up the query
    │   │   └── EngineBusy         the engine has no room for the query now
    │   └── QueryCanceled          somebody stopped the query
    ├── JobFailed                  a background job that did not come to its end, read by who waits for it
    ├── JobTimeout                 a background job that takes longer than somebody wanted to wait
    ├── DeliveryError              a receiver of lineage did not take it; it is tried again
    │   ├── DeliveryPending        what it needs is under way, so that it waits without counting a try
    │   ├── ReceiverUnavailable    it does not answer, so that its rows wait however long that takes
    │   └── PermanentDeliveryError it never will
    ├── ResultsUnavailable         the keeper of the place where results are stored
    ├── MetadataError              the keeper of the metadata server
    │   ├── MetadataUnavailable    it does not answer
    │   └── MetadataRefuses        it does not let the token do that
    └── StoreError                 the keeper of the job store
        ├── StoreUnavailable       cannot be opened, read or written
        ├── StoreTooNew            a newer program has migrated it
        └── IllegalTransition      a job is not in the status that a change expects
            └── LeaseLost          another worker has taken the job

Messages name the value that was wrong; hints name the next step; the span lets a
cell underline the place. No message holds a secret: URLs are written without their
user information.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Span(NamedTuple):
    """
    A piece of a text, ``text[start:end]``, counted in characters from 0.
    """

    start: int
    end: int

    def shifted(self, by: int) -> Span:
        """
        The same piece in a text that has *by* more characters before it.
        """
        return Span(self.start + by, self.end + by)


class FusionError(Exception):
    """
    Base of all errors of this package.

    Args:
        message: What was wrong, in one or two sentences, naming the value.

        hint: What to do next, or None.

        span: Where in the SQL text of the cell, or None.

        query_id: The engine's id of the query, where there is one.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        span: Span | None = None,
        query_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.span = span
        self.query_id = query_id
        self.sql: str | None = None
        self.job_id: str | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        lines = [self.message]
        if self.sql is not None and self.span is not None:
            lines.extend(underline(self.sql, self.span))
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        if self.query_id:
            lines.append(f"Query id: {self.query_id}")
        return lines


def underline(text: str, span: Span, *, max_width: int = 100) -> list[str]:
    """
    The line of *text* in which *span* starts, and carets under it.

    Long lines are cut to *max_width* characters around the span, so that a query
    written in one line of a megabyte still gives a short error.
    """
    start = min(max(span.start, 0), len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    number = text.count("\n", 0, start) + 1
    left = max(line_start, start - max_width // 2)
    right = min(line_end, left + max_width)
    shown = "".join(" " if c in "\t\r" else c for c in text[left:right])
    width = max(1, min(span.end, right) - start)
    prefix = f"line {number}: " + ("…" if left > line_start else "")
    suffix = "…" if right < line_end else ""
    return [f"{prefix}{shown}{suffix}", " " * (len(prefix) + start - left) + "^" * width]


class UsageError(FusionError):
    """
    The author of the cell can mend it.
    """


class InvalidFqn(UsageError):
    """
    Text that is no fully qualified name.
    """


class UnknownFqn(UsageError):
    """
    A well-formed name that nothing resolves.
    """

    def __init__(
        self, name: str, *, similar: tuple[str, ...] = (), span: Span | None = None, why: str = ""
    ) -> None:
        super().__init__(
            f"No table or file is known under the name {name}. {why}".rstrip(),
            hint=(
                f"Did you mean {' or '.join(similar)}?"
                if similar
                else "`%fusion search TEXT` finds names; `%fusion catalogs` lists what is there."
            ),
            span=span,
        )
        self.name = name
        self.similar = similar


class AmbiguousFqn(UsageError):
    """
    A name that fits several others, which differ only in case.
    """

    def __init__(self, name: str, *, candidates: tuple[str, ...], span: Span | None = None) -> None:
        super().__init__(
            f"The name {name} fits {' and '.join(candidates)}, which differ only in case.",
            hint="Write it exactly as one of them.",
            span=span,
        )
        self.name = name
        self.candidates = candidates


class InvalidSql(UsageError):
    """
    Text that cannot be read as Trino SQL.
    """


class UnsupportedSql(UsageError):
    """
    Trino SQL that the configured engine cannot run in the same meaning.
    """


class RefusedByGovernance(UsageError):
    """
    A statement reads what ``governance.refuse`` names, or more than the limits allow, and nobody has said why that is right.
    """

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(
            " ".join(reasons),
            hint="--acknowledge REASON runs it all the same, and keeps the reason with the job.",
        )
        self.reasons = reasons


class MissingCatalog(UsageError):
    """
    The engine does not have the catalog of a name, and it cannot be made, or nobody has allowed that.
    """


class InvalidArgument(UsageError):
    """
    An option or argument that cannot be used as it stands.
    """


class InvalidParameter(UsageError):
    """
    A query parameter that is missing, or a value that has no SQL literal.
    """


class InvalidCatalog(UsageError):
    """
    A mistake in a catalog file; the message names file, line and column.
    """


class InvalidSettings(UsageError):
    """
    A mistake in the configuration; the message names the key and where it was set.
    """


class MissingExtra(UsageError):
    """
    An optional dependency that is not installed.
    """

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed.",
            hint=f"pip install 'fusion-magic[{extra}]'",
        )
        self.extra = extra


class BrokenPlugin(UsageError):
    """
    Another package brings an engine, a catalogue, a receiver or a command that cannot be loaded.
    """


class ResultTooLarge(UsageError):
    """
    More rows than the memory set aside for one result holds.
    """


class UnknownJob(UsageError):
    """
    No job has that id.
    """


class UnknownResult(UsageError):
    """
    No result is stored under that name.
    """


class NotAllowed(UsageError):
    """
    The job is somebody else's.
    """


class EngineError(FusionError):
    """
    The engine could not do what was asked.
    """


class EngineUnavailable(EngineError):
    """
    The engine does not answer, or refuses the connection.
    """


class EngineRefuses(EngineUnavailable):
    """
    The engine does not let the user in: asking again does not help.
    """


class QueryGone(EngineError):
    """
    The engine no longer knows a query: it was restarted, or nobody asked for the result in time.
    """


class QueryFailed(EngineError):
    """
    The engine refused the query, or gave it up.

    Args:
        error_name: The engine's own name of the error (``DIVISION_BY_ZERO``), or None.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        span: Span | None = None,
        query_id: str | None = None,
        error_name: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, span=span, query_id=query_id)
        self.error_name = error_name


class EngineBusy(QueryFailed):
    """
    The engine has no room for the query now: later it may take it.

    Args:
        is_begun: Whether the engine had begun it, so that only a query that writes nothing can be given again.
    """

    def __init__(self, message: str, *, is_begun: bool, **facts: Any) -> None:
        super().__init__(
            message,
            hint="Try again later, or with --async: a worker waits until there is room.",
            **facts,
        )
        self.is_begun = is_begun


class QueryCanceled(EngineError):
    """
    Somebody stopped the query: the cell's interrupt, a cancel, or the engine's operator.
    """


class JobFailed(FusionError):
    """
    A background job has failed; the text is what its worker recorded.
    """


class JobTimeout(FusionError, TimeoutError):
    """
    A background job is still running after the time that somebody wanted to wait.
    """


class DeliveryError(FusionError):
    """
    A receiver of lineage did not take a row; the scheduler tries again.
    """


class ReceiverUnavailable(DeliveryError):
    """
    A receiver of lineage does not answer, or does not accept the token: its rows wait however long that takes.
    """


class DeliveryPending(DeliveryError):
    """
    What a row needs is under way at a receiver of lineage: it is looked at again soon, however often that takes.
    """


class PermanentDeliveryError(DeliveryError):
    """
    A receiver of lineage will never take a row.
    """


class ResultsUnavailable(FusionError):
    """
    The place where results are stored cannot be read or written.
    """


class MetadataError(FusionError):
    """
    The metadata cannot be read or written for a reason outside the cell.

    Args:
        status: The HTTP status that said so, or None.
    """

    def __init__(self, message: str, *, status: int | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.status = status


class MetadataUnavailable(MetadataError):
    """
    The metadata server cannot be reached, or has no answer now: later it may.
    """


class MetadataRefuses(MetadataError):
    """
    The metadata server does not accept the token, or the token may not do that: asking again does not help.
    """


class StoreError(FusionError):
    """
    The job store could not do what was asked.
    """


class StoreUnavailable(StoreError):
    """
    The job store cannot be opened, read or written; nothing was run.
    """


class StoreTooNew(StoreError):
    """
    A newer program has migrated the store; this one changes nothing in it.
    """


class IllegalTransition(StoreError):
    """
    A job is not in the status that a change expects.
    """


class LeaseLost(IllegalTransition):
    """
    A worker wanted to write down something of a job that another has taken since.
    """
