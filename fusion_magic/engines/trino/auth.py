"""
Who asks: a password, a JWT, a certificate, Kerberos or OAuth2, as the ``trino`` client does them.

What that library and the packages behind it raise is translated in ``client``.
"""

from __future__ import annotations

import ssl
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from requests import PreparedRequest, Response, Session
from requests.auth import AuthBase, HTTPBasicAuth
from requests.exceptions import RequestException
from trino import auth as trino_auth

from fusion_magic.errors import EngineRefuses, InvalidSettings

if TYPE_CHECKING:
    from fusion_magic.engines.trino.transport import TrinoSettings

KINDS = ("basic", "jwt", "oauth2", "certificate", "kerberos")
# Of engine.url, and what the library calls them.
# Source: https://trino.io/docs/476/security/kerberos.html
KERBEROS_OPTIONS = {
    "kerberos_config": "config",
    "kerberos_delegate": "delegate",
    "kerberos_hostname": "hostname_override",
    "kerberos_principal": "principal",
    "kerberos_service": "service_name",
}
_UNAUTHORIZED = 401


def check_kind(settings: TrinoSettings) -> None:
    """
    Raises:
        InvalidSettings: There is no such kind of authentication, or what it needs is missing.
    """
    kind = settings.signs_in_by
    if kind and kind not in KINDS:
        raise InvalidSettings(f"engine.auth is {kind!r}.", hint=f"Known are {', '.join(KINDS)}.")
    needed = {
        "basic": settings.password,
        "jwt": settings.token,
        "certificate": settings.certificate,
    }
    if kind in needed and not needed[kind]:
        variable = {"basic": "PASSWORD", "jwt": "TOKEN", "certificate": "CERTIFICATE"}[kind]
        raise InvalidSettings(
            f"engine.auth is {kind}, and there is nothing to show to Trino.",
            hint=f"Set FUSION_ENGINE_{variable}"
            + (f", or FUSION_ENGINE_{variable}_FILE." if kind != "certificate" else "."),
        )


def authenticate(session: Session, settings: TrinoSettings, *, ask: Callable[[str], None]) -> None:
    """
    Let *session* say who asks with every request.

    Args:
        ask: Told the address at which a person has to log in (OAuth2).

    Raises:
        InvalidSettings: A secret or the package for Kerberos is missing, or a certificate cannot be read.
    """
    check_kind(settings)
    kind = settings.signs_in_by
    if kind == "basic":
        session.auth = HTTPBasicAuth(settings.user, settings.password or "")
    elif kind == "jwt":
        trino_auth.JWTAuthentication(settings.token or "").set_http_session(session)
    elif kind == "oauth2":
        session.auth = _OAuth2(ask)
    elif kind == "certificate":
        _check_certificate(settings)
        session.cert = (settings.certificate, settings.key or settings.certificate)
    elif kind == "kerberos":
        _set_kerberos(session, settings.kerberos)
    if session.auth is None:
        # Without it requests would look for a password in ~/.netrc.
        session.auth = _nothing


def _nothing(request: PreparedRequest) -> PreparedRequest:
    return request


class _OAuth2(AuthBase):
    """
    A token that a person fetches by logging in; kept in the keyring too, where there is one that is open.

    Args:
        ask: Told the address at which to log in; a browser is opened there too, where there is one.
    """

    def __init__(self, ask: Callable[[str], None]) -> None:
        class Handler(trino_auth.RedirectHandler):
            def __call__(self, url: str) -> None:
                ask(url)
                webbrowser.open_new(url)

        session = Session()
        self._inner: Any = cast(
            "Any",
            trino_auth.OAuth2Authentication(trino_auth.CompositeRedirectHandler([Handler()]))
            .set_http_session(session)
            .auth,
        )
        # The library has no other place for it.
        self._inner._token_cache = _Tokens(self._inner._token_cache)  # noqa: SLF001

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        given = len(request.hooks["response"])
        self._inner(request)
        # The library takes every refusal, such as 404 for a query that is gone, for a wish to log in.
        hooks = request.hooks["response"]
        hooks[given:] = [_only_unauthorized(hook) for hook in hooks[given:]]
        return request


def _only_unauthorized(hook: Callable[..., Response | None]) -> Callable[..., Response | None]:
    def checked(response: Response, **options: Any) -> Response | None:
        return hook(response, **options) if response.status_code == _UNAUTHORIZED else response

    return checked


class _Tokens:
    """
    The library's cache of tokens; a keyring that is locked costs one login a process, and no query.
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
    Nothing of what the keyring itself raises.
    """
    try:
        from keyring.errors import KeyringError
    except ImportError:
        yield
        return
    with suppress(KeyringError):
        yield


def _set_kerberos(session: Session, options: Mapping[str, str]) -> None:
    """
    Tickets come from the cache that ``kinit`` fills, or from a keytab (``KRB5_CLIENT_KTNAME``).
    """
    kind = trino_auth.KerberosAuthentication
    named: dict[str, Any] = {
        "service_name": "trino",
        # Trino sends no token back by which it would prove itself; its certificate does that.
        "mutual_authentication": kind.MUTUAL_DISABLED,
        # Else each request is refused first, and one that is no question must not be sent twice.
        "force_preemptive": True,
    }
    named |= {KERBEROS_OPTIONS[name]: value for name, value in options.items()}
    named["delegate"] = named.get("delegate") == "true"
    try:
        kind(**named).set_http_session(session)
    except (RuntimeError, ImportError) as exc:
        raise InvalidSettings(
            "engine.auth is kerberos, and the package requests-kerberos is not installed.",
            hint="pip install requests-kerberos; it needs the system's Kerberos libraries.",
        ) from exc
    session.auth = _Kerberos(session.auth, named["service_name"])


class _Kerberos(AuthBase):
    """
    The library's authentication; that there is no ticket is told as it is.
    """

    def __init__(self, inner: Any, service: str) -> None:
        self._inner = inner
        self._service = service

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        try:
            return self._inner(request)  # type: ignore[no-any-return] # requests' hooks are untyped
        except RequestException as exc:
            raise EngineRefuses(
                f"There is no Kerberos ticket for Trino's service {self._service!r}.",
                hint="`klist` lists tickets and `kinit` fetches one; engine.url names another service with "
                "?kerberos_service=NAME, another principal with kerberos_principal=NAME.",
            ) from exc


def _check_certificate(settings: TrinoSettings) -> None:
    """
    A certificate that cannot be used is told now: the handshake would only say that it failed.
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
