"""
Secrets: where they are read from, and texts without them.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from fusion_magic.errors import InvalidSettings, MissingExtra

KEYRING = "keyring:"  # what a ``*_file`` setting begins with that names a secret in the keyring: keyring:SERVICE/USER
_SECRET_WORD = re.compile(r"pass|token|secret|key", re.IGNORECASE)


def read_secret(path: object, where: str) -> str:
    """
    The secret in a file, or in the system's keyring (``keyring:SERVICE/USER``).

    Args:
        where: Where the setting stands, for messages.

    Raises:
        InvalidSettings: There is none.
        MissingExtra: The keyring's package is not installed.
    """
    if str(path).startswith(KEYRING):
        return _read_keyring(str(path).removeprefix(KEYRING), where)
    try:
        return Path(str(path)).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "not UTF-8"
        raise InvalidSettings(f"The file {path} cannot be read: {reason} ({where}).") from exc


def _read_keyring(name: str, where: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as exc:
        raise MissingExtra("A secret in the keyring", extra="keyring") from exc
    service, _, user = name.partition("/")
    try:
        secret = keyring.get_password(service, user)
    except KeyringError as exc:
        raise InvalidSettings(
            f"The keyring cannot be read: {type(exc).__name__} ({where}).",
            hint="`keyring diagnose` shows which keyring is used.",
        ) from exc
    if secret is None:
        raise InvalidSettings(
            f"The keyring has no secret {name} ({where}).", hint=f"keyring set {service} {user}"
        )
    return str(secret)


def without_secret(url: str) -> str:
    """
    *url* as it may be shown: the password in it, if any, is left out.

    >>> without_secret("trino://ana:secret@host:8443/hive")
    'trino://ana@host:8443/hive'
    """
    try:
        parts = urlsplit(url)
        if parts.password is None and "@" not in parts.netloc:
            return url
        host = parts.netloc.rpartition("@")[2]
        user = f"{parts.username}@" if parts.username else ""
        return parts._replace(netloc=f"{user}{host}").geturl()
    except ValueError:
        return "(a URL that cannot be read)"


def without_secrets(text: str) -> str:
    """
    A setting's text as it may be shown, which may hold several URLs.
    """
    return " ".join(without_secret(part) for part in text.split(" "))


def secrets_in(url: str) -> set[str]:
    """
    The passwords and keys that *url* holds.

    >>> sorted(secrets_in("postgresql://ana:one@host/db?sslpassword=two&x=3"))
    ['one', 'two']
    """
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query)
        return {parts.password or ""} - {""} | {v for k, v in pairs if _SECRET_WORD.search(k)}
    except ValueError:
        return {url}
