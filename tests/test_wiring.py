"""
Secrets go where they belong: a token to its own server, and to no other.
"""

from __future__ import annotations

import pytest

from fusion_magic.config import Settings
from fusion_magic.wiring import delivery_token

METADATA = "https://om.example/api"


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("openmetadata+https://om.example/api", "for names"),
        ("openmetadata+https://OM.example:443/other/api?verify=false", "for names"),
        ("openmetadata+http://om.example/api", None),
        ("openmetadata+https://om.example:8585/api", None),
        ("openmetadata+https://om.example.evil/api", None),
        ("openmetadata+https://evil/om.example", None),
        ("openmetadata+https://om.example:x/api", None),
        ("openlineage+https://om.example/api", None),
        ("other://om.example/api", None),
    ],
)
def test_the_metadatas_token_goes_to_the_metadatas_server_alone(
    url: str, token: str | None
) -> None:
    settings = Settings(metadata_url=METADATA, metadata_token="for names")

    assert delivery_token(settings, url) == token


@pytest.mark.parametrize("url", ["openmetadata+https://om.example/api", "openlineage+https://o/x"])
def test_a_token_for_the_receivers_goes_before_it(url: str) -> None:
    settings = Settings(
        metadata_url=METADATA, metadata_token="for names", delivery_token="for lineage"
    )

    assert delivery_token(settings, url) == "for lineage"


def test_a_catalog_file_has_no_origin() -> None:
    settings = Settings(metadata_url="catalog.yaml", metadata_token="for names")

    assert delivery_token(settings, "openmetadata+https://om.example/api") is None
