"""
Settings: where they come from, in rising order of precedence.

    defaults
    fusion.toml, or [tool.fusion] in pyproject.toml     the user's config directory, then the nearest folder upwards
    the profile that was chosen                         [profiles.NAME] in the same files
    FUSION_* environment variables                      FUSION_ENGINE_URL is engine.url
    keywords of connect()                               %config FusionMagics.x and a cell's options come this way

This module is the only reader of the environment and of configuration files. A value that
is a secret never shows in a repr; ``*_file`` keys name a file that holds the secret, or a secret in the system's keyring
(``keyring:SERVICE/USER``).
"""

from __future__ import annotations

import difflib
import getpass
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fusion_magic.errors import InvalidArgument, InvalidSettings
from fusion_magic.secrets import KEYRING, read_secret, secrets_in, without_secrets
from fusion_magic.setting_tables import PAIRS, read_pairs, read_properties
from fusion_magic.units import parse_age, parse_size

GIBIBYTE = 1 << 30
_SHORTEST_SECRET = 3  # hiding what is shorter would make texts unreadable


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """
    Everything that can be configured; each field's key has a dot where the field has its first underscore.

    Attributes:
        engine_url: What runs the SQL: ``duckdb://`` (in memory), ``duckdb:///file.duckdb``, or
            ``trino://user@host:8443/catalog/schema``. A Trino URL takes ``verify``, ``roles``, ``compress``, ``encoding``,
            ``http_scheme`` and the options of Kerberos.
        engine_password: The password for Trino.
        engine_token: A JWT for Trino.
        engine_auth: How to sign in to Trino: ``basic``, ``jwt``, ``certificate``, ``oauth2`` or ``kerberos``. Without it, the
            secrets that are set decide.
        engine_certificate: The PEM file of a client certificate for Trino.
        engine_key: The PEM file of that certificate's key; not needed where the certificate's file holds both.
        engine_create_catalogs: Whether a cell makes the catalogs that its names need and Trino lacks: ``never``, ``ask`` (only with
            ``--create-catalogs``) or ``always``.
        store_url: Where jobs are kept: an SQLAlchemy URL of SQLite or PostgreSQL (``postgresql+psycopg://user@host/database``).
        metadata_url: Where names are looked up: a catalog file, or an OpenMetadata server (``https://openmetadata.example/api``).
            Its option ``verify`` names a file of authorities, or is ``false``.
        metadata_token: The token for that server: a bot's, or a person's access token. A catalog file needs none.
        metadata_max_age: The most age of what is kept of that server's answers, such as ``10min``.
        events_secret: The secret with which OpenMetadata signs the messages of its webhook to ``fusion scheduler --events``.
        events_poll: How often ``fusion scheduler`` asks that server for its events, such as ``30s``; without it, never.
        catalogs: The catalogs of Trino in which services and databases of OpenMetadata lie: a table of
            ``service = "catalog"`` and ``"service.database" = "catalog"``; as a text, pairs with spaces between them.
        catalog_properties: Properties of Trino's connectors for the catalogs that are made: a table for each service or
            ``"service.database"``, whose lines go over what its connection in OpenMetadata says; with ``connector.name`` they are
            all that counts. As a text, JSON.
        files_trino_schema: A schema of Trino's Hive connector, such as ``hive.fusion``, in which a container of files becomes a
            view while a query reads it. Without it, a container is read where a catalog has its name.
        files_trino_places: How Trino's catalog calls places of files: a table of ``"/data" = "local:///data"``, or such pairs.
        results_url: Where stored results go: a folder, or a bucket such as ``s3://lake/fusion``.
        results_trino_schema: A schema of Trino's Hive connector, such as ``hive.fusion``, in which a stored result becomes a table
            while a query reads it. Without it, Trino cannot read stored results.
        results_trino_url: The address of ``results.url`` as that connector knows it, where the two differ (``local:///results``).
        results_max_memory: The most memory that one result may take, such as ``500 MB``.
        worker_start: ``auto`` starts a worker and a scheduler beside an SQLite store when a job needs them; ``never`` does not.
        worker_concurrency: The most jobs that one worker runs at once; 0 means 32 on Trino and one a core on DuckDB.
        worker_idle_s: Seconds without work after which an automatically started worker ends.
        worker_lease_s: Seconds without a sign of life after which a worker's jobs go to another worker.
        worker_attempts: How many times a job is begun whose worker died.
        jobs_cancel_others: ``yes`` lets everybody cancel everybody's jobs, and forget their lineage.
        delivery_url: Where lineage goes besides the store's own graph: ``openmetadata+https://host/api``,
            ``openlineage+file:///events.jsonl`` or ``openlineage+https://host/api/v1/lineage``. Several URLs stand in a list, or
            are separated by spaces.
        delivery_token: The bearer token for the receivers of lineage. Without it, an OpenMetadata at the address of
            ``metadata.url`` is sent the metadata's token.
        delivery_sql: What is told of a statement's text: ``masked`` puts ``?`` for each string and number, ``full`` leaves them
            in, ``none`` tells nothing of it.
        delivery_ingestion: How a table that a job has made becomes known to OpenMetadata: ``pipeline`` triggers the metadata pipeline
            of its service, ``create`` writes the table, ``auto`` writes it where no pipeline can bring it, ``none`` waits.
        delivery_usage: ``yes`` tells OpenMetadata who ran which statement on which tables, and how often a table is read; ``no`` tells
            lineage alone.
        governance_warn: The tags of tables and columns that a cell tells, or whole classifications, with spaces between them.
        governance_refuse: The tags, or ``deleted``, ``deprecated``, ``draft`` and ``tests``, of which a cell that reads them is refused until
            ``--acknowledge REASON`` says why it is right.
        governance_max_scan: The most that a statement may read, such as ``50 GB``, by the engine's estimate; 0 for no limit.
        governance_max_rows: The most rows that a query may give, by the engine's estimate; 0 for no limit.
        data_dir: The folder in which the embedded default keeps its store and its results.
        profile: The chosen profile; empty for none.
        owner: Who runs the jobs.
    """

    engine_url: str = "duckdb://"
    engine_password: str | None = None
    engine_token: str | None = None
    engine_auth: str = ""
    engine_certificate: str = ""
    engine_key: str = ""
    engine_create_catalogs: str = "never"
    store_url: str = ""
    metadata_url: str = ""
    metadata_token: str | None = None
    metadata_max_age: str = "10min"
    events_secret: str | None = None
    events_poll: str = ""
    catalogs: str = ""
    catalog_properties: str = ""
    files_trino_schema: str = ""
    files_trino_places: str = ""
    results_url: str = ""
    results_trino_schema: str = ""
    results_trino_url: str = ""
    results_max_memory: int = 2 * GIBIBYTE
    worker_start: str = "auto"
    worker_concurrency: int = 0
    worker_idle_s: int = 600
    worker_lease_s: int = 30
    worker_attempts: int = 3
    jobs_cancel_others: str = "no"
    delivery_url: str = ""
    delivery_token: str | None = None
    delivery_sql: str = "masked"
    delivery_ingestion: str = "auto"
    delivery_usage: str = "yes"
    governance_warn: str = "PII"
    governance_refuse: str = ""
    governance_max_scan: int = 0
    governance_max_rows: int = 0
    data_dir: Path = Path()
    profile: str = ""
    owner: str = ""

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{f.name}={without_secrets(str(getattr(self, f.name)))!r}"
            for f in fields(self)
            if f.name not in SECRETS
        )
        return f"Settings({shown})"

    @property
    def catalog_names(self) -> dict[str, str]:
        """
        The catalogs of Trino by the FQN of a service or a database.
        """
        pairs = (pair.rpartition("=") for pair in self.catalogs.splitlines())
        return {name: catalog for name, _, catalog in pairs}

    @property
    def properties_of_catalogs(self) -> dict[str, dict[str, str]]:
        """
        ``catalog_properties`` by the FQN of a service or a database.
        """
        return dict(json.loads(self.catalog_properties or "{}"))

    @property
    def trino_places(self) -> dict[str, str]:
        """
        How Trino calls places of files, by their beginnings.
        """
        pairs = (pair.partition("=") for pair in self.files_trino_places.splitlines())
        return {place: theirs for place, _, theirs in pairs}

    @property
    def metadata_max_age_s(self) -> float:
        """
        ``metadata.max_age`` in seconds.
        """
        return parse_age(self.metadata_max_age)

    @property
    def events_poll_s(self) -> float | None:
        """
        ``events.poll`` in seconds, at least one; None for never.
        """
        return max(parse_age(self.events_poll), 1.0) if self.events_poll else None

    @property
    def delivery_urls(self) -> tuple[str, ...]:
        """
        Each URL of ``delivery.url``, which may hold several with spaces between them.
        """
        return tuple(self.delivery_url.split())

    def shareable(self) -> dict[str, str]:
        """
        The settings as keywords of ``connect``, for another process; without secrets, which it finds for itself.
        """
        hidden = (*SECRETS, "owner")
        given = {f.name: str(getattr(self, f.name)) for f in fields(self) if f.name not in hidden}
        return {name: without_secrets(value) for name, value in given.items() if value}

    def environment(self, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
        """
        *environment* with every setting as a ``FUSION_*`` variable, for a process of the same user.
        """
        others = {k: v for k, v in environment.items() if not k.startswith("FUSION_")}
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "profile"}
        return others | {
            f"FUSION_{k.upper()}": str(v) for k, v in own.items() if v not in (None, "")
        }


_LISTS = (
    "delivery_url",
    "governance_warn",
    "governance_refuse",
)  # a TOML list, or words with spaces
_WHOLE = ("data_dir", "catalogs", "catalog_properties")  # keys without a section
KEYS: Mapping[str, str] = {
    f.name.replace("_", ".", 1) if f.name not in _WHOLE else f.name: f.name
    for f in fields(Settings)
    if f.name != "profile"
}
_COUNTS = tuple(
    f.name
    for f in fields(Settings)
    if f.type == "int" and (f.name.startswith("worker_") or f.name == "governance_max_rows")
)
_SIZES = ("results_max_memory", "governance_max_scan")
_POSITIVE = ("worker_lease_s", "worker_attempts")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "engine_create_catalogs": ("never", "ask", "always"),
    "worker_start": ("auto", "never"),
    "jobs_cancel_others": ("yes", "no"),
    "delivery_sql": ("full", "masked", "none"),
    "delivery_ingestion": ("auto", "pipeline", "create", "none"),
    "delivery_usage": ("yes", "no"),
}
_AGES = ("metadata_max_age", "events_poll")
SECRETS = ("engine_password", "engine_token", "metadata_token", "delivery_token", "events_secret")


def load_settings(
    profile: str | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """
    Gather the settings from all their sources.

    Args:
        profile: Name of a ``[profiles.NAME]`` table; None takes ``FUSION_PROFILE``, else none.

        overrides: Keywords of ``connect``; those that are None count as not given.

        environment: Instead of ``os.environ``.

        folder: Where the search for files starts, instead of the working directory.

    Raises:
        InvalidSettings: An unknown key or profile, a value of the wrong kind, a file that
            cannot be read; the message says where it was set.
    """
    environment = os.environ if environment is None else environment
    folder = Path.cwd() if folder is None else folder
    profile = profile or environment.get("FUSION_PROFILE") or ""
    values = _from_files(folder, profile)
    values |= _from_environment(environment)
    values |= _from_keywords(overrides or {})
    return _build(values, profile)


def _build(values: Mapping[str, tuple[Any, str]], profile: str) -> Settings:
    chosen: dict[str, Any] = {"profile": profile}
    for name, (value, where) in values.items():
        if name.endswith("_file"):
            chosen.setdefault(name.removesuffix("_file"), read_secret(value, where))
        else:
            chosen[name] = _typed(name, value, where)
    chosen.setdefault("data_dir", _default_data_dir())
    chosen["owner"] = chosen.get("owner") or _user_name()
    data_dir = chosen["data_dir"]
    chosen["store_url"] = chosen.get("store_url") or f"sqlite:///{data_dir / 'fusion.db'}"
    chosen["results_url"] = chosen.get("results_url") or str(data_dir / "results")
    return Settings(**chosen)


def _default_data_dir() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("fusion-magic", appauthor=False))


def _user_name() -> str:
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _typed(name: str, value: Any, where: str) -> Any:
    if name in _LISTS and isinstance(value, (list, tuple)):
        value = " ".join(map(str, value))
    if name == "data_dir":
        return Path(value).expanduser().absolute()
    if name in PAIRS:
        return read_pairs(value, where, key=_key_of(name))
    if name == "catalog_properties":
        return read_properties(value, where)
    if name in _AGES:
        _check_age(name, value, where)
    if name in _SIZES:
        return parse_size(value, where=where)
    if name in _COUNTS:
        return _count(name, value, where)
    if name in _CHOICES and value not in _CHOICES[name]:
        raise InvalidSettings(
            f"{_key_of(name)} is {value!r} ({where}).", hint=f"It is {' or '.join(_CHOICES[name])}."
        )
    if not isinstance(value, (str, Path)):
        raise InvalidSettings(f"{_key_of(name)} must be a text, not {value!r} ({where}).")
    return str(value)


def _check_age(name: str, value: object, where: str) -> None:
    try:
        parse_age(str(value))
    except InvalidArgument as exc:
        raise InvalidSettings(
            f"{_key_of(name)} is {value!r} ({where}).", hint="Write it like 90s, 15min, 1h or 7d."
        ) from exc


def _count(name: str, value: object, where: str) -> int:
    if not re.fullmatch(r"\d{1,9}", str(value)) or (int(str(value)) == 0 and name in _POSITIVE):
        raise InvalidSettings(f"{_key_of(name)} must be a whole number, not {value!r} ({where}).")
    return int(str(value))


def _key_of(name: str) -> str:
    return next((key for key, field_name in KEYS.items() if field_name == name), name)


def _field_of(key: str, where: str) -> str:
    secret_files = {f"{_key_of(name)}_file": f"{name}_file" for name in SECRETS}
    known = {**KEYS, **secret_files}
    if key in known:
        return known[key]
    close = difflib.get_close_matches(key, known, n=1)
    raise InvalidSettings(
        f"There is no setting {key} ({where}).",
        hint=f"Did you mean {close[0]}?" if close else f"The settings are {', '.join(KEYS)}.",
    )


def _from_keywords(overrides: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    names = {*KEYS.values(), *(f"{name}_file" for name in SECRETS)}
    found = {}
    for name, value in overrides.items():
        if name not in names:
            _field_of(name.replace("_", ".", 1), f"keyword {name}")
        if value is not None:
            found[name] = (value, f"keyword {name}")
    return found


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    names = [*KEYS.values(), *(f"{name}_file" for name in SECRETS)]
    variables = {name: f"FUSION_{name.upper()}" for name in names}
    return {
        name: (environment[variable], variable)
        for name, variable in variables.items()
        if environment.get(variable)
    }


def _from_files(folder: Path, profile: str) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    profiles: list[str] = []
    chosen = False
    for path in settings_files(folder):
        table = _read_table(path)
        own_profiles = table.pop("profiles", {})
        if not isinstance(own_profiles, dict):
            raise InvalidSettings(f"profiles must be tables ([profiles.NAME]), in {path}.")
        found |= _flatten(table, path)
        profiles += own_profiles
        if profile in own_profiles:
            chosen = True
            found |= _flatten(own_profiles[profile], path)
    if profile and not chosen:
        known = ", ".join(profiles) or "none"
        raise InvalidSettings(
            f"There is no profile {profile!r}.",
            hint=f"Known are: {known}. A profile is a table [profiles.NAME] in fusion.toml.",
        )
    return found


def set_variables() -> list[str]:
    """
    The names of the ``FUSION_*`` variables of this process.
    """
    return sorted(name for name in os.environ if name.startswith("FUSION_"))


def other_variables() -> dict[str, str]:
    """
    The environment without our own variables, for a process that is to have settings of its own.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("FUSION_")}


def is_progress_off() -> bool:
    """
    Whether ``FUSION_PROGRESS`` is ``none``: nothing is shown while a cell runs.
    """
    return os.environ.get("FUSION_PROGRESS") == "none"


def notebook_path() -> str:
    """
    The notebook that this kernel belongs to, as Jupyter's server tells its kernels; empty where none does.
    """
    return os.environ.get("JPY_SESSION_NAME", "")


def settings_files(folder: Path | None = None) -> list[Path]:
    """
    The files that settings are read from: the user's, and the nearest at *folder* or above it.
    """
    import platformdirs

    folder = Path.cwd() if folder is None else folder
    user = Path(platformdirs.user_config_dir("fusion-magic", appauthor=False)) / "fusion.toml"
    found = [user] if user.is_file() else []
    for parent in (folder, *folder.parents):
        own = parent / "fusion.toml"
        if own.is_file():
            return [*found, own]
        project = parent / "pyproject.toml"
        if project.is_file() and b"[tool.fusion" in project.read_bytes():
            return [*found, project]
    return found


def known_profiles() -> list[str]:
    """
    The names of the profiles that the files for this folder have.
    """
    tables = [_read_table(path).get("profiles", {}) for path in settings_files()]
    return sorted({name for table in tables if isinstance(table, dict) for name in table})


def _read_table(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise InvalidSettings(f"{path} cannot be read: {exc}") from exc
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("fusion", {})
    return dict(table)


def _flatten(table: Mapping[str, Any], path: Path) -> dict[str, tuple[Any, str]]:
    found = {}
    for key, value in table.items():
        is_section = isinstance(value, dict) and key not in KEYS
        pairs = {f"{key}.{k}": v for k, v in value.items()} if is_section else {key: value}
        for full, single in pairs.items():
            name = _field_of(full, str(path))
            if name in {"metadata_url", "data_dir"} or name.endswith("_file"):
                single = _beside(path, single)
            found[name] = (single, f"{full} in {path}")
    return found


def _beside(path: Path, value: Any) -> Any:
    """
    A relative path in a file means a place beside that file, wherever the notebook runs.
    """
    if not isinstance(value, str) or "://" in value or value.startswith(KEYRING):
        return value
    return str(path.parent / Path(value).expanduser())


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """
    Every text in *settings* that must not be shown: the secrets, and passwords and keys in URLs; the longest first.
    """
    own = [str(getattr(settings, f.name)) for f in fields(settings) if f.name.endswith("_url")]
    urls = [url for text in own for url in (text, *text.split())]
    found = {str(getattr(settings, name) or "") for name in SECRETS}
    for url in urls:
        found |= secrets_in(url)
    found |= {unquote(secret) for secret in found}
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST_SECRET), key=len)[::-1])
