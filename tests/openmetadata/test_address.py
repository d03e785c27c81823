"""
The address of an OpenMetadata server: what is wrong with one before anything is sent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion_magic.errors import InvalidSettings
from fusion_magic.openmetadata.address import Address, parse_address

TOKEN = "s3cret"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://om.example/api", Address("https://om.example/api")),
        ("https://om.example/api/", Address("https://om.example/api")),
        (
            "https://om.example:8443/sub/api?verify=false",
            Address("https://om.example:8443/sub/api", False),
        ),
        ("http://localhost:8585/api", Address("http://localhost:8585/api")),
        ("http://[::1]:8585/api", Address("http://[::1]:8585/api")),
        ("https://om.example/api?verify=true#x", Address("https://om.example/api")),
    ],
)
def test_addresses_are_read(url: str, address: Address) -> None:
    assert parse_address(url, setting="metadata.url", token=TOKEN) == address


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://om.example/api", "everybody on the way"),
        ("https://ana:s3cret@om.example/api", "a user or a password"),
        ("https://om.example/api/v1", "ends in /v1"),
        ("https://om.example/api?timeout=3", "the option timeout"),
        ("https://om.example/api?verify=/nowhere.pem", "no such file"),
        ("ftp://om.example/api", "is not the address"),
        ("https:///api", "is not the address"),
        ("https://om.example:x/api", "is not the address"),
        ("https://[om/api", "is not the address"),
    ],
)
def test_mistakes_are_told_without_the_secret(url: str, part: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        parse_address(url, setting="metadata.url", token=TOKEN)

    assert part in str(caught.value)
    assert "metadata.url" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_plain_http_is_for_those_without_a_token() -> None:
    assert (
        parse_address("http://om.example/api", setting="x", token=None).url
        == "http://om.example/api"
    )


def test_a_file_of_authorities_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()

    found = parse_address(f"https://om.example/api?verify={file}", setting="x", token=None)

    assert found.verify == str(file)
    assert found.page == "https://om.example"
