"""
The address of a server: what is wrong with one before anything is sent to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from fusion_magic.errors import InvalidSettings

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where a server's API is.

    Attributes:
        url: ``https://host/api``, without a slash behind it, user information and options.
        verify: Whether the server must prove who it is, or the file of the authorities that are trusted.
    """

    url: str
    verify: bool | str = True

    @property
    def page(self) -> str:
        """
        The address of the server's pages for people.
        """
        return self.url.removesuffix("/api")


def parse_address(url: str, *, setting: str, token: str | None) -> Address:
    """
    The address that *url* writes.

    Args:
        url: ``https://host/api``; the option ``verify`` is ``true``, ``false`` or a file of authorities.

        setting: Where it stands, for messages.

        token: What would be sent there, or None.

    Raises:
        InvalidSettings: It is none, or the token would travel in the open.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidSettings(
            f"{setting} is not the address of an OpenMetadata server.",
            hint="It looks like https://openmetadata.example/api.",
        )
    if parts.username or parts.password:
        raise InvalidSettings(
            f"{setting} has a user or a password in it.",
            hint="OpenMetadata wants a token: set metadata.token, or delivery.token for lineage.",
        )
    if token and parts.scheme == "http" and host not in _LOOPBACK:
        raise InvalidSettings(
            f"{setting} is http://, and a token is set, which everybody on the way could read.",
            hint="Use https://.",
        )
    path = parts.path.rstrip("/")
    if path.endswith("/v1"):
        raise InvalidSettings(
            f"{setting} ends in /v1.",
            hint="Leave the version out: https://openmetadata.example/api.",
        )
    address = parts._replace(path=path, query="", fragment="").geturl()
    return Address(address, _verification(dict(parse_qsl(parts.query)), setting))


def _verification(options: dict[str, str], setting: str) -> bool | str:
    from pathlib import Path

    unknown = sorted(options.keys() - {"verify"})
    if unknown:
        raise InvalidSettings(
            f"{setting} has the option {unknown[0]}, which is not known.", hint="It takes verify."
        )
    said = options.get("verify", "true")
    if said in {"true", "false"}:
        return said == "true"
    if not Path(said).expanduser().exists():
        raise InvalidSettings(f"verify is {said} in {setting}, and there is no such file.")
    return str(Path(said).expanduser())
