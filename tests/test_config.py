"""
Settings: precedence, and errors that say where the mistake is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as FailingKeyring

from fusion_magic.config import Settings, load_settings
from fusion_magic.errors import InvalidSettings
from fusion_magic.secrets import without_secret


@pytest.fixture(autouse=True)
def _own_config_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def load(folder: Path, **environment: str) -> Settings:
    return load_settings(environment=environment, folder=folder)


def test_without_any_configuration_everything_is_embedded(tmp_path: Path) -> None:
    settings = load(tmp_path, FUSION_DATA_DIR=str(tmp_path / "data"))

    assert settings.engine_url == "duckdb://"
    assert settings.store_url == f"sqlite:///{tmp_path}/data/fusion.db"
    assert settings.results_url == f"{tmp_path}/data/results"


def test_each_source_goes_before_the_ones_below_it(tmp_path: Path) -> None:
    """
    User's file < nearest file < its profile < environment < keyword.
    """
    user = tmp_path / "config" / "fusion-magic"
    user.mkdir(parents=True)
    (user / "fusion.toml").write_text('owner = "user"\n[engine]\nurl = "trino://user"\n')
    project = tmp_path / "project"
    (project / "deep").mkdir(parents=True)
    (project / "fusion.toml").write_text(
        '[engine]\nurl = "trino://file"\n[profiles.prod.engine]\nurl = "trino://profile"\n'
    )

    def url(profile: str | None = None, keyword: str | None = None, **environment: str) -> str:
        return load_settings(
            profile,
            overrides={"engine_url": keyword},
            environment=environment,
            folder=project / "deep",
        ).engine_url

    assert load(tmp_path).engine_url == "trino://user"
    assert url() == "trino://file"
    assert load(project).owner == "user"
    assert url("prod") == "trino://profile"
    assert url("prod", FUSION_ENGINE_URL="trino://env") == "trino://env"
    assert url("prod", "trino://kw", FUSION_ENGINE_URL="trino://env") == "trino://kw"


def test_pyproject_serves_where_there_is_no_fusion_toml(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.fusion]\nstore.url = "sqlite:///x.db"\n')

    assert load(tmp_path).store_url == "sqlite:///x.db"


def test_a_relative_path_in_a_file_lies_beside_that_file(tmp_path: Path) -> None:
    """
    A notebook two folders down reads the same catalog.
    """
    (tmp_path / "fusion.toml").write_text('[metadata]\nurl = "meta/catalog.yaml"\n')
    (tmp_path / "a").mkdir()

    assert load(tmp_path / "a").metadata_url == str(tmp_path / "meta" / "catalog.yaml")


def test_a_misspelt_key_is_named_with_its_place_and_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "fusion.toml").write_text('[engine]\nurll = "x"\n')

    with pytest.raises(InvalidSettings) as caught:
        load(tmp_path)

    assert "engine.urll" in caught.value.message
    assert "fusion.toml" in caught.value.message
    assert caught.value.hint == "Did you mean engine.url?"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[engine\n", "cannot be read"),
        ("[engine]\nurl = 3\n", "engine.url must be a text"),
        ('[results]\nmax_memory = "lots"\n', "no size in bytes"),
        ("profiles = 3\n", "must be tables"),
    ],
)
def test_a_mistake_in_a_file_is_a_clear_error(tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "fusion.toml").write_text(text)

    with pytest.raises(InvalidSettings, match=part):
        load(tmp_path)


def test_an_unknown_profile_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "fusion.toml").write_text("[profiles.test]\n")

    with pytest.raises(InvalidSettings) as caught:
        load_settings("prod", environment={}, folder=tmp_path)

    assert "test" in str(caught.value.hint)


def test_an_unknown_keyword_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"engine\.ulr"):
        load_settings(overrides={"engine_ulr": "x"}, environment={}, folder=tmp_path)


def test_a_secret_comes_from_a_file_and_shows_nowhere(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")

    settings = load(
        tmp_path,
        FUSION_ENGINE_TOKEN_FILE=str(tmp_path / "token"),
        FUSION_STORE_URL="postgresql+psycopg://u:s3cret@host/db",
    )

    assert settings.engine_token == "s3cret"
    assert "s3cret" not in repr(settings)


class FileKeyring(KeyringBackend):
    """
    A keyring in a file.
    """

    priority = 1
    # Whoever else asks for a keyring is not given this one, which every class of the kind would be.
    viable = False

    def __init__(self, path: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = path

    def get_password(self, service: str, username: str) -> str | None:
        kept: dict[str, str] = json.loads(self.path.read_text()) if self.path.exists() else {}
        return kept.get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.path.write_text(json.dumps({f"{service}/{username}": password}))


@pytest.fixture
def file_keyring(tmp_path: Path) -> Iterator[FileKeyring]:
    before = keyring.get_keyring()
    made = FileKeyring(tmp_path / "keyring.json")
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.mark.parametrize("is_in_file", [True, False])
def test_a_secret_comes_from_the_keyring(
    tmp_path: Path, file_keyring: FileKeyring, is_in_file: bool
) -> None:
    keyring.set_password("trino", "ana", "s3cret/:é")
    (tmp_path / "fusion.toml").write_text('[engine]\npassword_file = "keyring:trino/ana"\n')
    variables = {} if is_in_file else {"FUSION_ENGINE_PASSWORD_FILE": "keyring:trino/ana"}

    settings = load_settings(
        environment=variables, folder=tmp_path if is_in_file else tmp_path.parent
    )

    assert settings.engine_password == "s3cret/:é"
    assert "s3cret" not in repr(settings)


def test_a_secret_that_the_keyring_does_not_have_is_named(
    tmp_path: Path, file_keyring: FileKeyring
) -> None:
    with pytest.raises(InvalidSettings, match="no secret trino/bea") as caught:
        load(tmp_path, FUSION_ENGINE_PASSWORD_FILE="keyring:trino/bea")
    assert caught.value.hint == "keyring set trino bea"


def test_a_machine_without_a_keyring_is_told(tmp_path: Path, file_keyring: FileKeyring) -> None:
    keyring.set_keyring(FailingKeyring())  # type: ignore[no-untyped-call]

    with pytest.raises(InvalidSettings, match="keyring cannot be read"):
        load(tmp_path, FUSION_ENGINE_TOKEN_FILE="keyring:trino/ana")


def test_a_missing_secret_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="nowhere"):
        load(tmp_path, FUSION_ENGINE_TOKEN_FILE=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "url",
    ["trino://ana:s3cret@host/x", "postgresql+psycopg://u:s3cret@h/db", "http://:s3cret@[bad"],
)
def test_a_password_is_never_shown(url: str) -> None:
    assert "s3cret" not in without_secret(url)


def test_what_is_told_of_sql_is_masked_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    assert load(tmp_path).delivery_sql == "masked"
    assert load(tmp_path, FUSION_DELIVERY_SQL="none").delivery_sql == "none"
    with pytest.raises(InvalidSettings) as caught:
        load(tmp_path, FUSION_DELIVERY_SQL="some")
    assert caught.value.hint == "It is full or masked or none."


def test_catalogs_are_a_table_of_services_and_databases(tmp_path: Path) -> None:
    """
    Also where somebody leaves the quotes out, which TOML reads as a table in a table.
    """
    (tmp_path / "fusion.toml").write_text(
        '[catalogs]\nshop_pg = "shop"\n"hr.people" = "hr_people"\ncrm.eu = "crm_eu"\n'
    )

    found = load(tmp_path)

    assert found.catalog_names == {"shop_pg": "shop", "hr.people": "hr_people", "crm.eu": "crm_eu"}
    assert load(tmp_path, FUSION_CATALOGS="a=b c.d=e").catalog_names == {"a": "b", "c.d": "e"}
    again = load_settings(overrides=found.shareable(), environment={}, folder=tmp_path)
    assert again.catalog_names == found.catalog_names


@pytest.mark.parametrize("text", ["shop_pg", "=x", "a="])
def test_a_catalog_without_its_service_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSettings, match="catalogs has"):
        load(tmp_path, FUSION_CATALOGS=text)


def test_the_age_of_names_is_checked(tmp_path: Path) -> None:
    assert load(tmp_path).metadata_max_age_s == 600
    assert load(tmp_path, FUSION_METADATA_MAX_AGE="90s").metadata_max_age_s == 90
    with pytest.raises(InvalidSettings, match="is 'soon'"):
        load(tmp_path, FUSION_METADATA_MAX_AGE="soon")


def test_properties_of_catalogs_are_a_table_of_tables(tmp_path: Path) -> None:
    (tmp_path / "fusion.toml").write_text(
        "[catalog_properties.lake]\n"
        'hive.metastore.uri = "thrift://ms:9083"\n"fs.native-s3.enabled" = true\n'
        '[catalog_properties."crm.europe"]\n"connection-user" = "bob"\n'
    )
    expected = {
        "lake": {"hive.metastore.uri": "thrift://ms:9083", "fs.native-s3.enabled": "true"},
        "crm.europe": {"connection-user": "bob"},
    }

    settings = load(tmp_path)

    assert settings.properties_of_catalogs == expected
    travelled = load(tmp_path, FUSION_CATALOG_PROPERTIES=settings.catalog_properties)
    assert travelled.properties_of_catalogs == expected
    assert Settings().properties_of_catalogs == {}


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"lake": "x"}', '{"lake": {"a": [1]}}'])
def test_other_properties_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSettings, match="table of tables"):
        load(tmp_path, FUSION_CATALOG_PROPERTIES=text)


def test_events_are_asked_for_at_most_once_a_second(tmp_path: Path) -> None:
    assert load(tmp_path).events_poll_s is None
    assert load(tmp_path, FUSION_EVENTS_POLL="30s").events_poll_s == 30
    assert load(tmp_path, FUSION_EVENTS_POLL="0s").events_poll_s == 1
    with pytest.raises(InvalidSettings, match="is 'often'"):
        load(tmp_path, FUSION_EVENTS_POLL="often")


def test_the_secret_of_a_webhook_comes_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("what it knows\n")
    found = load(tmp_path, FUSION_EVENTS_SECRET_FILE=str(tmp_path / "secret"))

    assert found.events_secret == "what it knows"
    assert "what it knows" not in f"{found!r}{found.shareable()}"


def test_places_of_files_are_pairs(tmp_path: Path) -> None:
    (tmp_path / "fusion.toml").write_text('[files.trino_places]\n"/data" = "local:///data"\n')

    settings = load(tmp_path)

    assert settings.trino_places == {"/data": "local:///data"}
    assert load(tmp_path, FUSION_FILES_TRINO_PLACES="/a=s3://x /b=s3://y").trino_places == {
        "/a": "s3://x",
        "/b": "s3://y",
    }
    with pytest.raises(InvalidSettings, match=r"files\.trino_places has 'x'"):
        load(tmp_path, FUSION_FILES_TRINO_PLACES="x")
