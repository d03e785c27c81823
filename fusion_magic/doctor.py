"""
The doctor: whether every configured part works, what is wrong with it, and how to mend it.

Parts are examined at the same time, each for some seconds at most, so that one which hangs is named and holds up
nothing. What stands on the job store is examined once that has answered. No text holds a secret of the settings.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from fusion_magic.config import secrets_of, set_variables, settings_files
from fusion_magic.errors import (
    BrokenPlugin,
    DeliveryError,
    EngineUnavailable,
    FusionError,
    InvalidSettings,
    MetadataError,
    MissingExtra,
    StoreError,
)
from fusion_magic.registry import scheme_of
from fusion_magic.secrets import without_secret

if TYPE_CHECKING:
    from fusion_magic.store import ProcessRow
    from fusion_magic.wiring import Wiring

State = Literal["ok", "wrong", "not used", "not checked"]
PATIENCE_S = 15.0
MOST_COUNTED = 1000
_Outcome = TypeVar("_Outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    One part.

    Attributes:
        part: Its name.
        state: ``ok``, ``wrong``, ``not used``, or ``not checked`` because what it needs is wrong.
        what: What it is: its place, its version.
        problem: What is wrong, or empty.
        hint: How to mend it, or empty.
        is_away: Whether it does not answer, and may later.
    """

    part: str
    state: State
    what: str = ""
    problem: str = ""
    hint: str = ""
    is_away: bool = False

    def lines(self) -> list[str]:
        """
        What is to be said of it, for a person.
        """
        hint = f"Hint: {self.hint}" if self.hint else ""
        return [line for line in (self.what, *self.problem.splitlines(), hint) if line]


def examine(wiring: Wiring, *, patience_s: float = PATIENCE_S) -> list[Check]:
    """
    Every part, in the order in which a cell needs them.

    Args:
        patience_s: Seconds after which a part that has not answered is given up.
    """
    _load(wiring)
    first = _examine(wiring, _FIRST, patience_s)
    store = next(check for check in first if check.part == "store")
    if store.state == "ok":
        then = _examine(wiring, _ON_THE_STORE, patience_s)
    else:
        then = [
            Check(part=part, state="not checked", what="the job store has not answered")
            for part in _ON_THE_STORE
        ]
    hidden = secrets_of(wiring.settings)
    return [_without(check, hidden) for check in (*first, *then)]


def wrong(part: str, error: FusionError) -> Check:
    """
    What is said of a part that raised *error*.
    """
    return Check(
        part=part,
        state="wrong",
        problem=error.message,
        hint=error.hint or "",
        is_away=isinstance(error, (EngineUnavailable, StoreError, MetadataError)),
    )


class Attempt(Generic[_Outcome]):
    """
    Something that is tried in a thread of its own, which ends with the process at the latest.
    """

    def __init__(self, do: Callable[[], _Outcome]) -> None:
        self._do = do
        self._ended = threading.Event()
        self._found: _Outcome
        self._error: Exception | None = None
        threading.Thread(target=self._run, name="fusion-attempt", daemon=True).start()

    def outcome(self, patience_s: float) -> _Outcome:
        """
        What it gave or raised.

        Raises:
            TimeoutError: It has done neither within *patience_s* seconds.
        """
        if not self._ended.wait(patience_s):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._found

    def _run(self) -> None:
        try:
            self._found = self._do()
        except Exception as error:  # noqa: BLE001 - it is raised where the outcome is asked for
            self._error = error
        finally:
            self._ended.set()


def _load(wiring: Wiring) -> None:
    """
    Import what parts need before their time runs: on a busy machine that takes seconds.
    """
    import pyarrow as pa  # noqa: F401 - imported for later

    import fusion_magic.store.sql.store  # noqa: F401 - imported for later

    with suppress(FusionError):
        _ = wiring.engine  # it connects later


_RECEIVERS = {
    "openlineage": "openlineage",
    "openmetadata": "msgspec",
}  # by their extras, with a module of each
_Examination = Callable[["Wiring"], tuple[State, str]]


def _examine(wiring: Wiring, parts: Mapping[str, _Examination], patience_s: float) -> list[Check]:
    deadline = time.monotonic() + patience_s
    attempts = {part: Attempt(partial(look, wiring)) for part, look in parts.items()}
    return [_check(part, attempt, deadline) for part, attempt in attempts.items()]


def _check(part: str, attempt: Attempt[tuple[State, str]], deadline: float) -> Check:
    try:
        state, what = attempt.outcome(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return Check(
            part=part,
            state="wrong",
            problem="It does not answer, and was given up.",
            hint="Does its address lead to the right machine, and does a firewall let it through?",
            is_away=True,
        )
    except FusionError as error:
        return wrong(part, error)
    except Exception as error:  # noqa: BLE001 - one broken part must not hide the others
        problem = f"An error inside fusion-magic: {type(error).__name__}: {error}"
        return Check(part=part, state="wrong", problem=problem)
    return Check(part=part, state=state, what=what)


def _without(check: Check, secrets: tuple[str, ...]) -> Check:
    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "…")
        return text

    return replace(check, what=hide(check.what), problem=hide(check.problem), hint=hide(check.hint))


def _settings(wiring: Wiring) -> tuple[State, str]:
    said = [f"profile {wiring.settings.profile}"] if wiring.settings.profile else []
    said += [str(path) for path in settings_files()]
    said += set_variables()
    return "ok", ", ".join(said) or "the defaults alone"


def _store(wiring: Wiring) -> tuple[State, str]:
    schema = wiring.store.check()
    return "ok", f"{without_secret(wiring.settings.store_url)}, schema {schema}, writable"


def _engine(wiring: Wiring) -> tuple[State, str]:
    engine = wiring.engine
    about = f"{engine.about()} at {without_secret(wiring.settings.engine_url)}"
    return "ok", f"{about}, {_count(len(engine.catalogs()), 'catalog')}"


def _metadata(wiring: Wiring) -> tuple[State, str]:
    services = wiring.metadata.services()
    place = wiring.metadata.about()
    if not place:
        return "not used", "there is no catalog.yaml in this folder or above it"
    names = _count(sum(services.values()), "name")
    return "ok", f"{place}, {names} of {_count(len(services), 'service')}"


def _results(wiring: Wiring) -> tuple[State, str]:
    return "ok", f"{without_secret(wiring.storage.check())}, writable"


def _packages(wiring: Wiring) -> tuple[State, str]:
    wanted = dict(_wanted_packages(wiring))
    missing = sorted(e for e, module in wanted.items() if importlib.util.find_spec(module) is None)
    if missing:
        raise MissingExtra("What is configured", extra=",".join(missing))
    if not wanted:
        return "not used", "what is configured needs no optional package"
    return "ok", ", ".join(sorted(wanted))


def _wanted_packages(wiring: Wiring) -> Iterator[tuple[str, str]]:
    settings = wiring.settings
    with suppress(EngineUnavailable, InvalidSettings):
        yield from wiring.engine.capabilities.packages.items()
    if settings.store_url.startswith("postgresql"):
        yield "postgres", "psycopg"
    if settings.results_url.startswith("s3://"):
        yield "s3", "s3fs"
    if settings.metadata_url.startswith("http"):
        yield "openmetadata", "msgspec"
    schemes = {scheme_of(url) for url in settings.delivery_urls}
    yield from ((scheme, module) for scheme, module in _RECEIVERS.items() if scheme in schemes)


def _notebook(_: Wiring) -> tuple[State, str]:
    lab, widgets = _version("jupyterlab"), _version("ipywidgets")
    if _version("ipykernel") is None:
        return "not used", "there is no Jupyter kernel in this environment"
    said = [
        f"JupyterLab {lab} {_labextension(lab)}" if lab else "no JupyterLab in this environment",
        f"ipywidgets {widgets}"
        if widgets
        else "no ipywidgets (progress and buttons): pip install 'fusion-magic[widgets]'",
    ]
    if anywidget := _version("anywidget"):
        said.append(f"anywidget {anywidget}")
    return "ok", ", ".join(said)


def _labextension(lab: str) -> str:
    """
    Whether JupyterLab finds our extension, by the folders where it looks, and takes it.

    Raises:
        BrokenPlugin: This JupyterLab does not load it.
    """
    for folder in (Path(sys.prefix), Path.home() / ".local", Path("/usr/local"), Path("/usr")):
        file = folder / "share" / "jupyter" / "labextensions" / "fusion-magic" / "package.json"
        if file.is_file():
            package = json.loads(file.read_text(encoding="utf-8"))
            _check_fit(lab, package["dependencies"]["@jupyterlab/application"])
            return f"with the extension {package['version']}"
    return "without the extension"


def _check_fit(lab: str, caret_range: str) -> None:
    """
    Whether JupyterLab *lab* is in an npm range such as ``^4.3.0``: that version or a newer one of the same major number.
    """
    lowest, installed = (_numbers(text) for text in (caret_range.removeprefix("^"), lab))
    if installed < lowest or installed[0] != lowest[0]:
        bounds = f">={caret_range.removeprefix('^')},<{lowest[0] + 1}"
        raise BrokenPlugin(
            f"JupyterLab {lab} does not load the extension of fusion-magic, which is made for {bounds}.",
            hint=f"pip install 'jupyterlab{bounds}', or a newer fusion-magic",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """
    The numbers of a version's release, without what marks it as a pre-release.

    >>> _numbers("4.6.0rc1"), _numbers("4.10.2")
    ((4, 6, 0), (4, 10, 2))
    """
    return tuple(int(number) for number in re.findall(r"(?:^|\.)(\d+)", version))


def _worker(wiring: Wiring) -> tuple[State, str]:
    from fusion_magic.processes.presence import find_alive

    tasks = wiring.store.tasks
    alive = find_alive(wiring.store.processes, "worker", wiring.engine_key)
    if not alive and not wiring.starts_workers and tasks.is_any_open(engine_url=wiring.engine_key):
        raise StoreError("Jobs wait, and no worker is at work.", hint="Start one: fusion worker")
    return _service(wiring, alive, "a job needs it")


def _scheduler(wiring: Wiring) -> tuple[State, str]:
    from fusion_magic.processes.presence import find_alive

    alive = find_alive(wiring.store.processes, "scheduler")
    if not alive and not wiring.starts_workers and wiring.store.outbox.pending(limit=1):
        raise StoreError(
            "Lineage waits, and no scheduler is at work.", hint="Start one: fusion scheduler"
        )
    return _service(wiring, alive, "a worker is")


def _service(wiring: Wiring, alive: list[ProcessRow], when: str) -> tuple[State, str]:
    if alive:
        places = sorted({f"{row.host} (process {row.pid})" for row in alive})
        return "ok", f"{len(alive):,} at work: {', '.join(places)}"
    if wiring.starts_workers:
        return "ok", f"none at work; started by itself when {when}"
    return "not used", "none at work, and nothing waits for one"


def _queue(wiring: Wiring) -> tuple[State, str]:
    dead = wiring.store.outbox.dead()
    if dead:
        raise DeliveryError(
            f"{_count(len(dead), 'row')} of lineage could not be delivered: {dead[0].error}",
            hint="`fusion queue` lists them; `fusion queue retry ID` or `drop ID` deals with one.",
        )
    pending = len(wiring.store.outbox.pending(limit=MOST_COUNTED))
    more = " or more" if pending == MOST_COUNTED else ""
    return "ok", f"{pending:,}{more} rows wait for delivery" if pending else "nothing waits"


_FIRST: Mapping[str, _Examination] = {
    "settings": _settings,
    "store": _store,
    "metadata": _metadata,
    "engine": _engine,
    "results": _results,
    "packages": _packages,
    "notebook": _notebook,
}
_ON_THE_STORE: Mapping[str, _Examination] = {
    "worker": _worker,
    "scheduler": _scheduler,
    "queue": _queue,
}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
