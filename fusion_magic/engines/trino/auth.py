"""
Who asks: a password, a JWT, a certificate, Kerberos or OAuth2.

A password and a token are the same header on every request, and a certificate belongs to the connection. Kerberos and OAuth2
come from the ``trino`` library, whose classes sign requests of the package requests: each request asks them for its header,
and OAuth2 logs in where Trino refuses one.
"""

from __future__ import annotations

import base64
import ssl
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from json import JSONDecodeError
from pathlib import Path
from typing import Any, cast

import requests
from requests.cookies import RequestsCookieJar

from fusion_magic.engines.trino.settings import KERBEROS_OPTIONS, TrinoSettings
from fusion_magic.errors import EngineRefuses, InvalidSettings, MissingExtra


class SignIn:
    """
    What shows who asks; this one shows nothing.
    """

    def authorization(self, url: str, headers: Mapping[str, str]) -> str:
        """
        The header ``Authorization`` for one request, empty for none.

        Raises:
            EngineRefuses: There is nothing to show.
        """
        return ""

    def log_in(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
    ) -> requests.Response | None:
        """
        The answer to a request that Trino has refused (401), after a login; None where nobody can log in.

        Raises:
            EngineRefuses: The login failed.
        """
        return None


def sign_in(
    settings: TrinoSettings, *, ask: Callable[[str], None], cookies: RequestsCookieJar
) -> SignIn:
    """
    How *settings* sign in.

    Args:
        ask: Told the address at which a person has to log in (OAuth2).

        cookies: Shared with the requests of a login.

    Raises:
        InvalidSettings: The package for Kerberos is missing, or the certificate cannot be read.
    """
    kind = settings.signs_in_by
    if kind == "certificate":
        _check_certificate(settings)
    if kind == "basic":
        return _Password(settings.user, settings.password or "")
    if kind == "jwt":
        return _Token(settings.token or "")
    if kind == "kerberos":
        return _Kerberos(settings.kerberos)
    if kind == "oauth2":
        return _OAuth2(settings, ask, cookies)
    return SignIn()


class _Password(SignIn):
    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def authorization(self, url: str, headers: Mapping[str, str]) -> str:
        # Trino reads it as Latin-1.
        shown = f"{self._user}:{self._password}".encode("latin-1")
        return f"Basic {base64.b64encode(shown).decode()}"


class _Token(SignIn):
    def __init__(self, token: str) -> None:
        self._token = token

    def authorization(self, url: str, headers: Mapping[str, str]) -> str:
        return f"Bearer {self._token}"


class _Kerberos(SignIn):
    """
    Tickets from the cache that ``kinit`` fills, or from a keytab (``KRB5_CLIENT_KTNAME``).
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        kind = _library().KerberosAuthentication
        named: dict[str, Any] = {
            "service_name": "trino",
            # Trino sends no token back by which it would prove itself; its certificate does that.
            "mutual_authentication": kind.MUTUAL_DISABLED,
            # Without it, the header would only be made after a refusal.
            "force_preemptive": True,
        }
        named |= {KERBEROS_OPTIONS[name]: value for name, value in options.items()}
        named["delegate"] = named.get("delegate") == "true"
        http = requests.Session()
        try:
            kind(**named).set_http_session(http)
        except (RuntimeError, ImportError) as exc:
            raise InvalidSettings(
                "engine.auth is kerberos, and the package requests-kerberos is not installed.",
                hint="pip install requests-kerberos; it needs the system's Kerberos libraries.",
            ) from exc
        self._library: Any = http.auth
        self._service = named["service_name"]

    def authorization(self, url: str, headers: Mapping[str, str]) -> str:
        try:
            return _signed_by(self._library, url, headers)
        except requests.RequestException as exc:
            raise EngineRefuses(
                f"There is no Kerberos ticket for Trino's service {self._service!r}.",
                hint="`klist` lists tickets and `kinit` fetches one; engine.url names another service with "
                "?kerberos_service=NAME, another principal with kerberos_principal=NAME.",
            ) from exc


class _OAuth2(SignIn):
    """
    A token that a person fetches by logging in. It is kept in the keyring too, if there is one and it is open.

    The address at which to log in is told to *ask*, and opened in a browser.
    """

    def __init__(
        self, settings: TrinoSettings, ask: Callable[[str], None], cookies: RequestsCookieJar
    ) -> None:
        library = _library()

        def show(url: str) -> None:
            ask(url)
            webbrowser.open_new(url)

        self._settings = settings
        handler = library.CompositeRedirectHandler([show])
        self._http: requests.Session = library.OAuth2Authentication(handler).set_http_session(
            requests.Session()
        )
        self._http.cookies = cookies
        self._library = cast("Any", self._http.auth)
        # The library has no other place for it.
        self._library._token_cache = _Tokens(self._library._token_cache)  # noqa: SLF001
        self._http.auth = self._sign

    def authorization(self, url: str, headers: Mapping[str, str]) -> str:
        return _signed_by(self._library, url, headers)

    def log_in(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
    ) -> requests.Response:
        from trino.exceptions import Error

        try:
            return self._http.request(
                *(method, url),
                headers=headers,
                data=body,
                timeout=timeout_s,
                # Given here: from the session, the environment's authorities would win over it.
                verify=self._settings.verify,
            )
        except (Error, JSONDecodeError) as exc:
            raise EngineRefuses(
                f"Logging in to Trino at {self._settings.base_url} failed: {type(exc).__name__}.",
                hint="Try again and log in with the browser; the server must offer engine.auth's kind.",
            ) from exc

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._library(request)
        # The library answers every refusal with a login, also 404 for a query that is gone.
        hooks = request.hooks["response"]
        hooks[:] = [_only_unauthorized(hook) for hook in hooks]
        return request


def _library() -> Any:
    """
    The classes of the ``trino`` library; it takes a while to import, and only two kinds of sign-in need it.
    """
    try:
        from trino import auth
    except ImportError as exc:  # pragma: no cover - tested in an environment without it
        raise MissingExtra("Signing in to Trino by Kerberos or OAuth2", extra="trino") from exc
    return auth


def _signed_by(library: Any, url: str, headers: Mapping[str, str]) -> str:
    """
    The header that one of the library's classes would give to a request.
    """
    request = requests.Request("GET", url, headers=headers).prepare()
    return str(library(request).headers.get("Authorization", ""))


def _only_unauthorized(
    hook: Callable[..., requests.Response | None],
) -> Callable[..., requests.Response | None]:
    def checked(response: requests.Response, **options: Any) -> requests.Response | None:
        is_meant = response.status_code == HTTPStatus.UNAUTHORIZED
        return hook(response, **options) if is_meant else response

    return checked


class _Tokens:
    """
    The library's cache of tokens. A locked keyring costs one login for each process, but fails no query.
    """

    def __init__(self, kept: Any) -> None:
        self._kept = kept
        self._tokens: dict[str | None, str] = {}

    def get_token_from_cache(self, key: str | None) -> str | None:
        found: str | None = None
        with _unless_locked():
            # Another process may have put a newer one there.
            found = self._kept.get_token_from_cache(key)
        return found or self._tokens.get(key)

    def store_token_to_cache(self, key: str | None, token: str) -> None:
        self._tokens[key] = token
        with _unless_locked():
            self._kept.store_token_to_cache(key, token)


@contextmanager
def _unless_locked() -> Iterator[None]:
    """
    Suppress what the keyring itself raises.
    """
    try:
        from keyring.errors import KeyringError
    except ImportError:
        yield
        return
    with suppress(KeyringError):
        yield


def _check_certificate(settings: TrinoSettings) -> None:
    """
    Refuse a certificate that cannot be used: the handshake would only say that it failed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for key, path in (("certificate", settings.certificate), ("key", settings.key)):
        if path and not Path(path).is_file():
            raise InvalidSettings(f"engine.{key} is {path}, and there is no such file.")
    try:
        context.load_cert_chain(settings.certificate, settings.key or None, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as exc:
        raise InvalidSettings(
            f"The certificate {settings.certificate} and its key cannot be read, or do not belong together.",
            hint="Both are PEM files; the key has no passphrase.",
        ) from exc
