"""
Who asks, against a real Trino that checks it: right and wrong secrets, certificates, and a person who logs in.
"""

from __future__ import annotations

import logging
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.core
import pytest
import requests
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as FailingKeyring
from keyring.errors import KeyringLocked

from fusion_magic import Fusion, connect
from fusion_magic.errors import EngineUnavailable, FusionError, InvalidSettings
from tests.servers.certificates import Authority, new_key
from tests.servers.secure_trino import PASSWORDS, SecureTrino

pytestmark = pytest.mark.trino
WHO = "SELECT current_user"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureTrino]:
    made = SecureTrino(Path(tmp_path_factory.mktemp("secure"))).start()
    yield made
    made.stop()


def answered(url: str, folder: Path, **settings: Any) -> str:
    """
    Whom Trino takes the asker for.
    """
    with connect(data_dir=str(folder), engine_url=url, worker_start="never", **settings) as fusion:
        [(name,)] = fusion.run(WHO).rows()
    return str(name)


def refused(url: str, folder: Path, **settings: Any) -> FusionError:
    with pytest.raises(FusionError) as caught:
        answered(url, folder, **settings)
    return caught.value


@pytest.mark.parametrize("user", ["ana", "bäa"])
def test_the_right_password_lets_in(secure: SecureTrino, tmp_path: Path, user: str) -> None:
    assert answered(secure.url(user), tmp_path, engine_password=PASSWORDS[user]) == user


def test_a_token_lets_in_whom_it_names(secure: SecureTrino, tmp_path: Path) -> None:
    token = secure.token("jay")

    assert answered(secure.url(), tmp_path, engine_token=token) == "jay"
    assert answered(secure.url("jay"), tmp_path, engine_token=token) == "jay"


def test_a_certificate_lets_in_whom_it_names(secure: SecureTrino, tmp_path: Path) -> None:
    certificate, key = secure.authority.issue("carl")

    found = answered(
        secure.url(), tmp_path, engine_certificate=str(certificate), engine_key=str(key)
    )

    assert found == "carl"


def test_a_password_that_http_cannot_carry_is_told_without_it(
    secure: SecureTrino, tmp_path: Path
) -> None:
    error = refused(secure.url("ana"), tmp_path, engine_password="gü€ss")

    assert isinstance(error, InvalidSettings)
    assert error.__cause__ is None
    assert "gü€ss" not in str(error)


@pytest.mark.parametrize("wrong", ["", "guess-me-not", "gü-ess"])
def test_a_wrong_password_is_told_without_it(
    secure: SecureTrino, tmp_path: Path, wrong: str
) -> None:
    error = refused(secure.url("ana"), tmp_path, engine_password=wrong or None)

    assert isinstance(error, EngineUnavailable)
    assert "refuses the user" in error.message
    assert "FUSION_ENGINE_PASSWORD" in (error.hint or "")
    assert not wrong or wrong not in str(error)


def test_a_token_of_another_key_or_of_yesterday_is_refused(
    secure: SecureTrino, tmp_path: Path
) -> None:
    for token in (secure.token("jay", key=new_key()), secure.token("jay", life_s=-60), "no.to.ken"):
        error = refused(secure.url(), tmp_path, engine_token=token)

        assert "refuses the user" in error.message
        assert "FUSION_ENGINE_TOKEN" in (error.hint or "")
        assert token not in str(error)


def test_a_certificate_of_a_stranger_is_refused(secure: SecureTrino, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path / "stranger").issue("carl")

    error = refused(
        secure.url(), tmp_path, engine_certificate=str(certificate), engine_key=str(key)
    )

    assert isinstance(error, EngineUnavailable)


def test_a_user_whom_no_rule_maps_is_told(secure: SecureTrino, tmp_path: Path) -> None:
    error = refused(secure.url("mallory"), tmp_path, engine_password=PASSWORDS["mallory"])

    assert "refuses the user" in error.message
    assert "not allowed" in error.message


def test_who_asks_for_another_needs_leave(secure: SecureTrino, tmp_path: Path) -> None:
    error = refused(secure.url("bea"), tmp_path, engine_token=secure.token("jay"))

    assert "impersonate" in error.message


def test_an_untrusted_server_is_told_and_verify_trusts_it(
    secure: SecureTrino, tmp_path: Path
) -> None:
    untrusting = secure.url("ana", options={})
    stranger = secure.url("ana", options={"verify": str(Authority(tmp_path / "stranger").path)})

    for url in (untrusting, stranger):
        error = refused(url, tmp_path, engine_password=PASSWORDS["ana"])
        assert "cannot be trusted" in error.message
        assert "verify=" in (error.hint or "")
    careless = secure.url("ana", options={"verify": "false"})
    with pytest.warns(match="Unverified HTTPS"):
        assert answered(careless, tmp_path, engine_password=PASSWORDS["ana"]) == "ana"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"engine_certificate": "/nowhere/a.pem"}, "no such file"),
        ({"engine_auth": "jwt"}, "nothing to show"),
        ({"engine_auth": "magic"}, "engine.auth is 'magic'"),
        ({"engine_auth": "kerberos"}, "requests-kerberos"),
        ({"engine_url": "trino://h:8443?verify=/nowhere/ca.pem"}, "no such file"),
        ({"engine_url": "trino://h:8443?rolls=x"}, "no option rolls"),
        ({"engine_url": "trino://h:eight"}, "cannot be read"),
        ({"engine_url": "trino://"}, "names no host"),
        ({"engine_url": "trino://h:80?http_scheme=http", "engine_password": "x"}, "plain HTTP"),
    ],
)
def test_a_mistake_in_the_settings_is_told_before_anything_is_sent(
    tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    given = {"engine_url": "trino://ana@127.0.0.1:8443", **settings}

    error = refused(given.pop("engine_url"), tmp_path, **given)

    assert isinstance(error, InvalidSettings)
    assert says in error.message


def test_a_key_that_is_another_certificates_is_told(secure: SecureTrino, tmp_path: Path) -> None:
    certificate, _ = secure.authority.issue("carl")
    _, key = secure.authority.issue("dora")

    error = refused(
        secure.url(), tmp_path, engine_certificate=str(certificate), engine_key=str(key)
    )

    assert "do not belong together" in error.message


def test_a_background_job_shows_the_same_password_and_keeps_it_nowhere(
    secure: SecureTrino, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The worker is another process: it has the secret from its environment, and no file has it.
    """
    caplog.set_level(logging.DEBUG)
    secret = PASSWORDS["ana"]
    with connect(
        data_dir=str(tmp_path),
        engine_url=secure.url(f"ana:{secret}"),
        worker_idle_s=2,
    ) as fusion:
        first = fusion.run("SELECT count(*) FROM nation").rows()
        job = fusion.submit(WHO)

        assert job.result(timeout=120).rows() == [("ana",)]
        assert first == [(25,)]
        assert secret not in repr(fusion.settings)
        _refuse_everywhere(fusion, secret)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if secret.encode() in path.read_bytes()] == []
    assert secret not in caplog.text


def _refuse_everywhere(fusion: Fusion, secret: str) -> None:
    """
    A query that fails because of the place where the secret is looked for says nothing of it either.
    """
    with pytest.raises(FusionError) as caught:
        fusion.run("SELECT wrong FROM nation")
    assert secret not in str(caught.value)
    for check in fusion.doctor():
        assert secret not in " ".join(check.lines())


@pytest.mark.parametrize("name", ["FUSION_ENGINE_PASSWORD", "FUSION_ENGINE_PASSWORD_FILE"])
def test_the_password_comes_from_the_environment_or_a_file(
    secure: SecureTrino, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(PASSWORDS["ana"] + "\n")
    monkeypatch.setenv(name, str(file) if name.endswith("FILE") else PASSWORDS["ana"])

    assert answered(secure.url("ana"), tmp_path) == "ana"


class LockedKeyring(KeyringBackend):
    """
    A keyring whose owner has not opened it.
    """

    priority = 1
    # Whoever else asks for a keyring is not given this one, which every class of the kind would be.
    viable = False

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("secret-token")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("secret-token")


@pytest.mark.parametrize("backend", [FailingKeyring, LockedKeyring])
def test_a_person_logs_in_once(
    secure: SecureTrino,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: type[KeyringBackend],
) -> None:
    """
    OAuth2: the address is shown as progress and opened in a browser; the token serves later statements.
    """
    monkeypatch.setattr(keyring, "get_keyring", backend)
    monkeypatch.setattr(keyring.core, "get_keyring", backend)
    opened: list[str] = []

    def browse(url: str) -> bool:
        opened.append(url)
        with requests.Session() as browser:
            return browser.get(url, verify=str(secure.authority.path), timeout=60).ok

    monkeypatch.setattr(webbrowser, "open_new", browse)
    with connect(
        data_dir=str(tmp_path), engine_url=secure.url(), engine_auth="oauth2", worker_start="never"
    ) as fusion:
        assert fusion.run(WHO).rows() == [("olga",)]
        assert fusion.run(WHO).rows() == [("olga",)]

    assert len(opened) == 1


def test_a_login_that_is_refused_is_an_error_of_ours(
    secure: SecureTrino, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secure.provider, "refuses", True)

    def browse(url: str) -> bool:
        return requests.get(url, verify=str(secure.authority.path), timeout=60).ok

    monkeypatch.setattr(webbrowser, "open_new", browse)

    error = refused(secure.url(), tmp_path, engine_auth="oauth2")

    assert isinstance(error, EngineUnavailable)
    assert "Logging in" in error.message
