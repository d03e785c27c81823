"""
Where Trino is, who asks and how: what ``engine.url`` and the secrets beside it say, checked before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from fusion_magic.engines.trino.session import parse_roles
from fusion_magic.errors import InvalidSettings

KINDS = ("basic", "jwt", "oauth2", "certificate", "kerberos")
ENCODINGS = ("json+lz4", "json+zstd", "json")  # of spooled rows
# The options of engine.url for Kerberos, and what the ``trino`` library calls them.
# Source: https://trino.io/docs/476/security/kerberos.html
KERBEROS_OPTIONS = {
    "kerberos_config": "config",
    "kerberos_delegate": "delegate",
    "kerberos_hostname": "hostname_override",
    "kerberos_principal": "principal",
    "kerberos_service": "service_name",
}
OPTIONS = (  # of engine.url
    *("compress", "encoding", "http_scheme", "roles", "verify"),
    *KERBEROS_OPTIONS,
)
_TLS_PORTS = frozenset({443, 8443})
_EXAMPLE = "trino://user@host:8443/catalog"
# These name the user themselves, so that engine.url need not.
_NAME_THE_USER = frozenset({"jwt", "certificate", "oauth2", "kerberos"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoSettings:
    """
    The settings of one connection. The repr shows no secret.
    """

    base_url: str
    user: str
    catalog: str = ""
    schema: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    verify: bool | str = True
    is_compressed: bool = False
    encodings: str = ""
    auth: str = ""
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    certificate: str = ""
    key: str = ""
    kerberos: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_kind(self)

    @property
    def address(self) -> str:
        """
        Host and port.
        """
        return self.base_url.partition("://")[2]

    @property
    def signs_in_by(self) -> str:
        """
        The kind of authentication: the one that is set, else the one that the secrets are for; empty for none.
        """
        if self.auth:
            return self.auth
        given = {"jwt": self.token, "basic": self.password, "certificate": self.certificate}
        return next((kind for kind, secret in given.items() if secret), "")

    @classmethod
    def from_url(
        cls, url: str, *, user: str, password: str | None = None, **others: Any
    ) -> TrinoSettings:
        """
        From ``trino://user@host:port/catalog/schema?http_scheme=https&roles=…&verify=/path/ca.pem&compress=true``.

        With ``KERBEROS_OPTIONS`` where ``engine.auth`` is ``kerberos``. Port 443 and 8443, and every secret, mean HTTPS
        unless the URL says http. A URL without a user leaves it to the token or certificate to name one; *user* is the
        one where there is only a password or nothing.

        Raises:
            InvalidSettings: No host, an option that does not exist, or a secret over plain HTTP.
        """
        parts, options = _split(url)
        password = password or (unquote(parts.password) if parts.password else None)
        has_secret = any((password, *map(others.get, ("token", "certificate", "auth"))))
        path = [*map(unquote, filter(None, parts.path.split("/"))), "", ""]
        made = cls(
            base_url=_base_url(parts, options, has_secret=has_secret),
            user=unquote(parts.username or ""),
            catalog=path[0],
            schema=path[1],
            roles=parse_roles(options.get("roles", "")),
            verify=_verification(options.get("verify", "true")),
            is_compressed=options.get("compress", "false") == "true",
            encodings=_encodings(options.get("encoding", "none")),
            password=password,
            kerberos={name: value for name, value in options.items() if name in KERBEROS_OPTIONS},
            **others,
        )
        is_named = made.user or made.signs_in_by in _NAME_THE_USER
        return made if is_named else replace(made, user=user)


def _check_kind(settings: TrinoSettings) -> None:
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


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    """
    The parts of *url*, and its options.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # read as a number only now
    except ValueError as exc:
        raise InvalidSettings("engine.url cannot be read.", hint=_EXAMPLE) from exc
    if not parts.hostname:
        raise InvalidSettings("engine.url names no host.", hint=_EXAMPLE)
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    for name in options:
        if name not in OPTIONS:
            raise InvalidSettings(
                f"engine.url has no option {name}.", hint=f"It has {', '.join(OPTIONS)}."
            )
    return parts, options


def _base_url(parts: SplitResult, options: Mapping[str, str], *, has_secret: bool) -> str:
    is_tls = parts.port in _TLS_PORTS or has_secret
    scheme = parts.scheme if parts.scheme != "trino" else "https" if is_tls else "http"
    scheme = options.get("http_scheme", scheme)
    if has_secret and scheme != "https":
        raise InvalidSettings(
            "A password, token or login is not sent over plain HTTP.",
            hint="Use https for Trino.",
        )
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{scheme}://{host}:{parts.port or (443 if scheme == 'https' else 8080)}"


def _encodings(text: str) -> str:
    """
    How spooled rows may come, the most wanted first; empty for rows in Trino's own answers.
    """
    wanted = [] if text == "none" else text.replace(" ", "+").split(",")
    for name in wanted:
        if name not in ENCODINGS:
            raise InvalidSettings(
                f"encoding is {text} in engine.url.",
                hint=f"It is {', '.join(ENCODINGS)} (several with commas), or none.",
            )
    return ",".join(wanted)


def _verification(text: str) -> bool | str:
    """
    What the option ``verify`` says: yes, no, or the file of the authorities that are trusted.
    """
    if text in {"true", "false"}:
        return text == "true"
    path = Path(text).expanduser()
    if not path.exists():
        raise InvalidSettings(
            f"verify is {text} in engine.url, and there is no such file.",
            hint="It is the PEM file of the authority that signed Trino's certificate; or true, or false.",
        )
    return str(path)
