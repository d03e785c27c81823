"""
Which servers the contracts run on: the test server in each of its versions, or one that is named.

    pytest tests/contracts/openmetadata --openmetadata-url https://staging.example/api --openmetadata-token-file FILE

Everything that a contract makes there has a name beginning with ``fusion_contract_``, and is taken away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fusion_magic.testing.openmetadata import OpenMetadataServer
from fusion_magic.testing.openmetadata.versions import parse_version
from tests.contracts.openmetadata.client import Place, Target, target_of

VERSIONS = ("1.5.15", "1.6.0", "1.8.0", "1.12.0", "2.0.7")
_LEFT_OUT = pytest.StashKey[list[str]]()
_TARGET = pytest.StashKey[Target]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """
    Known where pytest is called on this folder; the whole suite runs on the test server.
    """
    group = parser.getgroup("openmetadata")
    group.addoption("--openmetadata-url", help="run the contracts on this server (…/api)")
    for name, whose in (
        ("token", "the bot's"),
        ("admin-token", "an admin's"),
        ("person-token", "a person's"),
    ):
        group.addoption(f"--openmetadata-{name}-file", help=f"a file with {whose} token")
    group.addoption("--openmetadata-version", help="run on this version of the test server alone")
    group.addoption("--openmetadata-burst", help="how many tables change at once, instead of 40")
    group.addoption(
        "--openmetadata-batch", help="events at once and seconds between, instead of 1000/1"
    )
    group.addoption(
        "--openmetadata-record", help="write what the test server answered to this file"
    )


def _named(config: pytest.Config) -> Target | None:
    url = config.getoption("--openmetadata-url", default=None)
    if not url:
        return None
    if _TARGET not in config.stash:
        tokens: dict[str, str] = {}
        for key, name in (("bot", "token"), ("admin", "admin-token"), ("person", "person-token")):
            file = config.getoption(f"--openmetadata-{name}-file", default=None)
            tokens |= {key: Path(file).read_text().strip()} if file else {}
        config.stash[_TARGET] = target_of(url, tokens)
    return config.stash[_TARGET]


def pytest_report_header(config: pytest.Config) -> list[str]:
    target = _named(config)
    return [f"openmetadata: {target.label} at {target.url}"] if target else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        named = _named(metafunc.config)
        only = metafunc.config.getoption("--openmetadata-version", default=None)
        labels = [named.label] if named else [only] if only else list(VERSIONS)
        metafunc.parametrize("target", labels, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    A contract that a version does not have is not run on it, and the end says which.
    """
    left_out = [item for item in items if not _has(config, item)]
    if left_out:
        config.stash[_LEFT_OUT] = [item.name for item in left_out]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _has(config: pytest.Config, item: pytest.Item) -> bool:
    # The hook is called with the items of the whole suite.
    if Path(__file__).parent not in item.path.parents or not isinstance(item, pytest.Function):
        return True
    if "target" not in item.fixturenames:
        return True
    bounds = getattr(item.obj, "versions", ("0.0", "99.0"))
    version = parse_version(str(item.callspec.params["target"]))
    named = _named(config)
    needed = getattr(item.obj, "needs", ())
    if named and "loopback" in needed and urlsplit(named.url).hostname != "127.0.0.1":
        return False
    if named and any(not getattr(named, f"{who}_token") for who in needed if who != "loopback"):
        return False
    return parse_version(bounds[0]) <= version < parse_version(bounds[1])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    target = _named(config)
    if target and config.stash.get(_LEFT_OUT, []):
        terminalreporter.write_line(
            f"{target.label} does not have, or needs other tokens or another place for:"
        )
        for name in config.stash[_LEFT_OUT]:
            terminalreporter.write_line(f"  {name}")


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """
    One server.
    """
    named = _named(request.config)
    if named is not None:
        yield named
        return
    with OpenMetadataServer(version=request.param) as own:
        version = parse_version(request.param)
        yield Target(
            request.param, own.url, own.token, version, own.person_token, own.admin_token, own
        )
        record = request.config.getoption("--openmetadata-record", default=None)
        if record:
            Path(record).write_text(json.dumps([asdict(one) for one in own.requests]))


@pytest.fixture
def place(target: Target) -> Iterator[Place]:
    """
    A service, a database and a schema for one contract.
    """
    made = Place(target, target.token)
    try:
        made.prepare()
        yield made
    finally:
        made.forget()
