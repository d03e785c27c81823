"""
Trino's REST protocol: statements and their pages, what goes with them in headers, and what Trino says in our words.

A page may be asked for again until its successor is, so that one that does not come is asked for until a while is over. A
statement is sent once: the server may have taken it.

Source: Trino, "Client protocol", https://trino.io/docs/476/develop/client-protocol.html
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fusion_magic.engines import EngineQuery
from fusion_magic.engines.trino.session import Session
from fusion_magic.engines.trino.settings import TrinoSettings
from fusion_magic.errors import (
    EngineBusy,
    EngineRefuses,
    EngineUnavailable,
    MissingExtra,
    QueryCanceled,
    QueryFailed,
    QueryGone,
    Span,
)

try:
    import orjson
    from requests.cookies import RequestsCookieJar

    from fusion_magic.engines.trino.auth import sign_in
    from fusion_magic.engines.trino.pages import parse_page
    from fusion_magic.engines.trino.transport import (
        Answer,
        NoAnswer,
        Request,
        Transport,
        origin_of,
    )
except ImportError as exc:  # pragma: no cover - tested in an environment without them
    raise MissingExtra("The Trino engine", extra="trino") from exc

SOURCE = "fusion-magic"
CAPABILITIES = "PARAMETRIC_DATETIME,PATH,SESSION_AUTHORIZATION"
TIMEOUT_S = 60.0
CANCEL_TIMEOUT_S, CANCEL_ATTEMPTS = 10.0, 3
LONGEST_MESSAGE = 300  # of a refusal; a proxy's page is no message
# With a page that does not come: a coordinator may be restarted, a proxy reloaded.
PATIENCE_S = 90.0
LONGEST_PAUSE_S = 5.0  # between two attempts at it
PAGE_SIZE = "16MB"
_GONE = frozenset({403, 404, 410})  # of a segment: its time is over
_BUSY = frozenset({429, 502, 503, 504})
_CANCELED = frozenset({"USER_CANCELED", "ADMINISTRATIVELY_KILLED"})
# Trino's names for "later": before it began the query, and while it ran it.
_NO_ROOM = frozenset({"QUERY_QUEUE_FULL", "SERVER_STARTING_UP", "NO_NODES_AVAILABLE"})
_OVERLOADED = frozenset({"TOO_MANY_REQUESTS_FAILED", "CLUSTER_OUT_OF_MEMORY"})
_OVERLOADED_TEXT = "Max requests queued per destination"  # Trino's own requests to its workers


class TrinoClient:
    """
    The requests of one connection. Safe to use from several threads.

    Attributes:
        session: What statements have changed, such as SET SESSION.
        login_url: Where a person has to log in, once Trino has asked for that.
    """

    def __init__(self, settings: TrinoSettings) -> None:
        self._settings = settings
        self.session = Session(
            catalog=settings.catalog, schema=settings.schema, roles=settings.roles
        )
        self.login_url: str | None = None
        cookies = RequestsCookieJar()
        self._trino = Transport(
            verify=settings.verify,
            certificate=settings.certificate,
            key=settings.key,
            sign_in=sign_in(settings, ask=self._ask, cookies=cookies),
            cookies=cookies,
            is_compressed=settings.is_compressed,
            is_tls_only=settings.base_url.startswith("https:"),
        )
        # The address of a spooled part is its own leave: nobody has to show there who asks.
        self._storage = Transport(verify=settings.verify is not False)

    def submit(
        self, query: EngineQuery, *, properties: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """
        The first page of a statement, with session *properties* that are for it alone.

        A connection that breaks is not tried again here: the server may have taken the statement.
        """
        request = Request(
            method="POST",
            url=f"{self._settings.base_url}/v1/statement",
            headers=self._headers(query, properties or {}),
            body=query.sql.encode(),
            timeout_s=TIMEOUT_S,
        )
        return self._page(request, is_repeatable=False, is_remembered=query.session is None)

    def next_page(
        self, uri: str, *, wait_s: float | None = None, is_remembered: bool = True
    ) -> Mapping[str, Any]:
        """
        The page at *uri*, which may be asked for again until its successor is.

        Args:
            wait_s: Seconds that Trino waits for news before it answers; None for its own second.

            is_remembered: Whether what the statement changes of the session is for later ones of this connection.
        """
        mark = "&" if "?" in uri else "?"
        wait = "" if wait_s is None else f"&maxWait={wait_s * 1000:.0f}ms"
        url = f"{uri}{mark}targetResultSize={PAGE_SIZE}{wait}"
        return self._page(self._request("GET", url), is_remembered=is_remembered)

    def segment(
        self,
        uri: str,
        headers: Mapping[str, str],
        *,
        size_bytes: int,
        is_wanted: Callable[[], bool],
    ) -> bytes:
        """
        A spooled part of a result, whole.

        Args:
            is_wanted: Asked before another attempt.

        Raises:
            EngineUnavailable: It could not be fetched for a while, or is gone.
        """
        deadline = time.monotonic() + PATIENCE_S
        for attempt in itertools.count():
            is_last = time.monotonic() > deadline
            try:
                answer = self._fetch(uri, headers)
                if answer.status == HTTPStatus.OK and len(answer.content) == size_bytes:
                    return answer.content
                is_hopeless = answer.status in _GONE
                reason = f"status {answer.status}, {len(answer.content):,} bytes of {size_bytes:,}"
            except NoAnswer as exc:
                is_hopeless, reason = False, exc.reason
            if is_hopeless or is_last or not is_wanted():
                raise EngineUnavailable(
                    f"A part of the result at {origin_of(uri)} could not be fetched: {reason}.",
                    hint="Is that storage reachable from here? With encoding=none in engine.url, which is the default, rows come through Trino.",
                )
            _pause(attempt)
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def acknowledge(self, uri: str, headers: Mapping[str, str]) -> None:
        """
        Tell Trino that a part of a result was read; it removes the others later.
        """
        with suppress(NoAnswer):
            self._fetch(uri, headers)

    def cancel(self, uri: str | None) -> None:
        """
        Stop the statement whose next page is at *uri*; nothing happens where it has ended.

        Raises:
            EngineUnavailable: Trino could not be told.
        """
        if uri is None:
            return
        for attempt in range(CANCEL_ATTEMPTS):
            try:
                answer = self._send(self._request("DELETE", uri, timeout_s=CANCEL_TIMEOUT_S))
                if answer.status not in _BUSY:
                    return
            except NoAnswer as exc:
                if attempt == CANCEL_ATTEMPTS - 1:
                    raise EngineUnavailable(
                        f"Trino could not be told to stop the query: {exc.reason}."
                    ) from exc
            time.sleep(0.2 * 2**attempt)

    def close(self) -> None:
        """
        Let go of the connections.
        """
        self._trino.close()
        self._storage.close()

    def _ask(self, url: str) -> None:
        self.login_url = url

    def _send(self, request: Request) -> Answer:
        try:
            return self._trino.send(request)
        finally:
            self.login_url = None

    def _request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Request:
        sent = {**self._identity(), **(headers or {})}
        return Request(method=method, url=url, headers=sent, timeout_s=timeout_s)

    def _fetch(self, uri: str, headers: Mapping[str, str]) -> Answer:
        if origin_of(uri) == origin_of(self._settings.base_url):
            return self._send(self._request("GET", uri, headers=headers))
        return self._storage.send(
            Request(method="GET", url=uri, headers=headers, timeout_s=TIMEOUT_S)
        )

    def _identity(self, session: Mapping[str, str] | None = None) -> dict[str, str]:
        acting_for = (session or {}).get("X-Trino-User", "")
        headers = {
            "X-Trino-User": acting_for or self._settings.user,
            "X-Trino-Original-User": self._settings.user if acting_for else "",
            "X-Trino-Source": SOURCE,
        }
        return {name: value for name, value in headers.items() if value}

    def _headers(self, query: EngineQuery, properties: Mapping[str, str]) -> dict[str, str]:
        tags = [f"job:{query.job_id}", *query.tags] if query.job_id else list(query.tags)
        session = self.session.headers() if query.session is None else query.session
        own = [f"{name}={quote(value)}" for name, value in properties.items()]
        headers = {
            **session,
            **self._identity(session),
            "X-Trino-Session": ",".join(filter(None, (session.get("X-Trino-Session"), *own))),
            "X-Trino-Client-Tags": ",".join(quote(tag, safe=":") for tag in tags),
            "X-Trino-Client-Capabilities": CAPABILITIES,
            "X-Trino-Trace-Token": query.job_id,
            "X-Trino-Query-Data-Encoding": self._settings.encodings,
        }
        return {name: value for name, value in headers.items() if value}

    def _page(
        self, request: Request, *, is_repeatable: bool = True, is_remembered: bool = True
    ) -> Mapping[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        for attempt in itertools.count():
            is_last = time.monotonic() > deadline
            try:
                answer = self._send(request)
                if answer.status == HTTPStatus.OK:
                    return self._read(answer, is_remembered=is_remembered)
                if answer.status not in _BUSY or is_last:
                    raise _refused(answer, self._settings)
            except NoAnswer as exc:
                is_lost = not is_repeatable and not exc.is_connect_timeout
                if is_lost or is_last:
                    raise _unreachable(self._settings, exc) from exc
            _pause(attempt)
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _read(self, answer: Answer, *, is_remembered: bool) -> Mapping[str, Any]:
        """
        The page in *answer*.

        Raises:
            NoAnswer: It is none, such as half of one.
        """
        if is_remembered:
            self.session.remember(answer.headers)
        try:
            return parse_page(answer.content)
        except orjson.JSONDecodeError as exc:
            raise NoAnswer("its answer is not a page of a result") from exc


def _pause(attempt: int) -> None:
    pause_s = min(LONGEST_PAUSE_S, 0.05 * 2 ** min(attempt, 10))
    time.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - a pause


def failure(error: Mapping[str, Any], sql: str, query_id: str | None) -> Exception:
    """
    Trino's error in our words, its line and column as a span of *sql*.
    """
    message = str(error.get("message", "The query failed."))
    name = str(error.get("errorName", ""))
    if name in _CANCELED:
        return QueryCanceled(message, query_id=query_id)
    is_overloaded = name in _OVERLOADED or _OVERLOADED_TEXT in message
    if name in _NO_ROOM or is_overloaded:
        return EngineBusy(message, is_begun=is_overloaded, query_id=query_id, error_name=name)
    place = error.get("errorLocation")
    span = None
    if place:
        message = message.removeprefix(f"line {place['lineNumber']}:{place['columnNumber']}: ")
        lines = sql.split("\n")
        start = sum(len(line) + 1 for line in lines[: place["lineNumber"] - 1])
        start += place["columnNumber"] - 1
        span = Span(start, start + 1)
    return QueryFailed(message, span=span, query_id=query_id, error_name=name)


def _refused(answer: Answer, settings: TrinoSettings) -> EngineUnavailable | QueryGone:
    if answer.status in {404, 410}:
        return QueryGone(
            "Trino no longer knows the query: it was restarted, or nobody asked for the result in time."
        )
    if answer.status in {401, 403}:
        return EngineRefuses(
            f"Trino refuses the user{_said(answer, settings)} ({answer.status}).",
            hint=_hint(settings),
        )
    return EngineUnavailable(f"Trino answers with status {answer.status}.")


def _said(answer: Answer, settings: TrinoSettings) -> str:
    """
    The server's own words, without markup and whatever secret they might hold.
    """
    text = answer.content.decode(errors="replace").strip().partition("\n")[0]
    if not text or text.startswith("<") or len(text) > LONGEST_MESSAGE:
        return ""
    for secret in filter(None, (settings.password, settings.token)):
        text = text.replace(secret, "…")
    return f": {text.rstrip('.')}"


def _hint(settings: TrinoSettings) -> str:
    shown = {
        "basic": "engine.url's user, and FUSION_ENGINE_PASSWORD",
        "jwt": "FUSION_ENGINE_TOKEN; engine.url's user must be the one whom it names, or none",
        "certificate": "engine.certificate; engine.url's user must be the one whom it names, or none",
        "": "engine.url's user, and FUSION_ENGINE_PASSWORD or FUSION_ENGINE_TOKEN",
    }
    return f"Check {shown.get(settings.signs_in_by, 'engine.url and engine.auth')}."


def _unreachable(settings: TrinoSettings, failed: NoAnswer) -> EngineUnavailable:
    if failed.is_tls:
        return EngineRefuses(
            f"Trino at {settings.base_url} cannot be trusted, or does not trust us: {failed.reason}.",
            hint="engine.url with ?verify=/path/ca.pem trusts the authority in that file; engine.certificate shows who asks.",
        )
    return EngineUnavailable(
        f"Trino at {settings.base_url} does not answer: {failed.reason}.",
        hint="Is engine.url right, and is the server up? `%fusion doctor` checks it.",
    )
