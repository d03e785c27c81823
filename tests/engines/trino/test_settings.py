"""
What ``engine.url`` and the secrets beside it come to.
"""

from __future__ import annotations

from typing import Any

import pytest

from fusion_magic.engines.trino.settings import TrinoSettings
from fusion_magic.errors import InvalidSettings


def settings(url: str, **others: Any) -> TrinoSettings:
    return TrinoSettings.from_url(url, user="owner", **others)


@pytest.mark.parametrize(
    ("url", "secrets", "base_url"),
    [
        ("trino://h", {}, "http://h:8080"),
        ("trino://h:8443", {}, "https://h:8443"),
        ("trino://h:443", {}, "https://h:443"),
        ("trino://h:9000", {}, "http://h:9000"),
        ("trino://h:9000", {"password": "x"}, "https://h:9000"),
        ("trino://h", {"token": "x"}, "https://h:443"),
        ("trino://h:8443?http_scheme=http", {}, "http://h:8443"),
        ("https://h", {}, "https://h:443"),
        ("trino://[::1]:9000", {}, "http://[::1]:9000"),
    ],
)
def test_ports_and_secrets_decide_on_tls(url: str, secrets: dict[str, str], base_url: str) -> None:
    found = settings(url, **secrets)

    assert (found.base_url, found.address) == (base_url, base_url.partition("://")[2])


@pytest.mark.parametrize(
    ("url", "secrets", "kind", "user"),
    [
        ("trino://h", {}, "", "owner"),
        ("trino://ana@h", {}, "", "ana"),
        ("trino://a%40b:s%2F@h", {}, "basic", "a@b"),
        ("trino://h", {"password": "x"}, "basic", "owner"),
        ("trino://h", {"token": "x", "password": "y"}, "jwt", ""),
        ("trino://ana@h", {"token": "x"}, "jwt", "ana"),
        ("trino://h", {"certificate": "c.pem"}, "certificate", ""),
        ("trino://h", {"auth": "oauth2"}, "oauth2", ""),
    ],
)
def test_secrets_decide_on_the_kind_of_sign_in(
    url: str, secrets: dict[str, str], kind: str, user: str
) -> None:
    found = settings(url, **secrets)

    assert (found.signs_in_by, found.user) == (kind, user)


def test_the_rest_of_the_url_is_catalog_schema_and_options() -> None:
    found = settings(
        "trino://h/hive/my%20schema?roles=analyst&verify=false&compress=true&encoding=json+zstd,json"
        "&kerberos_service=other"
    )

    assert (found.catalog, found.schema) == ("hive", "my schema")
    assert (found.verify, found.is_compressed, found.encodings) == (False, True, "json+zstd,json")
    assert dict(found.roles) == {"system": "ROLE%7Banalyst%7D"}
    assert dict(found.kerberos) == {"kerberos_service": "other"}


def test_a_kind_that_there_is_not_is_refused_however_settings_are_made() -> None:
    with pytest.raises(InvalidSettings, match=r"engine\.auth is 'magic'"):
        TrinoSettings(base_url="https://h:443", user="ana", auth="magic")


def test_secrets_do_not_show() -> None:
    found = settings("trino://ana:pass-word@h", token="to-ken", auth="basic")

    assert "pass-word" not in repr(found)
    assert "to-ken" not in repr(found)
