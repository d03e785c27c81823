"""
GETs without what requests does anew for each of them: half of its time, and a worker with a thousand queries that wait asks
for nearly a thousand pages a second.

They go over requests' own connections, with its own headers, made once. Only where nothing but the address differs between
two of them, which excludes logins, proxies and cookies for some paths; and only an answer with status 200 counts: whatever
else there is, requests asks again, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.utils import select_proxy

_NO_RETRIES = urllib3.Retry(False)
# What else than an answer there may be; requests says it in words.
_FOREIGN = (
    urllib3.exceptions.HTTPError,
    requests.RequestException,
    HTTPException,
    OSError,
    ValueError,
)


class QuickGets:
    """
    The GETs of one session that differ in their addresses alone. Safe to use from several threads.

    Args:
        http: Its authentication must be the same for every request.

        headers: What goes with each beside those of the session.
    """

    def __init__(
        self,
        http: requests.Session,
        headers: Mapping[str, str],
        *,
        verify: bool | str,
        timeout_s: float,
    ) -> None:
        self._http = http
        self._headers = headers
        self._verify = verify
        self._timeout = urllib3.Timeout(timeout_s)
        self._pools: dict[str, Any] = {}
        self._prepared: dict[str, requests.PreparedRequest] = {}

    def get(self, url: str) -> urllib3.BaseHTTPResponse | None:
        """
        The answer with its content read; None where requests has to ask.
        """
        try:
            answer = self._ask(url)
        except _FOREIGN:
            return None
        return answer if answer is not None and answer.status == 200 else None

    def _ask(self, url: str) -> urllib3.BaseHTTPResponse | None:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        are_cookies_for_all = all(cookie.path == "/" for cookie in self._http.cookies)
        if not are_cookies_for_all or select_proxy(origin, self._http.proxies) is not None:
            return None
        prepared = self._prepare(origin)
        answer: urllib3.BaseHTTPResponse = self._pool(origin, prepared).urlopen(
            *("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path),
            headers=prepared.headers,
            timeout=self._timeout,
            retries=_NO_RETRIES,
            redirect=False,
            assert_same_host=False,
        )
        if "Set-Cookie" in answer.headers:
            extract_cookies_to_jar(self._http.cookies, prepared, cast("Any", answer))
            self._prepared.pop(origin, None)
        return answer

    def _prepare(self, origin: str) -> requests.PreparedRequest:
        found = self._prepared.get(origin)
        if found is None:
            request = requests.Request("GET", origin, headers=self._headers)
            found = self._prepared[origin] = self._http.prepare_request(request)
            # They are read for each request, and a plain dictionary several times as quickly.
            found.headers = cast("Any", dict(found.headers))
        return found

    def _pool(self, origin: str, prepared: requests.PreparedRequest) -> Any:
        found = self._pools.get(origin)
        if found is None:
            adapter = cast("HTTPAdapter", self._http.get_adapter(origin))
            cert = cast("Any", self._http.cert)
            found = adapter.get_connection_with_tls_context(prepared, self._verify, cert=cert)
            adapter.cert_verify(found, origin, self._verify, cert)
            self._pools[origin] = found
        return found
